"""Maximum likelihood of any `Energy` by the contrast of data and model, as one `Algorithm`.

The derivative of the log-likelihood is that of -E averaged over the data less that averaged over the machine's own
samples, which a negative phase gives (`algorithms.negative`). The machine is asked no more than `genjax.typing.Energy`
says, of one even layer that examples give; what a kind of machine does in its own way, its `Learner` overrides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from genjax.algorithms import examples
from genjax.algorithms.negative import expected
from genjax.algorithms.watching import energy_metrics
from genjax.boltzmann.machine import States
from genjax.random import subkey
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.mesh import several
from genjax.training.update import PLAIN, Coordinates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


class ContrastiveState(NamedTuple):
    """What training carries from step to step."""

    machine: Any
    chains: Any  # what the negative phase carries: the fantasy particles, and more where it is tempered
    offsets: tuple[Array, ...]  # one vector a layer, by which the gradient is centred
    optimiser: Any
    average: Any
    step: Int[Array, ""]
    hyper: Hyper
    below: tuple[Any, ...] = ()  # lower machines, already trained: what they pass on is this one's input


def trained_machine(state: ContrastiveState) -> Any:
    """The machine to evaluate: the average over the end of the run where one was asked for."""
    return state.machine if state.average is None else state.average


@dataclass(frozen=True)
class Learner:
    """How a kind of machine learns: `config` has `negative`, `centred` and the fields of `training.update.Rates`.

    Only `first` has to be written; the other methods do for any `Energy` of binary visible units.
    """

    config: Any

    def first(self, key: Key[Array, ""], example: Example) -> Any:
        """The machine before the first step."""
        raise NotImplementedError

    def first_offsets(self, machine: Any, example: Example) -> States:
        """By what the first gradient is centred: the means of data and of units without couplings, or zero."""
        means = (example.mean, machine.uncoupled().expected((example.mean, None))[1])
        return offsets(machine, means) if self.config.centred else jax.tree.map(jnp.zeros_like, means)

    def data(self, key: Key[Array, ""], state: ContrastiveState, batch: Batch) -> States:
        """What a batch says of the layers, None where it says nothing."""
        return batch.x, None

    def positive(self, machine: Any, data: States) -> tuple[States, Metrics]:
        """Expected states given the data, and metrics of how they were found."""
        return expected(machine, data), {}

    def slope(self, machine: Any, positive: States, negative: States, state: ContrastiveState) -> Any:
        """The derivative of the negative log-likelihood, shaped like the machine."""
        return gradient(machine, positive, negative, state.offsets)

    def coordinates(self, machine: Any, offsets: States) -> Coordinates:
        """Those in which it learns."""
        return PLAIN

    def couplings(self, machine: Any) -> Any:
        """The parameters whose norm is a metric."""
        return couplings(machine)[0]

    def next_offsets(self, state: ContrastiveState, means: list[Array]) -> States:
        """Those after a batch follow the means under the data; the pixels' own are known and stay."""
        new = offsets(state.machine, tuple(means))
        return (state.offsets[0], *(mu + 0.01 * (x - mu) for mu, x in zip(state.offsets[1:], new[1:])))

    def metrics(self, key: Key[Array, ""], state: ContrastiveState, data: States, batch: Batch, prefix: str) -> Metrics:
        """Cheap ones of the machine to evaluate, their names with the prefix."""
        return energy_metrics(key, trained_machine(state), data, prefix)

    def density(self, machine: Any, data: States) -> Float[Array, " batch"]:
        """Log of the data's unnormalised probability, nats."""
        return machine.marginal(data, 1)

    def check(self, batch: Batch) -> None:
        """Raise `UserError` for examples that it cannot learn."""
        examples.binary(batch.x, "This machine", "another model")


