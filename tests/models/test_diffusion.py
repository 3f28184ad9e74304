"""Diffusion through the front door."""

import json

import numpy as np
import pytest

import genjax
from genjax.errors import UserError

TOP = np.repeat(np.arange(8) < 3, 8).reshape(8, 8)
DENSE = {"layers": (32,), "channels": ()}


@pytest.fixture(name="run", scope="module")
def run_fixture():
    return genjax.fit(genjax.diffusion(**DENSE), "digits", steps=150, seed=1, progress=False)


@pytest.mark.slow
def test_the_default_is_masked_and_its_likelihood_a_bound(run):
    assert genjax.diffusion().process.kind == "masked"
    assert run.settings.binarisation == "sampled"
    answer = run.log_likelihood(masks=8)
    assert answer.kind == "lower_bound"
    assert -40 < answer.low < answer.mean < answer.high < -20
    assert run.history["elbo"][-1] > -35


def test_samples_are_binary_and_do_not_depend_on_how_many_they_are(run):
    x = run.sample(12)
    assert x.shape == (12, 8, 8)
    assert set(np.unique(x)) == {0.0, 1.0}
    assert np.array_equal(x, run.sample(12))
    assert not np.array_equal(x, run.sample(12, seed=1))


def test_what_is_given_is_kept(run):
    x = np.asarray(run.fixed_test(7).x).reshape(-1, 8, 8)
    filled = run.reconstruct(np.where(TOP, np.nan, x), TOP)
    assert np.array_equal(filled[:, 3:], x[:, 3:])
    assert np.all((filled[:, :3] >= 0) & (filled[:, :3] <= 1))
    assert np.array_equal(filled[:2], run.reconstruct(x[:2], TOP))
    drawn = run.sample(5, given=x[0], missing=TOP)
    assert np.array_equal(drawn[:, 3:], np.broadcast_to(x[0, 3:], (5, 5, 8)))
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_a_saved_run_answers_as_before(run, tmp_path):
    run.save(tmp_path / "run")
    again = genjax.load(tmp_path / "run")
    assert again.config == run.config
    assert np.array_equal(again.sample(3), run.sample(3))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"] == "diffusion"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"process": "ddpm", "unmasking_steps": 3}, "`unmasking_steps` 3 has no effect with `process` ddpm"),
        ({"process": "noise"}, "`process` noise is unknown; choose masked, ddpm or flow"),
        ({"layers": (), "channels": ()}, "`layers` and `channels` are both empty"),
        ({"process": "flow", "churn": 2.0}, "`churn` 2.0 is out of range"),
        ({"unmasking_steps": 0}, "`unmasking_steps` 0 is not positive"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        genjax.fit(genjax.diffusion(**options), "digits", steps=1, progress=False)


def test_grey_pixels_are_refused_by_masks():
    with pytest.raises(UserError, match="`process` masked takes binary ones"):
        genjax.fit(genjax.diffusion(), "digits", binarisation="none", steps=1, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("process", ["ddpm", "flow"])
def test_gaussian_noise(process, tmp_path):
    """Learns, samples intensities, fills in, is loaded; and has no likelihood."""
    model = genjax.diffusion(process=process, channels=(16, 32), sampling_steps=10, repeats=2)
    run = genjax.fit(model, "digits", steps=400, progress=False, out=tmp_path / "run")
    assert run.settings.binarisation == "none"
    assert run.history["held_out_denoising_error"][-1] < (0.5 if process == "ddpm" else 0.9)
    x = run.sample(500)
    assert x.min() >= -1e-6
    assert x.max() <= 1 + 1e-6
    test = run.prepared.dataset.test.reshape(-1, 8, 8)
    assert np.abs(x.mean(0) - test.mean(0)).max() < 0.25
    filled = run.reconstruct(test[:50], TOP)
    error = np.mean((filled - test[:50])[:, :3] ** 2)
    assert error < np.mean((test.mean(0) - test[:50])[:, :3] ** 2)
    assert np.array_equal(genjax.load(tmp_path / "run").sample(3), run.sample(3))
    with pytest.raises(UserError, match="no likelihood"):
        run.log_likelihood()


@pytest.mark.slow
def test_a_unet_learns_more_than_dense_layers_alone_from_digits():
    """Held-out bounds, of as many steps."""
    bounds = [
        genjax.fit(genjax.diffusion(**options), "digits", steps=600, progress=False).log_likelihood(masks=16)
        for options in (DENSE, {"layers": (32,), "channels": (16, 32)})
    ]
    assert bounds[1].low > bounds[0].high


@pytest.mark.slow
def test_a_grid_of_rates_is_one_program():
    runs = genjax.grid(
        genjax.diffusion(**DENSE), "digits", learning_rate=[1e-3, 3e-3], seeds=2, steps=30, progress=False
    )
    assert len(runs) == 4
    alone = genjax.fit(genjax.diffusion(learning_rate=3e-3, **DENSE), "digits", steps=30, seed=1, progress=False)
    np.testing.assert_allclose(runs[3].history["loss"][-1], alone.history["loss"][-1], rtol=1e-4)
