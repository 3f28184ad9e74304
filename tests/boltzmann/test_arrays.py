"""There and back is the same machine; what does not fit is named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.boltzmann.arrays import from_arrays, to_arrays
from genjax.boltzmann.rbm import rbm, with_classes
from genjax.boltzmann.units import GAUSSIAN, SPIN
from genjax.errors import UserError
from tests.machines import random_machine


@pytest.mark.parametrize(
    "machine",
    [
        random_machine((5, 4, 3)),
        with_classes(jax.random.key(0), random_machine((4, 3)), 5),
        rbm(jax.random.key(1), 3, jnp.full(4, 0.3), (GAUSSIAN, SPIN), jnp.full(4, 0.5)),
    ],
    ids=["deep", "with classes", "gaussian"],
)
def test_there_and_back(machine):
    again = from_arrays(to_arrays(machine), machine.units)
    assert jax.tree.structure(again) == jax.tree.structure(machine)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(machine)):
        np.testing.assert_array_equal(a, b)


def test_what_is_missing_or_does_not_fit_is_named():
    machine = random_machine((5, 4, 3))
    arrays = to_arrays(machine)
    with pytest.raises(UserError, match="lack weights_1"):
        from_arrays({name: x for name, x in arrays.items() if name != "weights_1"}, machine.units)
    with pytest.raises(UserError, match=r"weights\[0\]"):
        from_arrays(arrays | {"weights_0": arrays["weights_0"].T}, machine.units)
