"""Optimisers and schedules as values: what a config's `optimiser` and `schedule` hold.

Another one is a frozen dataclass with a `kind` and the same method, or for an optimiser a function of the learning rate
that gives an optax transformation, for a schedule any function of the progress.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from genjax.training.config import choice, rate, shares

Progress = Float[Array, ""]
"""The share of the run that is done, from 0 to 1."""


@runtime_checkable
class Direction(Protocol):
    """An optimiser that leaves the learning rate and the decay of weights to `update`."""

    def direction(self) -> optax.GradientTransformation:
        """The transformation of a gradient into a direction upwards."""
        ...


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with momentum."""

    momentum: float = rate(0.0)
    """Decay of the velocity."""

    kind: ClassVar[str] = "sgd"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "momentum")

    def direction(self) -> optax.GradientTransformation:
        """The velocity."""
        return optax.trace(self.momentum)


@dataclass(frozen=True)
class Nesterov:
    """Gradient descent with momentum that is applied ahead (Nesterov 1983; Sutskever et al. 2013)."""

    momentum: float = rate(0.9)
    """Decay of the velocity."""

    kind: ClassVar[str] = "nesterov"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "momentum")

    def direction(self) -> optax.GradientTransformation:
        """The velocity one step ahead."""
        return optax.trace(self.momentum, nesterov=True)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015); weight decay is decoupled, as for every optimiser here."""

    momentum: float = rate(0.9)
    """First beta: the decay of the gradient's mean."""
    second_moment: float = rate(0.999, constant=True)
    """Second beta: the decay of the squared gradient's mean."""

    kind: ClassVar[str] = "adam"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "momentum", "second_moment")

    def direction(self) -> optax.GradientTransformation:
        """The mean over the root of the mean square."""
        return optax.scale_by_adam(b1=self.momentum, b2=self.second_moment)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, by its other name (Loshchilov and Hutter 2019)."""

    kind: ClassVar[str] = "adamw"


@dataclass(frozen=True)
class RMSprop:
    """The gradient over the root of its mean square (Tieleman and Hinton 2012), with momentum."""

    momentum: float = rate(0.0)
    """Decay of the velocity."""

    kind: ClassVar[str] = "rmsprop"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "momentum")

    def direction(self) -> optax.GradientTransformation:
        """The velocity of the scaled gradient."""
        return optax.chain(optax.scale_by_rms(), optax.trace(self.momentum))


@dataclass(frozen=True)
class Lion:
    """The sign of the momentum (Chen et al. 2023)."""

    momentum: float = rate(0.9)
    """First beta: the share of the old mean in the step."""

    kind: ClassVar[str] = "lion"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        shares(self, "momentum")

    def direction(self) -> optax.GradientTransformation:
        """The sign."""
        return optax.scale_by_lion(b1=self.momentum)


@dataclass(frozen=True)
class Constant:
    """The learning rate stays."""

    kind: ClassVar[str] = "constant"

    def __call__(self, progress: Progress) -> Float[Array, ""]:
        """1."""
        return jnp.ones_like(progress)


@dataclass(frozen=True)
class Linear:
    """The learning rate falls to 0 along a line."""

    kind: ClassVar[str] = "linear"

    def __call__(self, progress: Progress) -> Float[Array, ""]:
        """From 1 to 0."""
        return 1 - progress


@dataclass(frozen=True)
class Cosine:
    """The learning rate falls to 0 along half a cosine."""

    kind: ClassVar[str] = "cosine"

    def __call__(self, progress: Progress) -> Float[Array, ""]:
        """From 1 to 0."""
        return 0.5 * (1 + jnp.cos(jnp.pi * progress))


Optimiser = Direction | optax.GradientTransformation | Callable[[Array], optax.GradientTransformation]
Schedule = Callable[[Progress], Float[Array, ""]]

OPTIMISERS = (Sgd, Nesterov, Adam, AdamW, RMSprop, Lion)
SCHEDULES = (Constant, Linear, Cosine)


def is_finished(optimiser: Any) -> bool:
    """Whether it is an optax transformation, which is used as it is."""
    return isinstance(optimiser, optax.GradientTransformation)


def _is_optimiser(value: Any) -> bool:
    return not isinstance(value, type) and (is_finished(value) or callable(value) or isinstance(value, Direction))


def _is_schedule(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


def optimiser_choice(default: Any, prefix: str = "") -> Any:
    """The field of an optimiser."""
    return choice(default, *OPTIMISERS, prefix=prefix, takes=_is_optimiser)


def schedule_choice(default: Any) -> Any:
    """The field of a schedule."""
    return choice(default, *SCHEDULES, takes=_is_schedule)
