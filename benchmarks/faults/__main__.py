"""`python -m benchmarks.faults [--kills 6] [--kinds RBM ...] [--kills-only] [--out DIR]`: all of it, and the table.

Five kinds of run (RBM, DBM within a stage, VAE, GAN with its classifier, a grid), each trained once in peace, in a
process of its own, and killed by SIGKILL again and again, half of the times within the writing of a checkpoint (seen
while the process was stopped), and resumed. Processes are forked from one that has imported genjax and computed
nothing. Into DIR (a temporary folder): faults.jsonl, and all runs.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.faults import damage
from benchmarks.faults.kills import KINDS, kills
from benchmarks.faults.process import Row, in_a_process, ready
from benchmarks.faults.signals import signals


def shown(rows: list[Row]) -> str:
    """The table."""
    lines = ["| fault | tried | survived | lost | |", "| --- | ---: | ---: | ---: | --- |"]
    return "\n".join(
        [*lines, *(f"| {r.fault} | {r.tried} | {r.survived} | {r.tried - r.survived} | {r.note} |" for r in rows)]
    )


def run(
    out: Path, times: int = 6, kinds: tuple[str, ...] = tuple(KINDS), others: bool = True, seed: int = 0
) -> list[Row]:
    """All of it, or the kills alone; prints each line as it is known, and the table at the end."""
    chance, rows, within = random.Random(seed), [], Row("of these within a checkpoint write", 0, 0)
    ready()

    def note(row: Row) -> None:
        rows.append(row)
        print(json.dumps(row._asdict()), flush=True)
        with open(out / "faults.jsonl", "a") as file:
            file.write(json.dumps(row._asdict()) + "\n")

    for kind in kinds:
        every, half = kills(kind, out / kind, times, chance)
        note(every)
        within = within._replace(tried=within.tried + half.tried, survived=within.survived + half.survived)
    note(within)
    whole = out / kinds[0] / "whole" / "run"
    if others:
        for row in damage.damages(out / "damaged", whole, chance):
            note(row)
        note(damage.two_at_once(out / "two"))
        note(damage.no_room(out / "room"))
        note(damage.read_only(out / "read-only", whole))
        note(signals(out / "signals", 4, chance))
        note(Row(*in_a_process(damage.cost, whole)))
    print("\n" + shown(rows))
    return rows


def main() -> None:
    """Ask, run, and tell by the exit status whether anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description="Faults, tried for real.")
    parser.add_argument("--kills", type=int, default=6, help="of each kind of run")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--kills-only", action="store_true", help="leave the other faults out")
    parser.add_argument("--out", type=Path, help="folder of the runs")
    asked = parser.parse_args()
    out = asked.out or Path(tempfile.mkdtemp(prefix="faults-"))
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(out / "programs"))
    rows = run(out, asked.kills, tuple(asked.kinds), not asked.kills_only)
    sys.exit(int(any(row.tried > row.survived for row in rows)))


if __name__ == "__main__":
    main()
