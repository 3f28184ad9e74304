"""Do an RBM and a deep Boltzmann machine draw all ten classes, as often as the data have them, without copying images?

    python -m experiments.mode_coverage --rbm RUN --dbm RUN [--data-dir DIR] [--quick | --smoke] [--out DIR]

RUN is the folder of a finished `genjax train rbm` or `dbm` on MNIST, or rbm-mnist and dbm-mnist, which come with
genjax. 1000 chains of each, independent and fresh (every unit drawn from its bias alone, never from a training image),
10,000 Gibbs sweeps; then the classes of the 1000 states by a classifier that knows 99 % of the test images, binarised
as the states are, and of their expected pixels p(v | h): the noise of a bad model's states is spread over the classes,
and its expected pixels are then all of one, so both must cover. And each state's nearest training image, beside the
same for held-out images. Expect all ten classes, at least 95 % of the data's class entropy, a classifier about as
confident as of test images, and no more copies than the 1 % among held-out images. Writes mode_coverage.png,
results.jsonl and the table. Full: 10 minutes on two quiet cores or so, of these 4 for the classifier, once. --quick:
200 chains, 500 sweeps. --smoke: machines trained on the 8x8 digits in seconds, which cover little. A machine that is in
results.jsonl, with the same run and effort, is not sampled again.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import genjax
from experiments.common import append, lines, options, run_of
from genjax.errors import UserError
from genjax.likelihood.estimate import plain
from genjax.plots.coverage import Sampled, compared
from genjax.plots.images import save

MODELS = {
    "rbm": genjax.rbm(hidden=20, chains=20),
    "dbm": genjax.dbm(layers=(20, 10), pretraining=0, chains=20),
}  # of a smoke test
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
    machine = run_of(chosen, run, MODELS[model], epochs=2)
    if machine.model.name != model:
        raise UserError(f"--{model} {run} is a {machine.model.name}; name a run of genjax train {model}.")
    measured, drawn = machine.measured_samples(effort.chains, effort.sweeps)
    assert measured.means is not None
    classes = measured.means.samples.classes
    np.savez(kept, pixels=drawn["means"], classes=classes)
    row = asked | {"shape": list(machine.image_shape), **plain(measured.table)}
    append(chosen.out / "results.jsonl", row)
    return row, sampled(row, drawn["means"], classes)


def sampled(row: dict[str, Any], pixels: np.ndarray, classes: np.ndarray) -> Sampled:
    """What is drawn of a model."""
    shares = {"states": row["samples"]["shares"], "p(v | h)": row["means"]["shares"]}
    shares |= {"test images": row["means"]["real"]["shares"]}
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
    known, grey = (100 * rows[0]["accuracy"][name]["mean"] for name in ("samples", "means"))
    known = f"{known:.1f} % of binarised and {grey:.1f} % of grey test images"
    print(f"{effort.chains} fresh chains, {effort.sweeps} sweeps; the classifier knows {known}")
    print(f"{'':20} {'classes':>7} {'shares (%)':>12} {'entropy (% of data)':>20} {'confident (%; data)':>21}")
    for row in rows:
        print(line(f"{row['model']}, states", row["samples"], row["real"]["confident"]))
        print(line(f"{row['model']}, p(v | h)", row["means"], row["means"]["real"]["confident"]))
        print(f"{row['model']}, {copied(row)}")
    notes = "; ".join(f"{row['model'].upper()}: {copied(row)}" for row in rows)
    print(save(compared(drawn, tuple(rows[0]["shape"]), notes), chosen.out / "mode_coverage.png"))


def copied(row: dict[str, Any]) -> str:
    """How many samples are like copies, in a sentence."""
    ours, theirs = (f"{100 * row[name]['copies']:.1f} %" for name in ("samples", "real"))
    return f"like copies of training images: {ours} of the samples, {theirs} of test images"


def line(name: str, classes: dict[str, Any], confident: float) -> str:
    """One line of the table; of real images the classifier is `confident` that often."""
    shares = f"{100 * min(classes['shares']):.1f} to {100 * max(classes['shares']):.1f}"
    sure = f"{100 * classes['confident']:.1f}; {100 * confident:.1f}"
    return f"{name:20} {classes['classes']:>7} {shares:>12} {100 * classes['class_entropy_ratio']:>20.1f} {sure:>21}"


if __name__ == "__main__":
    main()
