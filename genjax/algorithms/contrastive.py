"""Layered Boltzmann machines by contrastive gradients: CD-k (Hinton 2002) and PCD (Tieleman 2008)."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax import numerics
from genjax.algorithms import examples
from genjax.algorithms.labels import observed, with_label
from genjax.algorithms.likelihood_gradient import ContrastiveState, Learner, contrast, learning, trained_machine
from genjax.algorithms.negative import CD, PCD, Tempered, expected
from genjax.algorithms.trajectory import Trajectory
from genjax.algorithms.watching import cheap_metrics
from genjax.boltzmann import coordinates
from genjax.boltzmann.copies import Copies, tied
from genjax.boltzmann.dbm import dbm
from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.mean_field import coupled, log_density, mean_field, means
from genjax.boltzmann.rbm import with_classes
from genjax.boltzmann.units import BERNOULLI, Bernoulli, Categorical, Gaussian, Rectified, Spin, Unit
from genjax.errors import UserError
from genjax.random import subkey
from genjax.training.config import at_least, choice, factory, kind_of, positive, rate, shares, sizes
from genjax.training.optimisers import Optimiser, Sgd, optimiser_choice
from genjax.training.update import Coordinates, Rates
from genjax.typing import Algorithm, Batch, Example, Metrics

PHASE = ("start", "advance", "chains_of", "from_data", "observe")  # the methods of a negative phase


def is_phase(value: Any) -> bool:
    """Whether it is a negative phase (`algorithms.negative`)."""
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in PHASE)


def keeps_chains(value: Any) -> bool:
    """Whether it is a negative phase of layers that are not known: CD starts at states that a deep machine lacks."""
    return is_phase(value) and not isinstance(value, CD)


def is_unit(value: Any) -> bool:
    """Whether it is a unit type (`boltzmann.units.Unit`)."""
    return isinstance(value, Unit) and not isinstance(value, type)


UNITS = (Bernoulli, Spin, Gaussian, Rectified, Categorical)


@dataclass(frozen=True, kw_only=True)
class LearningConfig(Rates):
    """How a Boltzmann machine of any depth learns."""

    visible_type: Unit = choice(BERNOULLI, *UNITS, takes=is_unit)
    """Type of the pixels: 0 or 1, -1 or 1, a real number, a real number >= 0, or one of `levels` grey levels."""
    hidden_type: Unit = choice(BERNOULLI, *UNITS, prefix="hidden_", takes=is_unit)
    """Type of the units in all hidden layers."""
    classes: int = 0
    """Labels learned together with the images, as a categorical layer on top (0: none)."""
    negative: Any = choice(PCD(), PCD, CD, Tempered, Trajectory, takes=is_phase)
    """Negative phase: persistent chains, chains restarted at each batch, parallel tempering, or tempering over the
    run's own past, which also estimates the log-likelihood along the way."""
    centred: bool = True
    """Centre the gradient by the units' means (Melchior, Fischer and Wiskott 2016)."""
    optimiser: Optimiser = optimiser_choice(Sgd())
    learning_rate: float = rate(0.2)
    weight_decay: float = rate(1e-5)
    average: float = 0.1

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer; the two kinds below give them."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise `UserError` for numbers out of range, and for units that have no bounded density together."""
        super().check()
        at_least(self, 0, "classes")
        for unit, prefix in ((self.visible_type, ""), (self.hidden_type, "hidden_")):
            if unit.states is not None and unit.states < 2:
                raise UserError(f"`{prefix}levels` {unit.states} is out of range; give at least 2.")
        if self.hidden_type.curved and (self.visible_type.curved or len(self.sizes) > 1):
            names = kind_of(self.visible_type), kind_of(self.hidden_type)
            below = f"`visible_type` {names[0]}" if self.visible_type.curved else "a second such layer"
            raise UserError(
                f"`hidden_type` {names[1]} next to {below} has no bounded density; choose bernoulli, spin or "
                "categorical for one of the two."
            )


