"""Autoencoders: plain and convolutional, denoising, and stacked ones trained pair by pair (Vincent et al. 2010).

A stack learns from the image upwards: each pair of layers gives back what the pairs below it make of an image. Then
all of them are fine-tuned together, to give back images or, with a softmax layer on the code, to classify them.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.errors import UserError
from genjax.networks import pixels
from genjax.networks.backbones import ActivationName, Shape
from genjax.networks.pixels import PixelName
from genjax.networks.stack import Stack, StackModel, stack_model
from genjax.random import subkey
from genjax.training.config import at_least, choice, completed, factory, rate, sizes, split, traced
from genjax.training.devices import averaged, own_copy, own_key
from genjax.training.optimisers import Cosine, Schedule, schedule_choice
from genjax.training.stages import LAST
from genjax.training.update import Rates, first, update
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics, Stage

Units = Float[Array, "*batch units"]


@dataclass(frozen=True)
class Clean:
    """Inputs as they are."""

    kind: ClassVar[str] = "none"

    def corrupt(self, key: Key[Array, ""], x: Units) -> Units:
        """The same."""
        return x


@dataclass(frozen=True)
class GaussianNoise:
    """Gaussian noise is added to every value."""

    corruption_level: float = rate(0.25)
    """Standard deviation of the noise."""

    kind: ClassVar[str] = "gaussian"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        at_least(self, 0, "corruption_level")

    def corrupt(self, key: Key[Array, ""], x: Units) -> Units:
        """With noise."""
        return x + self.corruption_level * random.normal(key, x.shape)


@dataclass(frozen=True)
class Masking:
    """Some values are set to 0."""

    corruption_level: float = rate(0.25)
    """Share of the values that are set."""

    kind: ClassVar[str] = "masking"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        if not 0 <= self.corruption_level <= 1:
            raise UserError(f"`corruption_level` {self.corruption_level} is out of range; give a number from 0 to 1.")

    def corrupt(self, key: Key[Array, ""], x: Units) -> Units:
        """With about that share of the values at 0."""
        return jnp.where(self.hit(key, x), 0.0, x)

    def hit(self, key: Key[Array, ""], x: Units) -> Bool[Array, "*batch units"]:
        """Which values are set."""
        return random.bernoulli_of_mean(subkey(key, "hit"), jnp.broadcast_to(self.corruption_level, x.shape)) == 1


@dataclass(frozen=True)
class SaltAndPepper(Masking):
    """Some values are set to 0 or 1, each as probable."""

    kind: ClassVar[str] = "salt_and_pepper"

    def corrupt(self, key: Key[Array, ""], x: Units) -> Units:
        """With about that share of the values at 0 or 1."""
        salt = random.bernoulli_of_mean(subkey(key, "salt"), jnp.full_like(x, 0.5))
        return jnp.where(self.hit(key, x), salt, x)


@runtime_checkable
class Corruption(Protocol):
    """What is done to an input that is to be given back clean: a frozen value, those above or one's own."""

    def corrupt(self, key: Key[Array, ""], x: Units) -> Units:
        """The input as the network gets it."""
        ...


CORRUPTIONS = (Clean, GaussianNoise, Masking, SaltAndPepper)


def is_corruption(value: Any) -> bool:
    """Whether it is a `Corruption`."""
    return isinstance(value, Corruption) and not isinstance(value, type)


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(Rates):
    """What the autoencoder is, and how it learns."""

    layers: tuple[int, ...] = (512, 256, 64)
    """Units of the dense layers upwards, the last being the code; downwards the same."""
    channels: tuple[int, ...] = ()
    """Channels of convolutions of stride 2 below them (none: dense layers alone)."""
    activation: ActivationName = "relu"
    """Activation of all hidden layers."""
    linear_code: bool = True
    """Whether the code has no activation."""
    error: Literal["squared", "bernoulli"] = "squared"
    """Reconstruction error of a pixel: squared, or -log p of a Bernoulli variable with that mean."""
    corruption: Corruption = choice(Clean(), *CORRUPTIONS, takes=is_corruption)
    """Corruption of the input, whose clean image is to be reconstructed: noise added, values set to 0, or to 0 or 1."""
    schedule: Schedule = schedule_choice(Cosine())

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        sizes(self, "layers", least=1)
        sizes(self, "channels")
        super().check()


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
    """The model to evaluate: the average over the end of the run where one was asked for."""
    return state.model if state.average is None else state.average


def pixel_errors(
    kind: PixelName, outputs: Float[Array, "batch pixels"], x: Float[Array, "batch pixels"]
) -> Float[Array, "batch pixels"]:
    """Squared, or nats."""
    return (outputs - x) ** 2 if kind == "gaussian" else jax.nn.softplus(outputs) - outputs * x


class StepInputs(NamedTuple):
    """Of a step: images with their targets, and what is done to inputs."""

    batch: Batch
    corruption: Corruption


