"""What the configs of all models share: their `Model`, their bare algorithm, and how one is made of options."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from genjax.training.options import build, options
from genjax.typing import Algorithm, Example, Hyper, Model

Made = TypeVar("Made")


class Config:
    """Mixed into the frozen dataclass that holds a model's sizes and learning."""

    model: ClassVar[Model]

    def algorithm(self, steps: int, example: Example, **settled: Any) -> tuple[Algorithm, Hyper]:
        """The learner of the last stage and its rates for a run of `steps`, for a loop of one's own.

        `settled` is what else the data decide, such as the `shape` and the `classes` of images (`Model.settle`).
        Raises `UserError` where it cannot learn from the example.
        """
        last = self.model.stages(self, steps, 1, **settled)[-1]
        last.algorithm.check(example.batch)
        return last.algorithm, last.hyper


def constructor(kind: type[Made]) -> Callable[..., Made]:
    """The front door's function of a model: keyword arguments, which are the options of the command line, to a config.

    An option of a value that is chosen by its name stands beside it: `rbm(negative="trajectory", rungs=20)` is
    `rbm(negative=Trajectory(rungs=20))`. Raises `UserError` for unknown and for idle ones.
    """

    def make(**given: Any) -> Made:
        return build(kind, given)

    make.__name__ = make.__qualname__ = kind.model.name  # type: ignore[attr-defined]
    make.model_config = kind  # type: ignore[attr-defined]  # by which the table knows its rows
    lines = [f"    {option.name} ({option.default}): {option.doc}" for option in options(kind)]
    make.__doc__ = "\n".join(
        [kind.__doc__ or "", "", "Arguments, all by name (their defaults in brackets):", "", *lines]
    )
    return make
