"""How far to trust averages over chains: autocorrelation times, effective samples, Monte Carlo errors, R-hat.

`diagnose` runs a kernel and answers for it in one call. Below it are two ways to the same questions. `Blocks` go
through a scan's carry and keep O(log sweeps) numbers of each scalar, so a run may be as long as it likes (`measure`
does it for a machine). Traces `(chains, draws)` that were stored anyway are assessed by `split_r_hat`,
`effective_samples` and `bulk_effective_samples`, which answer what ArviZ answers.

All of it describes chains that have forgotten where they started: burn in first (`diagnose` leaves out the first half).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm, rankdata
from jaxtyping import Array, Float, Key, PyTree

from genjax import numerics
from genjax.boltzmann.machine import States
from genjax.random import subkey
from genjax.sampling.gibbs import GIBBS, total
from genjax.typing import Energy, Kernel

MOST_DRAWS = 1000  # of a trace that R-hat is computed from
LEVELS = 32  # blocks of 1, 2, 4, ... 2^31 sweeps: the sweeps that a uint32 can count


class Blocks(NamedTuple):
    """Every dyadic block of the sweeps so far, folded into one number a level.

    Values join their neighbours in pairs, pairs in fours and so on, as the digits of a binary counter carry. Where
    two blocks join, the squared difference of their means is what the join adds to the sum of squares about the mean
    (a Haar transform's energies): differences are taken at their own scale, so a mean of thousands costs no digits.

    - `count`: sweeps so far, a uint32 scalar.
    - `origin`: `(quantities,)`, subtracted from the values, in their units.
    - `waiting`: `(LEVELS, chains, quantities)`, the sum over the block of 2^k sweeps that waits for a neighbour, or 0.
    - `joined`: `(LEVELS, chains, quantities)`, the sum of squares that joins at level k added, in squared units.
    - `lost`: what rounding took from `joined` (Kahan 1965): at 2^24 sweeps a float32 sum would stop growing.
    """

    count: PyTree
    origin: PyTree
    waiting: PyTree
    joined: PyTree
    lost: PyTree


class Summary(NamedTuple):
    """The answer for each quantity, `(quantities,)` everywhere, all chains taken together.

    - `mean` and `variance`: of all values (n = chains x sweeps), about their common mean.
    - `autocorrelation_time`: tau = 1 + 2 sum_t rho_t in sweeps, 1 for independent draws.
    - `effective_samples`: n / tau.
    - `error`: the mean's Monte Carlo standard error, sqrt(variance tau / n), in the quantity's units.
    """

    mean: PyTree
    variance: PyTree
    autocorrelation_time: PyTree
    effective_samples: PyTree
    error: PyTree


def init_blocks(values: Float[Array, "chains quantities"]) -> Blocks:
    """No sweeps yet. `values` give the shapes and where values lie (say, those of the first state); not counted."""
    empty = jnp.zeros((LEVELS, *values.shape), jnp.float32)
    return Blocks(jnp.zeros((), jnp.uint32), jnp.mean(values, axis=0, dtype=jnp.float32), empty, empty, empty)


def add_values(blocks: Blocks, values: Float[Array, "chains quantities"]) -> Blocks:
    """One sweep more, for any scan's carry: two joins on average, however long the run."""

    def waits(carry: tuple) -> Array:
        return blocks.count >> carry[0] & 1 == 1

    def join(carry: tuple) -> tuple:
        level, block, waiting, joined, lost = carry
        gain = (block - waiting[level]) ** 2 / (2 << level).astype(jnp.float32) - lost[level]
        total = joined[level] + gain
        lost = lost.at[level].set((total - joined[level]) - gain)
        return level + 1, block + waiting[level], waiting.at[level].set(0.0), joined.at[level].set(total), lost

    value = (values - blocks.origin).astype(jnp.float32)
    start = (jnp.zeros_like(blocks.count), value, blocks.waiting, blocks.joined, blocks.lost)
    level, block, waiting, joined, lost = jax.lax.while_loop(waits, join, start)
    return Blocks(blocks.count + 1, blocks.origin, waiting.at[level].set(block), joined, lost)


@jax.jit
def summarise(blocks: Blocks) -> Summary:
    """Mean, variance, autocorrelation time, effective samples and Monte Carlo error of each quantity.

    The means of blocks of b sweeps have variance sigma^2 tau / b once b is far above tau (Flyvbjerg and Petersen 1989).
    tau is read off at the smallest b with b^3 > 2 n tau^2, where the bias that is left and the noise of few blocks
    balance (Wolff 2004; Lee et al. 2011): its relative error is about (4 / effective samples)^(1/3). Where no level
    with 16 blocks gets there (under 100 to 200 effective samples) the answer is the largest tau of any level: on the
    safe side, and chains that disagree count as one or two samples each. A quantity that never moved has tau = 1 and
    error 0; NaN where there are fewer than two values.
    """
    chains, sweeps = blocks.waiting.shape[1], blocks.count.astype(jnp.float32)
    total = chains * sweeps
    level = jnp.arange(LEVELS, dtype=blocks.count.dtype)[:, None]
    size = (jnp.ones_like(level) << level).astype(jnp.float32)
    mean = blocks.waiting.sum((0, 1)) / total
    # Sums of squares about the common mean: of the joins, and of the blocks that wait, where the count's binary
    # digits have a one. Blocks of b sweeps see what comes from their own level up.
    waits = (blocks.count >> level & 1 == 1)[:, None]
    among = jnp.where(waits, (blocks.waiting - size[:, None] * mean) ** 2 / size[:, None], 0)
    squares = jax.lax.cumsum((blocks.joined + among).sum(1), axis=0, reverse=True)
    number = chains * jnp.floor(sweeps / size)
    scaled = squares / (number - 1)  # b times the variance of the means of blocks of b
    variance = scaled[0]
    tau = jnp.where(variance == 0, 1.0, scaled / variance)
    settled = (number >= 16) & (size**3 > 2 * total * tau**2)
    first = jnp.take_along_axis(tau, jnp.argmax(settled, axis=0)[None], axis=0)[0]
    longest = jnp.max(jnp.where(number >= 2, tau, tau[0]), axis=0)
    tau = jnp.where(settled.any(0), first, longest)
    return Summary(blocks.origin + mean, variance, tau, total / tau, jnp.sqrt(variance * tau / total))


def energy_and_projections(machine: Energy, states: States) -> Float[Array, "chains quantities"]:
    """The joint energy (nats) and four projections of the visible layer on fixed random directions of unit length."""
    # One key for all: runs and samplers of machines of one size are compared along the same directions.
    shape = (states[0].shape[-1], 4)
    directions = jax.random.normal(jax.random.key(0, impl="threefry2x32"), shape, jnp.float32)
    directions /= jnp.linalg.norm(directions, axis=0)
    projections = numerics.exact(states[0], directions)
    return jnp.concatenate([machine.energy(states)[:, None], projections], axis=-1)


Observer = Callable[[Any, States], Float[Array, "..."]]
"""`observe(machine, states)` returns `(chains, quantities)`."""


@partial(jax.jit, static_argnames=("sweeps", "observe", "kernel"))
def measure(
    key: Key[Array, ""],
    machine: Energy,
    states: States,
    sweeps: int,
    observe: Observer = energy_and_projections,
    kernel: Kernel = GIBBS,
) -> tuple[States, Summary]:
    """The chains of `gibbs.sample` with this key and kernel, assessed on the way: the last states and the `Summary`.

    `observe` is called after every sweep. Memory does not depend on `sweeps`.
    """
    state = kernel.init(subkey(key, "init"), machine, states)

    def one(carry: tuple[Any, Blocks], _: None) -> tuple[tuple[Any, Blocks], None]:
        state, blocks = carry
        state, _ = kernel.step(key, machine, state, 1, first=blocks.count)
        return (state, add_values(blocks, observe(machine, kernel.states(state)))), None

    (state, blocks), _ = jax.lax.scan(one, (state, init_blocks(observe(machine, states))), length=sweeps)
    return kernel.states(state), summarise(blocks)


@partial(jax.jit, static_argnames=("sweeps", "kernel", "observe"))
def diagnose(
    key: Key[Array, ""],
    machine: Energy,
    states: States,
    sweeps: int,
    kernel: Kernel = GIBBS,
    observe: Observer = energy_and_projections,
    clamp: PyTree = None,
) -> tuple[States, dict[str, Array]]:
    """The last states of `gibbs.sample` with these arguments, and how far to trust them.

    The first half of the sweeps is burn-in and left out. Of several quantities (by default the energy and four random
    projections of the visible layer) the worst is reported:

    - `r_hat`: rank-normalised split R-hat (`split_r_hat`) of at most 1000 draws a chain; above 1.01 the chains have
      not mixed. NaN where nothing moves, or of fewer than 4 draws.
    - `effective_samples`: of all chains together, worth so many independent states.
    - `autocorrelation_time`: in sweeps, 1 for independent states.

    A kernel with a ladder adds what `tempering.Tempered.summary` says: swap rates, round trips, temperatures.
    """
    every = max(1, -(-(sweeps - sweeps // 2) // MOST_DRAWS))
    draws = (sweeps - sweeps // 2) // every
    burn_in = sweeps - draws * every
    state = kernel.init(subkey(key, "init"), machine, states)
    state, _ = kernel.step(key, machine, state, burn_in, clamp=clamp)

    def sweep(carry: tuple[Any, Blocks], _: None) -> tuple[tuple[Any, Blocks], PyTree]:
        state, blocks = carry
        state, info = kernel.step(key, machine, state, 1, clamp=clamp, first=burn_in + blocks.count)
        return (state, add_values(blocks, observe(machine, kernel.states(state)))), info

    def draw(carry: tuple[Any, Blocks], _: None) -> tuple[tuple[Any, Blocks], tuple]:
        carry, infos = jax.lax.scan(sweep, carry, length=every)
        return carry, (observe(machine, kernel.states(carry[0])), total(infos))

    start = (state, init_blocks(observe(machine, kernel.states(state))))
    (state, blocks), (traces, infos) = jax.lax.scan(draw, start, length=draws)
    summary = summarise(blocks)
    answer = {
        "r_hat": jnp.max(jax.vmap(split_r_hat, 2)(jnp.swapaxes(traces, 0, 1))),
        "effective_samples": jnp.min(summary.effective_samples),
        "autocorrelation_time": jnp.max(summary.autocorrelation_time),
    }
    more = getattr(kernel, "summary", None)
    whole = answer if more is None else {**answer, **more(state, total(infos))}
    narrow = {"f": jnp.float32, "i": jnp.int32}  # also where 64 bits are enabled
    return kernel.states(state), {name: jnp.asarray(x).astype(narrow[x.dtype.kind]) for name, x in whole.items()}


@jax.jit
def split_r_hat(traces: Float[Array, "chains draws"]) -> Float[Array, ""]:
    """Rank-normalised split R-hat, the larger of the bulk's and the folded one (Vehtari et al. 2021, section 4).

    1 for chains that agree, and that agree with themselves between their halves; above 1.01 they have not mixed. The
    folded one sees chains whose spreads differ. At least 4 draws; one chain is compared by its halves. NaN where no
    value differs from another, huge where each chain is stuck at its own value.
    """
    if traces.shape[1] < 4:
        return jnp.full((), jnp.nan, jnp.float32)
    halves = _split(traces)
    folded = jnp.abs(halves - jnp.median(halves))
    return jnp.maximum(_r_hat(_normal_scores(halves)), _r_hat(_normal_scores(folded)))


@jax.jit
def effective_samples(traces: Float[Array, "chains draws"]) -> Float[Array, ""]:
    """Effective samples behind the mean of a stored scalar: n / tau over split chains.

    tau sums the autocorrelations of all chains together, the variance between chains included, by Geyer's initial
    monotone sequence (Geyer 1992, section 3.3; Vehtari et al. 2021, section 3.2). At least 4 draws; n where no
    value differs from another.
    """
    return _effective_samples(_split(traces))


@jax.jit
def bulk_effective_samples(traces: Float[Array, "chains draws"]) -> Float[Array, ""]:
    """`effective_samples` of the ranks' normal scores: it is defined for heavy tails too (Vehtari et al. 2021)."""
    return _effective_samples(_normal_scores(_split(traces)))


def _split(traces: Array) -> Array:
    """Each chain as two, an odd draw in the middle left out: `(2 chains, draws // 2)`."""
    half = traces.shape[1] // 2
    return jnp.concatenate([traces[:, :half], traces[:, -half:]])


def _normal_scores(traces: Array) -> Array:
    """Normal quantiles of the ranks among all draws, ties averaged (Vehtari et al. 2021, section 4)."""
    low = rankdata(traces).reshape(traces.shape)
    high = traces.size + 1 - low  # the rank from the other end: probabilities near 1 would round
    return jnp.sign(high - low) * norm.ppf((jnp.minimum(low, high) - 0.375) / (traces.size + 0.25))


def _r_hat(traces: Array) -> Array:
    draws = traces.shape[1]
    between, within = jnp.var(traces.mean(1), ddof=1), jnp.var(traces, axis=1, ddof=1).mean()
    return jnp.sqrt(between / within + (draws - 1) / draws)


def _effective_samples(traces: Array) -> Array:
    draws = traces.shape[1]
    traces = traces - traces[0, 0]  # float32: means of what is left lose no digits
    means = traces.mean(1, keepdims=True)
    spectrum = jnp.fft.rfft(traces - means, 2 * draws)  # twice the length: the ends do not meet
    covariance = jnp.fft.irfft(jnp.abs(spectrum) ** 2, 2 * draws)[:, :draws].mean(0) / draws
    within = covariance[0] * draws / (draws - 1)
    rho = 1 - (within - covariance) / (covariance[0] + jnp.var(means, ddof=1))
    rho = rho.at[0].set(1.0)
    # Sums of neighbours are positive and decreasing for a reversible chain; past the first that is not, it is noise.
    # The last one is never used whole, and the even half of the first one left out is, as in ArviZ.
    pairs = max((draws - 1) // 2, 1)
    sums = rho[: 2 * pairs].reshape(pairs, 2).sum(1)
    kept = (jnp.cumprod(sums > 0) > 0).at[-1].set(False)
    tau = -1 + 2 * jnp.sum(jnp.where(kept, jax.lax.cummin(sums), 0)) + jnp.maximum(rho[2 * kept.sum()], 0)
    tau = jnp.maximum(tau, 1 / jnp.log10(traces.size))
    return jnp.where(jnp.ptp(traces) == 0, traces.size, traces.size / tau)
