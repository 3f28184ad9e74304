"""Log Z of a machine, asked in one call: exact where it can be, by AIS and reverse AIS otherwise."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax import random
from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.units import Unit
from genjax.likelihood import exact
from genjax.likelihood.ais import Path
from genjax.likelihood.bidirectional import FEWEST_CHAINS, Bracket, PathKind, Schedule, long_run, part
from genjax.likelihood.bidirectional import both as both_sides
from genjax.likelihood.bidirectional import bracket as of_both_sides
from genjax.likelihood.equilibrium import spread_out
from genjax.likelihood.estimate import exact_log_z
from genjax.likelihood.going_on import gone_on, judged
from genjax.likelihood.schedule import MOST_CHAINS
from genjax.random import subkey
from genjax.typing import Energy, Estimate, Progress

EXACT_STATES = 2**20  # seconds on two cores
FRESH_SWEEPS = 4000  # of chains that begin at the base of the path, before the sweeps that reverse AIS adds

STRANGERS = 100  # chains that begin far from everything

LogZ = tuple[Estimate, Estimate | None]
"""Both sides of log Z: exact and None, or AIS and reverse AIS."""


def log_z(machine: Energy, x: Any = None, *, seed: int = 0, **effort: Any) -> Estimate:
    """Log Z in nats: exact where the smaller side has at most 2^20 states, otherwise by AIS.

    `x` are examples `(n, visible)` from whose mean AIS begins; without them it begins at the machine's own biases.
    `effort` are the options of `log_partition`. An AIS estimate that reverse AIS contradicts is not trusted.
    """
    visible = machine.expected(machine.uncoupled().draw(random.key(seed), 1000))[0].mean(0) if x is None else _mean(x)
    return log_partition(random.key(seed), machine, visible, **effort)[0]


def bracket(machine: Energy, x: Any, *, seed: int = 0, ais_chains: int = 500, **effort: Any) -> Bracket:
    """Log Z in nats from both sides: `forward` by AIS, in expectation from below, `reverse` by reverse AIS, from above.

    `x` are examples `(n, visible)` from whose mean AIS begins, and on which the chains begin that reverse AIS starts
    from; `effort` are the other options of `likelihood.bidirectional.bracket`.
    """
    return of_both_sides(random.key(seed), machine, jnp.asarray(x, jnp.float32), chains=ais_chains, **effort)


def _mean(x: Any) -> Float[Array, " visible"]:
    return jnp.asarray(x, jnp.float32).mean(0)


def log_partition(
    key: Key[Array, ""],
    machine: Energy,
    visible: Float[Array, " visible"],
    chains: States | None = None,
    temperatures: int = 10_000,
    ais_chains: int = 500,
    standard_error: float | None = None,
    path: PathKind = "geometric",
    schedule: Schedule = "sine",
    minutes: float | None = None,
    past: Path | None = None,
    progress: Progress | None = None,
) -> LogZ:
    """Log Z in nats: exact where the smaller side has at most 2^20 states, otherwise by AIS with reverse AIS beside it.

    `visible` is the mean of the visible units, from which the path begins; other options are those of `boltzmann`. An
    estimate that is not to be trusted goes on (`likelihood.going_on`) until so many `minutes` have passed in all; None:
    it does not.
    """
    began = time.perf_counter()
    states = exact.states_to_visit(machine) if isinstance(machine, Machine) else None
    if isinstance(machine, Machine) and states is not None and states <= EXACT_STATES:
        return exact_log_z(exact.log_z(machine), f"enumeration of {states} states"), None
    count = ais_chains if standard_error is None else MOST_CHAINS
    if chains is None or chains[0].shape[0] < min(FEWEST_CHAINS, count):
        chains = fresh_chains(subkey(key, "start"), machine, visible, count, part(progress, 0.0, 0.2))
        progress = part(progress, 0.2, 1.0)
    found = both_sides(
        key,
        machine,
        visible[None],
        chains,
        temperatures,
        ais_chains,
        progress,
        path=path,
        schedule=schedule,
        standard_error=standard_error,
        most_seconds=None if minutes is None else 60 * minutes,
    )
    far = spread_out(subkey(key, "far"), machine, STRANGERS)
    strangers = None if far is None else long_run(subkey(key, "strangers"), machine, far)
    if minutes is None:
        return judged(found, strangers)
    return gone_on(subkey(key, "going on"), found, strangers, began + 60 * minutes, past, progress=progress)


def fresh_chains(
    key: Key[Array, ""],
    machine: Energy,
    visible: Float[Array, " visible"],
    chains: int,
    progress: Progress | None = None,
) -> States:
    """States of chains that begin at the base of the path, 4,000 sweeps later: `(chains, units)` a layer."""
    start = _at_base(subkey(key, "base"), machine, visible, chains)
    return long_run(subkey(key, "long run"), machine, start, FRESH_SWEEPS, progress)


@partial(jax.jit, static_argnames=("chains",))
def _at_base(key: Key[Array, ""], machine: Energy, visible: Array, chains: int) -> States:
    return machine.uncoupled(visible[None]).draw(key, chains)


def visible_mean(unit: Unit, mean: Float[Array | np.ndarray, " values"]) -> Float[Array, " visible"]:
    """The mean of visible units of this type from the mean of intensities.

    Where a value has several entries (one for each grey level), its mean does not settle the shares of the levels:
    they get those of largest entropy, exp(a level) up to a factor.
    """
    mean = jnp.asarray(mean, jnp.float32)
    if unit.width == 1:
        return unit.of_intensities(mean)
    assert unit.states is not None
    levels = unit.intensities(unit.encode(jnp.arange(unit.states)[:, None]))[:, 0]

    def shares(slope: Float[Array, " values"]) -> Float[Array, "values levels"]:
        return jax.nn.softmax(slope[:, None] * levels, -1)

    def halve(_: int | Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = jnp.sum(shares(middle) * levels, -1) < mean
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    most = jnp.full_like(mean, 20.0 * unit.states)
    low, high = jax.lax.fori_loop(0, 40, halve, (-most, most))
    return shares((low + high) / 2).reshape(-1)
