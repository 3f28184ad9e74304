"""What the command line knows of restricted and deep Boltzmann machines (see `families.Family`)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples, greedy
from genjax.algorithms.contrastive import (
    ContrastiveConfig,
    ContrastiveState,
    DeepConfig,
    LearningConfig,
    contrastive,
    trained_machine,
)
from genjax.algorithms.labels import class_log_probabilities, labelled, observed
from genjax.algorithms.negative import chains_of
from genjax.boltzmann import filters
from genjax.boltzmann.arrays import to_arrays
from genjax.boltzmann.machine import Machine, States, condition, mean
from genjax.boltzmann.mean_field import coupled, mean_field, means
from genjax.boltzmann.units import unit_type
from genjax.cli.blocks import in_blocks
from genjax.cli.options import RunConfig
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.likelihood.conditional import tightness
from genjax.likelihood.evaluate import evaluate
from genjax.random import subkey
from genjax.sampling.gibbs import initial_state, sample
from genjax.sampling.inpainting import inpaint
from genjax.training.config import part, split
from genjax.training.stages import Stage
from genjax.typing import Algorithm, Batch, Hyper

IMAGES = 100  # each with an AIS run of its own, for how tight a deep machine's bound is


@dataclass(frozen=True, kw_only=True)
class RBMRun(ContrastiveConfig, RunConfig):
    """Train a restricted Boltzmann machine by contrastive gradients."""


def rbm_algorithm(config: RBMRun, total_steps: int) -> tuple[Algorithm, Hyper]:
    """CD or PCD with its rates."""
    static, hyper = split(part(config, ContrastiveConfig), total_steps)
    return contrastive(static), hyper


@dataclass(frozen=True, kw_only=True)
class DBMRun(DeepConfig, RunConfig):
    """Train a deep Boltzmann machine: layer by layer, then all layers together."""

    pretraining: int = 20
    """Passes over the training images for each layer's own RBM (0: none, all layers together from the start)."""
    pretraining_rate: float = 0.1
    """Learning rate of those RBMs at the start."""


def dbm_stages(config: DBMRun, steps_per_epoch: int) -> tuple[Stage, ...]:
    """The stack of RBMs, then the whole machine."""
    assert config.epochs is not None
    deep, length = part(config, DeepConfig), (config.epochs * steps_per_epoch, config.pretraining * steps_per_epoch)
    return greedy.stages(deep, *length, config.pretraining_rate)


def dbm_check(config: DBMRun, dataset: Dataset) -> None:
    """RBMs hand on binary units alone; otherwise as of an RBM."""
    if config.pretraining and config.hidden_type != "bernoulli":
        raise UserError(f"--hidden-type {config.hidden_type} has no pretraining; give --pretraining 0.")
    rbm_check(config, dataset)


def rbm_check(config: RBMRun | DBMRun, dataset: Dataset) -> None:
    """Pixels have to be what the visible units are, labels as many as the classes."""
    if config.visible_type not in ("bernoulli", "spin") and config.binarisation != "none":
        raise UserError(f"--visible-type {config.visible_type} takes intensities; give --binarisation none.")
    if config.binarisation == "none":
        unit = unit_type(config.visible_type, config.levels)
        for x in (dataset.train, dataset.validation, dataset.test):
            examples.units(unit, x, f"`visible_type` {config.visible_type}")
    if config.classes:
        examples.labels(np.concatenate(dataset.labels), config.classes)


def rbm_evaluate(
    key: Key[Array, ""], state: ContrastiveState, train: Batch, test: Batch, **options: Any
) -> dict[str, Any]:
    """Log-likelihoods of a trained machine; with classes on top the share of labels that it tells wrong; of a deep
    machine, whose likelihood is a bound, also how far below the bound is for some test images."""
    machine = trained_machine(state)
    seen = observed(machine, test)
    start = None if state.chains is None else chains_of(state.chains)
    judged = evaluate(key, machine, observed(machine, train), seen, start=start, **options)
    if coupled(machine, seen) and seen[-1] is None:
        judged["tightness"] = tightness(subkey(key, "tightness"), machine, seen[0][:IMAGES]).summary()
    if labelled(machine):
        judged["error"] = {"test": error(machine, test), "train": error(machine, train)}
    return judged


def error(machine: Machine, batch: Batch) -> float:
    """Share of labels told wrong."""
    guess = partial(jax.jit(lambda machine, x: jnp.argmax(class_log_probabilities(machine, x), axis=-1)), machine)
    return float(np.mean(in_blocks(guess, observed(machine, batch)[0]) != np.asarray(batch.label)))


