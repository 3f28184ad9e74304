"""What the command line knows of autoencoders (see `families.Family`), and what they share with variational ones."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Key
from tyro.conf import Fixed, Suppress

from genjax.algorithms import autoencoder
from genjax.algorithms.autoencoder import AutoencoderConfig, AutoencoderState, Corruption, view
from genjax.cli.blocks import BLOCK, in_blocks
from genjax.cli.options import RunConfig, cost
from genjax.data import Dataset
from genjax.data.binarisation import Binarisation
from genjax.errors import UserError
from genjax.evaluation.latent import LatentSpace
from genjax.networks import pixels
from genjax.networks.stack import StackModel
from genjax.plots.curves import Panel
from genjax.training.config import part, split
from genjax.training.stages import Stage
from genjax.typing import Algorithm, Batch, Hyper

AUTOENCODER_PANELS = (
    Panel("labels told wrong (share)", {"error": "training", "held_out_error": "validation"}),
    Panel(
        "reconstruction error (squared, a pixel)",
        {"reconstruction_error": "training", "held_out_reconstruction_error": "validation"},
    ),
    Panel("cross-entropy (nats an image)", {"cross_entropy": "training", "held_out_cross_entropy": "validation"}),
    Panel("norm of the gradient", {"gradient_norm": "training"}),
    Panel("learning rate", {"learning_rate": "rate"}),
)


def shape_of(config: Any, dataset: Dataset) -> dict[str, Any]:
    """What the images settle."""
    return {"shape": dataset.shape}


def shape_and_classes(config: Any, dataset: Dataset) -> dict[str, Any]:
    """What images and labels settle. Raises `UserError` where there are no labels."""
    if np.concatenate(dataset.labels).min() < 0:
        raise UserError(f"--dataset {config.dataset} has no labels, or not all; choose another, or a vae or an ae.")
    return {"shape": dataset.shape, "classes": dataset.classes}


@dataclass(frozen=True, kw_only=True)
class AERun(AutoencoderConfig, RunConfig):
    """Train an autoencoder."""

    binarisation: Binarisation = "none"
    """How intensities become binary: not at all, a threshold at 1/2, or a fresh draw each time an image is shown."""
    evaluate: bool = True
    """Measure the reconstruction error at the end."""
    temperatures: Suppress[Fixed[int]] = 10_000
    ais_chains: Suppress[Fixed[int]] = 500
    precision: Suppress[Fixed[float | None]] = None
    stop_gap: Suppress[Fixed[float | None]] = None


@dataclass(frozen=True, kw_only=True)
class DAERun(AERun):
    """Train a denoising autoencoder."""

    corruption: Corruption = "masking"
    """What is done to an input that is to be given back clean: noise is added, values are set to 0, or to 0 or 1."""


@dataclass(frozen=True, kw_only=True)
class SAERun(DAERun):
    """Train a stack of denoising autoencoders pair by pair, then all together: to classify, or to give back images."""

    linear_code: bool = False
    """Whether the code has no activation."""
    task: Literal["classify", "reconstruct"] = "classify"
    """What the fine-tuning teaches."""
    pretraining: int = 20
    """Passes over the training images for each pair of layers, and for the softmax layer (0: none)."""
    pretraining_rate: float = 1e-3
    """Learning rate of these at their start."""


def ae_algorithm(
    config: AERun, total_steps: int, shape: tuple[int, int, int], classes: int = 0
) -> tuple[Algorithm, Hyper]:
    """The learner with its rates, for images of this shape."""
    static, hyper = split(part(config, AutoencoderConfig), total_steps)
    return autoencoder.autoencoder(static, shape, classes), hyper


def sae_stages(
    config: SAERun, steps_per_epoch: int, shape: tuple[int, int, int], classes: int = 0
) -> tuple[Stage, ...]:
    """Pair by pair, the softmax layer, then all together."""
    assert config.epochs is not None
    length = (config.epochs * steps_per_epoch, config.pretraining * steps_per_epoch)
    settings = part(config, AutoencoderConfig)
    return autoencoder.stages(settings, *length, config.pretraining_rate, shape, classes)


def sae_settled(config: SAERun, dataset: Dataset) -> dict[str, Any]:
    """A classifier has to know the classes."""
    return shape_and_classes(config, dataset) if config.task == "classify" else shape_of(config, dataset)


def ae_evaluate(key: Key[Array, ""], state: AutoencoderState, train: Batch, test: Batch, **_: Any) -> dict[str, Any]:
    """Squared errors a pixel; of a classifier the share of wrong labels; of Bernoulli pixels nats an image."""
    model = autoencoder.trained_model(state)
    return {"test": measured(model, test), "train": measured(model, train)}


def measured(model: StackModel, batch: Batch) -> dict[str, float]:
    """What `autoencoder.view` says of all images, block by block."""
    look = jax.jit(view)
    blocks = [jax.tree.map(lambda leaf, i=i: leaf[i : i + BLOCK], batch) for i in range(0, len(batch.x), BLOCK)]
    found = [{name: float(value) for name, value in look(model, block).items()} for block in blocks]
    sizes = [len(block.x) for block in blocks]
    return {name: float(np.average([entry[name] for entry in found], weights=sizes)) for name in found[0]}


def ae_sentences(judged: dict[str, Any]) -> list[str]:
    """What a person reads of an evaluation; the first line stands at the foot of figures."""
    test, train = judged["test"], judged["train"]
    lines = []
    if "error" in test:
        lines.append(f"labels told wrong: {100 * test['error']:.2f} % (test), {100 * train['error']:.2f} % (training)")
    errors = [part["reconstruction_error"] for part in (test, train)]
    lines.append("mean squared error a pixel {:.5f} (test), {:.5f} (training)".format(*errors))
    if "cross_entropy" in test:
        lines.append(f"cross-entropy {test['cross_entropy']:.2f} nats an image (test), {train['cross_entropy']:.2f}")
    lines.append(f"binarisation {judged['binarisation']}; {cost(judged)}")
    return lines


@jax.jit
def _filled(model: StackModel, x: Array, removed: Array, passes: Array) -> Array:
    def again(_: int | Array, x: Array) -> Array:
        return jnp.where(removed, jnp.clip(pixels.mean(model.of.pixels, model.decode(model.encode(x))), 0.0, 1.0), x)

    return jax.lax.fori_loop(0, passes, again, jnp.where(removed, 0.0, x))


def ae_reconstruct(
    key: Key[Array, ""], state: AutoencoderState, images: np.ndarray, removed: np.ndarray, sweeps: int
) -> np.ndarray:
    """Removed pixels begin black and become, again and again, what the autoencoder gives back."""
    model = autoencoder.trained_model(state)
    return np.asarray(_filled(model, jnp.asarray(images), jnp.asarray(removed), jnp.asarray(sweeps)))


def ae_arrays(state: AutoencoderState) -> dict[str, np.ndarray]:
    """All parameters by their path, e.g. up_0.kernel `(inputs, outputs)`."""
    parameters = autoencoder.trained_model(state).parameters["params"]
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(parameters, sep=".").items()}


def ae_filters(state: AutoencoderState) -> list[np.ndarray]:
    """What each unit of the lowest layer adds to an image's outputs."""
    model = autoencoder.trained_model(state)
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


def ae_space(state: AutoencoderState, train: Batch) -> LatentSpace:
    """The code, which has no prior: its centre and spread are those of the training images."""
    model = autoencoder.trained_model(state)
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
