"""Generative adversarial networks: conditional or not, their samples watched while they learn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float, Int, Key

from genjax.algorithms.gan import GANState, decode, gan, generate, newest, whole_packs
from genjax.algorithms.gan_game import GANConfig
from genjax.data import Dataset, binarise_fixed
from genjax.errors import UserError
from genjax.evaluation import collapse
from genjax.evaluation.classifier import Classifier
from genjax.evaluation.distances import subset
from genjax.evaluation.latent import LatentSpace, principal_directions
from genjax.evaluation.samples import labels_like
from genjax.models.base import Config
from genjax.models.effort import Inception
from genjax.plots import panels
from genjax.training import loop
from genjax.training.config import split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Batch, Measure, Model, Stage

BLOCK = 1000  # images made at once
ALARMS = {name: "alarm_" + name.replace(" ", "_") for name in collapse.ALARMS}  # as metrics.jsonl names them


@dataclass(frozen=True, kw_only=True)
class GAN(Config, GANConfig):
    """A generative adversarial network."""


def stages(
    config: GAN, steps: int, steps_per_epoch: int, shape: tuple[int, int, int] = (1, 1, 1), classes: int = 0
) -> tuple[Stage, ...]:
    """One stage: the game."""
    static, hyper = split(config, steps)
    return (Stage(LAST, gan(static, shape, classes), hyper, steps),)


def check(config: GAN, run: RunConfig, dataset: Dataset) -> None:
    """Batches of whole packs, and labels where they are wanted."""
    if run.batch_size < config.packing:
        raise UserError(f"`batch_size` {run.batch_size} is less than one pack (`packing` {config.packing}).")
    if len(dataset.train) < config.discriminator_steps * config.packing:
        raise UserError(
            f"{dataset.name} has {len(dataset.train)} training images, and a step takes a pack of "
            f"{config.packing} for each of {config.discriminator_steps} updates of the discriminator."
        )
    if config.conditioning != "none" and not labelled(dataset):
        raise UserError(f"`conditioning` {config.conditioning}: {dataset.name} has no labels; give none.")


def labelled(dataset: Dataset) -> bool:
    """Whether there are at least two classes to be told apart."""
    return bool(dataset.labels.train.min() >= 0 and dataset.labels.train.max() >= 1)


def settle(config: GAN, dataset: Dataset) -> dict[str, Any]:
    """What the data decide of the networks."""
    return {"shape": dataset.shape, "classes": dataset.classes if labelled(dataset) else 0}


def parameters(state: GANState) -> GANState:
    """The whole of it, without the optimisers: two networks, the average of one, the film."""
    bare = state.generator._replace(optimiser=None), state.discriminator._replace(optimiser=None)
    return state._replace(generator=bare[0], discriminator=bare[1], hyper={})


def begin(state: GANState, trained: GANState) -> GANState:
    """A fresh state whose networks are these."""
    copied = jax.tree.map(jnp.copy, trained)
    return state._replace(
        generator=state.generator._replace(network=copied.generator.network),
        discriminator=state.discriminator._replace(network=copied.discriminator.network),
        average=copied.average,
    )


@jax.jit
def _generate(key: Key[Array, ""], state: GANState, label: Array) -> Array:
    return generate(key, state, label)


@jax.jit
def _decode(state: GANState, z: Array, label: Array) -> Array:
    return decode(state, z, label)


@jax.jit
def _score(state: GANState, x: Array, label: Array) -> Array:
    return state.game.score(state.discriminator.network, x, label)[0]


def decoder(state: GANState) -> LatentSpace:
    """Standard normal latents; a class is given as its number. Labels, which are joined to the latents, have rows of
    the first layer too, after theirs."""
    size = state.game.config.latent
    kernel = np.asarray(state.average.parameters["Dense_0"]["kernel"])[:size]
    return LatentSpace(
        encode=None,
        decode=lambda z, given: _decode(state, jnp.asarray(z, jnp.float32), given[:, 0].astype(jnp.int32)),
        reconstruct=None,
        condition=lambda label: jnp.asarray(label, jnp.float32)[:, None],
        centre=np.zeros(size),
        spread=np.ones(size),
        activity=np.ones(size),
        directions=principal_directions(kernel),
    )


def classes(state: GANState) -> int:
    """How many it is conditional on."""
    return 0 if state.game.config.conditioning == "none" else state.game.classes


def images(
    key: Key[Array, ""], state: GANState, labels: Int[np.ndarray, " images"]
) -> Float[np.ndarray, "images pixels"]:
    """New images, of these labels where the network is conditional."""
    count = len(labels)
    blocks = np.pad(labels, (0, -count % min(count, BLOCK))).reshape(-1, min(count, BLOCK))
    made = [_generate(jax.random.fold_in(key, i), state, jnp.asarray(row)) for i, row in enumerate(blocks)]
    return np.concatenate(made)[:count]


def sample(key: Key[Array, ""], state: GANState, count: int, label: Any = None) -> dict[str, Any]:
    """New images; of all classes in turn, with their labels, where none is chosen."""
    labels = np.arange(count) % max(classes(state), 1) if label is None else np.broadcast_to(label, count)
    named = {"labels": labels} if classes(state) and label is None else {}
    return {"samples": images(key, state, labels), **named}


def decode_latents(state: GANState, z: np.ndarray, label: np.ndarray | None = None) -> np.ndarray:
    """Images of latents; a conditional network takes each one's class (the first where there is none)."""
    labels = np.zeros(len(z), np.int32) if label is None else np.asarray(label, np.int32)
    return np.asarray(_decode(state, jnp.asarray(z, jnp.float32), jnp.asarray(labels)))


