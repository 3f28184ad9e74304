"""Parts of test images removed and filled in by a run: the errors, and pictures of them side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.api.run import Run
from genjax.evaluation.reconstruction import errors, missing_mask, region
from genjax.likelihood.estimate import plain
from genjax.plots.figure import Figure
from genjax.plots.images import rows_of_images
from genjax.plots.removal import error_curves

MEASURES = {"pixel_error": "share of the removed pixels that are wrong", "squared_error": "squared error per value"}


class Removal(NamedTuple):
    """One part that was removed: where, of which share of the values, and what became of it."""

    where: str
    share: float
    numbers: dict[str, Any]
    truth: np.ndarray
    missing: np.ndarray
    filled: np.ndarray


def removals(run: Run, places: Sequence[str], images: int = 1000, sweeps: int = 400, seed: int = 0) -> list[Removal]:
    """What a run makes of test images without these parts (`top:3`, `middle:6`, `rows:5-14`, `random:0.3`)."""
    truth, mean = np.asarray(run.fixed_test(images).x), np.asarray(run.fixed_train().x).mean(0)
    masks = [missing_mask(region(where), run.image_shape, len(truth), seed) for where in places]
    answer = []
    for where, missing in zip(places, masks):
        filled = run.reconstruct(truth, missing, sweeps=sweeps, seed=seed)
        numbers = {"remove": where, "images": len(truth)} | plain(errors(truth, filled, missing, mean))
        answer.append(Removal(where, float(missing.mean()), numbers, truth, missing, filled))
    return answer


def figures(run: Run, found: Sequence[Removal], path: Path, shown: int = 16) -> dict[Path, Figure]:
    """The picture of so many images for this file and, where several parts were removed, their errors beside it."""
    if len(found) > 1:
        return {path: picture(run, found, shown), path.with_stem(f"{path.stem}-errors"): error_figure(run, found)}
    few, alone = slice(shown), found[0]
    return {path: run.plot.of_reconstructions(alone.truth[few], alone.missing[few], alone.filled[few])}


def error_figure(run: Run, found: Sequence[Removal]) -> Figure:
    """Errors against the share that was removed, a line for each place."""
    measure = next(name for name in MEASURES if name in found[0].numbers)
    places: dict[str, list[Any]] = {}
    for one in found:
        answer, of_mean = one.numbers[measure], one.numbers[f"{measure}_of_mean"]
        point = (one.share, answer["mean"], answer["examples_se"] or 0.0, of_mean["mean"])
        places.setdefault(one.where.partition(":")[0], []).append(point)
    title = f"{run.name}: removed parts of {len(found[0].truth)} test images, filled in"
    return error_curves(places, MEASURES[measure], title)


def picture(run: Run, found: Sequence[Removal], shown: int) -> Figure:
    """Test images, and below them for each part what was left of them and what was filled in."""
    truth = found[0].truth[:shown]
    rows: dict[str, np.ndarray] = {}
    for one in found:
        rows[f"without {one.where}"] = np.where(one.missing, np.nan, one.truth)[:shown]
        rows[f"{one.where} filled in"] = one.filled[:shown]
    return rows_of_images({"original": truth, **rows}, run.image_shape, f"{run.name}: parts removed and filled in")
