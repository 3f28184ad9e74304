"""A corpus of damaged inputs, made anew each time by functions that always give the same bytes."""

from tests.damage import arrays, configs, images, matrices, options, ratings, runs
from tests.damage.case import Case

CASES: tuple[Case, ...] = tuple(
    case for part in (matrices, images, ratings, options, configs, runs, arrays) for case in part.cases()
)
