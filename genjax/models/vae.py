"""Variational autoencoders: plain, importance-weighted, and conditional on the label."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Key

from genjax.algorithms.vae import ELBO, Bound, VAEConfig, is_bound, pixels_fit, trained_model, vae
from genjax.algorithms.vae import IWAE as IWAEBound
from genjax.blocks import in_blocks
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation import importance
from genjax.evaluation.latent import LatentSpace, active_units, latent_activity
from genjax.models.base import Config
from genjax.models.effort import ImportanceSampling
from genjax.networks import pixels
from genjax.networks.latent import LatentModel, codes, condition, decoded, downward, prior_at_means, reconstructed
from genjax.plots import panels
from genjax.random import normal, subkey
from genjax.sampling.imputation import impute
from genjax.training.config import choice, split
from genjax.training.mesh import sharded
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Measure, Model, Stage


@dataclass(frozen=True, kw_only=True)
class VAE(Config, VAEConfig):
    """A variational autoencoder."""


@dataclass(frozen=True, kw_only=True)
class IWAE(VAE):
    """An importance-weighted autoencoder."""

    bound: Bound = choice(IWAEBound(), ELBO, IWAEBound, takes=is_bound)
    """Objective: the importance-weighted bound, or the ELBO."""


@dataclass(frozen=True, kw_only=True)
class CVAE(VAE):
    """A variational autoencoder that is conditional on the label."""


def stages(
    config: VAE, steps: int, steps_per_epoch: int, shape: tuple[int, int, int] | None = None, classes: int = 0
) -> tuple[Stage, ...]:
    """One stage, for images of this shape."""
    static, hyper = split(config, steps)
    return (Stage(LAST, vae(static, shape, classes), hyper, steps),)


def shape_of(config: Any, dataset: Dataset) -> dict[str, Any]:
    """What the images decide."""
    return {"shape": dataset.shape}


def shape_and_classes(config: Any, dataset: Dataset) -> dict[str, Any]:
    """What images and labels decide. Raises `UserError` where there are no labels."""
    if np.concatenate(dataset.labels).min() < 0:
        raise UserError(f"`data` {dataset.name} has no labels, or not all; choose another, or a vae or an ae.")
    return {"shape": dataset.shape, "classes": dataset.classes}


def check(config: VAE, run: RunConfig, dataset: Dataset) -> None:
    """Pixels have to be what the decoder says they are."""
    if config.pixels != "bernoulli" and run.binarisation != "none":
        raise UserError(f"`pixels` {config.pixels} takes intensities; give `binarisation` none.")
    if run.binarisation == "none":
        for x in (dataset.train, dataset.validation, dataset.test):
            pixels_fit(config, x)


def begin(state: Any, model: LatentModel) -> Any:
    """A fresh state whose networks are these."""
    average = None if state.average is None else jax.tree.map(jnp.copy, model)
    return state._replace(model=jax.tree.map(jnp.copy, model), average=average)


def given(model: LatentModel, count: int, label: np.ndarray | None) -> Array:
    """What a conditional model is given. Raises `UserError` where it needs labels and has none."""
    if model.of.classes and label is None:
        raise UserError("`label`: this model is conditional on the label; give each example's.")
    return condition(model, jnp.zeros(count, jnp.int32) if label is None else jnp.asarray(label, jnp.int32))


def answer(key: Key[Array, ""], model: LatentModel, mean: np.ndarray, chains: None = None, **effort: Any) -> Answer:
    """Log p from below, importance-sampled; of conditional models given the label."""
    return importance.latent(key, model, **effort)


def evaluate(
    key: Key[Array, ""], model: LatentModel, train: Batch, test: Batch, answer: Answer, **_: Any
) -> dict[str, Any]:
    """Active latent units, and what the likelihood is of."""
    return {
        "active_units": active_units(latent_activity(subkey(key, "activity"), model, test)),
        "latents": list(model.of.latents),
        "pixels": model.of.pixels,
        "given_label": model.of.classes > 0,
    }


@jax.jit
def _from_prior(key: Key[Array, ""], model: LatentModel, label: Array) -> tuple[Array, Array]:
    top = sharded(normal(subkey(key, "top"), (len(label), model.of.latents[-1])))
    outputs = downward(model, top, condition(model, label), subkey(key, "down"))
    deviation = model.generation["params"]["log_deviation"]
    drawn = pixels.sample(subkey(key, "pixels"), model.of.pixels, outputs, deviation)
    return pixels.mean(model.of.pixels, outputs), drawn


def sample(key: Key[Array, ""], model: LatentModel, count: int, label: Any = None) -> dict[str, Any]:
    """Independent draws; of conditional models all of one class, or the classes in turn, with their labels."""
    labels = (
        jnp.arange(count) % max(1, model.of.classes) if label is None else jnp.broadcast_to(jnp.asarray(label), count)
    )
    means, drawn = _from_prior(key, model, labels)
    named = {"labels": np.asarray(labels)} if model.of.classes and label is None else {}
    return {"samples": np.asarray(drawn, np.float32), "means": np.asarray(means), **named}


def reconstruct(key: Key[Array, ""], model: LatentModel, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Expected missing values given the others (see `sampling.imputation`)."""
    burn_in = max(1, sweeps // 4)
    return np.asarray(impute(key, model, jnp.asarray(x), jnp.asarray(missing), sweeps - burn_in, burn_in))


def back(model: LatentModel, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """There and back: expected values at the posterior's means."""
    return in_blocks(partial(jax.jit(reconstructed), model), x, given(model, len(x), label))


def arrays(model: LatentModel) -> dict[str, np.ndarray]:
    """All parameters by their path, e.g. recognition.lowest.MLP_0.Dense_0.kernel `(inputs, outputs)`."""
    both = {"recognition": model.recognition["params"], "generation": model.generation["params"]}
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(both, sep=".").items()}


def encode(model: LatentModel, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Posterior means of the top layer."""
    return in_blocks(partial(jax.jit(lambda model, x, given: codes(model, x, given)[-1]), model),
                     x, given(model, len(x), label))  # fmt: skip


def decode(model: LatentModel, z: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Expected values of latents of the top layer."""
    down = jax.jit(decoded, static_argnames="layer")
    return in_blocks(partial(down, model, layer=len(model.of.latents) - 1), z, given(model, len(z), label))


def decoder(model: LatentModel) -> LatentSpace:
    """Of the top layer, whose latents are standard normal: what can be said without images."""
    size = model.of.latents[-1]
    return LatentSpace(
        encode=None,
        decode=partial(jax.jit(decoded, static_argnames="layer"), model, layer=len(model.of.latents) - 1),
        reconstruct=None,
        condition=partial(condition, model),
        centre=np.zeros(size),
        spread=np.ones(size),
        activity=np.ones(size),
    )


def space(model: LatentModel, train: Batch) -> LatentSpace:
    """Of the top layer, and of those below it."""
    known = condition(model, train.target)

    def of_layer(layer: int) -> LatentSpace:
        encode = partial(jax.jit(lambda model, x, given: codes(model, x, given)[layer]), model)
        prior = prior_at_means(model, layer, known)
        spread = np.exp(prior.log_deviation).mean(0)
        return LatentSpace(
            encode=encode,
            decode=partial(jax.jit(decoded, static_argnames="layer"), model, layer=layer),
            reconstruct=partial(jax.jit(reconstructed), model),
            condition=partial(condition, model),
            centre=np.asarray(prior.mean).mean(0),
            spread=spread,
            activity=(in_blocks(encode, train.x, known) / spread).var(0),
        )

    *below, top = (of_layer(layer) for layer in range(len(model.of.latents)))
    return top._replace(below=tuple(below))


VAE.model = Model(
    name="vae",
    config=VAE,
    stages=stages,
    parameters=trained_model,
    begin=begin,
    check=check,
    settle=shape_of,
    binarisation=lambda config: "sampled" if config.pixels == "bernoulli" else "none",
    effort=ImportanceSampling,
    answer=answer,
    evaluate=evaluate,
    sample=sample,
    classes=lambda model: model.of.classes,
    reconstruct=reconstruct,
    back=back,
    encode=encode,
    decode=decode,
    space=space,
    decoder=decoder,
    arrays=arrays,
    measures=(Measure("held_out_objective"),),
    panels=panels.VAE,
)
IWAE.model = VAE.model._replace(name="iwae", config=IWAE)
CVAE.model = VAE.model._replace(name="cvae", config=CVAE, settle=shape_and_classes)
