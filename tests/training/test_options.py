"""Options: configs by flat names and as JSON, for every config and every kind of every choice."""

import dataclasses
import json

import optax
import pytest

from genjax.algorithms.autoencoder import AutoencoderConfig
from genjax.algorithms.contrastive import DBMConfig, RBMConfig
from genjax.algorithms.discriminative import DiscriminativeConfig
from genjax.algorithms.gan_game import Convolutions, Dense, GANConfig
from genjax.algorithms.gan_losses import LeastSquares
from genjax.algorithms.negative import PCD
from genjax.algorithms.recommender import RecommenderConfig
from genjax.algorithms.trajectory import Trajectory
from genjax.algorithms.updown import DBNConfig
from genjax.algorithms.vae import ELBO, IWAE, VAEConfig
from genjax.boltzmann.units import BERNOULLI, Bernoulli, Categorical
from genjax.errors import UserError
from genjax.evaluation.classifier import ClassifierConfig
from genjax.training.config import choices
from genjax.training.optimisers import Adam, Cosine, Sgd
from genjax.training.options import build, flat, from_json, options, to_json

CONFIGS = (
    RBMConfig,
    DBMConfig,
    DBNConfig,
    VAEConfig,
    AutoencoderConfig,
    GANConfig,
    RecommenderConfig,
    DiscriminativeConfig,
)


@dataclasses.dataclass(frozen=True)
class Ternary(Bernoulli):
    """A unit type from outside, though it inherits one."""


def every_kind():
    for kind in CONFIGS:
        yield kind()
        for f, chosen in choices(kind):
            yield from (dataclasses.replace(kind(), **{f.name: one()}) for one in chosen.kinds)


@pytest.mark.parametrize("kind", CONFIGS)
def test_names_are_unique_and_everything_is_documented(kind):
    found = options(kind)
    names = [option.name for option in found]
    assert len(set(names)) == len(names)
    assert [option.name for option in found if not option.doc] == []
    assert set(flat(kind())) <= set(names)
    for option in found:
        if option.of is None:
            assert option.default == flat(kind())[option.name]


def test_options_are_flat_with_those_of_each_choice_after_it():
    found = {option.name: option for option in options(RBMConfig)}
    names = list(found)
    assert names[names.index("negative") :][:6] == ["negative", "k", "chains", "numbers", "rungs", "swap_every"]
    assert found["negative"].default == "pcd"
    assert found["rungs"].of == ("tempered", "trajectory")
    assert found["hidden"] == ("hidden", int, 128, "Hidden units.", None)
    assert found["momentum"].type is float
    assert {"levels", "hidden_levels"} < set(names)
    assert {"momentum", "discriminator_momentum"} < {option.name for option in options(GANConfig)}


def test_defaults_that_differ_between_kinds_are_said():
    (draws,) = (option for option in options(VAEConfig) if option.name == "draws")
    assert (draws.default, draws.of) == (1, ("elbo", "iwae"))
    assert draws.doc.endswith("By default 1 (elbo), 50 (iwae).")


def test_flat_options_build_values():
    config = build(RBMConfig, {"negative": "trajectory", "rungs": 20, "hidden": 30, "learning_rate": 1})
    assert config == RBMConfig(negative=Trajectory(rungs=20), hidden=30, learning_rate=1.0)
    assert build(VAEConfig, {"bound": "iwae"}) == VAEConfig(bound=IWAE())
    assert build(VAEConfig, {"draws": 3, "latents": 20}) == VAEConfig(bound=ELBO(3), latents=(20,))
    assert build(RBMConfig, {"negative": PCD(3), "chains": 7}) == RBMConfig(negative=PCD(3, 7))
    two = build(RBMConfig, {"visible_type": "categorical", "hidden_type": "categorical", "hidden_levels": 3})
    assert (two.visible_type, two.hidden_type) == (Categorical(8), Categorical(3))
    assert build(GANConfig, {"optimiser": "adam"}) == GANConfig()  # its own default, and not that of every Adam
    assert build(GANConfig, {"optimiser": "sgd", "discriminator_momentum": 0.1}) == GANConfig(
        optimiser=Sgd(), discriminator_optimiser=Adam(0.1)
    )
    assert build(GANConfig, {"layers": 7, "smoothing": 0.1, "loss": "least-squares"}) == GANConfig(
        backbone=Dense((7,)), loss=LeastSquares(0.1)
    )


