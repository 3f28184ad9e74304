"""How likely does each model find MNIST's test images, after how long? The first table of experiments/README.md, drawn.

    python -m experiments.minutes [--table FILE] [--out DIR]

Test log-likelihood in nats an image against minutes of training, a point a row (bars: its interval, the range of its
minutes), published values as dashed lines. Rows without minutes are left out. Writes minutes.png; trains nothing.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from experiments.common import options
from genjax.plots.images import save

TABLE = Path(__file__).parent / "README.md"
APART = 0.4  # nats between two labels at the margin, at least
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito's
MARKERS = "osD^vP"


class Row(NamedTuple):
    """One run: nats, the ends of its interval (its own value where there is none), and minutes, from and to."""

    model: str
    nats: float
    interval: tuple[float, float]
    minutes: tuple[float, float]
    published: tuple[str, float] | None


def numbers(cell: str) -> list[float]:
    """Those in a cell of the table."""
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", cell)]


def rows(text: str) -> list[Row]:
    """The rows that have minutes, of the table whose columns are model, setting, obtained, interval, reference,
    minutes and command."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    found = []
    for model, _, obtained, interval, reference, minutes, _ in [line for line in lines if len(line) == 7]:
        if not numbers(obtained) or not numbers(minutes) or model not in NAMES:
            continue
        nats, ends = numbers(obtained)[0], numbers(interval)
        name = re.match(r"(.*) (-\d+\.\d+) \[", reference)
        published = (name[1], float(name[2])) if name else None
        span = numbers(minutes)
        found.append(Row(model, nats, (ends[0], ends[1]) if ends else (nats, nats), (span[0], span[-1]), published))
    return found


NAMES = ("RBM", "DBM", "DBN", "VAE", "IWAE", "NADE", "masked diffusion")


def draw(runs: list[Row]) -> Figure:
    """The one figure."""
    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    axes = figure.subplots()
    for number, model in enumerate(dict.fromkeys(row.model for row in runs)):
        mine = [row for row in runs if row.model == model]
        x, y = [sum(row.minutes) / 2 for row in mine], [row.nats for row in mine]
        spans = [[(row.minutes[1] - row.minutes[0]) / 2 for row in mine]] * 2
        ends = [[abs(row.nats - row.interval[side]) for row in mine] for side in (0, 1)]
        style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
        if number >= len(COLOURS):
            style: dict[str, Any] = {"color": "black", "marker": "x"}
        axes.errorbar(x, y, ends, spans, linestyle="none", markersize=6, elinewidth=1, label=model, **style)
    published = sorted({row.published for row in runs if row.published}, key=lambda pair: pair[1])
    height = -1e9
    for name, nats in published:
        height = max(nats - 0.2, height + APART)
        axes.axhline(nats, color="0.5", linewidth=0.9, linestyle="--", zorder=0)
        axes.annotate(f"{name}: {nats}", (1, nats), (1.02, height), ("axes fraction", "data"), fontsize=8,
                      annotation_clip=False, va="center", arrowprops={"arrowstyle": "-", "color": "0.7"})  # fmt: skip
    axes.annotate("published", (1.02, height + APART), xycoords=("axes fraction", "data"), fontsize=8, weight="bold",
                  annotation_clip=False, va="center")  # fmt: skip
    axes.set(xscale="log", xlabel="minutes of training on one or two CPU cores")
    axes.set(ylabel="test log-likelihood (nats an image; higher is better)", title="MNIST, sampled binarisation")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xticks([1, 2, 5, 10, 20, 50], minor=False)
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.legend(loc="lower center", fontsize=8.5, title="genjax")
    return figure


def main() -> None:
    """Read the table, write the figure."""
    more = {"--table": {"type": Path, "default": TABLE, "help": "a Markdown file that holds the table"}}
    chosen = options(__doc__, "minutes", "the same", more=more)
    print(save(draw(rows(chosen.table.read_text())), chosen.out / "minutes.png"))


if __name__ == "__main__":
    main()
