"""The table of models: what the command line knows of each. A new model is one row here."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from genjax.cli import belief, boltzmann, recommending
from genjax.cli.options import RunConfig
from genjax.data import Dataset
from genjax.plots.curves import BOLTZMANN, Panel
from genjax.training.stages import Stage
from genjax.typing import Algorithm, Hyper


class Family(NamedTuple):
    """One kind of model. Functions take its state first; None where a question makes no sense for it.

    - `algorithm(config, total_steps)`: the learner and its rates.
    - `evaluate(key, state, train, test, temperatures, chains, path, schedule, precision, progress)`: plain numbers
      by name.
    - `sample(key, state, chains, times, start)`: expected pixels after each number of sweeps `(chains, times, pixels)`,
      and the last states `(chains, pixels)`; `start` None for fresh chains. Where the config has classes it also takes
      `label`, the class that is clamped.
    - `persistent(state, config, chains)`: that many chains as training has left them, a `start`; None if it has none.
    - `reconstruct(key, state, images, removed, sweeps)`: expected pixels `(images, pixels)`.
    - `arrays(state)`: what `export` writes.
    - `filters(state)`: for each layer above the pixels, `(pixels, units)` to be shown as pictures.
    - `maxima(key, state, layer, units, norm)`: images `(units, pixels)` of at most this norm that drive these units of
      a layer (from 2) most, or None where there are none.
    - `features(state, images)`: `(images, features)` for a classifier, of intensities.
    - `check(config, dataset)`: raises `UserError` where the two do not go together.
    - `prepare(config)`: dataset, training set, plan, and what the data settle of `algorithm` (keyword arguments);
      None for models of images.
    - `sentences(evaluation)`: what a person reads of it; None where it is a likelihood.
    - `recommend(state, dataset, user, top)`: items with expected ratings.
    - `stages(config, steps_per_epoch)`: of a model that is trained in several, in place of `algorithm`.
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
    prepare: Callable[[Any], tuple[Any, ...]] | None = None
    sentences: Callable[[dict[str, Any]], list[str]] | None = None
    recommend: Callable[..., list[dict[str, Any]]] | None = None
    stages: Callable[[Any, int], tuple[Stage, ...]] | None = None
    persistent: Callable[..., Any] | None = None
    maxima: Callable[..., np.ndarray | None] | None = None
    features: Callable[[Any, np.ndarray], np.ndarray] | None = None
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
        persistent=boltzmann.rbm_persistent,
        maxima=boltzmann.rbm_maxima,
        features=boltzmann.rbm_features,
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
        persistent=boltzmann.rbm_persistent,
        maxima=boltzmann.rbm_maxima,
        features=boltzmann.rbm_features,
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
