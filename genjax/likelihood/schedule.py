"""How many temperatures, where, and how many chains: all from one short pilot run along the path.

Where transitions mix well, the increments of a log weight are independent and the standard deviation of each is
proportional to the length of its step in the Fisher metric. Steps of equal length then give the least variance for
their number K (Gelman and Meng 1998; Neal 2001, section 4), which is S^2 / K with S the length of the path.

The final run has a key of its own: an estimate with temperatures fitted to its own noise would not be unbiased.
"""

import jax
import numpy as np
from jaxtyping import Array, Key

from genjax.likelihood.ais import Annealed, Path, forward_log_z, temperatures, upward
from genjax.random import subkey
from genjax.typing import Progress

PILOT_TEMPERATURES, PILOT_CHAINS = 1000, 100  # a fiftieth of a default run
BEST_VARIANCE, MOST_VARIANCE = 0.25, 0.5  # of the log weights; above, the cost for one standard error grows
FEWEST, MOST_CHAINS = 100, 1000  # temperatures and chains; an interval needs some, the memory bears so many
MARGIN = 0.8  # of the standard error is aimed for: a run that misses it by a hair costs another
MOST_SWEEPS = 10**8  # sweeps of single chains: the stated cap of a run to a standard error, 20 default runs


def unadapted(path: Path, count: int) -> np.ndarray:
    """`count` betas before anything is known: `temperatures` on a plain path, evenly spaced on one with inner knots."""
    return temperatures(count) if len(path) == 2 else np.linspace(0, 1, count)


def pilot(key: Key[Array, ""], path: Path, progress: Progress | None = None) -> Annealed:
    """A short run up the path, from which `adapted` and `to_standard_error` learn."""
    return upward(subkey(key, "pilot"), path, unadapted(path, PILOT_TEMPERATURES), PILOT_CHAINS, progress)


def adapted(run: Annealed, count: int) -> np.ndarray:
    """`count` betas from 0 to 1 whose increments have one standard deviation, as far as a run up the path can tell.

    Between the betas of the run, the deviation is taken as proportional to the step.
    """
    lengths = np.maximum(run.deviations, 1e-9 * run.deviations.sum())  # keeps their sum strictly rising
    length = np.concatenate([[0.0], np.cumsum(lengths)])
    betas = np.interp(np.linspace(0, 1, count), length / length[-1], run.betas)
    betas[0], betas[-1] = 0.0, 1.0
    return betas


def sizes(spread: float, standard_error: float) -> tuple[int, int]:
    """Temperatures K and chains n after which the standard error of log Z should be this, in nats.

    `spread` is S^2, the variance of the log weights times the number of temperatures; with s^2 = S^2 / K and normal
    log weights the standard error is sqrt((exp(s^2) - 1) / n). The product K n is least for many temperatures and few
    chains, and hardly grows up to s^2 = 1/4.
    """
    chains = int(np.clip(np.ceil(np.expm1(BEST_VARIANCE) / standard_error**2), FEWEST, MOST_CHAINS))
    variance = min(np.log1p(chains * standard_error**2), MOST_VARIANCE)
    return max(FEWEST, int(np.ceil(spread / variance))), chains


def to_standard_error(
    key: Key[Array, ""],
    path: Path,
    standard_error: float,
    first: Annealed,
    progress: Progress | None = None,
    most_sweeps: int = MOST_SWEEPS,
) -> tuple[Annealed, str]:
    """AIS with a standard error of log Z of at most so many nats, and a note on it; `first` is a pilot run.

    The temperatures are doubled until the measured standard error is small enough, or until another doubling would
    take more than `most_sweeps` sweeps of single chains; the note says which. Only the last run counts, but stopping
    at it favours those that look precise: a bias of second order in the standard error.
    """
    spread = float(np.var(first.log_weights, ddof=1)) * len(first.deviations)
    count, chains = sizes(spread, MARGIN * standard_error)
    count = max(2, min(count, most_sweeps // chains))
    attempt = 0
    while True:
        here = jax.random.fold_in(subkey(key, "precision"), attempt)
        run = upward(here, path, adapted(first, count), chains, progress)
        error = forward_log_z(run).standard_error
        if error <= standard_error:
            return run, f"; standard error {error:.2g}, asked for {standard_error:g}"
        if 2 * count * chains > most_sweeps:
            return (
                run,
                f"; standard error {error:.2g}, NOT the {standard_error:g} asked for: {most_sweeps:.0e} sweeps at most",
            )
        count, attempt = 2 * count, attempt + 1
