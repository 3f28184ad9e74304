"""What do exact and regularised transport plans make of a picture's colours, and how fast?

    python -m experiments.colour_transfer [--source A] [--target B] [--quick | --smoke] [--out DIR]

Two pictures (by default those that scikit-learn ships, a temple and a flower): the first gets the colours of the
second, by an exact plan between 1,000 pixels of each and by Sinkhorn's at three regularisations. All other pixels are
shifted as the nearest of the sample; two rows do it by kernel ridge and by linear regression instead. Beside each
stands POT alone on the same pixels: its plan's cost, its seconds, and how far its picture is from ours. Exact costs are
checked by scipy's linear programming on 60 pixels, and a pair of 1.5 megapixels is done in a process of its own, whose
peak memory is measured. Expect equal costs and pictures; colours that fade towards one as the regularisation rises; and
ours to be several times faster at Sinkhorn and at all pixels. Writes a picture a row, colours.png, results.jsonl and
the table. Seconds are of the processor. Full: 3 minutes; --quick: 300 pixels of each. Needs the extra `ot`.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy.optimize import linprog

from experiments.common import append, lines, options
from genjax.plots.images import save
from genjax.transport import exact, fit_colours, recoloured, squared_distances
from genjax.transport.colour import EXTENSIONS, closeness, picture, sampled
from genjax.transport.solvers import simplex

SETTINGS: dict[str, tuple[float | None, str]] = {
    "EMD": (None, "nearest"),
    "Sinkhorn 0.004": (0.004, "nearest"),
    "Sinkhorn 0.02": (0.02, "nearest"),
    "Sinkhorn 0.1": (0.1, "nearest"),
    "EMD, kernel ridge": (None, "kernel"),
    "EMD, linear": (None, "linear"),
}
SHOWN = list(SETTINGS)
SAMPLES = {"full": 1000, "quick": 300, "smoke": 60}  # pixels of each picture
FEW = 60  # of them in the linear programme
LARGE = (1000, 1500)  # height and width of the megapixels
CHILD = """
import sys
from PIL import Image
from genjax.evaluation.cost import peak_memory_mb
from genjax.transport import fit_colours, recoloured
from genjax.transport.colour import picture
import numpy as np
source, target = (np.asarray(Image.fromarray(picture(name)).resize(({1}, {0}))) for name in sys.argv[1:3])
scale = None if sys.argv[3] == "None" else float(sys.argv[3])
made = recoloured(fit_colours(source, target, scale), source)
print(made.size // 3, peak_memory_mb())
"""


def seconds_of(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the processor's seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def by_pot(source: np.ndarray, target: np.ndarray, scale: float | None, samples: int) -> dict[str, Any]:
    """POT alone: cost, seconds of plan and picture, and the picture."""
    da, (x, y) = simplex().da, (sampled(image, samples) for image in (source, target))
    way: Any = da.EMDTransport(max_iter=10**7, out_of_sample_map="ferradans")
    if scale is not None:  # its tolerance is of Euclid's norm, ours of the sum
        way = da.SinkhornTransport(scale, tol=1e-4 / np.sqrt(samples), max_iter=10_000, out_of_sample_map="ferradans")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, plan_seconds = seconds_of(lambda: way.fit(Xs=x, Xt=y))
        flat = source.reshape(-1, 3) / 255.0
        made, seconds = seconds_of(lambda: way.transform(Xs=flat))
    cost = float(np.sum(way.coupling_ * squared_distances(x, y)))
    shown = np.rint(255 * np.clip(made, 0, 1)).astype(np.uint8).reshape(source.shape)
    return {"cost": cost, "plan_seconds": plan_seconds, "picture_seconds": seconds, "picture": shown}


def run(name: str, source: np.ndarray, target: np.ndarray, samples: int, out: Path) -> dict[str, Any]:
    """A row of the table; the picture goes into a file of its own."""
    scale, kind = SETTINGS[name]
    extension = next(one() for one in EXTENSIONS if one.kind == kind)

    def plan() -> Any:
        return fit_colours(source, target, scale, samples=samples, extension=extension)

    plan()  # compiles
    transfer, plan_seconds = seconds_of(plan)
    made, seconds = seconds_of(lambda: recoloured(transfer, source))
    Image.fromarray(made).save(out / f"{slug(name)}.png")
    row = {"setting": name, "samples": samples, "cost": transfer.plan.cost, "entropy": transfer.plan.entropy}
    row |= {"converged": transfer.plan.converged, "iterations": transfer.plan.iterations}
    row |= {"plan_seconds": plan_seconds, "picture_seconds": seconds}
    row |= {"before": closeness(source, target), "after": closeness(made, target)}
    if kind == "nearest":
        other = by_pot(source, target, scale, samples)
        apart = np.abs(made.astype(int) - other.pop("picture")).mean() / 255
        row["pot"] = other | {"apart": float(apart)}
    if scale is None and kind == "nearest":
        row["linear_programme"] = programme(source, target)
    return row


def programme(source: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """The least cost of a few pixels by scipy's linear programming, and by the plan."""
    x, y = (sampled(image, FEW) for image in (source, target))
    cost = squared_distances(x, y)
    sums = np.concatenate([np.kron(np.eye(FEW), np.ones(FEW)), np.kron(np.ones(FEW), np.eye(FEW))])
    found = linprog(cost.ravel(), A_eq=sums, b_eq=np.full(2 * FEW, 1 / FEW), method="highs")
    return {"cost": float(found.fun), "difference": abs(float(found.fun) - exact(cost).cost)}


def megapixels(names: tuple[str, str], scale: float | None) -> dict[str, Any]:
    """Pixels and peak memory of a process that recolours a large pair."""
    code = CHILD.replace("{0}", str(LARGE[0])).replace("{1}", str(LARGE[1]))
    answer = subprocess.run(
        [sys.executable, "-c", code, *names, str(scale)], check=True, capture_output=True, text=True
    )
    pixels, memory = answer.stdout.split()[-2:]
    return {"setting": f"megapixels, {scale}", "pixels": int(pixels), "peak_memory_mb": int(memory)}


def slug(name: str) -> str:
    """A file's name."""
    return name.replace(", ", "-").replace(" ", "-").lower()


def main() -> None:
    """All settings, then the megapixels; print the table, write results and figure."""
    more = {name: {"default": usual, "help": "a picture's file, or china or flower"}
            for name, usual in (("--source", "china"), ("--target", "flower"))}  # fmt: skip
    chosen = options(__doc__, "colour-transfer", "300 pixels of each picture", more=more)
    names, samples = (chosen.source, chosen.target), SAMPLES[chosen.scale]
    step = 8 if chosen.scale == "smoke" else 1
    source, target = (picture(name)[::step, ::step] for name in names)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for name in SHOWN[:2] if chosen.scale == "smoke" else SHOWN:
        if not any(row["setting"] == name for row in rows):
            rows.append(run(name, source, target, samples, chosen.out))
            append(path, rows[-1])
    for scale in () if chosen.scale == "smoke" else (None, 0.02):
        if not any(row["setting"] == f"megapixels, {scale}" for row in rows):
            rows.append(megapixels(names, scale))
            append(path, rows[-1])
    table(rows)
    print(draw(rows, source, target, chosen.out))


def table(rows: list[dict[str, Any]]) -> None:
    """Costs, seconds and distances, ours and POT's."""
    head = ("cost", "POT's", "nats", "distance", "plan, s", "POT", "picture, s", "POT", "apart")
    print(f"{'setting':20}", *(f"{name:>10}" for name in head))
    for row in rows:
        if "pixels" in row:
            print(f"{row['setting']:20} {row['pixels']} pixels, peak memory {row['peak_memory_mb']} MB")
            continue
        pot = row.get("pot", {})
        values = [row["cost"], pot.get("cost"), row["entropy"], row["after"]]
        values += [part.get(name) for name in ("plan_seconds", "picture_seconds") for part in (row, pot)]
        values.append(pot.get("apart"))
        print(f"{row['setting']:20}", *(f"{'-' if value is None else f'{value:.4f}':>10}" for value in values))
    if (known := rows[0].get("linear_programme")) is not None:
        print(f"cost of {FEW} pixels: differs from linear programming's by {known['difference']:.1e}")
    print(f"distance of the colours before: {rows[0]['before']:.4f}")


def draw(rows: list[dict[str, Any]], source: np.ndarray, target: np.ndarray, out: Path) -> Path:
    """Source, target and what each setting makes."""
    shown: dict[str, np.ndarray] = {"source": source, "target": target}
    for row in rows:
        if "pixels" not in row:
            title = f"{row['setting']}: cost {row['cost']:.3f}, {row['entropy']:.1f} nats"
            shown[title] = np.asarray(Image.open(out / f"{slug(row['setting'])}.png"))
    columns = 4
    figure = Figure(figsize=(4 * columns, 3.1 * -(-len(shown) // columns)), layout="constrained")
    for axes in figure.subplots(-(-len(shown) // columns), columns, squeeze=False).ravel():
        axes.axis("off")
    for axes, (title, pixels) in zip(figure.axes, shown.items()):
        axes.imshow(pixels)
        axes.set_title(title, fontsize=10)
    figure.suptitle(f"The source in the target's colours, by plans between {rows[0]['samples']} pixels of each")
    return save(figure, out / "colours.png")


if __name__ == "__main__":
    main()
