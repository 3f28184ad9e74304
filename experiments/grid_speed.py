"""How much faster is a grid trained side by side than scikit-learn's machines one after another?

    python -m experiments.grid_speed --data-dir DIR [--quick | --smoke] [--out DIR]

The course's grid on MNIST: learning rates 0.01 and 0.06, 10 and 20 hidden units, 10 and 20 epochs, 8 seeds: 64 runs,
PCD-1, constant rates, all 60,000 images, batch 10 (scikit-learn's default) and batch 100. genjax trains all of them as
`genjax.grid` does; of scikit-learn one epoch of each hidden size is fitted five times, and what the 64 fits would
take is extrapolated from the medians (an epoch of it takes the same time at every learning rate). Both
are then evaluated by the pseudo-log-likelihood of the test images for one setting and seed. Writes grid_speed.png,
results.jsonl and the table. Full: about 20 minutes on two cores; --quick: batch 100 only.
"""

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.neural_network import BernoulliRBM

import genjax
from benchmarks.harness import where
from experiments.common import append, mnist, options
from experiments.epoch_speed import as_machine, sklearn_rbm
from genjax import data
from genjax.likelihood.pseudo import pseudo_log_likelihood
from genjax.plots.images import save


class Scale(NamedTuple):
    """How much is tried."""

    batch_sizes: tuple[int, ...]
    epochs: tuple[int, int]
    seeds: int
    fits: int


SCALES = {
    "full": Scale((10, 100), (10, 20), 8, 5),
    "quick": Scale((100,), (10, 20), 8, 2),
    "smoke": Scale((100,), (1, 2), 2, 1),
}
RATES, HIDDEN = (0.01, 0.06), (10, 20)


def trained(images: data.Dataset, scale: Scale, batch_size: int) -> list[genjax.Run]:
    """Every run of the grid; constant rates and no averaging, as scikit-learn has it."""
    model = genjax.rbm(chains=batch_size, schedule="constant", average=0.0, weight_decay=0.0)
    axes = {"learning_rate": list(RATES), "hidden": list(HIDDEN), "epochs": list(scale.epochs)}
    return genjax.grid(model, images, **axes, seeds=scale.seeds, batch_size=batch_size, progress=False)


def sklearn_seconds(images: np.ndarray, scale: Scale, batch_size: int) -> dict[int, list[float]]:
    """Seconds of an epoch, by hidden size."""
    found: dict[int, list[float]] = {hidden: [] for hidden in HIDDEN}
    for _ in range(scale.fits):
        for hidden, seconds in found.items():
            began = time.perf_counter()
            sklearn_rbm(hidden, batch_size, 1).fit(images)
            seconds.append(time.perf_counter() - began)
    return found


def pseudo(machine: genjax.Machine, test: np.ndarray) -> float:
    """Mean exact pseudo-log-likelihood of 1000 test images, nats."""
    x = jnp.asarray(data.binarise_fixed(test[:1000], "sampled", 0))
    return float(jax.jit(pseudo_log_likelihood)(jax.tree.map(jnp.asarray, machine), (x, None)).mean())


def compare(images: data.Dataset, scale: Scale, batch_size: int) -> dict[str, Any]:
    """Seconds of the whole grid by both, and how good one of its runs is."""
    start = time.perf_counter()
    runs = trained(images, scale, batch_size)
    ours = time.perf_counter() - start
    one_epoch = sklearn_seconds(images.train, scale, batch_size)
    theirs = sum(float(np.median(one_epoch[run.config.hidden])) * (run.settings.epochs or 0) for run in runs)
    best = runs[-scale.seeds]  # seed 0 of the largest setting
    rate, hidden, epochs = best.config.learning_rate, best.config.hidden, best.settings.epochs or 0
    fitted: BernoulliRBM = sklearn_rbm(hidden, batch_size, epochs, rate).fit(images.train)
    machine = as_machine(fitted.components_.T, fitted.intercept_visible_, fitted.intercept_hidden_)
    return {
        "batch_size": batch_size,
        "runs": len(runs),
        "genjax_seconds": ours,
        "sklearn_seconds_extrapolated": theirs,
        "sklearn_epoch_seconds": one_epoch,
        "times_faster": theirs / ours,
        "setting": f"rate {rate}, {hidden} hidden, {epochs} epochs",
        "pseudo_genjax": pseudo(best.machine, images.test),
        "pseudo_sklearn": pseudo(machine, images.test),
    }


def main() -> None:
    """Both libraries at each batch size; print the table, write results and figure."""
    chosen = options(__doc__, "grid-speed", "batch 100 only", mnist=True)
    scale, images = SCALES[chosen.scale], mnist(chosen).without_validation()
    path = chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    append(path, where())
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for number, batch_size in enumerate(scale.batch_sizes):
        row = compare(images, scale, batch_size)
        append(path, row)
        seconds = (row["genjax_seconds"], row["sklearn_seconds_extrapolated"])
        print(
            f"batch {batch_size}: {row['runs']} runs, genjax {seconds[0]:.0f} s, scikit-learn {seconds[1]:.0f} s "
            f"(extrapolated): {row['times_faster']:.1f} times faster; pseudo-log-likelihood at {row['setting']}: "
            f"{row['pseudo_genjax']:.2f} against {row['pseudo_sklearn']:.2f} nats",
            flush=True,
        )
        axes.barh([2 * number, 2 * number + 0.8], seconds, 0.7, color=["C1", "C2"])
    names = [f"{name}, batch {b}" for b in scale.batch_sizes for name in ("genjax", "scikit-learn")]
    axes.set_yticks([2 * n + d for n in range(len(scale.batch_sizes)) for d in (0, 0.8)], names)
    axes.invert_yaxis()
    axes.set(xlabel="seconds for the whole grid", title="64 RBMs on MNIST (scikit-learn extrapolated)")
    print(save(figure, chosen.out / "grid_speed.png"))


if __name__ == "__main__":
    main()
