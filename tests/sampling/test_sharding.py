"""Chains over devices: 8 forced CPU devices in a process of their own draw what one device draws."""

import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, Mesh

from genjax.errors import UserError
from genjax.sampling import gibbs
from genjax.sampling.gibbs import initial_states, sample
from genjax.sampling.sharding import divide
from tests.eight import process
from tests.machines import random_machine

PROGRAM = textwrap.dedent(
    """
    import jax, jax.numpy as jnp, numpy as np
    from genjax import random
    from genjax.sampling.gibbs import initial_states, sample
    from tests.machines import random_machine

    assert jax.device_count() == 8
    devices = np.array(jax.devices())
    meshes = [jax.sharding.Mesh(devices, ("data",)), jax.sharding.Mesh(devices.reshape(2, 4), ("data", "model"))]
    words = jax.jit(lambda key: random.words(key, 64, 32), out_shardings=jax.sharding.NamedSharding(
        meshes[1], jax.sharding.PartitionSpec("data", "model")))
    np.testing.assert_array_equal(words(jax.random.key(5)), random.words(jax.random.key(5), 64, 32))
    for generator in ("counter", "threefry"):
        for sizes in ((12, 8), (12, 8, 6), (7, 4, 5, 8)):
            machine = jax.tree.map(lambda x: jnp.round(x * 256) / 256, random_machine(sizes, scale=0.5))
            for chains in (8, 64):
                state = initial_states(jax.random.key(0), machine, chains)
                for mesh in meshes:
                    run = jax.jit(lambda k, m, s, mesh=mesh: sample(k, m, s, 5, 2, lambda s: s[0], mesh=mesh))
                    alone = jax.jit(lambda k, m, s: sample(k, m, s, 5, 2, lambda s: s[0]))
                    key = random.key(1, generator)
                    (ours, seen, _), (theirs, all_seen, _) = run(key, machine, state), alone(key, machine, state)
                    np.testing.assert_array_equal(seen, all_seen)
                    for layer, (a, b) in enumerate(zip(ours, theirs)):
                        np.testing.assert_array_equal(a, b)
                        rows = chains // mesh.shape["data"]
                        split = mesh.shape.get("model", 1) if layer % 2 else 1
                        assert a.addressable_shards[0].data.shape == (rows, sizes[layer] // split), (a.sharding, sizes)
    print("equal")
    """
)


@pytest.mark.slow
def test_eight_devices_draw_what_one_draws():
    assert process(["-c", PROGRAM]).strip() == "equal"


def test_uneven_chains_are_refused():
    mesh = Mesh(np.array(jax.devices()[:1]).reshape(1), ("data",))
    machine = random_machine((4, 3))
    state = initial_states(jax.random.key(0), machine, 3)
    sample(jax.random.key(0), machine, state, 1, mesh=mesh)
    with pytest.raises(UserError, match="3 chains do not split evenly over the 8 devices"):
        divide(3, 8, "chains", "data")


def test_each_device_derives_the_noise_of_as_many_sweeps_as_it_has_memory_for():
    """On 256 devices no fewer at once than on one, where each has as many chains."""
    machine, of_one = random_machine((784, 500)), 16_384

    def states(chains: int) -> tuple:
        return tuple(jax.ShapeDtypeStruct((chains, size), jnp.float32) for size in machine.sizes)

    assert gibbs._at_once(machine, states(of_one), 128) == 64
    assert gibbs._at_once(machine, states(256 * of_one), 128) < 2
    with jax.sharding.use_abstract_mesh(AbstractMesh((256,), ("data",), (AxisType.Auto,))):
        assert gibbs._at_once(machine, states(256 * of_one), 128) == 64
