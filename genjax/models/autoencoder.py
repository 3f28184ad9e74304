"""Autoencoders: plain, denoising, and stacks of denoising ones trained pair by pair, to classify or to reconstruct."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Key

from genjax import random
from genjax.algorithms import autoencoder
from genjax.algorithms.autoencoder import CORRUPTIONS, AutoencoderConfig, Corruption, Masking, is_corruption
from genjax.blocks import in_blocks
from genjax.data import Dataset
from genjax.evaluation.latent import LatentSpace
from genjax.evaluation.reconstruction import mean_metrics
from genjax.models.base import Config
from genjax.models.vae import shape_and_classes, shape_of
from genjax.networks import pixels
from genjax.networks.stack import StackModel
from genjax.plots import panels
from genjax.training.config import choice, split
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Measure, Model, Stage


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Config, AutoencoderConfig):
    """An autoencoder."""


@dataclass(frozen=True, kw_only=True)
class DenoisingAutoencoder(Autoencoder):
    """A denoising autoencoder."""

    corruption: Corruption = choice(Masking(), *CORRUPTIONS, takes=is_corruption)
    """Corruption of the input, whose clean image is to be reconstructed."""


@dataclass(frozen=True, kw_only=True)
class StackedAutoencoder(DenoisingAutoencoder):
    """A stack of denoising autoencoders, trained pair by pair, then all together: to classify, or to reconstruct."""

    linear_code: bool = False
    """Whether the code has no activation."""
    task: Literal["classify", "reconstruct"] = "classify"
    """Task of the fine-tuning."""
    pretraining: int = 20
    """Passes over the training images for each pair of layers, and for the softmax layer (0: none)."""
    pretraining_rate: float = 1e-3
    """Learning rate of these at their start."""


def stages(
    config: Autoencoder, steps: int, steps_per_epoch: int, shape: tuple[int, int, int] | None = None, classes: int = 0
) -> tuple[Stage, ...]:
    """One stage, for images of this shape."""
    static, hyper = split(config, steps)
    return (Stage(LAST, autoencoder.autoencoder(static, shape, classes), hyper, steps),)


def stacked_stages(
    config: StackedAutoencoder,
    steps: int,
    steps_per_epoch: int,
    shape: tuple[int, int, int] | None = None,
    classes: int = 0,
) -> tuple[Stage, ...]:
    """Pair by pair, the softmax layer, then all together."""
    length = (steps, config.pretraining * steps_per_epoch)
    return autoencoder.stages(config, *length, config.pretraining_rate, shape, classes)


def settle(config: StackedAutoencoder, dataset: Dataset) -> dict[str, Any]:
    """A classifier has to know the classes."""
    return shape_and_classes(config, dataset) if config.task == "classify" else shape_of(config, dataset)


def begin(state: Any, model: StackModel) -> Any:
    """A fresh state whose network is this one."""
    average = None if state.average is None else jax.tree.map(jnp.copy, model)
    return state._replace(model=jax.tree.map(jnp.copy, model), average=average)


def evaluate(
    key: Key[Array, ""], model: StackModel, train: Batch, test: Batch, answer: Answer | None, **_: Any
) -> dict[str, Any]:
    """Squared errors a pixel; of a classifier the error of its labels; of Bernoulli pixels nats an image."""
    metrics = partial(autoencoder.measured, model)
    return {name: mean_metrics(metrics, part) for name, part in (("test", test), ("train", train))}


@jax.jit
def _filled(model: StackModel, x: Array, missing: Array, passes: Array) -> Array:
    def again(_: int | Array, x: Array) -> Array:
        return jnp.where(missing, jnp.clip(pixels.mean(model.of.pixels, model.decode(model.encode(x))), 0.0, 1.0), x)

    return jax.lax.fori_loop(0, passes, again, jnp.where(missing, 0.0, x))


def reconstruct(key: Key[Array, ""], model: StackModel, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Missing pixels begin black and become, again and again, what the autoencoder gives back."""
    return np.asarray(_filled(model, jnp.asarray(x), jnp.asarray(missing), jnp.asarray(sweeps)))


