"""Samples: along chains, in sheets, by their labels, while a generator learns; and the ladder of a tempered kernel."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from genjax.plots import images
from genjax.plots.figure import Figure
from genjax.plots.heat_maps import Shape
from genjax.plots.text import plain

MOST_CHAINS, MOST_IMAGES, MOST_OF_LABEL = 20, 400, 20  # that are shown


def chains(
    samples: Float[np.ndarray, "chains times pixels"], sweeps: Sequence[int], shape: Shape, title: str
) -> Figure:
    """Chains as rows, time as columns: values in [0, 1] after these numbers of sweeps."""
    rows = {str(number): chain for number, chain in enumerate(samples[:MOST_CHAINS], 1)}
    return images.rows_of_images(rows, shape, title, [str(count) for count in sweeps], ("sweeps", "chain"))


def sheet(samples: Float[np.ndarray, "samples pixels"], shape: Shape, title: str, caption: str = "") -> Figure:
    """Independent samples in a square; `caption` says what the pixels are."""
    return images.sheet(samples[:MOST_IMAGES], shape, title, caption)


def by_label(
    samples: Float[np.ndarray, "samples pixels"],
    labels: Int[np.ndarray, " samples"],
    names: Sequence[str],
    shape: Shape,
    title: str,
) -> Figure:
    """One row a label: its first samples, below each other in the order of the labels; `names[label]` is its name."""
    rows = {names[int(label)]: samples[labels == label][:MOST_OF_LABEL] for label in np.unique(labels)}
    return images.rows_of_images(rows, shape, title, labels=("", "label"))


def film(frames: Float[np.ndarray, "frames latents pixels"], steps: Sequence[int], shape: Shape, title: str) -> Figure:
    """What a generator made of the same latents after these numbers of training steps, a row each."""
    rows = {str(step): frame for step, frame in zip(steps, frames, strict=True)}
    return images.rows_of_images(rows, shape, title, labels=("the same latent in each column", "training steps"))


def ladder(
    swap_rate: Float[np.ndarray, " pairs"],
    round_trip_rate: float,
    title: str,
    betas: Float[np.ndarray, " machines"] | None = None,
) -> Figure:
    """A ladder of machines between which chains swap: how often neighbours do, and how often replicas travel it.

    `swap_rate` are mean acceptance probabilities (NaN for a pair that never tried), `round_trip_rate` the round trips a
    sweep and chain, beside what the swap rates allow (`expected_round_trips`). `betas` are the machines' inverse
    temperatures where they differ in that; without them neighbours are numbered.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rates, trips = figure.subplots(1, 2, width_ratios=[2, 1])
    edges = np.arange(len(swap_rate) + 1) if betas is None else betas
    rates.stairs(swap_rate, edges, fill=True, alpha=0.4)
    rates.stairs(swap_rate, edges, color="C0")
    rates.set(ylim=(0, 1), ylabel="mean acceptance probability", title="swaps of neighbours")
    rates.set_xlabel("number of the machine" if betas is None else "inverse temperature")
    expected = expected_round_trips(swap_rate)
    trips.bar(["measured", "expected where\nsweeps forget"], [round_trip_rate, expected], color=["C0", "grey"])
    trips.set(ylabel="per sweep and chain", title="round trips")
    trips.tick_params("x", labelsize=8)
    barrier = float(np.nansum(1 - swap_rate))
    figure.suptitle(plain(title))
    best = max(2, round(2 * barrier))
    caption = f"{len(edges)} machines; communication barrier {barrier:.2f}, for which about {best} are best"
    figure.supxlabel(caption, fontsize=9)
    return figure


def expected_round_trips(swap_rate: Float[np.ndarray, " pairs"]) -> float:
    """Round trips of all replicas, a round of swaps and chain, if sweeps forget where a replica was.

    1 / (2 + 2 sum_k r_k / (1 - r_k)), r the rejection rates (Syed et al. 2022); 0 where a pair never swaps.
    """
    tried = swap_rate[np.isfinite(swap_rate)].astype(np.float64)
    if np.any(tried <= 0):
        return 0.0
    return float(1 / (2 + 2 * np.sum((1 - tried) / tried)))
