"""One update: mean over devices, learning rate, optimiser, step, average over the end of the run, common metrics.

A state that is updated has the fields `optimiser`, `average`, `step` and `hyper` (`first`); what is learned is given
beside it.
"""

from collections.abc import Callable, Set
from dataclasses import MISSING, dataclass, fields
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from genjax.errors import UserError
from genjax.training.config import at_least, check_choices, positive, rate, shares, traced
from genjax.training.devices import averaged, own_copy
from genjax.training.optimisers import (
    Adam,
    Direction,
    Linear,
    Optimiser,
    Schedule,
    is_finished,
    optimiser_choice,
    schedule_choice,
)
from genjax.typing import Hyper, Metrics

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How parameters are updated: what all configs have, each with its own defaults."""

    optimiser: Optimiser = optimiser_choice(Adam())
    """Optimiser; from Python also a function of the learning rate, or a finished optax transformation."""
    schedule: Schedule = schedule_choice(Linear())
    """How the learning rate falls over the run."""
    learning_rate: float = rate(1e-3)
    """Learning rate at the start."""
    weight_decay: float = rate(0.0)
    """Decoupled decay of the weights."""
    average: float = 0.2
    """Fraction of the run, at its end, over which the parameters are averaged (0: none)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        check_choices(self)
        positive(self, "learning_rate")
        at_least(self, 0, "weight_decay")
        shares(self, "average")
        self.check_given(changed(self))

    def check_given(self, names: Set[str]) -> None:
        """Raise `UserError` where one of the fields that were set has no effect beside a finished transformation."""
        if is_finished(self.optimiser):
            refuse_beside("optimiser", names & {"learning_rate", "schedule", "weight_decay"})


def changed(config: Any) -> set[str]:
    """Names of the fields that are not at their defaults."""
    return {f.name for f in fields(config) if f.default is not MISSING and getattr(config, f.name) != f.default}


def refuse_beside(optimiser: str, names: Set[str]) -> None:
    """Raise `UserError` for the first of these fields, set beside a finished optax transformation."""
    for name in sorted(names):
        raise UserError(
            f"`{name}` has no effect: `{optimiser}` is a finished optax transformation, which is used as it is; give a "
            "function of the learning rate, or leave it out."
        )


class Coordinates(NamedTuple):
    """Those in which an optimiser moves parameters.

    - `of(parameters)`: theirs.
    - `slope(gradient)`: the gradient there, of one with respect to the parameters.
    - `back(coordinates)`: the parameters.
    """

    of: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    back: Callable[[Any], Any]


PLAIN = Coordinates(lambda x: x, lambda x: x, lambda x: x)


