"""Autoencoders: plain and convolutional, denoising, and stacked ones trained pair by pair (Vincent et al. 2010).

A stack learns from the image upwards: each pair of layers gives back what the pairs below it make of an image. Then
all of them are fine-tuned together, to give back images or, with a softmax layer on the code, to tell their labels.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.errors import UserError
from genjax.networks import pixels
from genjax.networks.backbones import ActivationName, Shape
from genjax.networks.pixels import PixelName
from genjax.networks.stack import Stack, StackModel, stack_model
from genjax.random import subkey
from genjax.training.config import at_least, completed, factory, positive, rate, shares, sizes, split
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.optimiser import Optimiser, Schedule, learning_rate_at, tail_average, transformation
from genjax.training.stages import LAST
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics, Stage

Corruption = Literal["none", "gaussian", "masking", "salt_and_pepper"]


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """What the autoencoder is, and how it learns."""

    layers: tuple[int, ...] = (512, 256, 64)
    """Units of the dense layers upwards, the last being the code; downwards the same."""
    channels: tuple[int, ...] = ()
    """Channels of convolutions of stride 2 below them (none: dense layers alone)."""
    activation: ActivationName = "relu"
    """Of all hidden layers."""
    linear_code: bool = True
    """Whether the code has no activation."""
    error: Literal["squared", "bernoulli"] = "squared"
    """Of a pixel that is given back: squared, or -log p of a Bernoulli variable with that mean."""
    corruption: Corruption = "none"
    """What is done to an input that is to be given back clean: noise is added, values are set to 0, or to 0 or 1."""
    corruption_level: float = rate(0.25)
    """Deviation of the noise, or the share of values that are set."""
    optimiser: Optimiser = "adam"
    """Which optax transformation."""
    schedule: Schedule = "cosine"
    """How the learning rate falls over the run."""
    learning_rate: float = rate(1e-3)
    """Learning rate at the start."""
    momentum: float = rate(0.9)
    """Decay of the velocity (for adam and lion: the first beta)."""
    weight_decay: float = rate(0.0)
    """Decoupled decay of the weights."""
    average: float = 0.2
    """Share of the run, at its end, over which the parameters are averaged (0: none)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "layers", least=1)
        sizes(self, "channels")
        positive(self, "learning_rate")
        at_least(self, 0, "weight_decay")
        shares(self, "momentum", "average")
        field = AutoencoderConfig.__dataclass_fields__["corruption_level"]
        if self.corruption == "none" and self.corruption_level != field.default:
            raise UserError("`corruption_level` has no effect without `corruption`.")
        most = np.finfo(np.float32).max if self.corruption == "gaussian" else 1.0
        if not 0 <= self.corruption_level <= most:
            raise UserError(f"`corruption_level` {self.corruption_level} is out of range for {self.corruption}.")


class AutoencoderState(NamedTuple):
    """What training carries from step to step."""

    model: StackModel
    optimiser: Any
    average: StackModel | None
    step: Int[Array, ""]
    hyper: Hyper

    @property
    def parameters(self) -> PyTree:
        """What is learned."""
        return self.model.parameters


def trained_model(state: AutoencoderState) -> StackModel:
    """The model to judge: the average over the tail of the run where one was asked for."""
    return state.model if state.average is None else state.average


def corrupted(
    key: Key[Array, ""], x: Float[Array, "*batch units"], how: Corruption, level: Float[Array, ""]
) -> Float[Array, "*batch units"]:
    """The input with Gaussian noise of deviation `level`, or with about that share of its values set."""
    if how == "none":
        return x
    if how == "gaussian":
        return x + level * random.normal(key, x.shape)
    hit = random.bernoulli_of_mean(subkey(key, "hit"), jnp.broadcast_to(level, x.shape)) == 1
    salt = random.bernoulli_of_mean(subkey(key, "salt"), jnp.full_like(x, 0.5)) if how == "salt_and_pepper" else 0.0
    return jnp.where(hit, salt, x)


def pixel_errors(
    kind: PixelName, outputs: Float[Array, "batch pixels"], x: Float[Array, "batch pixels"]
) -> Float[Array, "batch pixels"]:
    """Squared, or nats."""
    return (outputs - x) ** 2 if kind == "gaussian" else jax.nn.softplus(outputs) - outputs * x


