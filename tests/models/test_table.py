"""What every model of the table promises: a config that is its keywords, stages, parameters, questions or None."""

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import UserError
from genjax.models.table import EFFORTS, MODELS
from genjax.training.options import build, flat, from_json, options, to_json
from genjax.training.stages import LAST
from genjax.typing import Example, Model

NAMES = list(MODELS)
QUESTIONS = {
    "answer": ("key", "p", "mean", "chains"),
    "reconstruct": ("key", "p", "x", "missing", "sweeps"),
    "complete": ("key", "p", "given", "missing", "count", "sweeps"),
    "encode": ("p", "x", "label"),
    "decode": ("p", "z", "label"),
    "features": ("p", "x"),
    "classify": ("p", "x"),
    "filters": ("p",),
    "maxima": ("key", "p", "layer", "units", "norm"),
    "classes": ("p",),
    "arrays": ("p",),
    "decoder": ("p",),
}
"""What each takes by position (`typing.Model`)."""


@pytest.fixture(params=NAMES, name="model")
def model_fixture(request) -> Model:
    return MODELS[request.param]


def test_a_config_is_a_frozen_value_that_knows_its_model(model):
    kind: Any = model.config
    config = kind()
    assert config.model is model
    assert dataclasses.is_dataclass(model.config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.learning_rate = 1.0
    assert config == kind()
    assert hash(config) == hash(kind())
    config.check()


def test_keywords_are_the_options_of_the_command_line_and_of_config_json(model):
    make = getattr(genjax, model.name)
    assert make() == model.config()
    assert {option.name for option in options(model.config)} >= set(flat(make()))
    assert all(option.name in make.__doc__ for option in options(model.config))
    rate = next(f.name for f in dataclasses.fields(model.config) if f.metadata.get("rate"))
    assert getattr(make(**{rate: 0.0123}), rate) == 0.0123
    assert from_json(model.config, to_json(make(**{rate: 0.0123}))) == make(**{rate: 0.0123})
    with pytest.raises(UserError, match="`learning_rat` is no option of"):
        make(learning_rat=0.1)


def test_every_option_is_documented(model):
    assert not [option.name for option in options(model.config) if not option.doc]


def test_an_effort_is_a_checked_dataclass_of_the_table(model):
    assert model.effort in (None, *EFFORTS)
    if model.effort is not None:
        model.effort().check()


def test_questions_take_what_the_contract_says(model):
    """A name more may follow where it has a default."""
    for name, arguments in QUESTIONS.items():
        question = getattr(model, name)
        if question is None:
            continue
        inspect.signature(question).bind(*range(len(arguments)))


def test_stages_end_with_the_last_one_and_parameters_are_arrays(model):
    """By shapes alone: nothing is compiled or run."""
    if model.read is not None:
        pytest.skip("its examples are no images")
    small = {"layers": (4, 3), "latents": (2,), "hidden": 4, "chains": 3, "latent": 2, "between": (3,), "width": 3}
    known = {option.name for option in options(model.config)}
    given = {name: value for name, value in small.items() if name in known}
    given |= {"backbone": "mlp"} if "backbone" in known else {}
    config = build(model.config, given)
    x = np.random.default_rng(0).integers(0, 2, (20, 4, 4)).astype(np.float32)
    data = genjax.Dataset.from_arrays(x, np.arange(20) % 2)
    settled = model.settle(config, data)
    stages = model.stages(config, 5, 2, **settled)
    assert stages[-1].name == LAST
    assert stages[-1].steps == 5
    assert len({stage.name for stage in stages}) == len(stages)
    assert stages[0].handover is None
    assert model.stages(config, 5, 2, **settled)[-1].algorithm.step is stages[-1].algorithm.step
    batch = genjax.Batch(jnp.asarray(data.train[:8]), data.labels.train[:8].astype(np.int32))
    example = Example(batch, jnp.asarray(data.train.mean(0)), jnp.asarray(data.train.var(0)))
    key = jax.random.key(0)
    state = jax.eval_shape(stages[-1].algorithm.init, key, example, stages[-1].hyper)
    p = jax.eval_shape(model.parameters, state)
    assert jax.tree.leaves(p)
    assert model.begin is not None
    begun = jax.eval_shape(model.begin, state, p)
    shapes = [jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), one) for one in (state, begun)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", MODELS)
def test_defaults_follow_the_data_only_where_a_config_says_whether(name):
    model = MODELS[name]
    assert model.follow is None or hasattr(model.config(), "follow_data")
