"""How many Gibbs sweeps a second does each library make, and how far is genjax from the matrix products alone?

    python -m benchmarks.throughput [--quick] [--sizes 784-500 --chains 64 1000 --rows floor genjax] [--out DIR]

About 30 minutes in full on two quiet cores, 2 with --quick. Writes DIR/throughput.jsonl: one line that says where,
then a line for every row of every cell (a machine with so many chains) as soon as the cell is done; `--resume` keeps
the cells that are there. A row that cannot be measured is a line with its reason.

Columns. A sweep updates every unit of every chain once. flips/ns: units x chains x sweeps a nanosecond. MAC/s:
multiply-adds of the matrix products a second, each weight counted in both directions. x floor: how many times
longer than the floor (`floor.py`), paired in rounds, with its 95 % interval. ESS/s: independent samples of the energy
a second, from the energy's autocorrelation time under genjax's sampler; every exact sampler of the same blocks has
the same chain law, so it counts alike for all rows, and a faster sweep is all that can raise it. The machine is random
(`problem.spin_glass`) and mixes in a few sweeps; a trained one mixes slower, for all rows alike.

Expect genjax within a few percent of the floor from 784-500 with 64 chains on, everything else from 1.5 times up; at
64-16 a unit has too few multiply-adds to hide a random number. Cells whose floor takes over 2 s a sweep need an
accelerator, and are lines that say so.
"""

import argparse
import gc
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import harness, problem
from benchmarks.floor import floor
from benchmarks.harness import Effort, Result
from benchmarks.peers import PEERS, to_machine
from benchmarks.problem import Problem, Sizes
from genjax.sampling.diagnostics import measure

Cell = tuple[Sizes, int]

SIZES: tuple[Sizes, ...] = ((784, 500), (64, 16), (784, 1024), (784, 500, 1000), (4096, 4096))
CHAINS = (1, 64, 1024, 16384)
CELLS: tuple[Cell, ...] = (
    # Those with claims first.
    ((784, 500), 1000),
    ((64, 16), 256),
    *((sizes, chains) for sizes in SIZES for chains in CHAINS),
)
QUICK: tuple[Cell, ...] = (((784, 500), 64), ((784, 500), 1000), ((64, 16), 256))
SMOKE: tuple[Cell, ...] = (((4, 3), 2),)
HEADER = (
    f"{'machine':<13}{'chains':>6}  {'row':<14}{'sweeps/s':>10}{'flips/ns':>10}{'MAC/s':>9}"
    f"  {'x floor':<20}{'ESS/s':>9}{'compile s':>10}"
)


def predicted_seconds(p: Problem, chains: int) -> float:
    """Seconds that one sweep of the floor will take: of 256 chains at most, scaled to all of them."""
    few = min(chains, 256)
    run = floor(p, few, 0)
    run(1)
    start = time.perf_counter()
    run(1)
    return (time.perf_counter() - start) * chains / few


def effective_per_sweep(p: Problem, sweeps: int, chains: int = 16) -> float | None:
    """Independent samples of the energy a sweep and chain, 1 / autocorrelation time; None if it has none."""
    machine, state = to_machine(p), tuple(jax.device_put(p.start(chains, 1)))
    state, _ = measure(jax.random.key(0), machine, state, sweeps)  # burn-in
    _, summary = measure(jax.random.key(1), machine, state, sweeps)
    tau = float(summary.autocorrelation_time[0])
    return 1 / tau if np.isfinite(tau) and tau > 0 else None


def measure_cell(cell: Cell, rows: list[str], effort: Effort, per_sweep: float | None) -> list[dict[str, Any]]:
    """The lines of one cell: the rows timed against each other."""
    sizes, chains = cell
    p = problem.spin_glass(sizes)
    device = jax.devices()[0]
    about = {
        "kind": "throughput",
        "machine": problem.name(sizes),
        "sizes": sizes,
        "chains": chains,
        "device": f"{device.platform}: {device.device_kind}",
        "commit": harness.commit(),
    }
    on_host = device.platform == "cpu"
    seconds = predicted_seconds(p, chains) if on_host else 0.0
    if seconds > effort.limit:
        reason = (
            f"the floor takes about {seconds:.0f} s a sweep, more than {effort.limit:.0f} s: on an accelerator only"
        )
        return [{**about, "row": "all", "skipped": reason, "accelerator_only": True}]
    if not on_host:
        effort = effort._replace(limit=float("inf"))

    def say(text: str) -> None:
        if os.isatty(2):
            os.write(2, f"\r\033[K{about['machine']} x {chains}: {text}".encode())

    makers = {row: lambda row=row: PEERS[row].make(p, chains, 0) for row in rows}
    found = harness.measure(makers, effort, say=say)
    if os.isatty(2):
        os.write(2, b"\r\033[K")
    return [{**about, **line(row, p, chains, found, per_sweep)} for row in rows]


