"""Writes trained machines as those that come with genjax: rounded to float16, and evaluated again AFTER rounding.

    python -m experiments.ship RUN [RUN ...] [--data-dir DIR] [--temperatures 10000] [--ais-chains 500] [--out FOLDER]

RUN is the folder of a finished `genjax train rbm` or `genjax train dbm` on a known dataset; its machine goes to
<out>/<model>-<dataset>/ (by default into genjax/pretrained) as machine.npz, config.json with its sha256,
evaluation.json: the log-likelihood or its bound on the test images with the interval, both sides of log Z and how they
were estimated, by the machine as it is read back; and README.md, its card, which says that in words. Prints what the
rounding changed: expect less than a hundredth of a nat. Takes as long as `genjax evaluate` for each. All machines
together may take 4 MB.
"""

import argparse
import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

import genjax
from genjax import pretrained
from genjax.boltzmann.arrays import layered
from genjax.data import catalog
from genjax.errors import UserError
from genjax.training.folder import read_config, write_json
from genjax.training.options import flat

MOST = 4_000_000  # bytes of all arrays together


def rounded(arrays: dict[str, np.ndarray]) -> bytes:
    """The arrays as float16 in an .npz. Raises `UserError` where one holds a number that float16 does not reach."""
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    for name, array in halves.items():
        if not np.all(np.isfinite(array)):
            raise UserError(f"{name} has magnitudes up to {np.abs(arrays[name]).max():.3g}, beyond float16.")
    file = io.BytesIO()
    np.savez(file, **halves)  # type: ignore[arg-type]
    return file.getvalue()


def ship(source: Path, out: Path, data_dir: str | None, **effort: Any) -> dict[str, Any]:
    """One run's machine written to `out`; what `genjax evaluate` says of it before (None: nothing) and after."""
    run = genjax.load(source, data_dir=data_dir)
    name, dataset = run.model.name, run.settings.dataset
    if name not in ("rbm", "dbm") or dataset is None or catalog.find(dataset) is None:
        raise UserError(f"{source} is a {name} on {dataset}; ship an rbm or a dbm on a known dataset.")
    assert run.model.arrays is not None
    target = out / f"{name}-{dataset}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "evaluation.json").unlink(missing_ok=True)  # until the new one is there, there is no such machine
    content = rounded(run.model.arrays(run.parameters))
    (target / "machine.npz").write_bytes(content)
    about = {"sha256": hashlib.sha256(content).hexdigest(), "step": run.step, "shape": list(run.image_shape)}
    about |= {"data_licence": run.prepared.dataset.licence}
    write_json(target / "config.json", without_places(read_config(source)) | {"shipped": about})
    config = json.loads((target / "config.json").read_text())
    units = run.config.visible_type, run.config.hidden_type
    machine = layered(pretrained.read(target, config), *units, run.config.classes)
    rounded_run = dataclasses.replace(run, folder=target, state=None, kept_parameters=machine)
    after = rounded_run.evaluation(**effort)
    rounded_run.write_evaluation(after)
    (target / "README.md").write_text(card(rounded_run, target.name, about, after))
    before = source / "evaluation.json"
    return {"name": target.name, "before": json.loads(before.read_text()) if before.exists() else None, "after": after}


