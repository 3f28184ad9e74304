"""The cells of `experiments.one_budget`: what each family is, how it is trained for so long, and measured."""

import json
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import genjax
from experiments.adversarial import WGAN_GP
from experiments.common import mnist
from experiments.mixture import Mixture
from genjax.api.classifier import classifier_of
from genjax.evaluation.cost import peak_memory_mb
from genjax.evaluation.samples import quality
from genjax.likelihood.estimate import plain
from genjax.networks.mlp import parameter_count
from genjax.training.folder import write_json
from genjax.training.options import flat, replaced

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
LONG = 7.5  # times the budget
PILOT = 500  # steps
EFFORT = {"temperatures": 1000, "ais_chains": 100, "minutes": 0.5}
SHOWN, COMPLETED, DRAWN = 10, 200, 1000
NOTHING: Mapping[str, Any] = MappingProxyType({})
RATES = ("learning_rate", "discriminator_learning_rate", "pretraining_rate")


class Family(NamedTuple):
    """How it is made, what its run takes, and how its likelihood is estimated in a trial and in the end."""

    make: Any
    options: Mapping[str, Any] = NOTHING
    trial: Mapping[str, Any] = NOTHING
    end: Mapping[str, Any] = NOTHING
    stack: int = 0  # epochs of each lower RBM for each of the whole


GREY = {"binarisation": "none"}
FAMILIES = {
    "mixture": Family(Mixture, {"batch_size": 100}),
    "RBM": Family(lambda: genjax.rbm(hidden=500), {"batch_size": 100}, EFFORT),
    "DBM": Family(lambda: genjax.dbm(layers=(500, 1000), pretraining=0), {"batch_size": 100}, EFFORT),
    "DBN": Family(lambda: genjax.dbn(layers=(500, 2000)), {"batch_size": 100}, EFFORT, stack=3),
    "NADE": Family(lambda: genjax.autoregressive(hidden=500), {"batch_size": 50}),
    "VAE": Family(genjax.vae, {"batch_size": 250}, {"draws": 50}),
    "IWAE": Family(genjax.iwae, {"batch_size": 250}, {"draws": 50}),
    "masked diffusion": Family(genjax.diffusion, {"batch_size": 64}, {"masks": 4}),
    "flow matching": Family(lambda: genjax.diffusion(process="flow"), {"batch_size": 64, **GREY}),
    "GAN": Family(genjax.gan, GREY),
    "WGAN-GP": Family(lambda: genjax.gan(**WGAN_GP), GREY),
}
FEW = ("mixture", "GAN")


class Scale(NamedTuple):
    """Seconds of a run, factors of the rates, seeds, families."""

    seconds: float
    factors: tuple[float, ...]
    seeds: int
    families: tuple[str, ...]


SCALES = {
    "full": Scale(360, FACTORS, 3, tuple(FAMILIES)),
    "quick": Scale(3, (1.0,), 1, ("mixture", "RBM", "NADE", "VAE", "masked diffusion", "GAN")),
    "smoke": Scale(0.2, (0.5, 1.0), 1, FEW),
}


def model_of(family: Family, factor: float, stack: int) -> Any:
    """With its rates times this factor."""
    config = family.make()
    rates = {name: factor * rate for name, rate in flat(config).items() if name in RATES and rate}
    return replaced(config, rates | ({"pretraining": stack} if family.stack else {}))


def fitted(chosen: Namespace, name: str, factor: float, seed: int, seconds: float, out: Any = None) -> genjax.Run:
    """A run of so many seconds; without any the pilot, which tells how many steps those are."""
    family, stack = FAMILIES[name], 1
    length = {"epochs": 1} if family.stack else {"steps": PILOT}
    if seconds:
        speed = cell(chosen, name, "speed", 0)
        epochs = seconds / (family.stack * speed["stack"] + speed["step"] * speed["steps_an_epoch"])
        length = {"steps": max(1, round(epochs * speed["steps_an_epoch"]))}
        stack = max(1, round(family.stack * epochs))
    settings: dict[str, Any] = {**family.options} | length | {"seed": seed, "progress": False, "out": out}
    return genjax.fit(model_of(family, factor, stack), images_of(chosen), **settings)


def images_of(chosen: Namespace) -> genjax.Dataset:
    """MNIST, but for --quick and --smoke."""
    return mnist(chosen) if chosen.scale == "full" else genjax.data.load("digits")


def speed(chosen: Namespace, name: str, number: int) -> dict[str, Any]:
    """Seconds a step of the last stage, and of an epoch of those before it; the first chunk compiles."""
    run = fitted(chosen, name, 1.0, 0, 0.0)
    mine = [entry for entry in run.entries if entry.get("stage") == run.entries[-1].get("stage")]
    before = [entry for entry in run.entries if entry not in mine]
    first, last = mine[0], mine[-1]
    taken = (last["seconds"] - first["seconds"]) / max(1, last["step"] - first["step"])
    steps = len(images_of(chosen).train) / run.settings.batch_size
    return {"step": taken, "steps_an_epoch": steps, "stack": before[-1]["seconds"] if before else 0.0}


