"""Fine-tuning a deep belief network up and down (wake-sleep; Hinton, Osindero and Teh 2006, appendix B).

Awake, images are drawn upwards and the directed layers learn to give them back; the top RBM learns by persistent
chains. Asleep, samples are drawn downwards from those chains and the recognition model learns to go back up.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from genjax.algorithms import examples
from genjax.algorithms.contrastive import ContrastiveState, LayeredConfig, trained_machine
from genjax.algorithms.greedy import stack, without_pretraining
from genjax.algorithms.negative import PCD, expected
from genjax.boltzmann.dbn import DBN, downward, log_down, log_up, log_weight, stacked, upward
from genjax.boltzmann.machine import States, energy
from genjax.boltzmann.rbm import rbm
from genjax.boltzmann.units import BERNOULLI, Bernoulli, Unit
from genjax.errors import UserError
from genjax.random import subkey
from genjax.training.config import choice, completed, factory, kind_of, rate, split
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.stages import LAST
from genjax.training.update import first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics, Stage


@dataclass(frozen=True, kw_only=True)
class DBNConfig(LayeredConfig):
    """How a deep belief network learns, whose last two layers are an RBM."""

    visible_type: Unit = choice(BERNOULLI, Bernoulli)
    """Type of the pixels: 0 or 1."""
    hidden_type: Unit = choice(BERNOULLI, Bernoulli, prefix="hidden_")
    """Type of the units in all hidden layers: 0 or 1."""
    negative: PCD = choice(PCD(), PCD)
    """Negative phase of the RBMs: persistent chains."""
    learning_rate: float = rate(0.02)
    """Learning rate of the fine-tuning at its start."""
    pretraining: int = 40
    """Passes over the training images for each layer's RBM (0: fine-tune an untrained stack)."""
    pretraining_rate: float = 0.2

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        super().check()
        if self.classes:
            raise UserError(f"`classes` {self.classes}: a belief network learns images alone; leave it out.")


class BeliefState(NamedTuple):
    """What fine-tuning carries from step to step."""

    network: DBN
    chains: States  # of the top RBM
    optimiser: Any
    average: DBN | None
    step: Int[Array, ""]
    hyper: Hyper


def trained_network(state: BeliefState) -> DBN:
    """The network to evaluate: the average over the end of the run where one was asked for."""
    return state.network if state.average is None else state.average


def loss(
    network: DBN, awake: tuple[Array, ...], asleep: tuple[Array, ...], positive: States, negative: States
) -> Float[Array, ""]:
    """The objective of both phases, nats an image: -log p of the images' directed layers, -log q of the samples' way
    up, and the contrast of the top RBM's energies, whose derivative is that of its log-likelihood."""
    contrast = jnp.mean(energy(network.top, positive)) - jnp.mean(energy(network.top, negative))
    return contrast - jnp.mean(log_down(network, awake)) - jnp.mean(log_up(network, asleep))


@factory
def updown(config: DBNConfig, axis_name: str | None = None) -> Algorithm:
    """The fine-tuning as an `Algorithm`; its `init` has an untrained stack (see `stages`).

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis, and each
    device has its own chains and draws its own noise.
    """
    negative = config.negative

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> BeliefState:
        hidden = config.hidden_type
        mean, unit, machines = example.mean, config.visible_type, []
        for number, size in enumerate(config.layers):
            machines.append(rbm(jax.random.fold_in(key, number), size, mean, (unit, hidden)))
            mean, unit = jnp.full(size, 0.5, jnp.float32), hidden
        return first_state(key, stacked(tuple(machines)), config, hyper)

    def step(key: Key[Array, ""], state: BeliefState, batch: Batch) -> tuple[BeliefState, Metrics]:
        key = own_key(key, axis_name)
        network = state.network
        awake = upward(subkey(key, "wake"), network, batch.x)
        positive = expected(network.top, (awake[-1], None))
        chains, samples = negative.advance(subkey(key, "negative"), network.top, state.chains, positive)
        asleep = downward(subkey(key, "sleep"), network, chains[0], expect=False)
        slope = jax.grad(loss)(own_copy(network, axis_name), awake, asleep, positive, samples)
        network, state, metrics = update(config, state, network, slope, axis_name=axis_name)
        machines = (*network.generation, *network.recognition, network.top)
        return state._replace(network=network, chains=chains), metrics | {
            "weight_norm": optax.tree.norm([machine.weights for machine in machines]),
            "hidden_activity": averaged(jnp.mean(awake[1] if len(awake) > 1 else positive[1]), axis_name),
        }

    def observe(key: Key[Array, ""], state: BeliefState, train: Batch, held_out: Batch | None) -> Metrics:
        network = trained_network(state)
        metrics = cheap_metrics(key, network, train, "")
        if held_out is not None:
            metrics |= cheap_metrics(key, network, held_out, "held_out_")
            metrics["free_energy_gap"] = metrics["held_out_free_energy"] - metrics["free_energy"]
        return metrics

    def check(batch: Batch) -> None:
        examples.units(config.visible_type, batch.x, f"`visible_type` {kind_of(config.visible_type)}")

    return Algorithm(init, step, observe, check)


def cheap_metrics(key: Key[Array, ""], network: DBN, batch: Batch, prefix: str) -> Metrics:
    """The variational free energy (nats, the top RBM unnormalised), and a reconstruction's squared error a pixel."""
    states = upward(subkey(key, "up"), network, batch.x)
    again = downward(subkey(key, "down"), network, states[-1])[0]
    bound = log_weight(subkey(key, "bound"), network, batch.x)
    return {
        prefix + "reconstruction_error": jnp.mean((batch.x - again) ** 2),
        prefix + "free_energy": -jnp.mean(bound),
    }


def first_state(
    key: Key[Array, ""], network: DBN, config: DBNConfig, hyper: Hyper, chains: States | None = None
) -> BeliefState:
    """The state before the first step; what `hyper` lacks is the config's."""
    if chains is None:
        chains = config.negative.start(subkey(key, "chains"), network.top, 0)
    network = jax.tree.map(jnp.copy, network)  # up and down part here
    return BeliefState(network=network, chains=chains, **first(config, completed(config, hyper), network))


def stages(config: DBNConfig, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """An RBM for each hidden layer, none of them doubled, then the fine-tuning for `steps`.

    Raises `UserError` where the config contradicts itself.
    """
    config.check()
    static, hyper = split(without_pretraining(config), steps)

    def handover(key: Key[Array, ""], state: ContrastiveState, example: Example, hyper: Hyper) -> BeliefState:
        return first_state(key, stacked((*state.below, trained_machine(state))), static, hyper, state.chains)

    last = Stage(LAST, updown(static), hyper, steps)
    if not config.pretraining:
        return (last,)
    layers = stack(config, ((1, 1),) * len(config.layers), config.pretraining * steps_per_epoch)
    return (*layers, last._replace(handover=handover))
