"""The table of models: what the command line knows of each. A new model is one row here."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from genjax.cli import adversarial, autoencoding, belief, boltzmann, recommending, variational
from genjax.cli.options import RunConfig
from genjax.data import Dataset
from genjax.data.record import Record, of_images, of_ratings
from genjax.evaluation.latent import LatentSpace
from genjax.plots.curves import BOLTZMANN, Panel
from genjax.training.loop import Chunk
from genjax.training.stages import Stage
from genjax.typing import Algorithm, Batch, Hyper


class Family(NamedTuple):
    """One kind of model. Functions take its state first; None where a question makes no sense for it.

    - `algorithm(config, total_steps)`: the learner and its rates.
    - `evaluate(key, state, train, test, temperatures, chains, path, schedule, precision, progress)`: plain numbers
      by name.
    - `sample(key, state, chains, times, start)`: expected pixels after each number of sweeps `(chains, times, pixels)`,
      and the last states `(chains, pixels)`; `start` None for fresh chains. With `classes` it also takes `label`, the
      class that is clamped. None for models without chains.
    - `draw(key, state, count, label)`: of a model that draws at once, in place of `sample`: `samples`
      `(count, pixels)`, and `means` where they are drawn from expected pixels. Without a label, all classes in turn.
    - `classes(state)`: how many labels the model can be asked for.
    - `persistent(state, config, chains)`: that many chains as training has left them, a `start`; None if it has none.
    - `reconstruct(key, state, images, removed, sweeps)`: expected pixels `(images, pixels)`.
    - `arrays(state)`: what `export` writes.
    - `filters(state)`: for each layer above the pixels, `(pixels, units)` to be shown as pictures.
    - `maxima(key, state, layer, units, norm)`: images `(units, pixels)` of at most this norm that drive these units of
      a layer (from 2) most, or None where there are none.
    - `features(state, images)`: `(images, features)` for a classifier, of intensities.
    - `check(config, dataset)`: raises `UserError` where the two do not go together.
    - `read(config, old)`: its data, split; `old` as a run did that keeps no record of them. None for models of images.
    - `prepare(config, data)`: of these the training set, the plan, and what they settle of `algorithm` (keyword
      arguments); None for models of images.
    - `describe(data)`: what a run keeps of its data.
    - `sentences(evaluation)`: what a person reads of it; None where it is a likelihood.
    - `recommend(config, state, record, user, top)`: items with expected ratings, and what is to be said of them.
    - `stages(config, steps_per_epoch)`: of a model that is trained in several, in place of `algorithm`.
    - `settle(config, dataset)`: what images and labels settle of either (keyword arguments).
    - `latent(state, train)`: the space of its latents, or codes; None where images have none.
    - `decoder(state)`: the space of latents from which images are only made, for which no images are needed.
    - `watch(config, dataset)`: gives what is called with each chunk, and answers with numbers and with alarms.
    - `figures(state, shape, name)`: pictures of its own, by the names of their files.
    - `judges_samples`: whether `evaluate` judges samples: it is given the `dataset`, and may be `inception`, too.
    """

    config: type[RunConfig]
    algorithm: Callable[..., tuple[Algorithm, Hyper]] | None
    evaluate: Callable[..., dict[str, Any]] | None
    sample: Callable[..., tuple[np.ndarray, np.ndarray]] | None
    reconstruct: Callable[..., np.ndarray] | None
    arrays: Callable[[Any], dict[str, np.ndarray]] | None
    filters: Callable[[Any], list[np.ndarray]] | None
    panels: tuple[Panel, ...]
    check: Callable[[Any, Dataset], None] | None
    read: Callable[[Any, bool], Any] | None = None
    prepare: Callable[[Any, Any], tuple[Any, ...]] | None = None
    describe: Callable[[Any], Record] = of_images
    sentences: Callable[[dict[str, Any]], list[str]] | None = None
    recommend: Callable[..., tuple[list[dict[str, Any]], list[str]]] | None = None
    stages: Callable[..., tuple[Stage, ...]] | None = None
    persistent: Callable[..., Any] | None = None
    maxima: Callable[..., np.ndarray | None] | None = None
    features: Callable[[Any, np.ndarray], np.ndarray] | None = None
    settle: Callable[[Any, Dataset], dict[str, Any]] | None = None
    draw: Callable[..., dict[str, np.ndarray]] | None = None
    classes: Callable[[Any], int] | None = None
    latent: Callable[[Any, Batch], LatentSpace] | None = None
    decoder: Callable[[Any], LatentSpace] | None = None
    watch: Callable[[Any, Dataset], Callable[[Chunk], tuple[dict[str, float], list[str]]]] | None = None
    figures: Callable[..., dict[str, Figure]] | None = None
    judges_samples: bool = False
    importance: bool = False  # whether its likelihood is importance-sampled, with so many draws
    examples: str = "images"  # what one row of its data is


RBM = Family(
    config=boltzmann.RBMRun,
    algorithm=boltzmann.rbm_algorithm,
    evaluate=boltzmann.rbm_evaluate,
    sample=boltzmann.rbm_sample,
    reconstruct=boltzmann.rbm_reconstruct,
    arrays=boltzmann.rbm_arrays,
    filters=boltzmann.rbm_filters,
    panels=BOLTZMANN,
    check=boltzmann.rbm_check,
    persistent=boltzmann.rbm_persistent,
    maxima=boltzmann.rbm_maxima,
    features=boltzmann.rbm_features,
    classes=boltzmann.rbm_classes,
)
VAE = Family(
    config=variational.VAERun,
    algorithm=variational.vae_algorithm,
    evaluate=variational.vae_evaluate,
    sample=None,
    reconstruct=variational.vae_reconstruct,
    arrays=variational.vae_arrays,
    filters=None,
    panels=variational.VAE_PANELS,
    check=variational.vae_check,
    sentences=variational.vae_sentences,
    settle=autoencoding.shape_of,
    latent=variational.vae_space,
    decoder=variational.vae_decoder,
    draw=variational.vae_draw,
    classes=variational.vae_classes,
    importance=True,
)
AE = Family(
    config=autoencoding.AERun,
    algorithm=autoencoding.ae_algorithm,
    evaluate=autoencoding.ae_evaluate,
    sample=None,
    reconstruct=autoencoding.ae_reconstruct,
    arrays=autoencoding.ae_arrays,
    filters=autoencoding.ae_filters,
    panels=autoencoding.AUTOENCODER_PANELS,
    check=None,
    sentences=autoencoding.ae_sentences,
    settle=autoencoding.shape_of,
    latent=autoencoding.ae_space,
)
FAMILIES = {
    "rbm": RBM,
    "dbm": RBM._replace(
        config=boltzmann.DBMRun, algorithm=None, check=boltzmann.dbm_check, stages=boltzmann.dbm_stages
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
        persistent=belief.dbn_persistent,
        maxima=belief.dbn_maxima,
        features=belief.dbn_features,
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
        classes=adversarial.gan_classes,
        decoder=adversarial.gan_space,
        watch=adversarial.gan_watch,
        figures=adversarial.gan_figures,
        judges_samples=True,
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
        read=recommending.recommender_ratings,
        prepare=recommending.recommender_data,
        describe=of_ratings,
        sentences=recommending.recommender_sentences,
        recommend=recommending.recommend,
        examples="users",
    ),
    "vae": VAE,
    "iwae": VAE._replace(config=variational.IWAERun),
    "cvae": VAE._replace(config=variational.CVAERun, settle=autoencoding.shape_and_classes),
    "ae": AE,
    "dae": AE._replace(config=autoencoding.DAERun),
    "sae": AE._replace(
        config=autoencoding.SAERun,
        algorithm=None,
        stages=autoencoding.sae_stages,
        settle=autoencoding.sae_settled,
    ),
}