def trial(chosen: Namespace, name: str, number: int) -> dict[str, Any]:
    """A quarter of the time at one rate, on validation images; higher is better."""
    factor, images = SCALES[chosen.scale].factors[number], images_of(chosen)
    try:
        run = fitted(chosen, name, factor, 100, chosen.seconds / 4)
    except genjax.Diverged as error:
        return {"factor": factor, "score": -1e9, "diverged": str(error)}
    if run.model.answer is not None:
        found = run.log_likelihood(images.validation[:1000], **FAMILIES[name].trial).mean
    else:
        drawn = run.draw(DRAWN)["samples"]
        found = -quality(classifier_of(images), drawn, images.train, images.validation)["samples"]["frechet_distance"]
    return {"factor": factor, "score": float(found), "steps": run.step}


def result(chosen: Namespace, name: str, seed: int, times: float = 1.0) -> dict[str, Any]:
    """One run at the best rate, and all that is measured of it."""
    tried = [cell(chosen, name, "trial", number) for number in range(len(SCALES[chosen.scale].factors))]
    factor = max(tried, key=lambda row: row["score"])["factor"]
    run = fitted(chosen, name, factor, seed, times * chosen.seconds, folder_of(chosen, name, seed, times))
    x, hole = np.asarray(run.fixed_test(COMPLETED).x), np.zeros(run.image_shape, bool)
    hole[len(hole) // 3 : 2 * len(hole) // 3] = True
    hole, measure = hole.reshape(run.shape), run.model.measures[0].metric
    row = {"factor": factor, "steps": run.step, "parameters": parameter_count(run.parameters)}
    if run.model.answer is not None:
        row["nats"] = plain(run.log_likelihood(**FAMILIES[name].end))
    if run.model.reconstruct is not None:
        filled = run.reconstruct(x.reshape(-1, *run.shape), hole).reshape(x.shape)
        row["wrong_pixels"] = float(np.mean(((filled > 0.5) != (x > 0.5))[:, hole.ravel()]))
    row["quality"] = {of: known for of, known in run.sample_quality(2 * DRAWN).items() if of in ("samples", "real")}
    row["drawn"] = np.rint(255 * np.clip(run.draw(SHOWN)["samples"], 0, 1)).astype(int).tolist()
    history = {} if measure not in run.history else {"seconds": run.history["seconds"], measure: run.history[measure]}
    known = np.isfinite(history[measure]) if history else []
    return row | {"curve": {of: values[known].tolist() for of, values in history.items()}}


def cost(chosen: Namespace, name: str, seed: int) -> dict[str, Any]:
    """Of 1,000 independent samples, once compiled: sweeps where there are chains, seconds, memory beside the run."""
    own = Mixture if name == "mixture" else None
    run = genjax.load(folder_of(chosen, name, seed), data_dir=chosen.data_dir, model=own)
    sweeps = int(np.ceil(run.diagnostics(100)["autocorrelation_time"])) if run.has_chains else 1
    before = peak_memory_mb() or 0
    run.draw(DRAWN, (sweeps,), seed=1)
    more, began = (peak_memory_mb() or 0) - before, time.perf_counter()
    run.draw(DRAWN, (sweeps,), seed=2)
    return {"sweeps": sweeps if run.has_chains else None, "seconds": time.perf_counter() - began, "mb": more}


def longer(chosen: Namespace, name: str, seed: int) -> dict[str, Any]:
    """A run of 45 minutes in place of six."""
    return result(chosen, name, seed, LONG)


def folder_of(chosen: Namespace, name: str, seed: int, times: float = 1.0) -> Path:
    """Where a run is kept."""
    return chosen.out / f"{name.replace(' ', '-')}-{seed}{'-long' if times > 1 else ''}"


KINDS = {"speed": speed, "trial": trial, "result": result, "cost": cost, "longer": longer}


def path_of(chosen: Namespace, name: str, kind: str, number: int) -> Path:
    """Of a cell's file."""
    return chosen.cells / f"{name.replace(' ', '-')}-{kind}-{number}.json"


def cell(chosen: Namespace, name: str, kind: str, number: int) -> dict[str, Any]:
    """What a cell holds, made and written here if it is not there."""
    path = path_of(chosen, name, kind, number)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        found = KINDS[kind](chosen, name, number)
        write_json(path, {"family": name, "kind": kind, "number": number, **found, "took": time.perf_counter() - began})
    return json.loads(path.read_text())
