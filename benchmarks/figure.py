"""Throughput against chains, a panel a machine, with the floor drawn in: from throughput.jsonl to throughput.png.

python -m benchmarks.figure [--out DIR]
"""

import argparse
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks import harness
from benchmarks.peers import PEERS


def run(out: Path) -> Path:
    """Draw what `out/throughput.jsonl` holds."""
    lines = harness.read(out / "throughput.jsonl")
    entries = [entry for entry in lines if "flips_per_ns" in entry]
    machines = list(dict.fromkeys(entry["machine"] for entry in entries))
    figure = Figure(figsize=(4.2 * min(len(machines), 3), 3.6 * -(-len(machines) // 3) + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(-(-len(machines) // 3), min(len(machines), 3), squeeze=False).ravel()
    for panel in panels[len(machines) :]:
        panel.set_visible(False)
    for panel, machine in zip(panels, machines):
        for number, row in enumerate(PEERS):
            points = sorted(
                (e["chains"], e["flips_per_ns"]) for e in entries if (e["machine"], e["row"]) == (machine, row)
            )
            style = {"color": f"C{number - 1}", "marker": "o", "markersize": 3.5, "linewidth": 1.2, "zorder": 2}
            if row == "floor":
                style |= {
                    "color": "black",
                    "linestyle": "--",
                    "marker": "_",
                    "markersize": 9,
                    "linewidth": 1.4,
                    "zorder": 3,
                }
            if row == "genjax":
                style |= {"linewidth": 2.4, "markersize": 5, "zorder": 4}
            if points:
                label = "floor: products and > 0" if row == "floor" else row
                panel.plot(*zip(*points), label=label, **style)
        panel.set(title=machine, xlabel="chains", ylabel="unit updates a nanosecond")
        panel.set_xscale("log", base=4)
        panel.set_yscale("log")
        panel.xaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.grid(alpha=0.3)
    handles = {}
    for panel in panels[: len(machines)]:
        handles |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)
    place = next((line for line in lines if line["kind"] == "environment"), None)
    where = f"{place['device']}, {place['processor']}, {place['cores']} cores" if place else "unknown device"
    figure.suptitle(f"Block Gibbs sampling, float32 ({where})", fontsize=10)
    path = out / "throughput.png"
    figure.savefig(path, dpi=130)
    print(f"figure: {path}")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figure", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    run(parser.parse_args().out)


if __name__ == "__main__":
    main()