fresh = jax.jit(initial_state, static_argnames="chains")  # one program, where op by op a hundred are compiled


@jax.jit
def more_sweeps(key: Key[Array, ""], machine: Machine, state: Any, count: Array) -> Any:
    """Chains `count` sweeps on; another count compiles nothing."""

    def one(i: Array, state: Any) -> Any:
        return sample(jax.random.fold_in(key, i), machine, state, 1)[0]

    return jax.lax.fori_loop(0, count, one, state)


def rbm_sample(
    key: Key[Array, ""],
    state: ContrastiveState,
    chains: int,
    times: list[int],
    start: States | None = None,
    label: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Independent chains from fresh starting points (never from training images), or from those given."""
    machine = trained_machine(state)
    if label is not None:
        machine = condition(machine, machine.depth - 1, machine.units[-1].encode(jnp.array([label])))
    here = fresh(jax.random.fold_in(key, 0), machine, chains) if start is None else start
    seen, done = [], 0
    for number, time in enumerate(times):
        here = more_sweeps(jax.random.fold_in(key, number + 1), machine, here, jnp.asarray(time - done))
        seen.append(np.asarray(machine.units[0].intensities(mean(machine, here, 0))))
        done = time
    return np.stack(seen, axis=1), np.asarray(machine.units[0].intensities(here[0]))


def rbm_persistent(state: ContrastiveState, config: LearningConfig, chains: int) -> States | None:
    """The first chains of the negative phase, if it has kept any."""
    if config.negative == "cd" or state.chains is None:
        return None
    return jax.tree.map(lambda x: x[:chains], chains_of(state.chains))


def rbm_classes(state: ContrastiveState) -> int:
    """Labels that it has learned."""
    machine = trained_machine(state)
    return machine.sizes[-1] if labelled(machine) else 0


def rbm_reconstruct(
    key: Key[Array, ""], state: ContrastiveState, images: np.ndarray, removed: np.ndarray, sweeps: int
) -> np.ndarray:
    """Expected removed pixels given the others."""
    machine, burn_in = trained_machine(state), max(1, sweeps // 4)
    unit = machine.units[0]
    visible, hole = unit.of_intensities(jnp.asarray(images)), jnp.repeat(jnp.asarray(removed), unit.width, axis=-1)
    filled = unit.intensities(inpaint(key, machine, visible, hole, sweeps - burn_in, burn_in))
    return np.where(removed, np.asarray(filled), images)  # grey levels round what is kept


def rbm_arrays(state: ContrastiveState) -> dict[str, np.ndarray]:
    """Plain arrays: weights_0, bias_0, bias_1, and so on upwards (`boltzmann.arrays`)."""
    return to_arrays(trained_machine(state))


def state_of(machine: Machine, step: int) -> ContrastiveState:
    """A machine that is only to be looked at, without what training would carry."""
    return ContrastiveState(machine, None, (), None, None, jnp.asarray(step, jnp.int32), {})


def rbm_filters(state: ContrastiveState) -> list[np.ndarray]:
    """Weights to the pixels, through the layers between; of grey levels, what they add to the expected level."""
    machine = trained_machine(state)
    unit, found = machine.units[0], filters.through(machine.weights)
    return [np.asarray(w if unit.width == 1 else unit.intensities(w.T).T) for w in found]


def rbm_maxima(
    key: Key[Array, ""], state: ContrastiveState, layer: int, units: np.ndarray, norm: float
) -> np.ndarray | None:
    """What mean field sees these units in most; None for grey levels, which are steps with no slope to climb."""
    machine = trained_machine(state)
    if machine.units[0].width > 1:
        return None
    return np.asarray(filters.maxima(key, machine, jnp.asarray(units), norm, filters.field, layer, machine.sizes[0]))


@jax.jit
def _features(machine: Machine, x: Array) -> Array:
    data = (machine.units[0].of_intensities(x), *[None] * (machine.depth - 1))
    hidden = means(machine, data, mean_field(machine, data).fields)[1:]
    return jnp.concatenate(hidden[:-1] if labelled(machine) else hidden, axis=-1)


def rbm_features(state: ContrastiveState, images: np.ndarray) -> np.ndarray:
    """Mean-field means of all hidden layers side by side, labels on top left out."""
    return in_blocks(partial(_features, trained_machine(state)), images)
