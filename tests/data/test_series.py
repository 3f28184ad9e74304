"""Windows are the series; held-out stretches touch none of them."""

import numpy as np
import pytest

from genjax.data import series
from genjax.errors import UserError

COUNTING = np.arange(30.0)


def test_windows_and_their_next_values():
    x, y = series.windows(COUNTING, 4)
    assert x.shape == (26, 4)
    np.testing.assert_array_equal(x[7], [7, 8, 9, 10])
    np.testing.assert_array_equal(y[:, 0], x[:, -1] + 1)
    for lag in (0, 30):
        with pytest.raises(UserError, match="`lag`"):
            series.windows(COUNTING, lag)


def test_no_window_that_is_kept_touches_the_stretch():
    x, y = series.windows(COUNTING, 4)
    kept = series.apart(30, 4, start=12, length=5)
    stretch = set(range(12, 17))
    touches = np.array([bool(stretch & {*row.astype(int).tolist(), int(to[0])}) for row, to in zip(x, y)])
    np.testing.assert_array_equal(kept, ~touches)


def test_stretches_reach_from_the_first_place_to_the_end():
    assert series.stretches(1000, 70, 120, 4) == [70, 340, 610, 880]
    assert series.stretches(1000, 70, 120, 1) == [70]
    with pytest.raises(UserError, match="no room"):
        series.stretches(100, 70, 40, 2)


def test_pasts_end_before_what_follows():
    before, truth = series.pasts(COUNTING, 3, [5, 20], 2)
    np.testing.assert_array_equal(before, [[2, 3, 4], [17, 18, 19]])
    np.testing.assert_array_equal(truth, [[5, 6], [20, 21]])


def test_what_is_held_out_is_learned_from_by_no_set():
    sets = series.held_out(COUNTING, 4, [4, 20], 6)
    assert [len(data.train) for data in sets] == [16, 16]
    for start, of in zip((4, 20), sets):
        values = set(of.train.ravel().tolist()) | set(of.target("train").ravel().tolist())
        assert not values & set(range(start, start + 6))


def test_standardised_and_back():
    scale = series.Scale.of(COUNTING)
    standard = scale.standard(COUNTING)
    assert standard.dtype == np.float32
    assert abs(standard.mean()) < 1e-6
    assert standard.std() == pytest.approx(1)
    np.testing.assert_allclose(scale.original(standard), COUNTING, atol=1e-5)
    with pytest.raises(UserError, match="one value"):
        series.Scale.of(np.ones(5))


def test_a_file_has_one_number_a_line(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("3\n1.5\n-2\n")
    np.testing.assert_array_equal(series.read(path), [3, 1.5, -2])
    for text in ("3\nfour\n", "1 2\n3 4\n", "1\nnan\n", "7\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"a\.dat"):
            series.read(path)
    with pytest.raises(UserError, match="cannot be read"):
        series.read(tmp_path / "none.dat")


def test_the_made_up_laser_pulses_and_collapses():
    """Pulses grow, collapse and grow again; another seed is another series."""
    made = series.laser(600)
    assert made.min() >= 0
    assert made.max() == 255
    peaks = made[1:-1][(made[1:-1] > made[:-2]) & (made[1:-1] >= made[2:])]
    assert 40 < len(peaks) < 120
    assert peaks.std() > 25
    assert not np.array_equal(made, series.laser(600, seed=1))
