"""`devices`: the same answers from 8 forced devices as from one, and work that is split.

JAX makes its devices once a process, so that the trials are a program: `tests.api.eight_devices`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.errors import UserError
from genjax.training.mesh import counted, home, mesh_of, on, placed, several, sharded, whole
from tests.algorithms.test_contract import CASES
from tests.eight import run

PROGRAM = "tests.api.eight_devices"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_family_learns_on_eight_devices_what_it_learns_on_one(part):
    names = list(CASES)[part::4]
    assert run(PROGRAM, names) == dict.fromkeys(names, "right")


@pytest.mark.slow
def test_samples_are_equal_bit_for_bit_also_of_counts_that_do_not_divide():
    assert run(PROGRAM, ["samples", "other samples"]) == dict.fromkeys(["samples", "other samples"], "right")


@pytest.mark.slow
def test_ais_estimates_grids_and_resumed_runs_are_equal_to_rounding():
    names = ["ais", "grid", "resume"]
    assert run(PROGRAM, names) == dict.fromkeys(names, "right")


@pytest.mark.slow
def test_each_device_does_its_share():
    assert run(PROGRAM, ["work"]) == {"work": "right"}


@pytest.mark.parametrize("devices", [0, -1, 10_000, True])
def test_what_is_no_number_of_devices_is_refused_before_any_work(devices, bits):
    said = f"`devices` {devices!r}.* (there (is 1 device|are [0-9]+ devices)|give one from 1 to)"
    run = genjax.load("rbm-mnist")
    questions = [
        lambda: genjax.fit(genjax.rbm(), bits, devices=devices),
        lambda: genjax.grid(genjax.rbm(), bits, devices=devices),
        lambda: run.sample(1, devices=devices),
        lambda: run.log_likelihood(bits, devices=devices),
    ]
    for question in questions:
        with pytest.raises(UserError, match=said):
            question()


def test_none_is_one_device_or_all_as_the_caller_says():
    there = jax.local_device_count()
    assert counted(None) == 1
    assert counted(None, "all") == counted("all") == counted(there) == there
    with jax.default_device(jax.devices()[0]):  # the person has chosen one
        assert counted(None, "all") == 1
    assert mesh_of(1) is mesh_of(None) is None


def test_without_a_mesh_programs_are_as_they_were():
    x = jnp.arange(6.0).reshape(3, 2)
    assert sharded(x) is whole(x) is placed(x, None) is home(x) is x
    with on(None):
        assert not several()
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("runs", "data"))
    with on(mesh):
        assert not several()  # one device keeps what it has
        np.testing.assert_array_equal(jax.jit(lambda x: whole(sharded(x) + 1))(x), x + 1)