def critic(state: GANState, x: np.ndarray, label: np.ndarray | None = None) -> np.ndarray | None:
    """Scores of whole packs of images by a Wasserstein critic. Its slope is near 1 under a gradient penalty; under
    clipping its estimate is of the distance times a number that nobody knows."""
    if not getattr(state.game.config.loss, "estimates_distance", False):
        return None
    labels = np.zeros(len(x), np.int32) if label is None else np.asarray(label, np.int32)
    packing = state.game.config.packing
    whole = whole_packs(Batch(jnp.asarray(x, jnp.float32), labels), packing)
    size = BLOCK // packing * packing
    parts = [slice(start, start + size) for start in range(0, len(whole.x), size)]
    return np.concatenate([np.asarray(_score(state, whole.x[rows], whole.target[rows])) for rows in parts])


def arrays(state: GANState) -> dict[str, np.ndarray]:
    """Plain arrays of the averaged generator: parameters and statistics by their path, such as Dense_0/kernel."""
    both = {**state.average.parameters}, {**state.average.statistics}
    return {"/".join(path): np.asarray(x) for part in both for path, x in flatten_dict(part).items()}


def watch(
    config: GAN, run: RunConfig, dataset: Dataset, classifier: Classifier | None
) -> Callable[[loop.Chunk], tuple[dict[str, float], list[str]]]:
    """What looks at samples after each chunk: numbers for the record, and the alarms that sound."""
    logits = None if classifier is None else classifier.logits
    train = binarise_fixed(subset(dataset.train, 10_000), run.binarisation or "none", 0)
    levels = collapse.learn_levels(train, logits)
    labels, alarms = labels_like(dataset.labels.train, levels.samples), collapse.AlarmFilter()
    harmless = config.loss.boundary is None

    def after(chunk: loop.Chunk) -> tuple[dict[str, float], list[str]]:
        summary = collapse.summarise(images(jax.random.key(0), newest(chunk.state), labels), logits)
        lower = min(chunk.metrics["real_accuracy"], chunk.metrics["fake_accuracy"])
        sounding = collapse.alarms(summary, levels, None if harmless else lower)
        total = run.steps or round(chunk.step * (run.epochs or 1) / chunk.epoch)
        heard = alarms.update(sounding, chunk.step, total)
        numbers = {"spread": summary.spread} | {key: float(name in heard) for name, key in ALARMS.items()}
        return numbers | ({} if summary.entropy is None else {"class_entropy": summary.entropy}), heard

    return after


def film(state: GANState) -> dict[str, np.ndarray]:
    """What the same latents became after 1, 2, 4, ... steps, and now: a row of images each, by the number of steps."""
    done, frames = int(state.step), np.asarray(state.film.frames)
    strip = {f"{2**f}": frames[f] for f in range(len(frames)) if 2**f <= done}
    return strip | {f"{done}": np.asarray(_decode(state, state.film.latents, state.film.label))}


GAN.model = Model(
    name="gan",
    config=GAN,
    stages=stages,
    parameters=parameters,
    begin=begin,
    check=check,
    settle=settle,
    binarisation=lambda config: "none",
    defaults={"batch_size": 64},
    effort=Inception,
    sample=sample,
    classes=classes,
    decode=decode_latents,
    decoder=decoder,
    critic=critic,
    arrays=arrays,
    watch=watch,
    film=film,
    measures=(Measure("held_out_kernel_distance", higher=False),),
    panels=panels.GAN,
)
