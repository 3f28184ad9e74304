"""What the command line knows of generative adversarial networks (see `families.Family`)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float, Int, Key
from matplotlib.figure import Figure
from tyro.conf import Fixed, Suppress

from genjax.algorithms.gan import GANState, decode, gan, generate, newest
from genjax.algorithms.gan_game import GANConfig, refuse_contradictions
from genjax.algorithms.gan_losses import LOSSES
from genjax.cli.options import RunConfig, cost
from genjax.cli.progress import Bar
from genjax.data import Dataset, binarise_fixed
from genjax.data.binarisation import Binarisation
from genjax.errors import UserError
from genjax.evaluation import collapse, quality
from genjax.evaluation.classifier import Judge, judge, length
from genjax.evaluation.density import NEIGHBOURS
from genjax.evaluation.inception import inception as network_of
from genjax.evaluation.inception import inception_distances
from genjax.evaluation.latent import LatentSpace, principal_directions
from genjax.plots import grids
from genjax.plots.curves import Panel
from genjax.training import loop
from genjax.training.config import part, split
from genjax.typing import Algorithm, Batch, Hyper

BLOCK = 1000  # images made at once
ALARMS = {name: "alarm_" + name.replace(" ", "_") for name in collapse.ALARMS}  # as metrics.jsonl names them

PANELS = (
    Panel("loss", {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
    Panel(
        "told rightly by the discriminator (share)",
        {"real_accuracy": "real", "fake_accuracy": "fake", "fooled": "fakes that fool it afterwards"},
    ),
    Panel("score of real - score of fake (wasserstein, gradient: the distance)", {"score_difference": "training"}),
    Panel("mean score", {"score_training": "training", "score_held_out": "validation", "score_samples": "samples"}),
    Panel("norm of the gradient", {"discriminator_gradient": "discriminator", "generator_gradient": "generator"}),
    Panel(
        "distance of parameters moved a step", {"discriminator_moved": "discriminator", "generator_moved": "generator"}
    ),
    Panel("class entropy of samples (nats)", {"class_entropy": "samples"}),
    Panel("mean squared distance of two samples (a pixel)", {"spread": "samples"}),
    Panel("collapse alarms (1: it sounds)", {key: name for name, key in ALARMS.items()}),
)


@dataclass(frozen=True, kw_only=True)
class GANRun(GANConfig, RunConfig):
    """Train a generative adversarial network."""

    binarisation: Binarisation = "none"
    """How intensities become binary; none leaves them as they are."""
    batch_size: int = 64
    """Images for each update of the discriminator."""
    log_every: int | None = None
    """Steps that one line of metrics.jsonl averages (1: every step; by default those of a chunk, and never more)."""
    evaluate: bool = True
    """Judge samples at the end, and their classes all along, by a classifier of the data (trained once, then kept)."""
    temperatures: Suppress[Fixed[int]] = 10_000
    ais_chains: Suppress[Fixed[int]] = 500
    precision: Suppress[Fixed[float | None]] = None
    stop_gap: Suppress[Fixed[float | None]] = None


def gan_check(config: GANRun, dataset: Dataset) -> None:
    """Options that contradict each other, and labels that are not there."""
    refuse_contradictions(config)
    if config.batch_size < config.packing:
        raise UserError(f"--batch-size {config.batch_size} is less than one pack of --packing {config.packing}.")
    if len(dataset.train) < config.discriminator_steps * config.packing:
        raise UserError(
            f"{config.dataset} has {len(dataset.train)} training images, and a step takes a pack of "
            f"{config.packing} for each of {config.discriminator_steps} updates of the discriminator."
        )
    if config.conditioning != "none" and not labelled(dataset):
        raise UserError(f"--conditioning {config.conditioning}: {config.dataset} has no labels; give none.")
    if config.evaluate and not labelled(dataset):
        raise UserError(f"{config.dataset} has no labels, and a classifier judges samples; give --no-evaluate.")
    if config.evaluate and len(dataset.test) <= NEIGHBOURS:
        raise UserError(
            f"{config.dataset} has {len(dataset.test)} test images, and samples are judged beside more than "
            f"{NEIGHBOURS}; give --no-evaluate."
        )


def labelled(dataset: Dataset) -> bool:
    """Whether there are at least two classes to be told apart."""
    return bool(dataset.labels.train.min() >= 0 and dataset.labels.train.max() >= 1)


def gan_settle(config: GANRun, dataset: Dataset) -> dict[str, Any]:
    """What the data say of the networks."""
    return {"shape": dataset.shape, "classes": dataset.classes if labelled(dataset) else 0}


def gan_algorithm(
    config: GANRun, total_steps: int, shape: tuple[int, int, int], classes: int
) -> tuple[Algorithm, Hyper]:
    """The game with its rates."""
    static, hyper = split(part(config, GANConfig), total_steps)
    return gan(static, shape, classes), hyper


@jax.jit
def _generate(key: Key[Array, ""], state: GANState, label: Array) -> Array:
    return generate(key, state, label)


@jax.jit
def _decode(state: GANState, z: Array, label: Array) -> Array:
    return decode(state, z, label)


def gan_space(state: GANState) -> LatentSpace:
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


def gan_classes(state: GANState) -> int:
    """How many it is conditional on."""
    return 0 if state.game.config.conditioning == "none" else state.game.classes


def labels_of(dataset: Dataset, count: int) -> Int[np.ndarray, " images"]:
    """Labels as often as the training images have them, drawn from a fixed seed; zeros where there are none."""
    labels = np.random.default_rng(0).choice(dataset.labels.train, count)
    return np.maximum(labels, 0)


def gan_images(
    key: Key[Array, ""], state: GANState, labels: Int[np.ndarray, " images"]
) -> Float[np.ndarray, "images pixels"]:
    """New images, of these labels where the network is conditional."""
    count = len(labels)
    blocks = np.pad(labels, (0, -count % min(count, BLOCK))).reshape(-1, min(count, BLOCK))
    made = [_generate(jax.random.fold_in(key, i), state, jnp.asarray(row)) for i, row in enumerate(blocks)]
    return np.concatenate(made)[:count]


def gan_draw(key: Key[Array, ""], state: GANState, count: int, label: int | None = None) -> dict[str, np.ndarray]:
    """New images as arrays by name; of all classes in turn, with their labels, where none is chosen."""
    labels = np.arange(count) % max(gan_classes(state), 1) if label is None else np.full(count, label)
    named = {"labels": labels} if gan_classes(state) and label is None else {}
    return {"samples": gan_images(key, state, labels), **named}


def gan_arrays(state: GANState) -> dict[str, np.ndarray]:
    """Plain arrays of the averaged generator: parameters and statistics by their path, such as Dense_0/kernel."""
    both = {**state.average.parameters}, {**state.average.statistics}
    return {"/".join(path): np.asarray(x) for part in both for path, x in flatten_dict(part).items()}


def gan_watch(config: GANRun, dataset: Dataset) -> Callable[[loop.Chunk], tuple[dict[str, float], list[str]]]:
    """What looks at samples after each chunk: numbers for the record, and the alarms that sound."""
    eye = learned_judge(dataset) if config.evaluate and labelled(dataset) else None
    logits = None if eye is None else eye.logits
    levels = collapse.learn_levels(binarise_fixed(quality.some(dataset.train, 10_000), config.binarisation, 0), logits)
    labels, ear = labels_of(dataset, levels.samples), collapse.Ear()
    harmless = LOSSES[config.loss].boundary is None

    def watch(chunk: loop.Chunk) -> tuple[dict[str, float], list[str]]:
        seen = collapse.look(gan_images(jax.random.key(0), newest(chunk.state), labels), logits)
        lower = min(chunk.metrics["real_accuracy"], chunk.metrics["fake_accuracy"])
        sounding = collapse.alarms(seen, levels, None if harmless else lower)
        found = ear.hear(sounding, chunk.step, round(chunk.step * (config.epochs or 1) / chunk.epoch))
        numbers = {"spread": seen.spread} | {key: float(name in found) for name, key in ALARMS.items()}
        return numbers | ({} if seen.entropy is None else {"class_entropy": seen.entropy}), found

    return watch


def class_name(dataset: Dataset, number: int) -> str:
    """What the data call a class: its name, or else its number."""
    names = getattr(dataset, "class_names", ())
    return str(names[number]) if number < len(names) else str(number)


def learned_judge(dataset: Dataset) -> Judge:
    """The judge of these data, with a bar while it learns, unless the cache has it."""
    _, steps = length(len(dataset.train) + len(dataset.validation))
    with Bar("training the judge, once", steps) as bar:
        return judge(dataset, progress=lambda chunk: bar.update(chunk.step))


def gan_evaluate(
    key: Key[Array, ""],
    state: GANState,
    train: Batch,
    test: Batch,
    dataset: Dataset,
    progress: Callable[[float], None],
    inception: Path | None = None,
    **_: Any,
) -> dict[str, Any]:
    """What a judge says of as many samples as there are test images, beside what it says of real ones.

    The judge is a classifier of the data's labels, where they have any, and the Inception network where the file of
    its weights is named.
    """
    if not labelled(dataset) and inception is None:
        raise UserError(f"{dataset.name} has no labels to judge samples by; give --inception WEIGHTS.")
    network = None if inception is None else network_of(inception)
    samples, real, held_out = (
        gan_images(key, state, labels_of(dataset, len(test.x))),
        np.asarray(train.x),
        np.asarray(test.x),
    )
    judged = quality.judged(learned_judge(dataset), samples, real, held_out) if labelled(dataset) else {}
    if network is None:
        return judged
    return judged | {"inception": inception_distances(network, samples, real, held_out, dataset.shape, progress)}


def gan_sentences(judged: dict[str, Any]) -> list[str]:
    """What a person reads; real images stand in brackets."""
    found = [*(eye_sentences(judged["samples"], judged["real"]) if "samples" in judged else [])]
    if "inception" in judged:
        made, real = judged["inception"]["samples"], judged["inception"]["real"]
        distances = f"FID {made['fid']:.2f} [{real['fid']:.2f}], KID {made['kid']:.5f} [{real['kid']:.5f}]"
        found.append(f"{distances}, {made['images']} samples; [real images]")
    return [*found, f"{cost(judged)}"]


def eye_sentences(made: dict[str, Any], real: dict[str, Any]) -> list[str]:
    """What the judge of the data's own labels says."""

    def beside(name: str, digits: int = 3) -> str:
        return f"{made[name]:.{digits}f} [{real[name]:.{digits}f}]"

    support = ", ".join(f"{name} {beside(name, 2)}" for name in ("precision", "recall", "density", "coverage"))
    return [
        f"classifier score {beside('classifier_score', 2)}, {made['classes']} classes with at least a fifth of their "
        f"share, class entropy {100 * made['class_entropy_ratio']:.1f} % of the data's; [real images]",
        f"on the judge's features: Frechet distance {beside('frechet_distance', 2)}, kernel distance "
        f"{beside('kernel_distance', 4)}",
        f"{support}; copies {beside('copies', 3)}, {made['images']} samples",
    ]


def gan_figures(state: GANState, shape: tuple[int, int, int], name: str) -> dict[str, Figure]:
    """The film of fixed latents."""
    done, frames = int(state.step), np.asarray(state.film.frames)
    taken = [f for f in range(len(frames)) if 2**f <= done]
    strip = {f"{2**f}": frames[f] for f in taken}
    strip[f"{done}"] = np.asarray(_decode(state, state.film.latents, state.film.label))
    title = f"{name}: the same latents after so many steps"
    return {"film": grids.rows_of_images(strip, shape, title)}
