"""What cannot be learned is refused where every caller passes: configs by the factory, examples by its `check`."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.algorithms import greedy, updown
from genjax.algorithms.autoencoder import AutoencoderConfig, autoencoder
from genjax.algorithms.contrastive import DBMConfig, RBMConfig, contrastive
from genjax.algorithms.discriminative import DiscriminativeConfig, discriminative
from genjax.algorithms.gan import gan
from genjax.algorithms.gan_game import GANConfig
from genjax.algorithms.recommender import RecommenderConfig, recommender
from genjax.algorithms.updown import DBNConfig
from genjax.algorithms.vae import VAEConfig, vae
from genjax.boltzmann.units import GAUSSIAN
from genjax.data.ratings import WITHHELD
from genjax.errors import UserError
from genjax.evaluation.classifier import ClassifierConfig, classifier
from genjax.typing import Batch, Example
from tests.algorithms.configs import made

RNG = np.random.default_rng(0)
BINARY = RNG.integers(0, 2, (20, 4)).astype(np.float32)
GREY = RNG.random((20, 4), np.float32)
WIDE = 3 * GREY - 1
HOLED = np.where(np.arange(80).reshape(20, 4) == 7, np.float32("nan"), GREY)
LABELS = np.arange(20, dtype=np.int32) % 3
MISSING = np.where(LABELS == 2, -1, LABELS).astype(np.int32)
images = partial(gan, shape=(2, 2, 1), classes=3)
stack = partial(greedy.on_top, copies=(1, 1), stack=((made(RBMConfig, hidden=3), (1, 1)),))


@pytest.mark.parametrize(
    ("factory", "config_of", "said"),
    [
        (contrastive, lambda: made(RBMConfig, k=0), "`k` 0"),
        (contrastive, lambda: made(RBMConfig, hidden=0), "`hidden` 0 is not positive"),
        (contrastive, lambda: made(RBMConfig, chains=0), "`chains` 0"),
        (contrastive, lambda: made(RBMConfig, negative="tempered", rungs=1), "`rungs` 1"),
        (contrastive, lambda: made(RBMConfig, visible_type="categorical", levels=1), "`levels` 1 is out of range"),
        (contrastive, lambda: made(RBMConfig, classes=-1), "`classes` -1 is out of range"),
        (contrastive, lambda: made(RBMConfig, negative="trajectory", swap_every=0), "`swap_every` 0"),
        (contrastive, lambda: made(RBMConfig, average=1.0), "`average` 1.0 is out of range"),
        (contrastive, lambda: made(RBMConfig, average=-0.1), "`average` -0.1 is out of range"),
        (contrastive, lambda: made(RBMConfig, momentum=1.0), "`momentum` 1.0 is out of range"),
        (contrastive, lambda: made(RBMConfig, learning_rate=float("nan")), "`learning_rate` nan is not positive"),
        (contrastive, lambda: made(RBMConfig, weight_decay=-1.0), "`weight_decay` -1.0 is out of range"),
        (contrastive, lambda: made(RBMConfig, visible_type="gaussian", hidden_type="rectified"), "no bounded density"),
        (contrastive, lambda: made(DBMConfig, layers=(4, 3), hidden_type="gaussian"), "no bounded density"),
        (contrastive, lambda: made(DBMConfig, layers=(4,)), "`layers` 4 is too few"),
        (contrastive, lambda: made(DBMConfig, layers=(4, 0)), "`layers` 4 0: every layer"),
        (contrastive, lambda: made(DBMConfig, mean_field=0), "`mean_field` 0 is not positive"),
        (contrastive, lambda: made(DBMConfig, damping=1.0), "`damping` 1.0 is out of range"),
        (contrastive, lambda: made(DBMConfig, upper_rate=-0.1), "`upper_rate` -0.1 is out of range"),
        (stack, lambda: made(RBMConfig, k=0), "`k` 0"),
        (
            updown.updown,
            lambda: made(DBNConfig, visible_type="spin"),
            "`visible_type` spin is unknown; choose bernoulli",
        ),
        (
            updown.updown,
            lambda: DBNConfig(hidden_type=GAUSSIAN),
            "`hidden_type` Gaussian() is none of its values; give Bernoulli.",
        ),
        (updown.updown, lambda: made(DBNConfig, classes=3), "`classes` 3: a belief network"),
        (updown.updown, lambda: made(DBNConfig, layers=(4,)), "`layers` 4 is too few"),
        (vae, lambda: made(VAEConfig, latents=()), "`latents` is empty"),
        (vae, lambda: made(VAEConfig, layers=(3, 0)), "`layers` 3 0: every layer"),
        (vae, lambda: made(VAEConfig, draws=0), "`draws` 0 is not positive"),
        (vae, lambda: made(VAEConfig, beta=-1.0), "`beta` -1.0 is out of range"),
        (vae, lambda: made(VAEConfig, warm_up=1.5), "`warm_up` 1.5 is out of range"),
        (vae, lambda: made(VAEConfig, gradient="doubly"), "`gradient` doubly has no effect with `bound` elbo"),
        (autoencoder, lambda: made(AutoencoderConfig, layers=()), "`layers` is empty"),
        (
            autoencoder,
            lambda: made(AutoencoderConfig, corruption_level=0.5),
            "`corruption_level` 0.5 has no effect with `corruption` none",
        ),
        (
            autoencoder,
            lambda: made(AutoencoderConfig, corruption="masking", corruption_level=2.0),
            "`corruption_level` 2.0 is out",
        ),
        (discriminative, lambda: made(DiscriminativeConfig, dropout=1.0), "`dropout` 1.0 is out of range"),
        (discriminative, lambda: made(DiscriminativeConfig, layers=()), "`layers` is empty"),
        (recommender, lambda: made(RecommenderConfig, objective="cd", k=3, k_end=2), "`k_end` 2 is less than `k` 3"),
        (recommender, lambda: made(RecommenderConfig, smoothness=-1.0), "`smoothness` -1.0 is out of range"),
        (classifier, lambda: ClassifierConfig(shape=(2, 2, 1), classes=0), "`classes` 0 is not positive"),
        (images, lambda: made(GANConfig, momentum=1.0), "`momentum` 1.0 is out of range"),
        (images, lambda: made(GANConfig, learning_rate=0.0), "`learning_rate` 0.0 is not positive"),
        (images, lambda: made(GANConfig, clip=0.5), "`clip` 0.5 has no effect with `penalty` r1"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused_by_the_factory(factory, config_of, said):
    with pytest.raises(UserError, match=re.escape(said)):
        factory(config_of())


@pytest.mark.parametrize("stages", [greedy.stages, updown.stages])
def test_stages_refuse_as_factories_do(stages):
    kind = DBMConfig if stages is greedy.stages else DBNConfig
    with pytest.raises(UserError, match="`momentum` 1"):
        stages(made(kind, momentum=1.0), 10, 10)


@pytest.mark.parametrize(
    ("factory", "config", "x", "label", "said"),
    [
        (contrastive, RBMConfig(), GREY, LABELS, "`visible_type` bernoulli takes binary pixels"),
        (
            contrastive,
            made(RBMConfig, visible_type="spin"),
            GREY,
            LABELS,
            "`visible_type` spin takes binary pixels",
        ),
        (contrastive, made(RBMConfig, visible_type="spin"), BINARY, LABELS, None),
        (contrastive, made(RBMConfig, visible_type="categorical"), GREY, LABELS, None),
        (contrastive, made(RBMConfig, visible_type="categorical"), WIDE, LABELS, "intensities from 0 to 1"),
        (contrastive, made(RBMConfig, visible_type="categorical"), GREY + 0.5, LABELS, "intensities from 0 to 1"),
        (contrastive, made(RBMConfig, visible_type="categorical"), GREY - 0.5, LABELS, "intensities from 0 to 1"),
        (contrastive, made(RBMConfig, visible_type="gaussian"), WIDE, MISSING, None),
        (contrastive, made(RBMConfig, visible_type="gaussian"), GREY + np.inf, LABELS, "not finite"),
        (contrastive, made(RBMConfig, visible_type="gaussian"), HOLED, LABELS, "not finite"),
        (contrastive, made(RBMConfig, visible_type="rectified"), WIDE, LABELS, "at least 0"),
        (contrastive, made(RBMConfig, classes=3), BINARY, LABELS, None),
        (contrastive, made(RBMConfig, classes=2), BINARY, LABELS, "`classes` 2 is less than the 3 labels"),
        (contrastive, made(RBMConfig, classes=3), BINARY, MISSING, "without labels"),
        (contrastive, made(DBMConfig, classes=2), BINARY, LABELS, "`classes` 2 is less than the 3 labels"),
        (stack, made(RBMConfig, visible_type="spin"), GREY, LABELS, "`visible_type` bernoulli takes binary"),
        (updown.updown, DBNConfig(), GREY, LABELS, "takes binary"),
        (vae, VAEConfig(), GREY, LABELS, "`pixels` bernoulli takes binary ones"),
        (vae, made(VAEConfig, pixels="continuous_bernoulli"), WIDE, LABELS, "intensities from 0 to 1"),
        (vae, made(VAEConfig, pixels="gaussian"), WIDE, MISSING, None),
        (partial(vae, classes=2), VAEConfig(), BINARY, LABELS, "`classes` 2 is less"),
        (autoencoder, AutoencoderConfig(), WIDE, LABELS, None),
        (autoencoder, made(AutoencoderConfig, error="bernoulli"), WIDE, LABELS, "intensities from 0 to 1"),
        (partial(autoencoder, classes=3), AutoencoderConfig(), GREY, MISSING, "without labels"),
        (discriminative, made(DiscriminativeConfig, classes=2), BINARY, LABELS, "`classes` 2 is less"),
        (recommender, RecommenderConfig(), GREY, LABELS, "whole numbers from 1 to 5"),
        (recommender, RecommenderConfig(), 6 * BINARY, LABELS, "whole numbers from 1 to 5"),
        (recommender, RecommenderConfig(), -2 * BINARY, LABELS, None),
        (recommender, RecommenderConfig(), np.where(GREY < 0.5, WITHHELD, 5 * BINARY), LABELS, None),
        (images, GANConfig(), WIDE, LABELS, "intensities from 0 to 1"),
        (images, GANConfig(), GREY, MISSING, None),
        (partial(images, bounded=False), GANConfig(), WIDE, LABELS, None),
        (images, made(GANConfig, conditioning="projection"), GREY, MISSING, "without labels"),
        (classifier, ClassifierConfig(shape=(2, 2, 1), classes=2), GREY, LABELS, "`classes` 2 is less"),
    ],
)
def test_examples_that_cannot_be_learned_are_refused(factory, config, x, label, said):
    batch = Batch(jnp.asarray(x), jnp.asarray(label))
    if said is None:
        factory(config).check(batch)
        return
    with pytest.raises(UserError, match=said):
        factory(config).check(batch)
    with pytest.raises(UserError, match=said):  # and a lone `init` asks as well
        factory(config).init(jax.random.key(0), Example(batch, batch.x.mean(0), batch.x.var(0)), {})


def test_the_command_line_names_options():
    from genjax.cli.main import as_options

    assert as_options("`visible_type` spin takes `k`; see `genjax.data`.") == (
        "--visible-type spin takes --k; see `genjax.data`."
    )
    with pytest.raises(UserError) as told:
        contrastive(made(RBMConfig, hidden=0))
    assert as_options(str(told.value)).startswith("--hidden 0 is not positive")
