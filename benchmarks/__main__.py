"""All claims of speed, one script each, by one command.

    python -m benchmarks [--quick | --smoke] [--out DIR]

In full about 40 minutes on two cores that do nothing else; --quick 2 minutes (three cells, peers included); --smoke
a few seconds (tiny machines, no peers: does it run?). Into DIR (benchmarks/results, or a temporary folder unless in
full): memory.jsonl, images.jsonl, convolution.jsonl, layouts.jsonl, throughput.jsonl, throughput.png; on the screen the
tables, then which claims hold. If it is interrupted, --resume goes on where it stopped. Peers: `pip install -e
".[bench]"`.

What a device says is `benchmarks.device`, and what the compiler of TPUs says `benchmarks.tpu`, by themselves.
The generator's tests are a matter of hours and run by themselves: `benchmarks/randomness`.
"""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import claims, convolution, figure, images, layouts, memory, throughput
from benchmarks.harness import Effort


def run(out: Path, effort: str = "full", resume: bool = False) -> int:
    """Every script in its order; one that fails does not stop the next. Returns how many failed."""
    steps: dict[str, list[Callable[[Path], Any]]] = {
        "full": [memory.run, images.run, convolution.run, layouts.run, partial(throughput.run, resume=resume)],
        "quick": [memory.run, throughput.run_quick],
        "smoke": [
            partial(memory.run, sizes=(6, 4), chains=8, sweeps=3),
            partial(layouts.run, cells=(((6, 4), 2),), effort=Effort(rounds=3, seconds=0.0)),
            convolution.run_smoke,
            throughput.run_smoke,
        ],
    }
    failures = 0
    for step in [*steps[effort], figure.run, claims.run]:
        try:
            step(out)
        except Exception:
            traceback.print_exc()
            failures += 1
        print()
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", dest="effort", action="store_const", const="quick", help="2 minutes, for people")
    effort.add_argument("--smoke", dest="effort", action="store_const", const="smoke", help="seconds, for the tests")
    parser.add_argument("--resume", action="store_true", help="in full: keep the cells that were measured already")
    parser.add_argument("--out", type=Path, help="folder of the results")
    parser.set_defaults(effort="full")
    asked = parser.parse_args()
    out = asked.out or Path("benchmarks/results" if asked.effort == "full" else tempfile.mkdtemp(prefix="benchmarks-"))
    print(f"results: {out}\n")
    sys.exit(min(run(out, asked.effort, asked.resume), 1))


if __name__ == "__main__":
    main()
