"""Do an RBM and a deep Boltzmann machine draw all ten classes, as often as the data have them, without copying images?

    python -m experiments.mode_coverage --rbm RUN --dbm RUN [--data-dir DIR] [--quick | --smoke] [--out DIR]

RUN is the folder of a finished `genjax train rbm` or `dbm` on MNIST, or rbm-mnist and dbm-mnist, which come with
genjax. 1000 chains of each, independent and fresh (every unit drawn from its bias alone, never from a training image),
10,000 Gibbs sweeps; then the classes of the 1000 states by a judge that knows 99 % of the test images, binarised as the
states are, and of their expected pixels p(v | h): the noise of a bad model's states is spread over the classes, and its
expected pixels are then all of one, so both must cover. And each state's nearest training image, beside the same for
held-out images. Expect all ten classes, at least 95 % of the data's class entropy, a judge about as sure as of test
images, and no more copies than the 1 % among held-out images. Writes
mode_coverage.png, results.jsonl and the table. Full: 10 minutes on two quiet cores or so, of these 4 for the judge,
once. --quick: 200 chains, 500 sweeps. --smoke: machines trained on the 8x8 digits in seconds, which cover little. A
machine that is in results.jsonl, with the same run and effort, is not sampled again.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.common import append, lines, options, run_of
from genjax.cli.coverage import copied, cover
from genjax.errors import UserError
from genjax.plots.coverage import Sampled, compared
from genjax.plots.images import save

TINY = {"epochs": 2, "chains": 20}
MODELS = {"rbm": TINY | {"hidden": 20}, "dbm": TINY | {"layers": (20, 10), "pretraining": 0}}  # of a smoke test
MORE = {f"--{model}": {"type": Path, "help": f"a run of genjax train {model}, or {model}-mnist"} for model in MODELS}


class Effort(NamedTuple):
    """Chains and sweeps."""

    chains: int
    sweeps: int


SCALES = {"full": Effort(1000, 10_000), "quick": Effort(200, 500), "smoke": Effort(100, 20)}


def measured(chosen: argparse.Namespace, model: str, effort: Effort) -> tuple[dict[str, Any], Sampled]:
    """The numbers of one model and what is drawn of it, from an earlier call where there was one."""
    run = None if chosen.scale == "smoke" else getattr(chosen, model)
    if run is None and chosen.scale != "smoke":
        raise UserError(f"--{model} is missing; name the folder of a run.")
    asked = {"model": model, "run": str(run or "digits"), **effort._asdict()}
    kept = chosen.out / f"{model}.npz"
    for row in lines(chosen.out / "results.jsonl"):
        if all(row[name] == value for name, value in asked.items()) and kept.exists():
            with np.load(kept, allow_pickle=False) as stored:
                return row, sampled(row, stored["pixels"], stored["classes"])
    machine = run_of(chosen, model, run, MODELS[model])
    if machine.model != model:
        raise UserError(f"--{model} {run} is a {machine.model}; name a run of genjax train {model}.")
    found = cover(machine, *effort, seed=0)
    np.savez(kept, pixels=found.sampled.pixels, classes=found.sampled.classes)
    row = asked | {"shape": list(machine.shape), **found.numbers}
    append(chosen.out / "results.jsonl", row)
    return row, sampled(row, found.sampled.pixels, found.sampled.classes)


def sampled(row: dict[str, Any], pixels: np.ndarray, classes: np.ndarray) -> Sampled:
    """What is drawn of a model."""
    states = row["states"]
    shares = {"states": states["shares"], "p(v | h)": row["expected_pixels"]["shares"]}
    shares |= {"test images": states["data_shares"]}
    name = f"{row['model'].upper()} ({Path(row['run']).name})"
    return Sampled(name, "p(v | h)", pixels, classes, {name: np.asarray(share) for name, share in shares.items()})


def main() -> None:
    """Both machines; print the table, write results and figure."""
    chosen = options(__doc__, "mode-coverage", "200 chains, 500 sweeps", mnist=True, more=MORE)
    effort = SCALES[chosen.scale]
    rows, drawn = [], []
    for model in MODELS:
        row, picture = measured(chosen, model, effort)
        rows.append(row)
        drawn.append(picture)
    judge = rows[0]["judge_accuracy"]
    known = f"{100 * judge['binarised']:.1f} % of binarised and {100 * judge['grey']:.1f} % of grey test images"
    print(f"{effort.chains} fresh chains, {effort.sweeps} sweeps; the judge knows {known}")
    print(f"{'':20} {'classes':>7} {'shares (%)':>12} {'entropy (% of data)':>20} {'judge sure (%; data)':>21}")
    for row in rows:
        for name, text in (("states", "states"), ("expected_pixels", "p(v | h)")):
            print(line(f"{row['model']}, {text}", row[name]))
        print(f"{row['model']}, {copied(row)}")
    notes = "; ".join(f"{row['model'].upper()}: {copied(row)}" for row in rows)
    print(save(compared(drawn, tuple(rows[0]["shape"]), notes), chosen.out / "mode_coverage.png"))


def line(name: str, seen: dict[str, Any]) -> str:
    """One line of the table."""
    shares = f"{100 * min(seen['shares']):.1f} to {100 * max(seen['shares']):.1f}"
    sure = f"{100 * seen['sure']:.1f}; {100 * seen['data_sure']:.1f}"
    return f"{name:20} {seen['classes_found']:>7} {shares:>12} {100 * seen['ratio']:>20.1f} {sure:>21}"


if __name__ == "__main__":
    main()
