"""Series of numbers: files, windows of lagged values, stretches held out of them, and a made-up series."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.integrate import solve_ivp

from genjax.data.dataset import Dataset
from genjax.errors import UserError


class Scale(NamedTuple):
    """How a series is standardised: by the mean and the standard deviation of what may be learned from."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, series: Float[np.ndarray, " time"]) -> "Scale":
        """That of these values. Raises `UserError` where they are all the same."""
        if not series.std() > 0:
            raise UserError("`series` holds one value alone; there is nothing to predict.")
        return cls(float(series.mean()), float(series.std()))

    def standard(self, series: Any) -> Any:
        """Values with mean 0 and deviation 1, float32."""
        return ((series - self.mean) / self.deviation).astype(np.float32)

    def original(self, values: Any) -> Any:
        """The way back."""
        return self.mean + self.deviation * values


def read(path: str | Path) -> Float[np.ndarray, " time"]:
    """A file with one number a line, float64. Raises `UserError` where it is none."""
    try:
        series = np.loadtxt(path, dtype=np.float64, ndmin=1)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as one number a line: {error}") from error
    if series.ndim != 1 or len(series) < 2 or not np.isfinite(series).all():
        raise UserError(f"{path} is no series: give a file of finite numbers, one a line.")
    return series


def windows(
    series: Float[np.ndarray, " time"], lag: int
) -> tuple[Float[np.ndarray, "windows lag"], Float[np.ndarray, "windows 1"]]:
    """All runs of `lag` values, oldest first, and the value after each: `time - lag` of them."""
    if not 0 < lag < len(series):
        raise UserError(f"`lag` {lag}: give a number from 1 to {len(series) - 1}, below the series' length.")
    rows = np.lib.stride_tricks.sliding_window_view(series, lag + 1)
    return rows[:, :-1].copy(), rows[:, -1:].copy()


def apart(time: int, lag: int, start: int, length: int) -> Bool[np.ndarray, " windows"]:
    """Which windows hold no value of the stretch from `start` on, neither as an input nor as the target."""
    first = np.arange(time - lag)
    return (first + lag < start) | (first >= start + length)


def stretches(time: int, first: int, length: int, count: int) -> list[int]:
    """Where `count` stretches of this length begin, evenly spread from `first` to the end of the series."""
    if time - first < length:
        raise UserError(f"A series of {time} values has no room for a stretch of {length} after the first {first}.")
    return np.linspace(first, time - length, count).round().astype(int).tolist()


def pasts(
    series: Float[np.ndarray, " time"], lag: int, starts: Sequence[int], steps: int
) -> tuple[Float[np.ndarray, "starts lag"], Float[np.ndarray, "starts steps"]]:
    """The `lag` values before each start, and the `steps` from there on."""
    before = np.stack([series[start - lag : start] for start in starts])
    return before, np.stack([series[start : start + steps] for start in starts])


def held_out(series: Float[np.ndarray, " time"], lag: int, starts: Sequence[int], length: int) -> list[Dataset]:
    """For each stretch the windows that do not touch it, to learn from; there are no other splits."""
    x, y = windows(series, lag)
    sets = []
    for start in starts:
        kept = apart(len(series), lag, start, length)
        sets.append(Dataset.from_arrays(x[kept], y[kept], test=0, validation=0, name="series"))
    return sets


def laser(time: int, seed: int = 0) -> Float[np.ndarray, " time"]:
    """A made-up laser: the intensity x^2 of the Lorenz equations, whole numbers from 0 to 255, about 8 a pulse.

    A single-mode laser obeys them (Haken 1975), the ammonia laser of the Santa Fe competition nearly so (Huebner,
    Abraham and Weiss 1989).
    """
    start = np.array([5.0, 5.0, 15.0]) + np.random.default_rng(seed).normal(size=3)
    times = 40 + 0.4 * np.arange(time)
    slope = lambda _, s: (2 * (s[1] - s[0]), s[0] * (15 - s[2]) - s[1], s[0] * s[1] - 0.25 * s[2])  # noqa: E731
    values = solve_ivp(slope, (0, times[-1]), start, t_eval=times, rtol=1e-6).y[0] ** 2
    return np.round(255 * values / values.max())
