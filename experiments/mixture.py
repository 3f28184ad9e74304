"""A mixture of Bernoullis, by EM in small steps, as a model of one's own: what `experiments.one_budget` begins with."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import logsumexp, softmax
from jaxtyping import Array, Float, Key

from genjax.likelihood.estimate import mean_over_examples
from genjax.typing import Algorithm, Answer, Batch, Example, Measure, Metrics, Model, Stage


@dataclass(frozen=True)
class Mixture:
    """So many components, which move this share of the way to each batch's mean."""

    parts: int = 500
    learning_rate: float = 0.02


class Parameters(NamedTuple):
    """Log weights `(parts,)`, and probabilities that a pixel is on `(parts, pixels)`."""

    log_weights: Float[Array, " parts"]
    shares: Float[Array, "parts pixels"]


class State(NamedTuple):
    """What training carries."""

    p: Parameters
    hyper: dict[str, Any]


def joint(p: Parameters, x: Array, known: Array | float = 1.0) -> Float[Array, "images parts"]:
    """Log p of each image with each component, of those pixels alone that are known (1; 0: not)."""
    weights = p.log_weights - logsumexp(p.log_weights)
    return weights + (x * known) @ jnp.log(p.shares).T + ((1 - x) * known) @ jnp.log1p(-p.shares).T


def log_p(p: Parameters, x: Array) -> Float[Array, " images"]:
    """Of each image, nats."""
    return logsumexp(joint(p, x), 1)


def step(key: Key[Array, ""], state: State, batch: Batch) -> tuple[State, Metrics]:
    """Components and weights move towards what the batch says of them; a component that no image is of stays."""
    p, rate = state.p, state.hyper["learning_rate"]
    of = softmax(joint(p, batch.x), 1)
    count = of.sum(0)[:, None]
    speed = 1 - (1 - rate) ** count  # an image moves its component by the rate
    shares = (1 - speed) * p.shares + speed * (of.T @ batch.x) / jnp.maximum(count, 1e-6)
    weights = (1 - rate) * softmax(p.log_weights) + rate * of.mean(0)
    p = Parameters(jnp.log(weights), jnp.clip(shares, 1e-3, 1 - 1e-3))
    return state._replace(p=p), {"log_likelihood": log_p(p, batch.x).mean(), "parameter_max": shares.max()}


def observe(key: Key[Array, ""], state: State, train: Batch, held_out: Batch | None) -> Metrics:
    """What it is judged by as it learns."""
    return {} if held_out is None else {"held_out_log_likelihood": log_p(state.p, held_out.x).mean()}


def stages(config: Mixture, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """One stage, from components near the mean image."""

    def init(key: Key[Array, ""], example: Example, hyper: dict[str, Any]) -> State:
        noise = jax.random.uniform(key, (config.parts, len(example.mean)), minval=-0.25, maxval=0.25)
        shares = jnp.clip(example.mean + noise, 0.02, 0.98)
        return State(Parameters(jnp.zeros(config.parts), shares), hyper)

    hyper = {"learning_rate": jnp.float32(config.learning_rate)}
    return (Stage("train", Algorithm(init, step, observe), hyper, steps),)


def answer(key: Key[Array, ""], p: Parameters, mean: Any, chains: None = None, progress: Any = None) -> Answer:
    """Exact log p."""
    return Answer(
        lambda batch: np.asarray(log_p(p, batch.x), float), lambda scores: mean_over_examples(scores, "a sum")
    )


def sample(key: Key[Array, ""], p: Parameters, count: int, label: None = None) -> dict[str, Any]:
    """A component each, then its pixels."""
    part = jax.random.categorical(jax.random.fold_in(key, 0), p.log_weights, shape=(count,))
    drawn = jax.random.bernoulli(jax.random.fold_in(key, 1), p.shares[part])
    return {"samples": np.asarray(drawn, np.float32), "means": np.asarray(p.shares[part])}


def reconstruct(key: Key[Array, ""], p: Parameters, x: Array, missing: Array, sweeps: int) -> Array:
    """The components' pixels, as likely as the rest of an image makes them."""
    x, hole = jnp.asarray(x), jnp.asarray(missing)
    return jnp.where(hole, softmax(joint(p, x, 1.0 - hole), 1) @ p.shares, x)


Mixture.model = Model(  # type: ignore[attr-defined]
    "mixture",
    Mixture,
    stages,
    lambda state: state.p,
    lambda state, p: state._replace(p=p),
    binarisation=lambda config: "sampled",
    measures=(Measure("held_out_log_likelihood"),),
    answer=answer,
    sample=sample,
    reconstruct=reconstruct,
)
