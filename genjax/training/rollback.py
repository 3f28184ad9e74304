"""Rolling back: a run that has diverged goes on from its last good state, at half the rate it had there.

What was rolled back is decided once for the run, as `{"stage": name, "step": of the stage}`, so that a run that is
resumed has the rates that it would have had: those decided after the step that it goes on from happen again.
"""

from collections.abc import Sequence
from typing import Any

MOST = 20  # rollbacks of one run: a millionth of its rate
RATES = ("learning_rate", "discriminator_learning_rate")


class RolledBack(Exception):
    """A stage of a run goes on from `step` with `state`, a copy of its own; the text says why."""

    def __init__(self, why: str, state: Any, step: int):
        super().__init__(why)
        self.state, self.step = state, step


def possible(decided: Sequence[dict[str, Any]], state: Any) -> bool:
    """Whether a run in which this was decided may be rolled back once more, and its rates be halved."""
    return len(decided) < MOST and any(name in RATES for name in state.hyper)


def halved(state: Any, times: int = 1) -> Any:
    """The state with its learning rates halved so many times."""
    rates = {name: rate * 0.5**times for name, rate in state.hyper.items() if name in RATES}
    return state._replace(hyper=state.hyper | rates)


def before(decided: Sequence[dict[str, Any]], stages: Sequence[str], stage: int, step: int) -> list[dict[str, Any]]:
    """Of the rollbacks decided of a run those that lie up to this step of this stage."""
    return [one for one in decided if (stages.index(one["stage"]), one["step"]) <= (stage, step)]