@dataclass(frozen=True, kw_only=True)
class RBMConfig(LearningConfig):
    """How an RBM learns."""

    hidden: int = 128
    """Hidden units."""
    follow_data: bool = True
    """Let negative phase, learning rate and weight decay follow the data, where they lie in far modes and nothing of it
    is given (the rule and its reason: models/usual.py)."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return (self.hidden,)

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        positive(self, "hidden")
        super().check()


@dataclass(frozen=True, kw_only=True)
class LayeredConfig(LearningConfig):
    """How a machine of several hidden layers learns."""

    layers: tuple[int, ...] = (128, 128)
    """Hidden units of each layer, lowest first."""
    pretraining: int = 20
    """Passes over the training images for each layer's own RBM (0: none)."""
    pretraining_rate: float = 0.1
    """Learning rate of those RBMs at the start."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return self.layers

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "layers", least=2)
        super().check()
        at_least(self, 0, "pretraining")
        positive(self, "pretraining_rate")


@dataclass(frozen=True, kw_only=True)
class DBMConfig(LayeredConfig):
    """How a deep Boltzmann machine learns, all layers together."""

    negative: Any = choice(PCD(), PCD, Tempered, Trajectory, takes=keeps_chains)
    """Negative phase: persistent chains, parallel tempering, or tempering over the run's own past, which also estimates
    the log-likelihood's bound along the way."""
    learning_rate: float = rate(0.3)
    upper_rate: float = rate(0.1)
    """Share of the learning rate at which weights above the lowest learn: a thousand binary units vary more than all
    pixels of a digit do, and saturate where both have one rate. Adaptive optimisers undo it."""
    mean_field: int = 10
    """Most rounds of mean field in the positive phase."""
    tolerance: float = 1e-2
    """Mean field stops where no mean changes by more than this."""
    damping: float = 0.0
    """Share of the old field that stays in a round of mean field."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        super().check()
        positive(self, "mean_field")
        at_least(self, 0, "tolerance", "upper_rate")
        shares(self, "damping")


def gradient(
    machine: Machine, positive: States, negative: States, offsets: States, upper_rate: Array | float = 1.0
) -> Machine:
    """Derivative of the negative log-likelihood, shaped like the machine, from samples or means of both phases.

    Positive and negative states are tuples of `(batch, units)`; their batches may differ in size. With offsets mu the
    weights' part is the difference of <(x - mu)(y - mu)>, and the biases' part is corrected for it: the gradient in
    the centred parametrisation, carried back to the plain one (Melchior 2016, equations 8 to 11). Offsets of zero
    give the plain gradient. That of quadratic terms is the difference of <(x - mu)^2> / 2, biases counted from g mu.
    Weights above the lowest have theirs times `upper_rate`, before it is carried back: the direction in which they
    learn at that share of the rate. Where layers have a scale (`coordinates.scales`), weights will move by its square
    times their part, and it is for that move that the biases' part is corrected.
    """

    centred = jax.grad(contrast)(machine, positive, negative, offsets)
    lowest, *upper = centred.weights
    slopes = (lowest, *jax.tree.map(lambda w: upper_rate * w, upper))
    biases, means = list(centred.biases), [s**2 * mu for s, mu in zip(coordinates.scales(machine), offsets)]
    for layer, weights in enumerate(slopes):
        if weights is not None:
            biases[layer] = biases[layer] - numerics.exact(weights, means[layer + 1])
            biases[layer + 1] = biases[layer + 1] - numerics.exact(means[layer], weights)
    return dataclasses.replace(centred, weights=slopes, biases=tuple(biases))


def first_machine(key: Key[Array, ""], config: LearningConfig, example: Example) -> Machine:
    """At the data's base rates, with the layers that the config asks for."""
    visible, hidden = config.visible_type, config.hidden_type
    variance = jnp.maximum(example.variance, coordinates.LEAST_DEVIATION**2) if visible.curved else None
    sizes = [hidden.width * size for size in config.sizes]
    base = dbm(key, sizes, visible_mean(visible, example), (visible, hidden), variance)
    return with_classes(subkey(key, "classes"), base, config.classes) if config.classes else base


def visible_mean(unit: Unit, example: Example) -> Float[Array, " units"]:
    """Of the training set; grey levels have theirs from the first batch, with one more image at every level."""
    if unit.width == 1:
        return unit.of_intensities(example.mean)
    x = unit.of_intensities(example.batch.x)
    return (jnp.sum(x, 0) + 1) / (x.shape[0] + unit.width)


def first_offsets(machine: Machine, example: Example) -> tuple[Array, ...]:
    """The data's means below; above, the means of units without neighbours."""
    alone = [unit.mean(b, machine.quadratic(i)) for i, (unit, b) in enumerate(zip(machine.units, machine.biases))]
    return (visible_mean(machine.units[0], example), *alone[1:])


@factory
def contrastive(config: LearningConfig, axis_name: str | None = None, copies: Copies = (1, 1)) -> Algorithm:
    """Learning of a layered machine by the contrast of data and model, as `config` says; rates come through `hyper`.

    The positive phase is exact where hidden layers do not touch each other, and mean field otherwise. Raises
    `UserError` where the config contradicts itself; `check` refuses pixels of another type, and missing labels.

    `axis_name` as in `likelihood_gradient.learning`. With `copies`, the layers of an RBM are made of so many equal
    parts, whose parameters are kept equal; images are repeated to fit (`data_states`).
    """
    return learning(Layered(config, copies), axis_name)