def kernels(parameters: PyTree) -> PyTree:
    """Booleans shaped like the parameters: weight decay acts on kernels, not on biases."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, parameters)


def learning_rate_at(schedule: Schedule, hyper: Hyper, step: Int[Array, ""], prefix: str = "") -> Float[Array, ""]:
    """The learning rate of this step: the rate at the start times what the schedule makes of step / total_steps."""
    progress = jnp.clip(step / hyper["total_steps"], 0.0, 1.0)
    return hyper[prefix + "learning_rate"] * schedule(progress)


def transformation(
    optimiser: Optimiser, hyper: Hyper, learning_rate: Float[Array, ""], decayed: PyTree, prefix: str = ""
) -> optax.GradientTransformationExtraArgs:
    """The optax chain of this step. Its state does not depend on the rates, so it may be built anew at every step.

    `decayed` is a pytree of booleans, shaped like the parameters: which of them weight decay acts on. The decay is
    decoupled from the gradient's scaling (AdamW; Loshchilov and Hutter 2019) for every optimiser but a finished one.
    """
    if isinstance(optimiser, optax.GradientTransformation):
        return optax.with_extra_args_support(optimiser)
    decay: Any = hyper["weight_decay"]
    if isinstance(optimiser, Direction):
        parts = (
            traced(optimiser, hyper, prefix).direction(),
            optax.add_decayed_weights(decay, mask=decayed),
            optax.scale(-learning_rate),  # type: ignore[arg-type]
        )
    else:
        parts = (optimiser(learning_rate), optax.add_decayed_weights(-learning_rate * decay, mask=decayed))
    return optax.with_extra_args_support(optax.chain(*parts))


def first(
    rates: Rates, hyper: Hyper, parameters: PyTree, decayed: PyTree = None, coordinates: Coordinates = PLAIN
) -> dict[str, Any]:
    """The fields of a state before its first step that an update reads, as keyword arguments."""
    mask = kernels(parameters) if decayed is None else decayed
    chain = transformation(rates.optimiser, hyper, hyper["learning_rate"], mask)
    return {
        "optimiser": chain.init(coordinates.of(parameters)),
        "average": jax.tree.map(jnp.copy, parameters) if rates.average > 0 else None,
        "step": jnp.zeros((), jnp.int32),
        "hyper": hyper,
    }


def update(
    rates: Rates,
    state: State,
    parameters: Any,
    gradient: Any,
    *,
    axis_name: str | None = None,
    decayed: PyTree = None,
    coordinates: Coordinates = PLAIN,
    loss: tuple[Float[Array, ""], Callable[[Any], Float[Array, ""]]] | None = None,
    norm_of: Callable[[Any], Any] = lambda gradient: gradient,
) -> tuple[Any, State, Metrics]:
    """The parameters one step further, the state with its optimiser, average and step, and the common metrics.

    - `gradient`: this device's own, downwards, with respect to the parameters; its mean over `axis_name` is taken here.
    - `decayed`: booleans shaped like the parameters, on which weight decay acts; without them its kernels.
    - `loss`: this device's value at the parameters and the function of them that it is of, where the algorithm has
      them, for optimisers that ask for `value`, `grad` and `value_fn` (a line search).
    - `norm_of`: the part of the gradient whose norm is a metric.

    Metrics: `parameter_max`, `gradient_norm` and, unless the optimiser is a finished one, `learning_rate`. Raises
    `UserError` where the optimiser asks for a loss and there is none.
    """
    current: Any = state
    gradient = averaged(gradient, axis_name)
    here, slope = coordinates.of(parameters), coordinates.slope(gradient)
    rate = learning_rate_at(rates.schedule, current.hyper, current.step)
    mask = kernels(parameters) if decayed is None else decayed
    chain = transformation(rates.optimiser, current.hyper, rate, mask)
    change, memory = applied(chain, slope, current.optimiser, here, _extra(loss, slope, coordinates, axis_name))
    new = coordinates.back(optax.apply_updates(here, change))
    metrics = {"parameter_max": parameter_max(new), "gradient_norm": optax.tree.norm(norm_of(gradient))}
    average = tail_average(rates.average, current.average, new, current.step, current.hyper)
    after = current._replace(optimiser=memory, average=average, step=current.step + 1)
    return new, after, metrics if is_finished(rates.optimiser) else metrics | {"learning_rate": rate}


def applied(
    chain: optax.GradientTransformationExtraArgs, slope: Any, memory: Any, parameters: Any, extra: dict[str, Any]
) -> tuple[Any, Any]:
    """The change of the parameters and the optimiser's new state. Raises `UserError` where it asks for a loss."""
    try:
        return chain.update(slope, memory, parameters, **extra)
    except TypeError as error:
        if extra or "keyword-only argument" not in str(error):
            raise
        raise UserError(
            "`optimiser` asks for the value of a loss, and this algorithm has its gradient alone; give one that needs "
            "no more."
        ) from error


def _extra(loss: Any, slope: Any, coordinates: Coordinates, axis_name: str | None) -> dict[str, Any]:
    """What optimisers with a line search ask for, as means over the devices."""
    if loss is None:
        return {}
    value, function = loss
    return {
        "value": averaged(value, axis_name),
        "grad": slope,
        "value_fn": _mean(lambda x: function(coordinates.back(x)), axis_name),
    }


def _mean(function: Callable[[Any], Array], axis_name: str | None) -> Callable[[Any], Array]:
    """The function's mean over the devices, with the mean of its gradients under `pmap` and `shard_map` alike."""
    if axis_name is None:
        return function

    @jax.custom_vjp
    def mean(x: Any) -> Array:
        return averaged(function(x), axis_name)

    def forwards(x: Any) -> tuple[Array, Any]:
        return averaged(jax.value_and_grad(function)(own_copy(x, axis_name)), axis_name)

    mean.defvjp(forwards, lambda slope, back: (jax.tree.map(lambda leaf: back * leaf, slope),))
    return mean


def parameter_max(parameters: PyTree) -> Float[Array, ""]:
    """The largest magnitude among the parameters."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(parameters)]))


def tail_average(share: float, average: Any, parameters: Any, step: Int[Array, ""], hyper: Hyper) -> Any:
    """The running mean of the parameters over the last `share` of the run; the newest ones before that begins.

    `average` is that of the step before, or None where nothing is averaged (Polyak and Juditsky 1992). A run whose
    length was changed at the step `averaged_from` averages nothing from before it.
    """
    if average is None:
        return None
    begins = jnp.floor((1 - share) * hyper["total_steps"])
    if "averaged_from" in hyper:
        begins = jnp.maximum(begins, hyper["averaged_from"])
    since = step - begins
    weight = 1 / jnp.maximum(since + 1, 1)
    return jax.tree.map(lambda old, new: old + weight * (new - old), average, parameters)


def moving_average(average: PyTree, new: PyTree, step: Int[Array, ""], decay: Float[Array, ""]) -> Any:
    """The exponential one, which forgets faster at the beginning."""
    decay = jnp.minimum(decay, jnp.where(decay > 0, (1.0 + step) / (10.0 + step), 0.0))
    return optax.incremental_update(new, average, 1 - decay)  # type: ignore[arg-type]
