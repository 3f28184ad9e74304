"""Maximum likelihood by contrastive gradients: CD-k (Hinton 2002) and PCD (Tieleman 2008) as one `Algorithm`."""

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from genjax.boltzmann.machine import Machine, States, energy, mean
from genjax.boltzmann.rbm import free_energy, rbm
from genjax.likelihood.pseudo import one_pixel_pseudo_log_likelihood
from genjax.random import subkey
from genjax.sampling.gibbs import draw, initial_state, update
from genjax.training.config import rate
from genjax.training.optimiser import Optimiser, Schedule, learning_rate_at, transformation
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics


@dataclass(frozen=True, kw_only=True)
class ContrastiveConfig:
    """How an RBM learns."""

    hidden: int = 128
    """Hidden units."""
    negative: Literal["pcd", "cd"] = "pcd"
    """Negative phase: persistent chains, or chains restarted at each batch."""
    k: int = 1
    """Gibbs sweeps of the negative phase a step."""
    chains: int = 200
    """Persistent chains (cd has as many as the batch has images)."""
    centred: bool = True
    """Centre the gradient by the units' means (Melchior, Fischer and Wiskott 2016)."""
    optimiser: Optimiser = "sgd"
    """Which optax transformation."""
    schedule: Schedule = "linear"
    """How the learning rate falls over the run."""
    learning_rate: float = rate(0.2)
    """Learning rate at the start."""
    momentum: float = rate(0.0)
    """Decay of the velocity (for adam and lion: the first beta)."""
    weight_decay: float = rate(1e-5)
    """Decoupled decay of the weights."""
    average: float = 0.1
    """Share of the run, at its end, over which the parameters are averaged (0: none)."""


class ContrastiveState(NamedTuple):
    """What training carries from step to step."""

    machine: Machine
    chains: States  # the fantasy particles; for cd, those of the last step
    offsets: tuple[Array, ...]  # one vector a layer, by which the gradient is centred
    optimiser: Any
    average: Machine | None
    step: Int[Array, ""]
    hyper: Hyper


def trained_machine(state: ContrastiveState) -> Machine:
    """The machine to judge: the average over the tail of the run where one was asked for."""
    return state.machine if state.average is None else state.average


def gradient(machine: Machine, positive: States, negative: States, offsets: States) -> Machine:
    """Derivative of the negative log-likelihood, shaped like the machine, from samples or means of both phases.

    Positive and negative states are tuples of `(batch, units)`; their batches may differ in size. With offsets mu the
    weights' part is the difference of <(x - mu)(y - mu)>, and the biases' part is corrected for it: the gradient in
    the centred parametrisation, carried back to the plain one (Melchior 2016, equations 8 to 11). Offsets of zero
    give the plain gradient.
    """

    def contrast(machine: Machine) -> Float[Array, ""]:
        phases = [tuple(x - mu for x, mu in zip(state, offsets)) for state in (positive, negative)]
        return jnp.mean(energy(machine, phases[0])) - jnp.mean(energy(machine, phases[1]))

    centred = jax.grad(contrast)(machine)
    biases = list(centred.biases)
    for layer, weights in enumerate(centred.weights):
        if weights is not None:
            biases[layer] = biases[layer] - weights @ offsets[layer + 1]
            biases[layer + 1] = biases[layer + 1] - offsets[layer] @ weights
    return dataclasses.replace(centred, biases=tuple(biases))


def positive_phase(machine: Machine, x: Float[Array, "batch visible"]) -> States:
    """Expected units given the data: exact for two layers."""
    return (x, mean(machine, (x, None), 1))


def negative_phase(key: Key[Array, ""], machine: Machine, state: States, k: int) -> tuple[States, States]:
    """k sweeps that end on the hidden side. Returns the chains, and their states with expected hidden units.

    The chains go on from drawn hidden units whose fields also give the expectation: two products a sweep.
    """

    def one(i: int | Array, state: States) -> States:
        state = update(jax.random.fold_in(key, 2 * i), machine, state, 0)
        return update(jax.random.fold_in(key, 2 * i + 1), machine, state, 1)

    state = jax.lax.fori_loop(0, k - 1, one, state)
    state = one(k - 1, state)  # outside the loop, where XLA finds that the expectation takes the same product
    return state, (state[0], mean(machine, state, 1))