@dataclass(frozen=True)
class Layered(Learner):
    """What a layered `Machine` does in its own way: labels, mean field, unit types with a scale, copies of layers."""

    copies: Copies = (1, 1)

    def first(self, key: Key[Array, ""], example: Example) -> Machine:
        """At the data's base rates."""
        return tied(first_machine(key, self.config, example), self.copies)

    def first_offsets(self, machine: Machine, example: Example) -> tuple[Array, ...]:
        """The data's means below; above, the means of units without neighbours. Zero where nothing is centred."""
        return first_offsets(machine, example) if self.config.centred else zero_offsets(machine)

    def data(self, key: Key[Array, ""], state: ContrastiveState, batch: Batch) -> States:
        """Pixels, or what the machines below make of them, and labels."""
        return data_states(key, state, batch)

    def positive(self, machine: Machine, data: States) -> tuple[States, Metrics]:
        """Exact, or by mean field."""
        return posterior_means(machine, data, self.config)

    def slope(self, machine: Machine, positive: States, negative: States, state: ContrastiveState) -> Machine:
        """The centred gradient, equal for all copies."""
        share = state.hyper.get("upper_rate", 1.0)
        return tied(gradient(machine, positive, negative, state.offsets, share), self.copies)

    def coordinates(self, machine: Machine, offsets: tuple[Array, ...]) -> Coordinates:
        """Those of data as spread as binary ones."""
        return coordinates_of(machine, offsets)

    def couplings(self, machine: Machine) -> Any:
        """The weights."""
        return machine.weights

    def next_offsets(self, state: ContrastiveState, means: list[Array]) -> tuple[Array, ...]:
        """Those after a batch."""
        return updated_offsets(state, means)

    def metrics(self, key: Key[Array, ""], state: ContrastiveState, data: States, batch: Batch, prefix: str) -> Metrics:
        """Those of an RBM, or of a deep machine."""
        machine = trained_machine(state)
        x = repeated(batch.x, machine) if not state.below else machine.units[0].intensities(data[0])
        return cheap_metrics(key, machine, data, Batch(x, batch.target), prefix)

    def density(self, machine: Machine, data: States) -> Float[Array, " batch"]:
        """Exact, or the bound of mean field."""
        return log_density(machine, data)

    def check(self, batch: Batch) -> None:
        """Refuse pixels of another type, and missing labels."""
        config = self.config
        examples.units(config.visible_type, batch.x, f"`visible_type` {kind_of(config.visible_type)}")
        if config.classes:
            examples.labels(batch.target, config.classes)


def coordinates_of(machine: Machine, offsets: tuple[Array, ...]) -> Coordinates:
    """Those in which this machine learns."""
    return Coordinates(
        of=lambda parameters: coordinates.learned(parameters, offsets),
        slope=lambda gradient: coordinates.slope(machine, gradient),
        back=lambda inside: coordinates.plain(inside, machine, offsets),
    )


def posterior_means(machine: Machine, data: States, config: LearningConfig) -> tuple[States, Metrics]:
    """Expected states given the data, and how mean field came to them."""
    if not isinstance(config, DBMConfig) or not coupled(machine, data):
        return expected(machine, data), {}
    solution = mean_field(machine, data, config.mean_field, config.tolerance, config.damping)
    rounds = solution.iterations.astype(jnp.float32)
    metrics = {"mean_field_rounds": rounds, "mean_field_residual": solution.residual}
    return means(machine, data, solution.fields), metrics


def zero_offsets(machine: Machine) -> tuple[Array, ...]:
    """Those of a gradient that is not centred."""
    return tuple(jnp.zeros_like(b) for b in machine.biases)


def updated_offsets(state: ContrastiveState, means: list[Array]) -> tuple[Array, ...]:
    """Offsets after a batch follow the layers' means under the data; the pixels' own are known and stay."""
    known = state.machine.units[0].width == 1 and not state.below
    return tuple(
        mu if layer == 0 and known else mu + 0.01 * (mean - mu)
        for layer, (mu, mean) in enumerate(zip(state.offsets, means))
    )


def data_states(key: Key[Array, ""], state: ContrastiveState, batch: Batch) -> States:
    """States of the layers that a batch gives: pixels as visible units, or hidden samples of the machines below."""
    if not state.below:
        return observed(state.machine, batch._replace(x=repeated(batch.x, state.machine)))
    return with_label(state.machine, copied(hidden_samples(key, state.below, batch.x), state.machine), batch.target)


def hidden_samples(
    key: Key[Array, ""], below: tuple[Any, ...], x: Float[Array, "batch pixels"]
) -> Float[Array, "batch units"]:
    """Images drawn upwards through trained machines of two layers: what the last one passes on.

    Pixels become values of the lowest machine's type; what a machine has drawn is of the next one's type already.
    """
    states = below[0].units[0].of_intensities(repeated(x, below[0]))
    for number, machine in enumerate(below):
        states = machine.upwards(jax.random.fold_in(key, number), copied(states, machine))
    return states


def repeated(x: Float[Array, "batch pixels"], machine: Any) -> Float[Array, "batch visible"]:
    """The images side by side as often as the machine's visible layer has copies."""
    return jnp.tile(x, (1, machine.sizes[0] // machine.units[0].width // x.shape[-1]))


def copied(states: Float[Array, "batch units"], machine: Any) -> Float[Array, "batch visible"]:
    """The same of states, which have `width` entries a variable."""
    return jnp.tile(states, (1, machine.sizes[0] // states.shape[-1]))
