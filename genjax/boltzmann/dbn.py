"""The deep belief network (Hinton, Osindero and Teh 2006): an RBM on top of directed layers.

    p(x) = sum_h p(x_0 | x_1) ... p(x_{L-1} | x_L) p(x_L, x_{L+1}),    the last factor the RBM's

Going up is another set of weights, q(x_{l+1} | x_l): the recognition model. Each directed layer is a `Machine` of two
layers of which one conditional is used.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from genjax.boltzmann.machine import Machine, fields, marginal
from genjax.boltzmann.machine import mean as mean_of
from genjax.boltzmann.units import Unit


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DBN:
    """A deep belief network as a value, lowest layer first.

    - `generation[l]`: p(layer l | layer l + 1) is that of this machine; its upper biases are not used.
    - `recognition[l]`: q(layer l + 1 | layer l) is that of this machine; its lower biases are not used.
    - `top`: the RBM of the two highest layers.
    """

    generation: tuple[PyTree, ...]
    recognition: tuple[PyTree, ...]
    top: PyTree

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each layer, lowest first."""
        return (*(machine.sizes[0] for machine in self.generation), *self.top.sizes)


def stacked(machines: tuple[Machine, ...]) -> DBN:
    """The network of a stack of RBMs, each trained on what the one below makes of the data: up and down are tied."""
    return DBN(machines[:-1], machines[:-1], machines[-1])


def upward(key: Key[Array, ""], network: DBN, x: Float[Array, "batch visible"]) -> tuple[Array, ...]:
    """The images drawn upwards through the recognition model: every layer up to the top RBM's lower one."""
    states = [x]
    for number, machine in enumerate(network.recognition):
        field = fields(machine, (states[-1], None), 1)
        states.append(machine.units[1].sample(jax.random.fold_in(key, number), field, machine.quadratic(1)))
    return tuple(states)


def ascent(network: DBN, x: Float[Array, "batch visible"]) -> tuple[Array, ...]:
    """The fields of every layer above the lowest, each given the means of the one below: no draw, one pass upwards."""
    below, found = x, []
    for machine in (*network.recognition, network.top):
        found.append(fields(machine, (below, None), 1))
        below = machine.units[1].mean(found[-1], machine.quadratic(1))
    return tuple(found)


def as_machine(network: DBN) -> Machine:
    """The recognition model's weights and biases as those of one machine: its pass upwards is the network's."""
    machines = (*network.recognition, network.top)
    units = (machines[0].units[0], *(machine.units[1] for machine in machines))
    biases = (machines[0].biases[0], *(machine.biases[1] for machine in machines))
    return Machine(tuple(machine.weights[0] for machine in machines), biases, units)


def downward(
    key: Key[Array, ""], network: DBN, x: Float[Array, "batch units"], expect: bool = True
) -> tuple[Array, ...]:
    """States of the top RBM's lower layer drawn downwards, lowest first; the visible layer expected, or drawn too."""
    states = [x]
    for number in reversed(range(len(network.generation))):
        machine = network.generation[number]
        above = (None, states[-1])
        if number == 0 and expect:
            states.append(mean_of(machine, above, 0))
        else:
            field = fields(machine, above, 0)
            states.append(machine.units[0].sample(jax.random.fold_in(key, number), field, machine.quadratic(0)))
    return tuple(reversed(states))


def log_probability(unit: Unit, x: Array, field: Array, quadratic: Array | None) -> Float[Array, "*batch"]:
    """log p(x) of a layer of units of this type at a field, `(*batch,)` nats."""
    own = jnp.sum(field * x, axis=-1) - unit.energy(x, quadratic)
    return own - jnp.sum(unit.cumulant(field, quadratic), axis=-1)


def log_up(network: DBN, states: tuple[Array, ...]) -> Float[Array, "*batch"]:
    """log q of all layers above the lowest, given it."""
    total = jnp.zeros((), jnp.float32)
    for machine, lower, upper in zip(network.recognition, states, states[1:]):
        total += log_probability(machine.units[1], upper, fields(machine, (lower, None), 1), machine.quadratic(1))
    return total


def log_down(network: DBN, states: tuple[Array, ...]) -> Float[Array, "*batch"]:
    """log p of all directed layers, given the top RBM's lower layer (the last of `states`)."""
    total = jnp.zeros((), jnp.float32)
    for machine, lower, upper in zip(network.generation, states, states[1:]):
        total += log_probability(machine.units[0], lower, fields(machine, (None, upper), 0), machine.quadratic(0))
    return total


def log_weight(key: Key[Array, ""], network: DBN, x: Float[Array, "batch visible"]) -> Float[Array, " batch"]:
    """log p*(x, h) / q(h | x) at one draw of h from q, `(batch,)` nats, the top RBM unnormalised.

    Its mean over draws is the variational bound; the log of the mean of its exponentials over many draws is a higher
    one, which tends to log p*(x) (importance sampling; Burda, Grosse and Salakhutdinov 2016).
    """
    return log_weight_of(network, upward(key, network, x))


def log_weight_of(network: DBN, states: tuple[Array, ...]) -> Float[Array, " batch"]:
    """log p*(x, h) / q(h | x) at given states, `(batch, units)` from the image up to the top RBM's lower layer."""
    return log_down(network, states) + marginal(network.top, (states[-1], None), 1) - log_up(network, states)