def largest(machine: Machine) -> Float[Array, ""]:
    """The largest magnitude among the parameters."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(machine)]))


@cache
def contrastive(config: ContrastiveConfig, axis_name: str | None = None) -> Algorithm:
    """CD or PCD for a machine of two layers, as `config` says; rates come through `hyper`.

    With `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients and offsets are averaged over the
    axis and each device draws its own noise.
    """

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> ContrastiveState:
        machine = rbm(subkey(key, "machine"), config.hidden, example.mean)
        count = config.chains if config.negative == "pcd" else example.batch.x.shape[0]
        offsets = (example.mean, jnp.full(config.hidden, 0.5)) if config.centred else zeros(machine)
        chain = transformation(config.optimiser, hyper, hyper["learning_rate"], decayed(machine))
        return ContrastiveState(
            machine=machine,
            chains=initial_state(subkey(key, "chains"), machine, count),
            offsets=offsets,
            optimiser=chain.init(machine),  # type: ignore[arg-type]
            average=jax.tree.map(jnp.copy, machine) if config.average > 0 else None,
            step=jnp.zeros((), jnp.int32),
            hyper=hyper,
        )

    def averaged(x: Any) -> Any:
        return x if axis_name is None else jax.lax.pmean(x, axis_name)

    def step(key: Key[Array, ""], state: ContrastiveState, batch: Batch) -> tuple[ContrastiveState, Metrics]:
        if axis_name is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
        positive = positive_phase(state.machine, batch.x)
        start = state.chains
        if config.negative == "cd":
            start = (batch.x, draw(subkey(key, "restart"), state.machine, (batch.x, None), 1))
        chains, negative = negative_phase(subkey(key, "negative"), state.machine, start, config.k)
        slope = averaged(gradient(state.machine, positive, negative, state.offsets))
        learning_rate = learning_rate_at(config.schedule, state.hyper, state.step)
        chain = transformation(config.optimiser, state.hyper, learning_rate, decayed(state.machine))
        change, optimiser_state = chain.update(slope, state.optimiser, state.machine)  # type: ignore[arg-type]
        machine: Machine = optax.apply_updates(state.machine, change)  # type: ignore[assignment]
        new = ContrastiveState(
            machine=machine,
            chains=chains,
            offsets=moved(state.offsets, averaged(jnp.mean(positive[1], 0))) if config.centred else state.offsets,
            optimiser=optimiser_state,
            average=tail_average(config.average, state, machine),
            step=state.step + 1,
            hyper=state.hyper,
        )
        return new, {
            "weight_norm": optax.tree.norm(machine.weights),
            "parameter_max": largest(machine),
            "gradient_norm": optax.tree.norm(slope.weights),
            "hidden_activity": averaged(jnp.mean(positive[1])),
            "learning_rate": learning_rate,
        }

    def observe(key: Key[Array, ""], state: ContrastiveState, train: Batch, held_out: Batch | None) -> Metrics:
        machine = trained_machine(state)
        metrics = view(subkey(key, "train"), machine, train.x, "")
        if held_out is not None:
            metrics |= view(subkey(key, "train"), machine, held_out.x, "held_out_")  # common noise: a fairer gap
            metrics["free_energy_gap"] = metrics["held_out_free_energy"] - metrics["free_energy"]
        return metrics

    return Algorithm(init, step, observe)


def view(key: Key[Array, ""], machine: Machine, x: Float[Array, "batch visible"], prefix: str) -> Metrics:
    """What is cheap to say of a machine on some images: nats an image, and a reconstruction's squared error a pixel."""
    hidden = draw(subkey(key, "hidden"), machine, (x, None), 1)
    return {
        prefix + "pseudo_likelihood": jnp.mean(
            one_pixel_pseudo_log_likelihood(subkey(key, "pixel"), machine, x, draws=16)
        ),
        prefix + "reconstruction_error": jnp.mean((x - mean(machine, (None, hidden), 0)) ** 2),
        prefix + "free_energy": jnp.mean(free_energy(machine, x)),
    }


def decayed(machine: Machine) -> Machine:
    """Booleans shaped like the machine: weight decay acts on weights alone."""
    plain = jax.tree.map(lambda _: False, machine)
    return dataclasses.replace(plain, weights=jax.tree.map(lambda _: True, machine.weights))


def zeros(machine: Machine) -> tuple[Array, ...]:
    """No offsets."""
    return tuple(jnp.zeros_like(b) for b in machine.biases)


def moved(offsets: tuple[Array, ...], hidden: Float[Array, " hidden"]) -> tuple[Array, ...]:
    """Offsets after a batch: the data's means stay, the hidden ones follow what the data do to them."""
    return (offsets[0], offsets[1] + 0.01 * (hidden - offsets[1]))


def tail_average(share: float, state: ContrastiveState, machine: Machine) -> Machine | None:
    """The running mean of the machines of the last `share` of the run; the newest machine before that begins."""
    if state.average is None:
        return None
    since = state.step - jnp.floor((1 - share) * state.hyper["total_steps"])
    weight = 1 / jnp.maximum(since + 1, 1)
    return jax.tree.map(lambda old, new: old + weight * (new - old), state.average, machine)