def learning(learner: Learner, axis_name: str | None = None) -> Algorithm:
    """The learner as an `Algorithm`.

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients and offsets are averaged over the
    axis, and each device has its own chains and draws its own noise.
    """
    config, negative = learner.config, learner.config.negative

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> ContrastiveState:
        machine = learner.first(subkey(key, "machine"), example)
        offsets = learner.first_offsets(machine, example)
        chains = negative.start(subkey(key, "chains"), machine, example.batch.x.shape[0])
        fields = first(config, hyper, machine, coordinates=learner.coordinates(machine, offsets))
        return ContrastiveState(machine=machine, chains=chains, offsets=offsets, **fields)

    def step(key: Key[Array, ""], state: ContrastiveState, batch: Batch) -> tuple[ContrastiveState, Metrics]:
        key = own_key(key, axis_name)
        own, centre = own_copy((state.machine, state.offsets), axis_name)
        data = learner.data(subkey(key, "lift"), state, batch)
        positive, rounds = learner.positive(own, data)
        chains, samples = negative.advance(subkey(key, "negative"), own, state.chains, data)
        machine, state, metrics = update(
            config,
            state,
            state.machine,
            learner.slope(own, positive, samples, state._replace(offsets=centre)),
            axis_name=axis_name,
            coordinates=learner.coordinates(state.machine, state.offsets),
            norm_of=learner.couplings,
        )
        if config.centred:
            means = averaged([jnp.mean(x, 0) for x in positive], axis_name)
            state = state._replace(offsets=learner.next_offsets(state, means))
        return state._replace(machine=machine, chains=chains), metrics | {
            "weight_norm": optax.tree.norm(learner.couplings(machine)),
            "hidden_activity": averaged(jnp.mean(positive[1]), axis_name),
            **averaged(rounds, axis_name),
        }

    def observe(key: Key[Array, ""], state: ContrastiveState, train: Batch, held_out: Batch | None) -> Metrics:
        batches = {"": train} if held_out is None else {"": train, "held_out_": held_out}
        metrics, data = {}, {}
        for prefix, batch in batches.items():  # common noise: a fairer gap
            data[prefix] = learner.data(subkey(key, "lift"), state, batch)
            metrics |= learner.metrics(subkey(key, "train"), state, data[prefix], batch, prefix)
        if held_out is not None:
            metrics["free_energy_gap"] = metrics["held_out_free_energy"] - metrics["free_energy"]
        # of the present machine, not of the average: its chains are at hand
        densities = {prefix: learner.density(state.machine, states) for prefix, states in data.items()}
        return metrics | negative.observe(state.chains, state.machine, densities)

    return Algorithm(init, step, observe, learner.check)


def offsets(machine: Any, means: States) -> States:
    """What a gradient is centred by: the units' means, or what the machine makes of them (`Energy`, optional)."""
    own = getattr(machine, "offsets", None)
    return means if own is None else own(means)


def couplings(machine: Any) -> tuple[list[Array], list[Array]]:
    """The parameters that couple units, which the uncoupled machine lacks, and the others: biases."""
    alone = jax.tree.leaves(machine.uncoupled(), is_leaf=lambda x: x is None)
    parameters = jax.tree.leaves(machine, is_leaf=lambda x: x is None)
    of_both = [p for p, left in zip(parameters, alone, strict=True) if left is None and p is not None]
    return of_both, [p for p, left in zip(parameters, alone, strict=True) if left is not None]


def contrast(machine: Any, positive: States, negative: States, offsets: States) -> Float[Array, ""]:
    """Mean energy of the data less that of the samples, of states counted from the offsets; nats.

    Positive and negative states are tuples of `(batch, units)`; their batches may differ in size. Its derivative is
    that of the negative log-likelihood.
    """
    if several():  # a concatenation would gather the chains of all devices
        first, second = (tuple(x - mu for x, mu in zip(phase, offsets)) for phase in (positive, negative))
        return jnp.mean(machine.energy(first)) - jnp.mean(machine.energy(second))
    both = tuple(jnp.concatenate(phases) - mu for *phases, mu in zip(positive, negative, offsets))
    shares = [
        jnp.full(len(phase[0]), sign / len(phase[0]), jnp.float32)
        for phase, sign in ((positive, 1.0), (negative, -1.0))
    ]
    return jnp.sum(jnp.concatenate(shares) * machine.energy(both))  # one product for both phases: a tenth of a step


def gradient(
    machine: Any,
    positive: States,
    negative: States,
    offsets: States,
    paced: Callable[[Any], Any] = lambda slope: slope,
) -> Any:
    """The derivative in the parametrisation that is centred by `offsets`, carried back to the plain one.

    A step of the couplings changes the fields at the offsets, and the biases' part is corrected by as much (Melchior,
    Fischer and Wiskott 2016, equations 8 to 11). All is read off the energy: fields are its derivative by the states,
    and a bias that n units share takes the mean of their corrections. `paced` makes of the derivative a direction in
    which parameters learn at rates of their own; it is for that move that biases are corrected.
    """
    centred = paced(jax.grad(contrast)(machine, positive, negative, offsets))
    alone = machine.uncoupled()
    leaves, structure = jax.tree.flatten(centred, is_leaf=lambda x: x is None)
    is_bias = [left is not None for left in jax.tree.leaves(alone, is_leaf=lambda x: x is None)]
    bare = structure.unflatten(
        [jnp.zeros_like(x) if bias and x is not None else x for x, bias in zip(leaves, is_bias, strict=True)]
    )
    fields = jax.grad(lambda x: -bare.energy(x))(offsets)

    def of_biases(states: States) -> list[Array]:
        slope = jax.grad(lambda one: -one.energy(states))(machine)
        return jax.tree.leaves(slope, is_leaf=lambda x: x is None)

    sums, counts = of_biases(fields), of_biases(jax.tree.map(jnp.ones_like, offsets))
    return structure.unflatten(
        [
            x - s / n if bias and x is not None else x
            for x, s, n, bias in zip(leaves, sums, counts, is_bias, strict=True)
        ]
    )
