"""Which state of a run was the best on held-out examples: one measure, smoothed, judged against its own noise.

    tracker = Tracker(model.measures, config, entries)      # `entries`: what a run that goes on has recorded so far
    numbers = tracker.follow(chunk, before, total)          # after each chunk of the last stage; for the record
    tracker.judgement()                                     # whether the last state is worse than the best

The smoothed measure is the mean of the last three values, or of the first one or two. Its noise comes from the second
differences of all values, which a trend leaves out. Where the last mean is within the noise of the best, the last state
answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from genjax.training.loop import Chunk
from genjax.typing import Measure

WINDOW = 3  # values that are averaged
LEAST = 8  # values before anything is said
LIMIT = 5.0  # standard errors: under noise alone 3 in 1,000 runs of 18 values are called worse, and 1 of 80 values
EVERY = 1000  # steps from one measure that has to be taken to the next: 5 % of the work or less


class Kept(NamedTuple):
    """A copy of a state, on the host, and the run's step that it was reached after."""

    step: int
    state: Any


class Judgement(NamedTuple):
    """How the last state compares with the best one, of which it has the step; the measure at both is smoothed."""

    metric: str
    step: int
    best: float
    last: float
    worse: bool  # the last one, by more than noise


def noise(values: Sequence[float]) -> float:
    """Standard deviation of one value about the values' trend, from the median of their second differences."""
    second = np.abs(np.diff(np.asarray(values, np.float64), 2))
    return float(np.median(second)) / (0.6745 * 6**0.5) if len(second) else float("inf")


def smoothed(values: Sequence[float]) -> tuple[float, float]:
    """The mean of the last three values, and its standard error."""
    return float(np.mean(values[-WINDOW:])), noise(values) / WINDOW**0.5


class Tracker:
    """Follows the first measure that there is through the last stage of a run, and keeps the state that was best."""

    def __init__(
        self,
        measures: Sequence[Measure],
        config: Any = None,
        entries: Iterable[Mapping[str, Any]] = (),
        kept: Kept | None = None,
    ):
        self.measures, self.config, self.kept = measures, config, kept
        self.measure: Measure | None = None
        self.values: list[float] = []  # higher is better
        self.step, self.best_step, self.best = 0, 0, -np.inf
        for entry in entries:
            if "stage" not in entry:  # those of the last stage name none
                self.add(entry["step"], entry)

    def add(self, step: int, metrics: Mapping[str, Any]) -> bool:
        """What is measured after a step, if anything is; whether it is the best so far."""
        self.measure = self.measure or next((m for m in self.measures if m.metric in metrics), None)
        value = np.nan if self.measure is None else metrics.get(self.measure.metric, np.nan)
        if self.measure is None or not np.isfinite(value):
            return False
        self.values.append(value if self.measure.higher else -value)
        self.step = step
        now = smoothed(self.values)[0]
        if not now > self.best:
            return False
        self.best_step, self.best = step, now
        return True

    def follow(self, chunk: Chunk, before: int, total: int) -> dict[str, float]:
        """Count in a chunk of the last stage, which has `total` steps after the `before` of earlier stages; what had to
        be taken for it, for the record."""
        taken = self._taken(chunk, total)
        if self.add(before + chunk.step, chunk.metrics | taken):
            self.kept = Kept(self.step, jax.tree.map(np.array, chunk.state))  # a copy: its buffers are given away
        return taken

    def _taken(self, chunk: Chunk, total: int) -> dict[str, float]:
        """By the first measure, where `observe` does not report it, and where enough steps lie before the end."""
        first = next((m for m in self.measures if (m.needs if m.take else m.metric) in chunk.metrics), None)
        since = chunk.step - len(next(iter(chunk.steps.values()), ()))
        due = chunk.step // EVERY > since // EVERY or chunk.step == total
        if first is None or first.take is None or total < LEAST * EVERY or not due:
            return {}
        return first.take(self.config, chunk.state, chunk.metrics)

    def judgement(self) -> Judgement | None:
        """None before enough is measured."""
        if self.measure is None or len(self.values) < LEAST:
            return None
        (last, error), sign = smoothed(self.values), 1 if self.measure.higher else -1
        worse = self.best - last > LIMIT * 2**0.5 * error
        return Judgement(self.measure.metric, self.best_step, sign * self.best, sign * last, worse)

    def waited(self) -> int:
        """Steps since the best; 0 before enough is measured."""
        return 0 if self.judgement() is None else self.step - self.best_step
