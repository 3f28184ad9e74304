"""Does it hold? Every claim of speed against what was measured: reads throughput.jsonl and memory.jsonl.

python -m benchmarks.claims [--out DIR]

A claim holds when its 95 % interval lies on the right side, is open when the limit lies within, and fails otherwise.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import harness
from benchmarks.harness import Interval


class Claim(NamedTuple):
    """`row` takes at most (or at least) `limit` times as long as `reference`."""

    machine: str
    chains: int
    row: str
    reference: str
    bound: str
    limit: float


def claims() -> Iterator[Claim]:
    """All of them, the strictest for each cell (two CPU cores)."""
    yield Claim("784-500", 1000, "genjax", "floor", "at most", 1.10)
    for machine in ("784-500", "784-1024", "784-500-1000", "4096-4096"):
        for chains in (64, 1024, 16384):
            yield Claim(machine, chains, "genjax", "floor", "at most", 1.3)
    for chains in (1, 64, 256, 1024, 16384):
        yield Claim("64-16", chains, "genjax", "floor", "at most", 3.0)
    yield Claim("784-500", 1000, "scikit-learn", "genjax", "at least", 3.0)
    yield Claim("784-500", 1000, "jaxbm", "genjax", "at least", 2.5)
    yield Claim("784-500", 1000, "torch.compile", "genjax", "at least", 1.4)
    yield Claim("64-16", 256, "thrml", "genjax", "at least", 15.0)


def verdict(measured: Interval, bound: str, limit: float) -> str:
    """holds, open or fails."""
    if bound == "at most":
        return "holds" if measured.high <= limit else "fails" if measured.low > limit else "open"
    return "holds" if measured.low >= limit else "fails" if measured.high < limit else "open"


def run(out: Path) -> list[tuple[str, str]]:
    """Print the table; returns (claim, verdict)."""
    lines = harness.read(out / "throughput.jsonl")
    cells: dict[tuple[str, int, str], dict[str, Any]] = {
        (line["machine"], line["chains"], line["row"]): line for line in lines if line["kind"] == "throughput"
    }
    table, absent = [], 0
    for claim in claims():
        line = cells.get((claim.machine, claim.chains, claim.row)) or cells.get(
            (claim.machine, claim.chains, "all"), {}
        )
        found = line.get(f"over_{claim.reference}")
        text = (
            f"{claim.machine} x {claim.chains}: {claim.row} takes {claim.bound} {claim.limit:g} times {claim.reference}"
        )
        if found is None and "skipped" in line:
            table.append((text, "not measured", line["skipped"]))
        elif found is None:
            absent += 1
        else:
            measured = Interval(**found)
            numbers = f"{measured.median:.2f} [{measured.low:.2f}, {measured.high:.2f}]"
            table.append((text, verdict(measured, claim.bound, claim.limit), numbers))
    for line in harness.read(out / "memory.jsonl"):
        if "over_states" in line and line["chains"] >= 16384:  # tiny machines have their words' seeds to carry
            text = f"{line['machine']} x {line['chains']}: temporaries and outputs at most 2.5 times the states"
            table.append((text, "holds" if line["over_states"] <= 2.5 else "fails", f"{line['over_states']:.2f}"))
    for text, answer, numbers in table:
        print(f"{answer:<13}{text:<72}{numbers}")
    if absent:
        print(f"{absent} claims are about cells that were not measured")
    return [(text, answer) for text, answer, _ in table]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    run(parser.parse_args().out)


if __name__ == "__main__":
    main()
