"""How a convolutional RBM learns: the contrast of data and model, each filter at the mean of its places."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Key

from genjax.algorithms import examples
from genjax.algorithms.contrastive import is_phase
from genjax.algorithms.likelihood_gradient import ContrastiveState, Learner, gradient, learning
from genjax.algorithms.negative import CD, PCD, Tempered
from genjax.algorithms.trajectory import Trajectory
from genjax.boltzmann.conv import ConvRBM, conv_rbm
from genjax.boltzmann.machine import States
from genjax.boltzmann.windows import Places
from genjax.training.config import choice, factory, positive, rate
from genjax.training.optimisers import Optimiser, Sgd, optimiser_choice
from genjax.training.update import Rates
from genjax.typing import Algorithm, Batch, Example


@dataclass(frozen=True, kw_only=True)
class ConvRBMConfig(Rates):
    """How a convolutional RBM learns."""

    filters: int = 32
    """Filters, each with a hidden unit at every place of the image."""
    width: int = 5
    """Side of a filter in pixels."""
    pooling: int = 1
    """Side of the blocks of places in which a filter has at most one unit on (1: all units are free)."""
    stride: int = 1
    """Pixels from one place of a filter to the next."""
    padding: int = 0
    """Zeros around the image, so that filters reach over its border."""
    shared_bias: bool = False
    """One bias for all pixels, which no longer know where they are (otherwise one each)."""
    negative: Any = choice(PCD(chains=100), PCD, CD, Tempered, Trajectory, takes=is_phase)
    """Negative phase: persistent chains, chains restarted at each batch, parallel tempering, or tempering over the
    run's own past, which also estimates the log-likelihood along the way."""
    centred: bool = True
    """Centre the gradient by the units' means, one for all pixels and one a filter."""
    optimiser: Optimiser = optimiser_choice(Sgd())
    learning_rate: float = rate(1.0)
    weight_decay: float = rate(1e-5)
    average: float = 0.1

    def check(self) -> None:
        """Raise `UserError` for what no image would make right."""
        super().check()
        positive(self, "filters", "width", "pooling", "stride")

    def places(self, shape: tuple[int, ...]) -> Places:
        """Where filters lie on images of this shape. Raises `UserError` where they do not fit."""
        return Places((shape[0], shape[1]), self.width, self.stride, self.padding, self.pooling).check()


@factory
def conv(config: ConvRBMConfig, shape: tuple[int, ...], axis_name: str | None = None) -> Algorithm:
    """Learning of a convolutional RBM of images of this shape; rates come through `hyper`.

    Raises `UserError` where filters and images do not fit; `check` refuses pixels that are not binary.
    """
    return learning(Convolutional(config, config.places(shape)), axis_name)


@dataclass(frozen=True)
class Convolutional(Learner):
    """What is its own: where it begins, and that a filter is one for all places."""

    places: Places

    def first(self, key: Key[Array, ""], example: Example) -> ConvRBM:
        """At the data's base rates."""
        return conv_rbm(key, self.config.filters, self.places, example.mean, self.config.shared_bias)

    def slope(self, machine: ConvRBM, positive: States, negative: States, state: ContrastiveState) -> ConvRBM:
        """The centred gradient; a filter's part is a sum over hundreds of places, and it learns by their mean."""

        def of_a_place(slope: ConvRBM) -> ConvRBM:
            weights, biases = slope.weights / self.places.count, slope.filter_biases / self.places.count
            return dataclasses.replace(slope, weights=weights, filter_biases=biases)

        return gradient(machine, positive, negative, state.offsets, of_a_place)

    def check(self, batch: Batch) -> None:
        """Refuse pixels that are not binary."""
        examples.binary(batch.x, "A convolutional RBM", "another model")