class Lesson(NamedTuple):
    """What a step sees: images with labels, what is done to inputs, and how strongly."""

    batch: Batch
    how: Corruption
    level: Float[Array, ""]


def pair_loss(key: Key[Array, ""], model: StackModel, lesson: Lesson, number: int) -> Float[Array, ""]:
    """Of one pair, on what those below it make of the images: its error, summed over units (of the lowest: pixels)."""
    below = jax.lax.stop_gradient(model.encode(lesson.batch.x, 0, number))
    code = model.encode(corrupted(key, below, lesson.how, lesson.level), number, number + 1)
    again = model.decode(code, number, number + 1)
    kind = model.of.pixels if number == 0 else "gaussian"
    return jnp.mean(jnp.sum(pixel_errors(kind, again, below), axis=-1))


def whole_loss(key: Key[Array, ""], model: StackModel, lesson: Lesson) -> Float[Array, ""]:
    """Of all pairs together: an image's error, summed over its pixels."""
    code = model.encode(corrupted(key, lesson.batch.x, lesson.how, lesson.level))
    return jnp.mean(jnp.sum(pixel_errors(model.of.pixels, model.decode(code), lesson.batch.x), axis=-1))


def label_loss(key: Key[Array, ""], model: StackModel, lesson: Lesson) -> Float[Array, ""]:
    """-log p(label), nats, of the code as it is: the softmax layer alone learns."""
    logits = model.logits(jax.lax.stop_gradient(model.encode(lesson.batch.x)))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, lesson.batch.target))


def classifier_loss(key: Key[Array, ""], model: StackModel, lesson: Lesson) -> Float[Array, ""]:
    """-log p(label), nats, by which encoder and softmax layer learn; and the error of the decoder, which follows the
    code without bearing on it: so codes of a classifier can be pictured too."""
    code = model.encode(corrupted(key, lesson.batch.x, lesson.how, lesson.level))
    told = optax.softmax_cross_entropy_with_integer_labels(model.logits(code), lesson.batch.target)
    again = model.decode(jax.lax.stop_gradient(code))
    return jnp.mean(told + jnp.sum(pixel_errors(model.of.pixels, again, lesson.batch.x), axis=-1))