def line(row: str, p: Problem, chains: int, found: dict[str, Result | str], per_sweep: float | None) -> dict[str, Any]:
    """One row's numbers."""
    package, dtype = PEERS[row].package, PEERS[row].dtype
    about = {"row": row, "package": package, "version": harness.version(package), "dtype": dtype}
    result = found[row]
    if isinstance(result, str):
        return {**about, "skipped": result}
    low, seconds, high = (float(x) for x in np.quantile(result.seconds, [0.25, 0.5, 0.75]))
    ratios = {}
    for reference in ("floor", "genjax"):
        other = found.get(reference)
        if isinstance(other, Result):
            ratios[f"over_{reference}"] = harness.ratio(result.seconds, other.seconds)._asdict()
    sampler = row != "floor"
    return {
        **about,
        "seconds_per_sweep": {"median": seconds, "lower_quartile": low, "upper_quartile": high},
        "sweeps_per_second": 1 / seconds,
        "flips_per_ns": p.units * chains / seconds * 1e-9,
        "multiply_adds_per_second": p.multiply_adds * chains / seconds,
        **ratios,
        "effective_samples_per_second": per_sweep * chains / seconds if per_sweep and sampler else None,
        "rounds": len(result.seconds),
        "sweeps": result.sweeps,
        "build_seconds": result.build,
        "compile_seconds": result.compile,
        "load_average": os.getloadavg()[0],
    }


def show(entry: dict[str, Any]) -> str:
    """One row of the table."""
    start = f"{entry['machine']:<13}{entry['chains']:>6}  {entry['row']:<14}"
    if "skipped" in entry:
        return f"{start}  {entry['skipped']}"
    over, ess = entry.get("over_floor"), entry["effective_samples_per_second"]
    over = f"{over['median']:.2f} [{over['low']:.2f}, {over['high']:.2f}]" if over else "-"
    return (
        f"{start}{entry['sweeps_per_second']:>10.4g}{entry['flips_per_ns']:>10.3g}"
        f"{entry['multiply_adds_per_second']:>9.2g}  {over:<20}{f'{ess:.3g}' if ess else '-':>9}"
        f"{entry['compile_seconds']:>10.1f}"
    )


def run(
    out: Path,
    cells: tuple[Cell, ...] = CELLS,
    rows: list[str] | None = None,
    effort: Effort = Effort(),  # noqa: B008, an immutable value
    ess_sweeps: int = 512,
    resume: bool = False,
) -> list[dict[str, Any]]:
    """Measure all cells into `out/throughput.jsonl`, print the table as it grows; returns the file's lines."""
    rows, path = rows or list(PEERS), out / "throughput.jsonl"
    done = (
        {(entry["machine"], entry["chains"]) for entry in harness.read(path) if "chains" in entry} if resume else set()
    )
    if not done:
        path.unlink(missing_ok=True)
    harness.append(path, [harness.where()])  # a second one where another commit measured what follows
    per_sweep: dict[Sizes, float | None] = {}
    print(HEADER)
    for sizes, chains in cells:
        if (problem.name(sizes), chains) in done:
            continue
        if sizes not in per_sweep:
            per_sweep[sizes] = effective_per_sweep(problem.spin_glass(sizes), ess_sweeps) if ess_sweeps else None
        entries = measure_cell((sizes, chains), rows, effort, per_sweep[sizes])
        harness.append(path, entries)
        print(*map(show, entries), "", sep="\n", flush=True)
        jax.clear_caches()
        gc.collect()
    return harness.read(path)


def run_quick(out: Path) -> list[dict[str, Any]]:
    """Three cells, all rows."""
    return run(out, QUICK, effort=Effort(rounds=15, seconds=0.1), ess_sweeps=256)


def run_smoke(out: Path) -> list[dict[str, Any]]:
    """One tiny machine, the rows that need nothing but genjax: does it work?"""
    return run(out, SMOKE, ["floor", "genjax", "bernoulli"], Effort(rounds=3, seconds=0.0), ess_sweeps=0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--quick", action="store_true", help="shorter measurements, three cells unless some are named")
    parser.add_argument("--resume", action="store_true", help="keep the cells that the file has")
    parser.add_argument("--sizes", nargs="+", metavar="784-500", help="only these machines")
    parser.add_argument("--chains", nargs="+", type=int, metavar="N", help="only these numbers of chains")
    parser.add_argument("--rows", nargs="+", choices=PEERS, help="only these rows")
    asked = parser.parse_args()
    cells = QUICK if asked.quick else CELLS
    if asked.sizes or asked.chains:
        sizes = [tuple(map(int, text.split("-"))) for text in asked.sizes] if asked.sizes else SIZES
        cells = tuple((size, chains) for size in sizes for chains in asked.chains or CHAINS)
    effort = Effort(seconds=0.1) if asked.quick else Effort()
    run(asked.out, cells, asked.rows, effort, resume=asked.resume)


if __name__ == "__main__":
    main()
