"""The table of models: what the command line knows of each. A new model is one row here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.cli import adversarial, belief, boltzmann, recommending
from genjax.cli.options import RunConfig
from genjax.data import Dataset
from genjax.plots.curves import BOLTZMANN, Panel
from genjax.training.loop import Chunk
from genjax.training.stages import Stage
from genjax.typing import Algorithm, Hyper


class Family(NamedTuple):
    """One kind of model. Functions take its state first; None where a question makes no sense for it.

    - `algorithm(config, total_steps)`: the learner and its rates.
    - `evaluate(key, state, train, test, temperatures, chains, path, schedule, precision, progress)`: plain numbers
      by name.
    - `sample(key, state, chains, times)`: expected pixels after each number of sweeps `(chains, times, pixels)`,
      and the last states `(chains, pixels)`.
    - `reconstruct(key, state, images, removed, sweeps)`: expected pixels `(images, pixels)`.
    - `arrays(state)`: what `export` writes.
    - `filters(state)`: `(pixels, units)` to be shown as pictures.
    - `check(config, dataset)`: raises `UserError` where the two do not go together.
    - `prepare(config)`: dataset, training set, plan, and what the data settle of `algorithm` (keyword arguments);
      None for models of images.
    - `sentences(evaluation)`: what a person reads of it; None where it is a likelihood.
    - `recommend(state, dataset, user, top)`: items with expected ratings.
    - `stages(config, steps_per_epoch)`: of a model that is trained in several, in place of `algorithm`.
    - `settle(dataset)`: what the images settle of `algorithm` (keyword arguments).
    - `draw(key, state, count, label)`: of a model that draws at one go, in place of `sample`: `(count, pixels)`.
    - `decode(state, latents, label)`, `latent(state)`: images of latents `(images, latent)`, and how many there are.
    - `watch(config, dataset)`: gives what is called with each chunk, and answers with numbers and with alarms.
    - `figures(state, shape, name, folder)`: pictures of its own; the paths written.
    - `sees_dataset`: whether `evaluate` is given the `dataset` too.
    """

    config: type[RunConfig]
    algorithm: Callable[..., tuple[Algorithm, Hyper]] | None
    evaluate: Callable[..., dict[str, Any]] | None
    sample: Callable[..., tuple[np.ndarray, np.ndarray]] | None
    reconstruct: Callable[..., np.ndarray] | None
    arrays: Callable[[Any], dict[str, np.ndarray]] | None
    filters: Callable[[Any], np.ndarray] | None
    panels: tuple[Panel, ...]
    check: Callable[[Any, Dataset], None] | None
    prepare: Callable[[Any], tuple[Any, ...]] | None = None
    sentences: Callable[[dict[str, Any]], list[str]] | None = None
    recommend: Callable[..., list[dict[str, Any]]] | None = None
    stages: Callable[[Any, int], tuple[Stage, ...]] | None = None
    settle: Callable[[Dataset], dict[str, Any]] | None = None
    draw: Callable[..., np.ndarray] | None = None
    decode: Callable[..., np.ndarray] | None = None
    latent: Callable[[Any], int] | None = None
    watch: Callable[[Any, Dataset], Callable[[Chunk], tuple[dict[str, float], list[str]]]] | None = None
    figures: Callable[..., list[Path]] | None = None
    sees_dataset: bool = False
    examples: str = "images"  # what one row of its data is


FAMILIES = {
    "rbm": Family(
        config=boltzmann.RBMRun,
        algorithm=boltzmann.rbm_algorithm,
        evaluate=boltzmann.rbm_evaluate,
        sample=boltzmann.rbm_sample,
        reconstruct=boltzmann.rbm_reconstruct,
        arrays=boltzmann.rbm_arrays,
        filters=boltzmann.rbm_filters,
        panels=BOLTZMANN,
        check=boltzmann.rbm_check,
    ),
    "dbm": Family(
        config=boltzmann.DBMRun,
        algorithm=None,
        evaluate=boltzmann.rbm_evaluate,
        sample=boltzmann.rbm_sample,
        reconstruct=boltzmann.rbm_reconstruct,
        arrays=boltzmann.rbm_arrays,
        filters=boltzmann.rbm_filters,
        panels=BOLTZMANN,
        check=boltzmann.dbm_check,
        stages=boltzmann.dbm_stages,
    ),
    "dbn": Family(
        config=belief.DBNRun,
        algorithm=None,
        evaluate=belief.dbn_evaluate,
        sample=belief.dbn_sample,
        reconstruct=None,
        arrays=belief.dbn_arrays,
        filters=belief.dbn_filters,
        panels=BOLTZMANN,
        check=belief.dbn_check,
        stages=belief.dbn_stages,
    ),
    "gan": Family(
        config=adversarial.GANRun,
        algorithm=adversarial.gan_algorithm,
        evaluate=adversarial.gan_evaluate,
        sample=None,
        reconstruct=None,
        arrays=adversarial.gan_arrays,
        filters=None,
        panels=adversarial.PANELS,
        check=adversarial.gan_check,
        sentences=adversarial.gan_sentences,
        settle=adversarial.gan_settle,
        draw=adversarial.gan_draw,
        decode=adversarial.gan_decode,
        latent=adversarial.gan_latent,
        watch=adversarial.gan_watch,
        figures=adversarial.gan_figures,
        sees_dataset=True,
    ),
    "recommender": Family(
        config=recommending.RecommenderRun,
        algorithm=recommending.recommender_algorithm,
        evaluate=recommending.recommender_evaluate,
        sample=None,
        reconstruct=None,
        arrays=recommending.recommender_arrays,
        filters=None,
        panels=recommending.PANELS,
        check=None,
        prepare=recommending.recommender_data,
        sentences=recommending.recommender_sentences,
        recommend=recommending.recommend,
        examples="users",
    ),
}
