"""Colours of one image on another: POT's own transfer, known maps, blocks, memory."""

from typing import Any

import numpy as np
import ot
import pytest

from genjax import transport
from genjax.errors import UserError
from genjax.transport import colour

RNG = np.random.default_rng(0)
SOURCE = RNG.integers(0, 120, (30, 40, 3)).astype(np.uint8)
TARGET = (RNG.random((25, 35, 3)) ** 2 * [255, 100, 200]).astype(np.uint8)


@pytest.mark.parametrize("regularisation", [None, 0.02])
def test_it_is_the_transfer_of_another_library(regularisation):
    """POT's: the barycentric map of the sample, and of all other pixels the shift of the nearest one."""
    source, target = RNG.random((30, 40, 3)) ** 2, RNG.random((25, 35, 3))  # no ties, so that one plan is the best
    transfer = transport.fit_colours(source, target, regularisation, samples=100, seed=1)
    x, y = (colour.sampled(image, 100, 1) for image in (source, target))
    other: Any = ot.da.EMDTransport(out_of_sample_map="ferradans")
    if regularisation is not None:
        other = ot.da.SinkhornTransport(regularisation, tol=1e-10, out_of_sample_map="ferradans")
    other.fit(Xs=x, Xt=y)
    np.testing.assert_allclose(transfer.moved, other.transform(Xs=x), atol=1e-3)
    wanted = np.clip(other.transform(Xs=source.reshape(-1, 3)), 0, 1)
    made = transport.recoloured(transfer, source)
    assert made.shape == source.shape
    assert np.abs(made.reshape(-1, 3) / 255.0 - wanted).max() < 0.005


@pytest.mark.parametrize("extension", [colour.Nearest(), colour.KernelRidge(ridge=1e-6), colour.Linear()])
def test_a_shift_of_all_colours_is_found(extension, monkeypatch):
    """In blocks as at once."""
    target = SOURCE + np.array([30, 60, 90], np.uint8)
    transfer = transport.fit_colours(SOURCE, target, samples=10_000, extension=extension)
    made = transport.recoloured(transfer, SOURCE)
    assert np.abs(made.astype(int) - target).max() <= 1
    monkeypatch.setattr(colour, "BLOCK", 77)
    assert (transport.recoloured(transfer, SOURCE) == made).all()
    assert (transport.recoloured(transfer, SOURCE / 255.0) == made).all()


def test_the_more_regularised_the_nearer_to_one_colour():
    plans = [transport.fit_colours(SOURCE, TARGET, scale, samples=100) for scale in (None, 0.01, 0.1, 10.0)]
    spread = [plan.moved.var(0).sum() for plan in plans]
    assert np.all(np.diff(spread) < 0)
    assert spread[-1] < 1e-4


def test_what_is_no_colour_image_is_refused():
    grey = SOURCE[..., 0]
    for source, target, said in (
        (grey, TARGET, "`source` has shape"),
        (SOURCE, TARGET * 1.0, "`target` holds float64"),
    ):
        with pytest.raises(UserError, match=said):
            transport.fit_colours(source, target)
    with pytest.raises(UserError, match="`samples` 1 is too few"):
        transport.fit_colours(SOURCE, TARGET, samples=1)