def without_places(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config without what is of the machine that it was trained on."""
    kept = {name: value for name, value in config.items() if name != "decided"}
    if "run" not in kept:
        return kept | {"data_dir": None}
    return kept | {"run": kept["run"] | {"data_dir": None}}


CARD = """# {name}

A {kind} of {layers} binary units that comes with genjax, trained by it on {dataset}.
Use its name in place of a run's folder: `genjax sample {name}`, `genjax filters {name}`,
`genjax evaluate {name} --data-dir DIR`; from Python `genjax.load("{name}")`.

| | |
|---|---|
| learned from | {dataset}, {train_images:,} images ({validation_images:,} kept for validation), {binarisation} pixels |
| by | {options} |
| for | {epochs:,} epochs, {steps:,} steps, batches of {batch}, seed {seed} |
| {test_images:,} test images | {test} |
| training images | {train} |
| its interval | 95 %, of the estimator; the standard error of the choice of test images is {images:.2f} nats besides |
| files | `machine.npz`, float16; `config.json`, as trained; `evaluation.json`, estimated after rounding |
| licence | Apache 2.0; of the data {data_licence} |

Meant for courses, for samplers and estimators of log Z that want a machine of known difficulty, and as features of
handwritten digits. What it says of images that are not digits of {pixels} centred pixels means nothing, and now and
then a sample is like a training image: `genjax coverage {name} --data-dir DIR` counts them.

Written by `python -m experiments.ship` from the files beside it.
"""
KINDS = {"rbm": "restricted Boltzmann machine", "dbm": "deep Boltzmann machine"}
LEFT_OUT = ("visible_type", "hidden_type", "hidden", "layers", "classes", "numbers")  # said elsewhere, or nothing


def card(run: genjax.Run, name: str, about: dict[str, Any], evaluated: dict[str, Any]) -> str:
    """A machine's README.md: what it is, how it learned, how likely it finds its images."""
    assert run.settings.dataset is not None
    options = {option: value for option, value in flat(run.config).items() if option not in LEFT_OUT}
    return CARD.format(
        name=name,
        kind=KINDS[run.model.name],
        layers="-".join(str(size) for size in run.machine.sizes),
        dataset=run.settings.dataset.upper(),
        train_images=run.record.counts["train"],
        validation_images=run.record.counts["validation"],
        test_images=run.record.counts["test"],
        binarisation=run.settings.binarisation,
        options=", ".join(f"{option} {value}" for option, value in options.items()),
        epochs=run.settings.epochs,
        steps=run.step,
        batch=run.settings.batch_size,
        seed=run.settings.seed,
        test=sentence(evaluated, "test"),
        train=sentence(evaluated, "train"),
        images=examples_error(evaluated["log_likelihood"]["test"]),
        pixels="x".join(str(n) for n in run.image_shape[:2]),
        data_licence=about["data_licence"],
    )


def examples_error(test: dict[str, Any]) -> float:
    """The standard error of the choice of examples, by its name now or its first one."""
    return test["examples_se"] if "examples_se" in test else test["image_se"]


def sentence(evaluated: dict[str, Any], split: str = "test") -> str:
    """One split's part of an evaluation."""
    test = evaluated["log_likelihood"][split]
    what = {"lower_bound": "a lower bound, "}.get(test["kind"], "")
    return f"log-likelihood {what}{test['mean']:.3f} nats [{test['low']:.3f}, {test['high']:.3f}], {test['estimator']}"


def main() -> None:
    """Ship what is named; print each before and after rounding, and the bytes of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--data-dir", help="where the images lie, if not where they lay at training")
    parser.add_argument("--temperatures", type=int, default=10_000)
    parser.add_argument("--ais-chains", type=int, default=500)
    parser.add_argument("--out", type=Path, default=pretrained.HERE)
    chosen = parser.parse_args()
    for run in chosen.runs:
        effort = {"temperatures": chosen.temperatures, "ais_chains": chosen.ais_chains}
        shipped = ship(run, chosen.out, chosen.data_dir, **effort)
        if shipped["before"] is not None:
            print(f"{shipped['name']} as trained:     {sentence(shipped['before'])}")
        print(f"{shipped['name']} after rounding: {sentence(shipped['after'])}", flush=True)
    total = sum(path.stat().st_size for path in chosen.out.glob("*/machine.npz"))
    print(f"{chosen.out}: {total / 1e6:.2f} MB")
    if total > MOST:
        raise UserError(f"{chosen.out} holds {total / 1e6:.2f} MB of arrays; {MOST / 1e6:.0f} MB is the most.")


if __name__ == "__main__":
    main()
