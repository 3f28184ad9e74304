"""Diffusion: masked pixels (a bound in nats), DDPM and flow matching; which of them is `process`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Key

from genjax.algorithms.denoiser import Denoiser
from genjax.algorithms.diffusion import DiffusionConfig, DiffusionState, diffusion, trained_model
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation.orders import orders
from genjax.models.base import Config
from genjax.plots import panels
from genjax.training.config import split
from genjax.training.stages import LAST
from genjax.typing import Answer, Measure, Model, Stage

BLOCK = 500  # images made at once


@dataclass(frozen=True, kw_only=True)
class Diffusion(Config, DiffusionConfig):
    """A diffusion model: masked pixels, or Gaussian noise."""


@dataclass(frozen=True, kw_only=True)
class Masks:
    """Random masks for the bound of the likelihood."""

    masks: int = 32
    """Random masks an image."""

    training: ClassVar[int] = 1000
    """Training examples that an evaluation takes."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        if self.masks < 2:
            raise UserError(f"`masks` {self.masks} leaves no interval; give at least 2.")


def stages(
    config: Diffusion,
    steps: int,
    steps_per_epoch: int,
    shape: tuple[int, int, int] | None = None,
    limits: tuple[float, float] | None = None,
) -> tuple[Stage, ...]:
    """One stage, for images of this shape, values within these limits."""
    static, hyper = split(config, steps)
    bounds = None if limits is None else (limits[0], limits[1])  # JSON gives a list
    return (Stage(LAST, diffusion(static, shape, bounds), hyper, steps),)


def settle(config: Diffusion, dataset: Dataset) -> dict[str, Any]:
    """What the images decide: intensities are from 0 to 1, and other values have no limits."""
    bounded = bool(dataset.train.min() >= 0 and dataset.train.max() <= 1)
    return {"shape": dataset.shape, "limits": (0.0, 1.0) if bounded else None}


def begin(state: DiffusionState, model: Denoiser) -> DiffusionState:
    """A fresh state whose network is this one."""
    average = None if state.average is None else jax.tree.map(jnp.copy, model.parameters)
    return state._replace(model=jax.tree.map(jnp.copy, model), average=average)


def answer(key: Key[Array, ""], model: Denoiser, mean: np.ndarray, chains: None = None, **effort: Any) -> Answer:
    """The bound of log p."""
    return orders(key, model, **effort)


@jax.jit(static_argnames="count")
def _sample(key: Key[Array, ""], model: Denoiser, count: int) -> Array:
    return model.process.sample(key, model, count)


@jax.jit
def _complete(key: Key[Array, ""], model: Denoiser, x: Array, missing: Array) -> Array:
    return model.process.complete(key, model, x, missing)


@jax.jit(static_argnames="sweeps")
def _reconstruct(key: Key[Array, ""], model: Denoiser, x: Array, missing: Array, sweeps: int) -> Array:
    return model.process.reconstruct(key, model, x, missing, sweeps)


def in_blocks(key: Key[Array, ""], count: int, block: Callable[[Key[Array, ""], slice], Array]) -> np.ndarray:
    """Images by blocks of one size, each with a key of its own: no image depends on how many are asked for."""
    size = min(BLOCK, count)
    starts = range(0, count, size)
    made = [np.asarray(block(jax.random.fold_in(key, i), slice(i, i + size)), np.float32) for i in starts]
    return np.concatenate(made)[:count]


def sample(key: Key[Array, ""], model: Denoiser, count: int, label: None = None) -> dict[str, Any]:
    """New images."""
    return {"samples": in_blocks(key, count, lambda own, rows: _sample(own, model, rows.stop - rows.start))}


def filled(
    function: Callable[..., Array], key: Key[Array, ""], model: Denoiser, x: np.ndarray, missing: np.ndarray, *more: int
) -> np.ndarray:
    """What a function makes of images and of what is missing in each, block by block; the last is filled up with
    images of which nothing is missing."""
    count, size = len(x), min(BLOCK, len(x))
    padding = ((0, -count % size), (0, 0))
    x, missing = np.pad(np.asarray(x, np.float32), padding), np.pad(np.asarray(missing, bool), padding)

    def block(own: Key[Array, ""], rows: slice) -> Array:
        return function(own, model, jnp.asarray(x[rows]), jnp.asarray(missing[rows]), *more)

    return in_blocks(key, len(x), block)[:count]


def reconstruct(key: Key[Array, ""], model: Denoiser, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Expected values where they are missing, of Gaussian noise by about `sweeps` evaluations of the network."""
    return filled(_reconstruct, key, model, x, missing, sweeps)


def complete(
    key: Key[Array, ""], model: Denoiser, given: np.ndarray, missing: np.ndarray, count: int, sweeps: int
) -> np.ndarray:
    """Draws of what is missing of one example."""
    x, hole = (np.broadcast_to(part, (count, model.values)) for part in (given, missing))
    return filled(_complete, key, model, x, hole)


def arrays(model: Denoiser) -> dict[str, np.ndarray]:
    """All parameters by their path, such as Dense_0.kernel `(inputs, outputs)`."""
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(model.parameters["params"], sep=".").items()}


PANELS = (
    panels.Panel(
        "bound of the log-likelihood", "nats per example", {"elbo": "training", "held_out_elbo": "validation"}
    ),
    panels.Panel(
        "error of the predicted noise or velocity",
        "squared, per value",
        {"denoising_error": "training", "held_out_denoising_error": "validation"},
    ),
    panels.Panel("loss of the batch", "nats per example, or squared error", {"loss": "training"}),
    panels.Panel("gap of the bound, training - validation", "nats", {"free_energy_gap": "gap"}),
    panels.GRADIENT,
    panels.LEARNING_RATE,
)

MODEL = Model(
    name="diffusion",
    config=Diffusion,
    stages=stages,
    parameters=trained_model,
    begin=begin,
    settle=settle,
    binarisation=lambda config: config.process.binarisation,
    effort=Masks,
    answer=answer,
    sample=sample,
    reconstruct=reconstruct,
    complete=complete,
    arrays=arrays,
    measures=(Measure("held_out_elbo"), Measure("held_out_denoising_error", higher=False)),
    panels=PANELS,
)


class OfProcess:
    """What a config is asked: no likelihood where its process has no bound. The class has all questions."""

    def __get__(self, config: Diffusion | None, kind: type) -> Model:
        bounded = config is None or hasattr(config.process, "elbo")
        return MODEL if bounded else MODEL._replace(effort=None, answer=None)


Diffusion.model = OfProcess()  # type: ignore[assignment]