def pair_loss(key: Key[Array, ""], model: StackModel, inputs: StepInputs, number: int) -> Float[Array, ""]:
    """Of one pair, on what those below it make of the images: its error, summed over units (of the lowest: pixels)."""
    below = jax.lax.stop_gradient(model.encode(inputs.batch.x, 0, number))
    code = model.encode(inputs.corruption.corrupt(key, below), number, number + 1)
    again = model.decode(code, number, number + 1)
    kind = model.of.pixels if number == 0 else "gaussian"
    return jnp.mean(jnp.sum(pixel_errors(kind, again, below), axis=-1))


def whole_loss(key: Key[Array, ""], model: StackModel, inputs: StepInputs) -> Float[Array, ""]:
    """Of all pairs together: an image's error, summed over its pixels."""
    code = model.encode(inputs.corruption.corrupt(key, inputs.batch.x))
    return jnp.mean(jnp.sum(pixel_errors(model.of.pixels, model.decode(code), inputs.batch.x), axis=-1))


def label_loss(key: Key[Array, ""], model: StackModel, inputs: StepInputs) -> Float[Array, ""]:
    """-log p(label), nats, of the code as it is: the softmax layer alone learns."""
    logits = model.logits(jax.lax.stop_gradient(model.encode(inputs.batch.x)))
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, inputs.batch.target))


def classifier_loss(key: Key[Array, ""], model: StackModel, inputs: StepInputs) -> Float[Array, ""]:
    """-log p(label), nats, by which encoder and softmax layer learn; and the error of the decoder, which follows the
    code without bearing on it: so codes of a classifier can be pictured too."""
    code = model.encode(inputs.corruption.corrupt(key, inputs.batch.x))
    of_label = optax.softmax_cross_entropy_with_integer_labels(model.logits(code), inputs.batch.target)
    again = model.decode(jax.lax.stop_gradient(code))
    return jnp.mean(of_label + jnp.sum(pixel_errors(model.of.pixels, again, inputs.batch.x), axis=-1))


@factory
def autoencoder(
    config: AutoencoderConfig,
    shape: Shape | None = None,
    classes: int = 0,
    pair: int | None = None,
    axis_name: str | None = None,
) -> Algorithm:
    """Learning to give back images or, with `classes`, to classify them; rates come through `hyper`.

    Images have this shape (None: a row of pixels). All pairs learn, or with `pair` (from 0) that one alone, on those
    below it; one more than the last is the softmax layer. With `axis_name`, `step` runs inside `jax.pmap` or
    `jax.shard_map`: gradients are averaged over the axis and each device draws its own noise.
    """

    def objective(key: Key[Array, ""], model: StackModel, inputs: StepInputs) -> Float[Array, ""]:
        if pair is None:
            return (classifier_loss if classes else whole_loss)(key, model, inputs)
        return pair_loss(key, model, inputs, pair) if pair < model.of.depth else label_loss(key, model, inputs)

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
        return first_state(stack_model(key, of), config, hyper)

    def step(key: Key[Array, ""], state: AutoencoderState, batch: Batch) -> tuple[AutoencoderState, Metrics]:
        key = own_key(key, axis_name)
        inputs = StepInputs(batch, traced(config.corruption, state.hyper))

        def loss(model: Any) -> Float[Array, ""]:
            return objective(subkey(key, "corrupt"), model, inputs)

        value, slope = jax.value_and_grad(loss)(own_copy(state.model, axis_name))
        mask = decayed(state.model, pair)
        model, state, metrics = update(
            config, state, state.model, slope, axis_name=axis_name, decayed=mask, loss=(value, loss)
        )
        return state._replace(model=model), metrics | {"loss": averaged(value, axis_name)}

    def observe(key: Key[Array, ""], state: AutoencoderState, train: Batch, held_out: Batch | None) -> Metrics:
        model = trained_model(state)
        metrics = measured(model, train)
        return metrics if held_out is None else metrics | measured(model, held_out, "held_out_")

    def check(batch: Batch) -> None:
        if config.error == "bernoulli":
            examples.intensities(batch.x, "`error` bernoulli")
        examples.finite(batch.x)
        if classes:
            examples.labels(batch.target, classes)

    return Algorithm(init, step, observe, check)


def first_state(model: StackModel, config: AutoencoderConfig, hyper: Hyper) -> AutoencoderState:
    """The state before the first step; what `hyper` lacks is the config's."""
    fields = first(config, completed(config, hyper), model, decayed(model, None))
    return AutoencoderState(model=jax.tree.map(jnp.copy, model), **fields)


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


def measured(model: StackModel, batch: Batch, prefix: str = "") -> Metrics:
    """The squared error a pixel; of binary pixels also nats an image, of a classifier its error."""
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
        return first_state(trained_model(state), static, hyper)

    pairs = tuple(
        Stage(name, autoencoder(static, shape, classes, pair), early, pretraining_steps, handover if pair else None)
        for pair, name in enumerate(names)
    )
    return (*pairs, last._replace(handover=handover))
