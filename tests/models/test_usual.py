"""Defaults that follow the data: what the rule sees, whom it leaves alone, and that a run says so."""

import dataclasses

import numpy as np
import pytest

import genjax
from genjax.algorithms.negative import CD
from genjax.algorithms.trajectory import Trajectory
from genjax.cli.options import Parser
from genjax.cli.train import OF_TRAINING, Options
from genjax.models.usual import images_a_pixel, of_rbm, spread


def silhouettes(count: int, side: int = 8) -> np.ndarray:
    """All pixels on or all off, but for one in ten."""
    rng = np.random.default_rng(0)
    return ((rng.random((count, 1)) < 0.5) ^ (rng.random((count, side * side)) < 0.1)).astype(np.float32)


def test_what_the_rule_sees():
    x = np.random.default_rng(0).normal(size=(500, 6)) @ np.diag([5.0, 1, 1, 1, 1, 1])
    assert spread(x) == pytest.approx(np.linalg.eigvalsh(np.cov(x.T, ddof=0)).max())
    assert spread(np.ones((5, 3))) == 0
    binary = np.zeros((100, 4))
    binary[:50, :2] = 1
    assert images_a_pixel(binary, 300) == 150


def test_the_digits_are_as_they_were():
    config = genjax.rbm()
    assert of_rbm(config, genjax.data.load("digits")) == (config, None)


def test_far_modes_are_tempered_and_few_images_decay():
    dataset = genjax.Dataset.from_arrays(silhouettes(400))
    config, sentence = of_rbm(genjax.rbm(), dataset)
    assert (config.negative, config.learning_rate, config.weight_decay) == (Trajectory(), 0.03, 1e-3)
    assert sentence is not None
    assert "far modes" in sentence
    many, _ = of_rbm(genjax.rbm(), genjax.Dataset.from_arrays(silhouettes(4000)))
    assert (many.negative, many.weight_decay) == (Trajectory(), genjax.rbm().weight_decay)
    for own in (genjax.rbm(learning_rate=0.1), genjax.rbm(negative=CD()), genjax.rbm(follow_data=False)):
        assert of_rbm(own, dataset) == (own, None)
    for asked in ({"learning_rate": 0.2}, {"negative": "pcd"}, {"k": 1}, {"chains": genjax.rbm().negative.chains}):
        own = genjax.rbm(**asked)
        assert own == genjax.rbm()
        assert of_rbm(own, dataset) == (own, None)
    kept = of_rbm(genjax.rbm(weight_decay=1e-5), dataset)[0]
    assert (kept.negative, kept.weight_decay) == (Trajectory(), 1e-5)
    decayed = of_rbm(genjax.rbm(weight_decay=0.0), dataset)[0]
    assert decayed.weight_decay == 0


@pytest.mark.parametrize(
    ("line", "follows"),
    [([], True), (["--hidden", "8"], True), (["--learning-rate", "0.2"], False), (["--learning-rate=0.2"], False),
     (["--k", "1"], False), (["--no-follow-data"], False)],
)  # fmt: skip
def test_a_default_that_is_typed_is_given(line, follows):
    """From the command line, too, whose parser knows a value of every option."""
    config = Parser(genjax.rbm.model_config, Options, "genjax train rbm", OF_TRAINING)(line)[0]
    followed, sentence = of_rbm(config, genjax.Dataset.from_arrays(silhouettes(400)))
    assert (sentence is not None) == follows
    assert (followed.negative == Trajectory()) == follows


@pytest.mark.slow
def test_a_run_says_so_goes_on_and_is_resumed(tmp_path):
    x, model = silhouettes(400), genjax.rbm(hidden=8)
    run = genjax.fit(model, x, steps=4, out=tmp_path / "run", progress=False)
    assert "far modes" in repr(run)
    assert run.config == dataclasses.replace(
        model, negative=Trajectory(), learning_rate=run.config.learning_rate, weight_decay=run.config.weight_decay
    )
    again = genjax.fit(model, x, steps=8, out=tmp_path / "run", progress=False)
    assert (again.step, again.config) == (8, run.config)
    assert genjax.load(tmp_path / "run").config == run.config
