"""The convolutional RBM: filters that are the same at all places of an image, optionally pooled."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples
from genjax.algorithms.conv import ConvRBMConfig, conv
from genjax.algorithms.likelihood_gradient import trained_machine
from genjax.blocks import in_blocks
from genjax.boltzmann.conv import ConvRBM as Machine
from genjax.boltzmann.machine import States
from genjax.boltzmann.windows import downwards
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation import likelihood
from genjax.models import chains, rbm
from genjax.models.base import Config
from genjax.models.effort import AIS
from genjax.plots import panels
from genjax.sampling.inpainting import completed, inpaint
from genjax.training.config import split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Kernel, Model, Stage


@dataclass(frozen=True, kw_only=True)
class ConvRBM(Config, ConvRBMConfig):
    """A convolutional RBM of binary images, trained by contrastive gradients."""


def stages(
    config: ConvRBM, steps: int, steps_per_epoch: int, shape: tuple[int, int, int] = (8, 8, 1)
) -> tuple[Stage, ...]:
    """One stage, for images of this shape."""
    static, hyper = split(config, steps)
    return (Stage(LAST, conv(static, shape), hyper, steps),)


def settle(config: ConvRBM, dataset: Dataset) -> dict[str, Any]:
    """The images' shape."""
    return {"shape": dataset.shape}


def check(config: ConvRBM, run: RunConfig, dataset: Dataset) -> None:
    """Images of one channel, to which the filters fit, and binary pixels."""
    if dataset.shape[2] != 1:
        raise UserError(f"`data` {dataset.name} has {dataset.shape[2]} channels; choose images of one channel.")
    config.places(dataset.shape)
    for x in (dataset.train, dataset.validation, dataset.test):
        if run.binarisation == "none":
            examples.binary(x, "A convolutional RBM", "another model")
        else:
            examples.intensities(x, f"`binarisation` {run.binarisation}")


@jax.jit
def _pixels(machine: Machine, states: States) -> Array:
    return machine.expected(states, 0)[0]


def sample(
    key: Key[Array, ""],
    machine: Machine,
    count: int,
    times: tuple[int, ...],
    label: int | None = None,
    kernel: Kernel | None = None,
    start: States | None = None,
) -> dict[str, Any]:
    """Independent chains from fresh starting points, or from those given; expected pixels on their way."""
    found = chains.path(key, machine, count, times, lambda _, states: _pixels(machine, states), kernel, start)
    samples = np.asarray(found.states[0], np.float32)
    return {"samples": samples, "means": found.shown[:, -1], "path": found.shown, "info": found.info}


def reconstruct(key: Key[Array, ""], machine: Machine, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Expected missing pixels given the others."""
    burn_in = max(1, sweeps // 4)
    filled = inpaint(key, machine, jnp.asarray(x), jnp.asarray(missing), sweeps - burn_in, burn_in)
    return np.where(missing, np.asarray(filled), x)


def complete(
    key: Key[Array, ""], machine: Machine, given: np.ndarray, missing: np.ndarray, count: int, sweeps: int
) -> np.ndarray:
    """Draws of what is missing of one image, the rest clamped: `(count, values)`."""
    return np.asarray(completed(key, machine, jnp.asarray(given), jnp.asarray(missing), count, sweeps))


def _of_images(function: Callable[[Machine, Array], Array]) -> Callable[..., np.ndarray]:
    """A question about images or codes, answered in blocks."""
    program = jax.jit(function)
    return lambda machine, x, label=None: in_blocks(partial(program, machine), x)


@_of_images
def encode(machine: Machine, x: Array) -> Array:
    """Probability of each hidden unit to be on, by row, column and filter: `(examples, hidden)`."""
    return machine.expected((x, None))[1]


@_of_images
def decode(machine: Machine, code: Array) -> Array:
    """Expected pixels given hidden units."""
    return machine.expected((None, code), 0)[0]


@_of_images
def back(machine: Machine, x: Array) -> Array:
    """There and back: expected pixels given the expected hidden units."""
    return machine.expected(machine.expected((x, None)), 0)[0]


@_of_images
def features(machine: Machine, x: Array) -> Array:
    """What the next machine of a stack learns: how probable it is that a unit, or one of a block, is on."""
    return machine.pooled(machine.expected((x, None))[1])


def filters(machine: Machine) -> list[np.ndarray]:
    """The weights of each filter at the middle of the image, `(pixels, filters)`."""
    (rows, columns), count = machine.places.grid, machine.filter_biases.shape[0]
    middle = (rows // 2) * columns + columns // 2
    on = jnp.zeros((count, machine.places.count, count)).at[jnp.arange(count), middle, jnp.arange(count)].set(1.0)
    return [np.asarray(downwards(machine.places, on.reshape(count, -1), machine.weights)).T]


def arrays(machine: Machine) -> dict[str, np.ndarray]:
    """Plain arrays: weights `(filters, width, width)`, visible_biases, filter_biases."""
    names = ("weights", "visible_biases", "filter_biases")
    return {name: np.asarray(getattr(machine, name)) for name in names}


ConvRBM.model = Model(
    name="conv_rbm",
    config=ConvRBM,
    stages=stages,
    parameters=trained_machine,
    begin=rbm.begin,
    check=check,
    settle=settle,
    binarisation=lambda config: "sampled",
    effort=AIS,
    answer=rbm.answer,
    refute=likelihood.refuted_by_states,
    machine=lambda machine: machine,
    chains=rbm.remaining_chains,
    sample=sample,
    reconstruct=reconstruct,
    back=back,
    complete=complete,
    encode=encode,
    decode=decode,
    features=features,
    filters=filters,
    arrays=arrays,
    measures=rbm.LIKELIHOODS,
    panels=panels.BOLTZMANN,
)
