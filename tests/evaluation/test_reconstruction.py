"""Regions, what they remove, and the errors of what is filled in, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from genjax.errors import UserError
from genjax.evaluation.reconstruction import errors, fill, mean_metrics, missing_mask, region
from genjax.typing import Batch

SHAPE = (6, 4, 2)


@pytest.mark.parametrize(
    ("text", "rows"),
    [("top:2", {0, 1}), ("middle:2", {2, 3}), ("bottom:1", {5}), ("rows:1-3", {1, 2, 3}), ("rows:0-0", {0})],
)
def test_rows_are_missing(text, rows):
    mask = missing_mask(region(text), SHAPE, 3).reshape(3, *SHAPE)
    assert set(np.flatnonzero(mask.any((0, 2, 3)))) == rows
    assert mask[:, sorted(rows)].all()


def test_random_pixels_are_missing_in_all_channels():
    mask = missing_mask(region("random:0.3"), (20, 20, 2), 10, seed=1)
    pixels = mask.reshape(-1, 2)
    np.testing.assert_array_equal(pixels[:, 0], pixels[:, 1])
    assert pixels.mean() == pytest.approx(0.3, abs=0.04)
    assert not np.array_equal(mask[0], mask[1])
    np.testing.assert_array_equal(mask, missing_mask(region("random:0.3"), (20, 20, 2), 10, seed=1))


@pytest.mark.parametrize("text", ["top:0", "rows:3-2", "random:1", "random:0", "left:3", "top", "top:-1"])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError, match="`remove`"):
        region(text)


@pytest.mark.parametrize("text", ["top:6", "middle:9", "rows:2-6", "rows:0-5"])
def test_regions_that_do_not_fit_are_refused(text):
    with pytest.raises(UserError, match="leave at least one row"):
        missing_mask(region(text), SHAPE, 1)
    with pytest.raises(UserError, match="no pixel"):
        missing_mask(region("random:0.0001"), (2, 2, 1), 1)


def test_errors_are_means_over_what_is_missing():
    truth = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], np.float32)
    missing = np.array([[True, True, False], [True, False, False]])
    filled = fill(lambda x, hole: np.where(hole, 0.25, x), truth, missing)
    np.testing.assert_array_equal(np.isnan(filled.damaged), missing)
    found = errors(truth, filled.filled, missing, np.array([0.5, 0.0, 1.0]))
    squares = np.array([0.75**2, 0.25**2, 0.25**2])
    assert found["squared_error"].mean == pytest.approx(squares.mean())
    assert found["squared_error_of_mean"].mean == pytest.approx(0.5 / 3)
    assert found["pixel_error"].mean == pytest.approx(1 / 3)
    assert found["nats_per_pixel"].mean == pytest.approx(-np.log([0.25, 0.75, 0.75]).mean())
    assert found["nats_per_pixel_of_mean"].mean == pytest.approx((2 * np.log(2) - np.log(1 - 1e-4)) / 3)
    sums, counts = np.array([squares[:2].sum(), squares[2]]), np.array([2, 1])
    spread = ((sums - squares.mean() * counts) ** 2).sum() * 2
    assert found["squared_error"].examples_se == pytest.approx(np.sqrt(spread) / 3)
    grey = errors(truth * 0.5 + 0.1, filled.filled, missing, np.zeros(3))
    assert set(grey) == {"squared_error", "squared_error_of_mean"}


def test_metrics_of_batches_are_taken_example_by_example():
    batch = Batch(jnp.asarray([[1.0, 3.0], [2.0, 2.0], [0.0, 5.0]]), jnp.asarray([0, 1, 0]))
    found = mean_metrics(
        lambda part: {"square": jnp.mean(part.x**2), "error": jnp.mean(part.target == 1)}, batch, block=2
    )
    each = np.array([5.0, 4.0, 12.5])
    assert found["square"].mean == pytest.approx(each.mean())
    assert found["square"].examples_se == pytest.approx(each.std(ddof=1) / np.sqrt(3))
    assert found["error"].mean == pytest.approx(1 / 3)
