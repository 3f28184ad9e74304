"""The restricted Boltzmann machine, and the questions that Boltzmann machines of any depth answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples
from genjax.algorithms.contrastive import RBMConfig, contrastive, trained_machine
from genjax.algorithms.labels import class_log_probabilities, labelled
from genjax.algorithms.padding import paddable, padded, unpadded
from genjax.blocks import in_blocks
from genjax.boltzmann import filters
from genjax.boltzmann.arrays import to_arrays
from genjax.boltzmann.machine import Machine, States, condition, mean
from genjax.boltzmann.mean_field import mean_field, means
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation import likelihood
from genjax.evaluation.classes import error
from genjax.likelihood import ais
from genjax.models import chains, usual
from genjax.models.base import Config
from genjax.models.effort import AIS
from genjax.plots import panels
from genjax.random import subkey
from genjax.sampling.inpainting import completed, inpaint
from genjax.training.config import kind_of, split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Kernel, Measure, Model, Padding, Stage


@dataclass(frozen=True, kw_only=True)
class RBM(Config, RBMConfig):
    """A restricted Boltzmann machine, trained by contrastive gradients."""


def stages(config: RBM, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """One stage: CD, PCD or a tempered phase."""
    static, hyper = split(config, steps)
    return (Stage(LAST, contrastive(static), hyper, steps),)


def check(config: Any, run: RunConfig, dataset: Dataset) -> None:
    """Values have to be what the visible units are, labels as many as the classes."""
    unit = config.visible_type
    if unit.states != 2 and run.binarisation in ("sampled", "threshold"):
        raise UserError(f"`visible_type` {kind_of(unit)} takes intensities; give `binarisation` none.")
    if binarisation(config) != "none" and run.binarisation != "none":
        for x in (dataset.train, dataset.validation, dataset.test):
            examples.intensities(x, f"`binarisation` {run.binarisation}")
    else:
        for x in (dataset.train, dataset.validation, dataset.test):
            examples.units(unit, x, f"`visible_type` {kind_of(unit)}")
    if config.classes:
        examples.labels(np.concatenate(dataset.labels), config.classes)


def binarisation(config: Any) -> str:
    """Units of two values are shown drawn pixels, others the intensities."""
    return "sampled" if config.visible_type.states == 2 else "none"


def begin(state: Any, machine: Any) -> Any:
    """A fresh state whose machine is this one."""
    average = None if state.average is None else jax.tree.map(jnp.copy, machine)
    return state._replace(machine=jax.tree.map(jnp.copy, machine), average=average)


def remaining_chains(config: Any, state: Any) -> States | None:
    """The chains of the negative phase, where it has kept any."""
    return None if state.chains is None else config.negative.chains_of(state.chains)


def short_ais(config: Any, state: Any, metrics: Mapping[str, float]) -> dict[str, float]:
    """Roughly the log-likelihood of what was observed, training and held-out examples: log Z by 50 chains of AIS.

    AIS begins at the means of the persistent chains, or at the machine's own biases. Free energies are those observed.
    """
    model = config.model
    machine, left = jax.tree.map(np.array, (model.machine(model.parameters(state)), model.chains(config, state)))
    machine, left = jax.tree.map(jnp.asarray, (machine, left))
    log_z = ais.rough_log_z(jax.random.key(0), machine, None if left is None else left[0])
    return {p + "short_ais": -metrics[p + "free_energy"] - log_z for p in ("", "held_out_")}


LIKELIHOODS = (
    Measure("held_out_log_likelihood"),
    Measure("held_out_short_ais", take=short_ais, needs="held_out_free_energy"),
)


def answer(key: Key[Array, ""], machine: Any, mean: np.ndarray, chains: States | None = None, **effort: Any) -> Answer:
    """Log p of examples: exact or by AIS on both sides; a bound for deep machines; with classes of label and image."""
    return likelihood.boltzmann(key, machine, mean, chains, **effort)


def evaluate(
    key: Key[Array, ""], machine: Machine, train: Batch, test: Batch, answer: Answer, **_: Any
) -> dict[str, Any]:
    """Pseudo-likelihoods; with classes on top the error of telling labels; of a deep machine, whose likelihood is a
    bound, also how far below the bound is for some test images."""
    numbers: dict[str, Any] = {"pseudo_log_likelihood": likelihood.pseudo(subkey(key, "pixel"), machine, test)}
    numbers["tightness"] = likelihood.tightness(key, machine, test)
    if labelled(machine):
        both = (("test", test), ("train", train))
        numbers["error"] = {name: error(partial(classify, machine), part.x, part.target) for name, part in both}
    return numbers


def refute(machine: Machine, answer: Answer, batches: dict[str, Batch], scores: dict[str, np.ndarray]) -> Answer:
    """An estimate that distinct examples contradict is not trusted."""
    return likelihood.refuted_by_states(machine, answer, batches, scores)


@jax.jit
def shown(machine: Machine, _: Any, states: States) -> Array:
    """Expected values given the layer above."""
    return machine.units[0].intensities(mean(machine, states, 0))


def sample(
    key: Key[Array, ""],
    machine: Machine,
    count: int,
    times: tuple[int, ...],
    label: int | None = None,
    kernel: Kernel | None = None,
    start: States | None = None,
) -> dict[str, Any]:
    """Independent chains from fresh starting points (never from training images), or from those given."""
    machine = machine if label is None else clamped(machine, label)
    found = chains.path(key, machine, count, times, partial(shown, machine), kernel, start)
    samples = np.asarray(machine.units[0].intensities(found.states[0]), np.float32)
    return {"samples": samples, "means": found.shown[:, -1], "path": found.shown, "info": found.info}


def clamped(machine: Machine, label: int) -> Machine:
    """The machine that remains where the label is clamped."""
    return condition(machine, machine.depth - 1, machine.units[-1].encode(jnp.array([label])))


def classes(machine: Machine) -> int:
    """Labels that it has learned."""
    return machine.sizes[-1] if labelled(machine) else 0


def reconstruct(key: Key[Array, ""], machine: Machine, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Expected missing values given the others."""
    burn_in, unit = max(1, sweeps // 4), machine.units[0]
    visible, hole = unit.of_intensities(jnp.asarray(x)), jnp.asarray(np.repeat(missing, unit.width, axis=-1))
    filled = unit.intensities(inpaint(key, machine, visible, hole, sweeps - burn_in, burn_in))
    return np.where(missing, np.asarray(filled), x)  # grey levels round what is kept


def back(machine: Machine, x: np.ndarray) -> np.ndarray:
    """There and back: expected values given the expected hidden units."""

    @jax.jit
    def again(machine: Machine, x: Array) -> Array:
        data = (machine.units[0].of_intensities(x), *[None] * (machine.depth - 1))
        return shown(machine, 0, means(machine, data, mean_field(machine, data).fields))

    return in_blocks(partial(again, machine), x)


def complete(
    key: Key[Array, ""], machine: Machine, given: np.ndarray, missing: np.ndarray, count: int, sweeps: int
) -> np.ndarray:
    """Draws of what is missing of one example, the rest clamped: `(count, values)`."""
    unit = machine.units[0]
    visible, hole = unit.of_intensities(jnp.asarray(given)), jnp.asarray(np.repeat(missing, unit.width, axis=-1))
    drawn = unit.intensities(completed(key, machine, visible, hole, count, sweeps))
    return np.where(missing, np.asarray(drawn), given)


def arrays(machine: Machine) -> dict[str, np.ndarray]:
    """Plain arrays: weights_0, bias_0, bias_1, and so on upwards (`boltzmann.arrays`)."""
    return to_arrays(machine)


def weights(machine: Machine) -> list[np.ndarray]:
    """To the pixels, through the layers between; of grey levels, what they add to the expected level."""
    unit, found = machine.units[0], filters.visible_weights(machine.weights)
    return [np.asarray(w if unit.width == 1 else unit.intensities(w.T).T) for w in found]


def maxima(key: Key[Array, ""], machine: Machine, layer: int, units: np.ndarray, norm: float) -> np.ndarray | None:
    """What drives these units most by mean field; None for grey levels, which are steps with no slope to climb."""
    if machine.units[0].width > 1:
        return None
    return np.asarray(filters.maxima(key, machine, jnp.asarray(units), norm, filters.field, layer, machine.sizes[0]))


@jax.jit
def _hidden(machine: Machine, x: Array) -> list[Array]:
    data = (machine.units[0].of_intensities(x), *[None] * (machine.depth - 1))
    hidden = means(machine, data, mean_field(machine, data).fields)[1:]
    return list(hidden[:-1] if labelled(machine) else hidden)


def features(machine: Machine, x: np.ndarray) -> np.ndarray:
    """Mean-field means of all hidden layers side by side, labels on top left out."""
    return in_blocks(lambda part: jnp.concatenate(_hidden(machine, part), axis=-1), x)


def encode(machine: Machine, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Mean-field means of the highest hidden layer."""
    return in_blocks(lambda part: _hidden(machine, part)[-1], x)


def decode(machine: Machine, code: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Expected values given the highest hidden layer, passed down as means through those between."""

    @jax.jit
    def down(machine: Machine, code: Array) -> Array:
        top = machine.depth - 1 - labelled(machine)
        state: list[Array] = [jnp.zeros((len(code), size), jnp.float32) for size in machine.sizes]
        state[top] = code
        for layer in reversed(range(top)):
            lower = Machine(machine.weights[layer : layer + 1], machine.biases[layer : layer + 2],
                            machine.units[layer : layer + 2], machine.quadratics[layer : layer + 2])  # fmt: skip
            state[layer] = mean(lower, (state[layer], state[layer + 1]), 0)
        return machine.units[0].intensities(state[0])

    return in_blocks(partial(down, machine), code)


def classify(machine: Machine, x: np.ndarray | Array) -> np.ndarray:
    """Log-probabilities of the labels, `(examples, classes)`."""
    tell = jax.jit(lambda machine, x: class_log_probabilities(machine, machine.units[0].of_intensities(x)))
    return in_blocks(partial(tell, machine), x)


RBM.model = Model(
    name="rbm",
    config=RBM,
    stages=stages,
    parameters=trained_machine,
    begin=begin,
    check=check,
    follow=usual.of_rbm,
    binarisation=binarisation,
    effort=AIS,
    answer=answer,
    refute=refute,
    evaluate=evaluate,
    machine=lambda machine: machine,
    chains=remaining_chains,
    sample=sample,
    classes=classes,
    clamped=clamped,
    reconstruct=reconstruct,
    back=back,
    complete=complete,
    encode=encode,
    decode=decode,
    features=features,
    classify=classify,
    filters=weights,
    maxima=maxima,
    arrays=arrays,
    measures=LIKELIHOODS,
    panels=panels.BOLTZMANN,
    padding=Padding(paddable, padded, unpadded),
)
