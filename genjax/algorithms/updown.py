"""Fine-tuning a deep belief network up and down (wake-sleep; Hinton, Osindero and Teh 2006, appendix B).

Awake, images are drawn upwards and the directed layers learn to give them back; the top RBM learns by persistent
chains. Asleep, what those chains stand for is drawn downwards and the recognition model learns to go back up.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from genjax.algorithms import examples
from genjax.algorithms.contrastive import ContrastiveState, LayeredConfig, largest, trained_machine
from genjax.algorithms.greedy import stack
from genjax.algorithms.negative import expected, persistent
from genjax.boltzmann.dbn import DBN, downward, log_down, log_up, log_weight, stacked, upward
from genjax.boltzmann.machine import States, energy
from genjax.boltzmann.rbm import rbm
from genjax.boltzmann.units import unit_type
from genjax.errors import UserError
from genjax.random import subkey
from genjax.training.config import completed, factory, rate, split
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.optimiser import learning_rate_at, tail_average, transformation
from genjax.training.stages import LAST
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics, Stage


@dataclass(frozen=True, kw_only=True)
class BeliefConfig(LayeredConfig):
    """How a deep belief network learns, whose last two layers are an RBM."""

    negative: Literal["pcd"] = "pcd"
    """Negative phase of the RBMs: persistent chains."""
    learning_rate: float = rate(0.02)
    """Learning rate of the fine-tuning at its start."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        super().check()
        for name in ("visible_type", "hidden_type"):
            if getattr(self, name) != "bernoulli":
                raise UserError(f"`{name}` {getattr(self, name)}: a belief network takes bernoulli.")
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
    """The network to judge: the average over the tail of the run where one was asked for."""
    return state.network if state.average is None else state.average


def loss(
    network: DBN, awake: tuple[Array, ...], asleep: tuple[Array, ...], positive: States, negative: States
) -> Float[Array, ""]:
    """What both phases lower, nats an image: -log p of the images' directed layers, -log q of the dreams' way up, and
    the contrast of the top RBM's energies, whose derivative is that of its log-likelihood."""
    contrast = jnp.mean(energy(network.top, positive)) - jnp.mean(energy(network.top, negative))
    return contrast - jnp.mean(log_down(network, awake)) - jnp.mean(log_up(network, asleep))


@factory
def updown(config: BeliefConfig, axis_name: str | None = None) -> Algorithm:
    """The fine-tuning as an `Algorithm`; its `init` has an untrained stack (see `stages`).

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients are averaged over the axis, and each
    device has its own chains and draws its own noise.
    """
    negative = persistent(config.k)

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> BeliefState:
        visible, hidden = (unit_type(name, config.levels) for name in (config.visible_type, config.hidden_type))
        mean, unit, machines = example.mean, visible, []
        for number, size in enumerate(config.layers):
            machines.append(rbm(jax.random.fold_in(key, number), size, mean, (unit, hidden)))
            mean, unit = jnp.full(size, 0.5, jnp.float32), hidden
        return begun(key, stacked(tuple(machines)), config, hyper)

    def step(key: Key[Array, ""], state: BeliefState, batch: Batch) -> tuple[BeliefState, Metrics]:
        key = own_key(key, axis_name)
        network = state.network
        awake = upward(subkey(key, "wake"), network, batch.x)
        positive = expected(network.top, (awake[-1], None))
        chains, samples = negative.advance(subkey(key, "negative"), network.top, state.chains, positive)
        asleep = downward(subkey(key, "sleep"), network, chains[0], expect=False)
        slope = jax.grad(loss)(own_copy(network, axis_name), awake, asleep, positive, samples)
        slope: Any = averaged(slope, axis_name)
        learning_rate = learning_rate_at(config.schedule, state.hyper, state.step)
        chain = transformation(config.optimiser, state.hyper, learning_rate, decayed(network))
        here: Any = network
        change, optimiser_state = chain.update(slope, state.optimiser, here)
        new: Any = optax.apply_updates(here, change)
        average = tail_average(config.average, state.average, new, state.step, state.hyper)
        after = BeliefState(new, chains, optimiser_state, average, state.step + 1, state.hyper)
        machines = (*new.generation, *new.recognition, new.top)
        return after, {
            "weight_norm": optax.tree.norm([machine.weights for machine in machines]),
            "parameter_max": jnp.max(jnp.stack([largest(machine) for machine in machines])),
            "gradient_norm": optax.tree.norm(slope),
            "hidden_activity": averaged(jnp.mean(awake[1] if len(awake) > 1 else positive[1]), axis_name),
            "learning_rate": learning_rate,
        }

    def observe(key: Key[Array, ""], state: BeliefState, train: Batch, held_out: Batch | None) -> Metrics:
        network = trained_network(state)
        metrics = view(key, network, train, "")
        if held_out is not None:
            metrics |= view(key, network, held_out, "held_out_")
            metrics["free_energy_gap"] = metrics["held_out_free_energy"] - metrics["free_energy"]
        return metrics

    def check(batch: Batch) -> None:
        examples.units(unit_type(config.visible_type), batch.x, f"`visible_type` {config.visible_type}")

    return Algorithm(init, step, observe, check)


def view(key: Key[Array, ""], network: DBN, batch: Batch, prefix: str) -> Metrics:
    """The variational free energy (nats, the top RBM unnormalised), and a reconstruction's squared error a pixel."""
    states = upward(subkey(key, "up"), network, batch.x)
    again = downward(subkey(key, "down"), network, states[-1])[0]
    bound = log_weight(subkey(key, "bound"), network, batch.x)
    return {
        prefix + "reconstruction_error": jnp.mean((batch.x - again) ** 2),
        prefix + "free_energy": -jnp.mean(bound),
    }


def decayed(network: DBN) -> DBN:
    """Booleans shaped like the network: weight decay acts on weights alone."""
    return jax.tree.map(lambda x: x.ndim == 2, network)


def begun(key: Key[Array, ""], network: DBN, config: BeliefConfig, hyper: Hyper, chains: States | None = None) -> Any:
    """The state before the first step; what `hyper` lacks is the config's."""
    hyper = completed(config, hyper)
    chain = transformation(config.optimiser, hyper, hyper["learning_rate"], decayed(network))
    here: States = persistent(1).init(subkey(key, "chains"), network.top, config.chains) if chains is None else chains
    network = jax.tree.map(jnp.copy, network)  # up and down part here
    average = jax.tree.map(jnp.copy, network) if config.average > 0 else None
    optimiser: Any = network
    return BeliefState(network, here, chain.init(optimiser), average, jnp.zeros((), jnp.int32), hyper)


def stages(
    config: BeliefConfig, steps: int, pretraining_steps: int, pretraining_rate: float = 0.1
) -> tuple[Stage, ...]:
    """An RBM for each hidden layer, none of them doubled, then the fine-tuning for `steps`.

    Raises `UserError` where the config contradicts itself.
    """
    config.check()
    static, hyper = split(config, steps)

    def handover(key: Key[Array, ""], state: ContrastiveState, example: Example, hyper: Hyper) -> BeliefState:
        return begun(key, stacked((*state.below, trained_machine(state))), static, hyper, state.chains)

    last = Stage(LAST, updown(static), hyper, steps)
    if not pretraining_steps:
        return (last,)
    first = stack(config, config.layers, ((1, 1),) * len(config.layers), pretraining_steps, pretraining_rate)
    return (*first, last._replace(handover=handover))
