"""What the command line knows of variational autoencoders (see `families.Family`)."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Key
from tyro.conf import Fixed, Suppress

from genjax.algorithms.vae import VAEConfig, VAEState, pixels_fit, trained_model, vae
from genjax.cli.blocks import in_blocks
from genjax.cli.options import RunConfig, cost
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation.latent import LatentSpace
from genjax.likelihood import latent
from genjax.networks import pixels
from genjax.networks.latent import LatentModel, at_rest, codes, condition, decoded, downward, reconstructed
from genjax.plots.curves import Panel
from genjax.random import normal, subkey
from genjax.sampling.imputation import impute
from genjax.training.config import part, split
from genjax.typing import Algorithm, Batch, Hyper

VAE_PANELS = (
    Panel("ELBO (nats an image)", {"elbo": "training", "held_out_elbo": "validation"}),
    Panel("bound of the batch (nats an image)", {"bound": "training"}),
    Panel("E log p(x | z) (nats an image)", {"reconstruction": "training", "held_out_reconstruction": "validation"}),
    Panel("divergence from the prior (nats)", {"divergence": "training", "held_out_divergence": "validation"}),
    Panel("free-energy gap, validation - training (nats)", {"free_energy_gap": "gap"}),
    Panel("norm of the gradient", {"gradient_norm": "training"}),
    Panel("weight of the divergence", {"beta": "beta"}),
    Panel("learning rate", {"learning_rate": "rate"}),
)


@dataclass(frozen=True, kw_only=True)
class VAERun(VAEConfig, RunConfig):
    """Train a variational autoencoder."""

    evaluate: bool = True
    """Estimate the log-likelihood at the end, by 5,000 importance samples an image."""
    temperatures: Suppress[Fixed[int]] = 10_000
    ais_chains: Suppress[Fixed[int]] = 500
    precision: Suppress[Fixed[float | None]] = None


@dataclass(frozen=True, kw_only=True)
class IWAERun(VAERun):
    """Train an importance-weighted autoencoder."""

    bound: Literal["elbo", "iwae"] = "iwae"
    """What is raised: the mean of the log weights, or the log of their mean over `draws`."""
    draws: int = 50
    """Latents drawn for each image in a step."""


@dataclass(frozen=True, kw_only=True)
class CVAERun(VAERun):
    """Train a variational autoencoder that is conditional on the label."""


def vae_algorithm(
    config: VAERun, total_steps: int, shape: tuple[int, int, int], classes: int = 0
) -> tuple[Algorithm, Hyper]:
    """The learner with its rates, for images of this shape."""
    static, hyper = split(part(config, VAEConfig), total_steps)
    return vae(static, shape, classes), hyper


def vae_check(config: VAERun, dataset: Dataset) -> None:
    """Pixels have to be what the decoder says they are."""
    if config.pixels != "bernoulli" and config.binarisation != "none":
        raise UserError(f"--pixels {config.pixels} takes intensities; give --binarisation none.")
    if config.binarisation == "none":
        for x in (dataset.train, dataset.validation, dataset.test):
            pixels_fit(config, x)


def vae_evaluate(
    key: Key[Array, ""], state: VAEState, train: Batch, test: Batch, draws: int = latent.DRAWS, **options: Any
) -> dict[str, Any]:
    """Importance-sampled log-likelihoods, ELBOs, active units; of conditional models given the label."""
    model = trained_model(state)
    judged = latent.evaluate(key, model, train, test, draws, options.get("progress"))
    return judged | {"pixels": model.of.pixels, "given_label": model.of.classes > 0}


def vae_sentences(judged: dict[str, Any]) -> list[str]:
    """What a person reads of an evaluation; the first line stands at the foot of figures."""

    what = "log-likelihood at least" if judged["pixels"] == "bernoulli" else "log-density at least"
    what += ", given the label," if judged["given_label"] else ""

    def line(name: str) -> str:
        answer = judged["log_likelihood"][name]
        interval = f"[{answer['low']:.2f}, {answer['high']:.2f}]"
        count = f"{judged['judged'][name]} images, standard error over them {answer['image_se']:.2f}"
        return f"{name:5} {what} {answer['mean']:.2f} nats an image {interval}, {answer['estimator']}; {count}"

    test = judged["log_likelihood"]["test"]
    active = ", ".join(f"{a} of {n}" for a, n in zip(judged["active_units"], judged["latents"]))
    lines = [line("test"), line("train"), f"ELBO {judged['elbo']['test']:.2f} (test), {judged['elbo']['train']:.2f}"]
    lines.append(f"the estimate is {test['reason']}; active latent units: {active}")
    lines.append(f"binarisation {judged['binarisation']}; {cost(judged)}")
    return lines


@jax.jit
def _from_prior(key: Key[Array, ""], model: LatentModel, label: Array) -> tuple[Array, Array]:
    top = normal(subkey(key, "top"), (len(label), model.of.latents[-1]))
    outputs = downward(model, top, condition(model, label), subkey(key, "down"))
    deviation = model.generation["params"]["log_deviation"]
    drawn = pixels.sample(subkey(key, "pixels"), model.of.pixels, outputs, deviation)
    return pixels.mean(model.of.pixels, outputs), drawn


def vae_draw(key: Key[Array, ""], state: VAEState, count: int, label: int | None = None) -> dict[str, np.ndarray]:
    """Independent draws; of conditional models all of one class, or the classes in turn, with their labels."""
    model = trained_model(state)
    labels = jnp.arange(count) % max(1, model.of.classes) if label is None else jnp.full(count, label)
    means, drawn = _from_prior(key, model, labels)
    named = {"labels": np.asarray(labels)} if model.of.classes and label is None else {}
    return {"samples": np.asarray(drawn, np.float32), "means": np.asarray(means), **named}


def vae_classes(state: VAEState) -> int:
    """How many it is conditional on."""
    return trained_model(state).of.classes


def vae_reconstruct(
    key: Key[Array, ""], state: VAEState, images: np.ndarray, removed: np.ndarray, sweeps: int
) -> np.ndarray:
    """Expected removed pixels given the others (see `sampling.imputation`)."""
    burn_in = max(1, sweeps // 4)
    return np.asarray(
        impute(key, trained_model(state), jnp.asarray(images), jnp.asarray(removed), sweeps - burn_in, burn_in)
    )


def vae_arrays(state: VAEState) -> dict[str, np.ndarray]:
    """All parameters by their path, e.g. recognition.lowest.MLP_0.Dense_0.kernel `(inputs, outputs)`."""
    model = trained_model(state)
    both = {"recognition": model.recognition["params"], "generation": model.generation["params"]}
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(both, sep=".").items()}


def vae_decoder(state: VAEState) -> LatentSpace:
    """Of the top layer, whose latents are standard normal: what can be said without images."""
    model = trained_model(state)
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


def vae_space(state: VAEState, train: Batch) -> LatentSpace:
    """Of the top layer, and of those below it."""
    model = trained_model(state)
    given = condition(model, train.label)

    def space(layer: int) -> LatentSpace:
        encode = partial(jax.jit(lambda model, x, given: codes(model, x, given)[layer]), model)
        prior = at_rest(model, layer, given)
        spread = np.exp(prior.log_deviation).mean(0)
        return LatentSpace(
            encode=encode,
            decode=partial(jax.jit(decoded, static_argnames="layer"), model, layer=layer),
            reconstruct=partial(jax.jit(reconstructed), model),
            condition=partial(condition, model),
            centre=np.asarray(prior.mean).mean(0),
            spread=spread,
            activity=(in_blocks(encode, train.x, given) / spread).var(0),
        )

    *below, top = (space(layer) for layer in range(len(model.of.latents)))
    return top._replace(below=tuple(below))
