"""Mean field: the factorised distribution over the hidden layers that is nearest to the posterior, and its bound.

For a machine whose hidden layers are coupled, p(hidden | data) has no closed form. The factorised q of each unit is its
own type at some field, and a unit's best field given the others is what their means send to it, so parities are
updated in turn (Salakhutdinov and Hinton 2009, section 3.2). Where no two unknown layers touch, one pass is exact.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.boltzmann.machine import Machine, States, fields, marginal, own_terms, product


class Posterior(NamedTuple):
    """q of every hidden unit, and how it was got.

    - `fields`: one array a layer, `(*batch, units)`, at which each unit's type stands; None for layers that are known.
    - `iterations`: rounds through both parities.
    - `residual`: the largest change of a mean in the last of them.
    """

    fields: States
    iterations: Int[Array, ""]
    residual: Float[Array, ""]


def coupled(machine: Machine, data: States) -> bool:
    """Whether two unknown layers touch, so that the posterior has no closed form."""
    neighbours = zip(data, data[1:], machine.weights)
    return any(lower is None and upper is None and w is not None for lower, upper, w in neighbours)


def conditional(machine: Machine, data: States) -> Machine:
    """The unknown layers' own machine: what known ones send is in its biases, `(*batch, units)`, one for each state."""
    biases = list(machine.biases)
    weights = list(machine.weights)
    for layer, w in enumerate(machine.weights):
        lower, upper = data[layer], data[layer + 1]
        if w is None or (lower is None and upper is None):
            continue
        weights[layer] = None
        if lower is not None and upper is None:
            biases[layer + 1] = biases[layer + 1] + product(lower, w)
        elif upper is not None and lower is None:
            biases[layer] = biases[layer] + product(upper, w, down=True)
    return dataclasses.replace(machine, weights=tuple(weights), biases=tuple(biases))


def recognition(machine: Machine, data: States) -> States:
    """Fields of the unknown layers after one pass upwards, twice what comes from below where nothing is yet above.

    It stands in for the layer above, whose message is then about as large (Salakhutdinov and Hinton 2009).
    """
    passed: list[Array | None] = [None] * machine.depth
    below = data[0]
    for layer in range(1, machine.depth):
        if data[layer] is not None:
            below = data[layer]
            continue
        above = layer + 1 < machine.depth and machine.weights[layer] is not None
        message = product(below, machine.weights[layer - 1])
        field = machine.biases[layer] + message
        if above:
            known = data[layer + 1]
            field = field + (message if known is None else product(known, machine.weights[layer], down=True))
        passed[layer] = field
        below = machine.units[layer].mean(field, machine.quadratic(layer))
    return tuple(passed)


def means(machine: Machine, data: States, fields: States) -> States:
    """Expected state under q; known layers as they are."""
    return tuple(
        x if field is None else unit.mean(field, machine.quadratic(layer))
        for layer, (x, field, unit) in enumerate(zip(data, fields, machine.units))
    )


def mean_field(
    machine: Machine, data: States, iterations: int = 50, tolerance: float = 1e-4, damping: float = 0.0
) -> Posterior:
    """q of the layers where `data` is None (the lowest layer is known), started from the recognition pass.

    Rounds go on until no mean changes by more than `tolerance`, at most `iterations` of them. `damping` is the share
    of the old field that stays: without it the bound never falls, with it rounds do not oscillate together.
    """
    rest = conditional(machine, data)

    def one(carry: tuple[Array, States, States, Array]) -> tuple[Array, States, States, Array]:
        count, old, before, _ = carry
        new, now = _round(machine, rest, data, old, before, damping)
        changes = [jnp.max(jnp.abs(a - b)) for a, b, known in zip(now, before, data) if known is None]
        return count + 1, new, now, jnp.max(jnp.stack(changes))

    first = recognition(machine, data)
    field = next(x for x in first if x is not None)
    far = jnp.full_like(field, jnp.inf, shape=())  # of the field's type, which in `shard_map` tells that devices differ
    start = (jnp.zeros((), jnp.int32), first, means(machine, data, first), far)
    count, found, _, residual = jax.lax.while_loop(
        lambda carry: (carry[0] < iterations) & (carry[3] > tolerance), one, start
    )
    return Posterior(found, count, residual)


def unrolled(machine: Machine, data: States, rounds: int) -> States:
    """The fields of q after this many rounds from the recognition pass; unlike `mean_field`, it has a gradient."""
    rest, fields = conditional(machine, data), recognition(machine, data)
    state = means(machine, data, fields)
    for _ in range(rounds):
        fields, state = _round(machine, rest, data, fields, state)
    return fields


def _round(
    machine: Machine, rest: Machine, data: States, old: States, before: States, damping: float = 0.0
) -> tuple[States, States]:
    """New fields and means of the unknown layers, the odd ones first; `rest` is their own machine."""
    new, now = list(old), list(before)
    for layer in [layer for parity in (1, 0) for layer in machine.layers(parity) if data[layer] is None]:
        field = jnp.broadcast_to(fields(rest, tuple(now), layer), old[layer].shape)
        new[layer] = field + damping * (old[layer] - field)
        now[layer] = machine.units[layer].mean(new[layer], machine.quadratic(layer))
    return tuple(new), tuple(now)


def bound(machine: Machine, data: States, fields: States) -> Float[Array, "*batch"]:
    """Lower bound of log p*(data), the unknown layers summed out, `(*batch,)` nats: E_q[-E] plus the entropy of q.

    Exact where q is. Less log Z, it is the bound of the log-likelihood.
    """
    state = means(machine, data, fields)
    total = own_terms(machine, state, [layer for layer, field in enumerate(fields) if field is None])
    for layer, field in enumerate(fields):
        if field is not None:  # its own energy is in q as in the machine
            own = jnp.sum((machine.biases[layer] - field) * state[layer], axis=-1)
            total += own + jnp.sum(machine.units[layer].cumulant(field, machine.quadratic(layer)), axis=-1)
    for lower, w, upper in zip(state, machine.weights, state[1:]):
        if w is not None:
            total += jnp.sum(product(lower, w) * upper, axis=-1)
    return total


def log_density(machine: Machine, data: States) -> Float[Array, "*batch"]:
    """log p*(data), the unknown layers summed out, `(*batch,)` nats: exact where no two of them touch, else the bound.

    Where it is exact, the odd layers are those unknown.
    """
    return (
        bound(machine, data, mean_field(machine, data).fields) if coupled(machine, data) else marginal(machine, data, 1)
    )
