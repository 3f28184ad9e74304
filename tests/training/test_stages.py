"""Stages: each draws from a key of its own, and the last from the run's."""

import jax
import numpy as np

from genjax.training.stages import LAST, key_of
from genjax.typing import Algorithm, Stage


def test_no_two_stages_share_random_numbers():
    key = jax.random.key(3)
    nothing = Algorithm(lambda *a: None, lambda *a: None, lambda *a: {})
    keys = [jax.random.key_data(key_of(key, Stage(name, nothing, {}, 1))) for name in ("layer 1", "layer 2", LAST)]
    assert len({tuple(np.asarray(own)) for own in keys}) == 3
    np.testing.assert_array_equal(keys[2], jax.random.key_data(key))
