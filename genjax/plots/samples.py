"""Samples: along chains, in sheets, by their labels, while a generator learns; and the ladder of a tempered kernel."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.ticker import MaxNLocator

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
    swap_rates: Float[np.ndarray, " pairs"],
    round_trips: Int[np.ndarray, " chains"],
    rounds: int,
    title: str,
    betas: Float[np.ndarray, " machines"] | None = None,
) -> Figure:
    """A ladder of machines between which chains swap: how often neighbours do, and how far replicas get.

    `swap_rates` are mean acceptance probabilities (NaN for a pair that never tried), `round_trips` those that each
    chain's replicas completed in so many rounds. Beside them stands how many the swap rates allow where sweeps
    forget: 1 / (2 + 2 sum_k r_k / (1 - r_k)) a round, r the rejection rates (Syed et al. 2022).
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    rates, trips = figure.subplots(1, 2)
    edges = np.arange(len(swap_rates) + 1) if betas is None else betas
    rates.stairs(swap_rates, edges, fill=True, alpha=0.4)
    rates.stairs(swap_rates, edges, color="C0")
    rates.set(ylim=(0, 1), ylabel="swap rate (mean acceptance probability)", title="swaps of neighbours")
    rates.set_xlabel("number of the machine" if betas is None else "inverse temperature")
    counts = np.bincount(round_trips)
    trips.bar(np.arange(len(counts)), counts, width=0.9)
    most = best_round_trips(swap_rates, rounds)
    trips.axvline(most, color="black", linestyle="--", linewidth=1, label="expected where sweeps forget")
    trips.set(xlabel=f"round trips of a chain's replicas in {rounds} rounds", ylabel="chains", title="round trips")
    for axis in (trips.xaxis, trips.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    trips.legend(fontsize=8)
    barrier = float(np.nansum(1 - swap_rates))
    figure.suptitle(plain(title))
    figure.supxlabel(
        f"{len(swap_rates) + 1} machines; communication barrier {barrier:.2f}, for which about "
        f"{max(2, round(2 * barrier))} are best",
        fontsize=9,
    )
    return figure


def best_round_trips(swap_rates: Float[np.ndarray, " pairs"], rounds: int) -> float:
    """Round trips of one chain's replicas in so many rounds, if sweeps forget where they were; 0 where a pair never
    swaps."""
    tried = swap_rates[np.isfinite(swap_rates)].astype(np.float64)
    if np.any(tried <= 0):
        return 0.0
    return float(rounds / (2 + 2 * np.sum((1 - tried) / tried)))