def encode(model: StackModel, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Codes."""
    return in_blocks(partial(jax.jit(lambda model, x: model.encode(x)), model), x)


def decode(model: StackModel, z: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Expected pixels of codes."""
    return in_blocks(partial(jax.jit(lambda model, z: pixels.mean(model.of.pixels, model.decode(z))), model), z)


def back(model: StackModel, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """There and back."""
    return decode(model, encode(model, x))


def classify(model: StackModel, x: np.ndarray | Array) -> np.ndarray:
    """Log-probabilities of the labels, `(examples, classes)`."""
    tell = jax.jit(lambda model, x: jax.nn.log_softmax(model.logits(model.encode(x))))
    return in_blocks(partial(tell, model), x)


def sample(
    key: Key[Array, ""], model: StackModel, count: int, label: int | None = None, train: np.ndarray | None = None
) -> dict[str, Any]:
    """Decoded codes from a Gaussian with the mean and covariance of the training images' codes, as an autoencoder has
    no prior (Ghosh, Sajjadi, Vergari, Black and Schoelkopf 2020)."""
    assert train is not None
    codes = encode(model, train)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(codes, rowvar=False)))
    root = vectors * np.sqrt(np.maximum(values, 0))
    noise = np.asarray(random.normal(key, (count, codes.shape[1])))
    new = (codes.mean(0) + noise @ root.T).astype(np.float32)
    return {"samples": np.clip(decode(model, new), 0, 1)}


def arrays(model: StackModel) -> dict[str, np.ndarray]:
    """All parameters by their path, e.g. up_0.kernel `(inputs, outputs)`."""
    parameters = model.parameters["params"]
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(parameters, sep=".").items()}


def weights(model: StackModel) -> list[np.ndarray]:
    """What each unit of the lowest layer adds to an image's outputs."""
    nothing = jax.eval_shape(lambda: model.encode(jnp.zeros((1, int(np.prod(model.of.shape)))), 0, 1))
    size, first, count = nothing.shape[1], 0, nothing.shape[1]
    if model.of.channels:  # those at the middle of the image: elsewhere they are the same
        rows, columns, count = -(-model.of.shape[0] // 2), -(-model.of.shape[1] // 2), model.of.channels[0]
        first = ((rows // 2) * columns + columns // 2) * count
    units = np.zeros((count, size), np.float32)
    units[np.arange(count), first + np.arange(count)] = 1
    decode = jax.jit(lambda model, code: model.decode(code, 0, 1))
    nowhere = np.asarray(decode(model, jnp.zeros((1, size))))
    return [(in_blocks(partial(decode, model), units) - nowhere).T]


def space(model: StackModel, train: Batch) -> LatentSpace:
    """The code, which has no prior: its centre and spread are those of the training images."""
    nothing = jnp.zeros((len(train.x), 0))
    encode = partial(jax.jit(lambda model, x, given: model.encode(x)), model)
    decode = partial(jax.jit(lambda model, code, given: pixels.mean(model.of.pixels, model.decode(code))), model)
    found = in_blocks(encode, train.x, nothing)
    return LatentSpace(
        encode=encode,
        decode=decode,
        reconstruct=lambda x, given: decode(encode(x, given), given),
        condition=lambda label: jnp.zeros((len(label), 0)),
        centre=found.mean(0),
        spread=found.std(0),
        activity=found.var(0),
    )


Autoencoder.model = Model(
    name="ae",
    config=Autoencoder,
    stages=stages,
    parameters=autoencoder.trained_model,
    begin=begin,
    settle=shape_of,
    binarisation=lambda config: "none",
    evaluate=evaluate,
    sample=sample,
    sample_needs_data=True,
    reconstruct=reconstruct,
    back=back,
    encode=encode,
    decode=decode,
    features=encode,
    filters=weights,
    space=space,
    arrays=arrays,
    measures=tuple(
        Measure(f"held_out_{name}", higher=False) for name in ("error", "cross_entropy", "reconstruction_error")
    ),
    panels=panels.AUTOENCODER,
)
DenoisingAutoencoder.model = Autoencoder.model._replace(name="dae", config=DenoisingAutoencoder)
StackedAutoencoder.model = Autoencoder.model._replace(
    name="sae", config=StackedAutoencoder, stages=stacked_stages, settle=settle, classify=classify
)