def test_objects_from_outside_are_taken_where_values_are():
    assert build(RBMConfig, {"optimiser": optax.adam, "visible_type": Ternary()}).optimiser is optax.adam
    with pytest.raises(UserError, match=r"`momentum` 0\.5 has no effect with `optimiser`"):
        build(RBMConfig, {"optimiser": optax.adam, "momentum": 0.5})


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (RBMConfig, {"rungs": 20}, "`rungs` 20 has no effect with `negative` pcd; it belongs to tempered or"),
        (GANConfig, {"discriminator_optimiser": "sgd", "discriminator_second_moment": 0.9},
         "has no effect with `discriminator_optimiser` sgd; it belongs to adam or adamw."),
        (RBMConfig, {"hiden": 3}, "`hiden` is no option of RBMConfig; did you mean `hidden`."),
        (RBMConfig, {"negative": "dc"}, "`negative` dc is unknown; choose pcd, cd, tempered or trajectory."),
        (DBMConfig, {"negative": "cd"}, "`negative` cd is unknown; choose pcd, tempered or trajectory."),
        (RBMConfig, {"hidden": "many"}, "`hidden` many is of another type; give int."),
        (RBMConfig, {"hidden": True}, "`hidden` True is of another type; give int."),
        (RBMConfig, {"k": 1.5}, "`k` 1.5 is of another type; give int."),
        (RecommenderConfig, {"conditional": "maybe"}, "`conditional` maybe is of another type; give no, rated or"),
        (VAEConfig, {"layers": (3, "x")}, "`layers` 3 x is of another type"),
    ],
)  # fmt: skip
def test_what_is_no_option_is_refused(kind, given, said):
    with pytest.raises(UserError, match=f"^.*{said}"):
        build(kind, given)


def test_a_config_goes_through_options_and_json_and_back():
    for config in every_kind():
        assert build(type(config), flat(config)) == config
        written = json.loads(json.dumps(to_json(config)))
        assert from_json(type(config), written) == config
        assert all(isinstance(written[f.name], dict) for f, _ in choices(config))


def test_json_has_a_choice_with_its_fields():
    written = to_json(GANConfig(backbone=Convolutions((8, 16)), schedule=Cosine()))
    assert written["backbone"] == {"kind": "conv", "channels": [8, 16], "dense": []}
    assert written["schedule"] == {"kind": "cosine"}
    assert written["latent"] == 64


def first_format(config) -> dict:
    """As configs were written at first: choices by name, and every option of every kind beside them."""
    idle = {option.name: option.default for option in options(type(config)) if option.of}
    return json.loads(json.dumps(idle | flat(config) | {"dataset": "digits"}))


def test_the_first_format_is_read_and_its_idle_options_are_left_alone():
    for config in every_kind():
        assert from_json(type(config), first_format(config)) == config


def test_the_first_format_had_one_number_of_levels():
    config = RBMConfig(hidden_type=Categorical(5), visible_type=Categorical(5))
    saved = first_format(config)
    del saved["hidden_levels"], saved["second_moment"]
    assert from_json(RBMConfig, saved) == config


def test_an_object_from_outside_has_to_be_given_again():
    config = RBMConfig(visible_type=Ternary(), optimiser=optax.adam)
    saved = json.loads(json.dumps(to_json(config)))
    assert saved["visible_type"] == {"kind": "outside", "repr": "Ternary()"}
    with pytest.raises(UserError, match=r"`visible_type` .*was Ternary\(\), an object from outside; give it again"):
        from_json(RBMConfig, saved, {"optimiser": optax.adam})
    assert from_json(RBMConfig, saved, {"optimiser": optax.adam, "visible_type": Ternary()}) == config
    with pytest.raises(UserError, match="`hidden_type` of this run is not an object from outside"):
        from_json(RBMConfig, to_json(RBMConfig()), {"hidden_type": BERNOULLI})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden": "x"}, "hidden = 'x'"),
        ({"hidden": None}, "hidden = None"),
        ({"negative": {"kind": "dc"}}, "negative = {'kind': 'dc'}"),
        ({"negative": {"kind": "pcd", "k": 0.5}}, "k = 0.5"),
        ({"negative": 3}, "negative = 3"),
    ],
)
def test_a_damaged_config_is_refused(change, said):
    saved = to_json(RBMConfig()) | change
    with pytest.raises(UserError, match=f"it has {said}; restore it"):
        from_json(RBMConfig, saved)


def test_fields_that_are_newer_than_a_config_are_at_their_defaults():
    assert from_json(RBMConfig, {"hidden": 7}) == RBMConfig(hidden=7)
    with pytest.raises(UserError, match="it lacks classes"):
        from_json(ClassifierConfig, {"shape": [3, 4, 1]})
