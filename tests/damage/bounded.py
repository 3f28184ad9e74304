"""`python -m tests.damage.bounded GIGABYTES GOOD PLACE`: the greedy cases, in a process that may have so much more.

Prints a line of JSON for each: its name, what was wrong, and how many gigabytes it took at its most.
"""

import json
import resource
import shutil
import sys
from pathlib import Path

import genjax
from genjax.api.plot import Plots
from tests.damage import CASES
from tests.damage.case import judged


def status(name: str) -> float:
    """A line of the process's status, in gigabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) * 1024 / 1e9


def main() -> None:
    """Warm up, set the limit, try all of them."""
    more, good, place = float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    Plots.all = lambda self, *_, **__: {}  # type: ignore[method-assign]
    genjax.fit(genjax.rbm(hidden=2), "digits", steps=2, progress=False)
    resource.setrlimit(resource.RLIMIT_AS, (int((status("VmSize") + 2 * more) * 1e9),) * 2)
    for number, case in enumerate(case for case in CASES if case.greedy):
        here = place / f"greedy-{number}"
        shutil.copytree(good, here / "good")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = status("VmRSS")
        verdict = judged(case, here)
        shutil.rmtree(here)
        print(json.dumps(verdict._asdict() | {"gigabytes": status("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    main()