@factory
def autoencoder(
    config: AutoencoderConfig,
    shape: Shape | None = None,
    classes: int = 0,
    pair: int | None = None,
    axis_name: str | None = None,
) -> Algorithm:
    """Learning to give back images or, with `classes`, to tell their labels; rates come through `hyper`.

    Images have this shape (None: a row of pixels). All pairs learn, or with `pair` (from 0) that one alone, on those
    below it; one more than the last is the softmax layer. With `axis_name`, `step` runs inside `jax.pmap` or
    `jax.shard_map`: gradients are averaged over the axis and each device draws its own noise.
    """

    def objective(key: Key[Array, ""], model: StackModel, lesson: Lesson) -> Float[Array, ""]:
        if pair is None:
            return (classifier_loss if classes else whole_loss)(key, model, lesson)
        return pair_loss(key, model, lesson, pair) if pair < model.of.depth else label_loss(key, model, lesson)

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> AutoencoderState:
        of = Stack(
            shape=shape or (1, example.mean.shape[0], 1),
            layers=config.layers,
            channels=config.channels,
            activation=config.activation,
            linear_code=config.linear_code,
            pixels="gaussian" if config.error == "squared" else "bernoulli",
            classes=classes,
        )
        return begun(stack_model(key, of), config, hyper)

    def step(key: Key[Array, ""], state: AutoencoderState, batch: Batch) -> tuple[AutoencoderState, Metrics]:
        key = own_key(key, axis_name)
        lesson = Lesson(batch, config.corruption, state.hyper["corruption_level"])
        own = own_copy(state.model, axis_name)
        found = jax.value_and_grad(objective, argnums=1)(subkey(key, "corrupt"), own, lesson)
        loss, slope = averaged(found, axis_name)
        learning_rate = learning_rate_at(config.schedule, state.hyper, state.step)
        here: Any = state.model
        chain = transformation(config.optimiser, state.hyper, learning_rate, decayed(state.model, pair))
        change, optimiser = chain.update(slope, state.optimiser, here)  # type: ignore[arg-type]
        model: Any = optax.apply_updates(here, change)
        average = tail_average(config.average, state.average, model, state.step, state.hyper)
        new = AutoencoderState(model, optimiser, average, state.step + 1, state.hyper)
        return new, {
            "loss": loss,
            "parameter_max": jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(model)])),
            "gradient_norm": optax.tree.norm(slope),
            "learning_rate": learning_rate,
        }

    def observe(key: Key[Array, ""], state: AutoencoderState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = view(model, train, "")
        return metrics if held_out is None else metrics | view(model, held_out, "held_out_")

    def check(batch: Batch) -> None:
        if config.error == "bernoulli":
            examples.intensities(batch.x, "`error` bernoulli")
        examples.finite(batch.x)
        if classes:
            examples.labels(batch.target, classes)

    return Algorithm(init, step, observe, check)


def begun(model: StackModel, config: AutoencoderConfig, hyper: Hyper) -> AutoencoderState:
    """The state before the first step; what `hyper` lacks is the config's."""
    hyper = completed(config, hyper)
    here: Any = jax.tree.map(jnp.copy, model)
    chain = transformation(config.optimiser, hyper, hyper["learning_rate"], decayed(model, None))
    average = jax.tree.map(jnp.copy, model) if config.average > 0 else None
    return AutoencoderState(here, chain.init(here), average, jnp.zeros((), jnp.int32), hyper)


def learning(of: Stack, pair: int | None) -> set[str]:
    """Names of the layers that learn: the others must not decay either."""
    if pair is not None:
        return {f"up_{pair}", f"down_{pair}"} if pair < of.depth else {"head"}
    return {"head"} | {f"{way}_{number}" for way in ("up", "down") for number in range(of.depth)}


def decayed(model: StackModel, pair: int | None) -> Any:
    """Booleans shaped like the model: weight decay acts on the kernels of what learns."""
    names = learning(model.of, pair)

    def learns(path: Any, leaf: Array) -> bool:
        return leaf.ndim > 1 and any(getattr(entry, "key", None) in names for entry in path)

    return jax.tree_util.tree_map_with_path(learns, model)


def view(model: StackModel, batch: Batch, prefix: str = "") -> Metrics:
    """The squared error a pixel; of binary pixels also nats an image, of a classifier the share of wrong labels."""
    code, kind = model.encode(batch.x), model.of.pixels
    outputs = model.decode(code)
    metrics = {prefix + "reconstruction_error": jnp.mean((pixels.mean(kind, outputs) - batch.x) ** 2)}
    if kind == "bernoulli":
        metrics[prefix + "cross_entropy"] = jnp.mean(jnp.sum(pixel_errors(kind, outputs, batch.x), axis=-1))
    if model.of.classes:
        metrics[prefix + "error"] = jnp.mean(jnp.argmax(model.logits(code), axis=-1) != batch.target)
    return metrics


def stages(
    config: AutoencoderConfig,
    steps: int,
    pretraining_steps: int,
    pretraining_rate: float = 1e-3,
    shape: Shape | None = None,
    classes: int = 0,
) -> tuple[Stage, ...]:
    """Each pair in turn for `pretraining_steps`, of a classifier then its softmax layer, and all together for `steps`.

    Without pretraining steps there is the last stage alone. Raises `UserError` where the config contradicts itself.
    """
    config.check()
    static, hyper = split(config, steps)
    last = Stage(LAST, autoencoder(static, shape, classes), hyper, steps)
    if not pretraining_steps:
        return (last,)
    early = split(dataclasses.replace(config, learning_rate=pretraining_rate), pretraining_steps)[1]
    depth = len(config.channels) + len(config.layers)
    names = [f"layer-{number + 1}" for number in range(depth)] + (["softmax"] if classes else [])

    def handover(key: Key[Array, ""], state: AutoencoderState, example: Example, hyper: Hyper) -> AutoencoderState:
        return begun(trained_model(state), static, hyper)

    first = tuple(
        Stage(name, autoencoder(static, shape, classes, pair), early, pretraining_steps, handover if pair else None)
        for pair, name in enumerate(names)
    )
    return (*first, last._replace(handover=handover))
