"""How good is a model whose likelihood is exact on MNIST, after how many minutes of training?

    python -m experiments.autoregressive_mnist --data-dir DIR [--quick | --smoke] [--out DIR]

NADE with 500 rectified hidden units and direct connections, pixels row by row, sampled binarisation, Adam with a rate
that falls linearly to 0, the weights averaged over the last fifth: settings are compared on the 5,000 validation images
after an epoch, and the best one then learns for 20 and is evaluated on all test images once. Beside it the
published figures: NADE -88.33 (Larochelle and Murray 2011; logistic units), MADE -86.64 (Germain et al. 2015), of one
fixed binarisation and so not of one table. Writes autoregressive_mnist.png (learning curve), samples.png (unpicked),
completions.png, results.jsonl and the table. Full: 15 minutes on one quiet core; --quick: 2 epochs. --smoke:
digits, seconds. A run that is interrupted goes on.
"""

import time
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, lines, minutes, mnist, options
from genjax.likelihood.estimate import plain
from genjax.plots.images import save

PUBLISHED = {"NADE, 2011": -88.33, "MADE, 2015": -86.64}
SETTINGS: dict[str, dict[str, Any]] = {
    "rate 0.001": {"learning_rate": 1e-3},
    "rate 0.002": {"learning_rate": 2e-3},
    "rate 0.004": {"learning_rate": 4e-3},
}


class Scale(NamedTuple):
    """How much is tried: hidden units, epochs for the choice and for the result."""

    hidden: int
    choosing: int
    epochs: int


SCALES = {"full": Scale(500, 1, 20), "quick": Scale(500, 1, 2), "smoke": Scale(12, 2, 4)}


def trained(chosen: Any, images: genjax.Dataset, name: str, hidden: int, epochs: int) -> tuple[genjax.Run, float]:
    """A run of one setting, and the processor's minutes that this call spent on it."""
    began = time.process_time()
    model = genjax.autoregressive(hidden=hidden, **SETTINGS[name])
    folder = chosen.out / f"{name.replace(' ', '-')}-{epochs}"
    run = genjax.fit(model, images, epochs=epochs, batch_size=50, out=folder, progress=False)
    return run, (time.process_time() - began) / 60


def measured(run: genjax.Run, cpu: float, about: dict[str, Any], split: str) -> dict[str, Any]:
    """Exact log-likelihoods, nats an image: of a split and of training images, under the one fixed draw."""
    dataset = run.prepared.dataset
    held_out = plain(run.log_likelihood(getattr(dataset, split)))
    train = run.log_likelihood(dataset.train[:10_000]).mean
    spent = {"minutes": minutes(run), "cpu_minutes": cpu}
    return about | {"split": split, "log_likelihood": held_out, "train": train} | spent


def main() -> None:
    """The choice, then the result; print the table as it grows, write results and figures."""
    chosen = options(__doc__, "autoregressive-mnist", "2 epochs in place of 20", mnist=True)
    scale, path, images = SCALES[chosen.scale], chosen.out / "results.jsonl", mnist(chosen)
    rows = lines(path)

    def row(name: str, epochs: int, split: str) -> dict[str, Any]:
        """From the file where it is known."""
        about = {"setting": name, "hidden": scale.hidden, "epochs": epochs}
        known = [row for row in rows if (about | {"split": split}).items() <= row.items()]
        if not known:
            run, cpu = trained(chosen, images, name, scale.hidden, epochs)
            known = [measured(run, cpu, about, split)]
            append(path, known[0])
        found = known[0]
        text, se = f"{found['log_likelihood']['mean']:.2f}", found["log_likelihood"]["examples_se"]
        spent = f"{found['minutes']:.1f} minutes ({found['cpu_minutes']:.1f} of the processor)"
        print(
            f"{name:16} {epochs:3} epochs, {split:10} {text} ({se:.2f}), train {found['train']:.2f}, {spent}",
            flush=True,
        )
        return found

    choices = [row(name, scale.choosing, "validation") for name in SETTINGS]
    best = max(choices, key=lambda found: found["log_likelihood"]["mean"])["setting"]
    print(f"chosen on validation images: {best}")
    row(best, scale.epochs, "test")
    run = genjax.load(chosen.out / f"{best.replace(' ', '-')}-{scale.epochs}", data_dir=chosen.data_dir)
    print(save(curve(run, best), chosen.out / "autoregressive_mnist.png"))
    print(save(run.plot.samples(), chosen.out / "samples.png"))
    print(save(completions(run, images), chosen.out / "completions.png"))


def curve(run: genjax.Run, name: str) -> Figure:
    """Training and validation log-likelihood against minutes, the published figures as lines."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes, history = figure.subplots(), run.history
    for metric, label in (("log_likelihood", "training"), ("held_out_log_likelihood", "validation")):
        axes.plot(history["seconds"] / 60, history[metric], label=f"{label}, the first 1,000 images", linewidth=1)
    for text, value in PUBLISHED.items():
        axes.axhline(value, color="grey", linestyle=":", linewidth=1, label=f"{text}, test: {value}")
    last = np.nanmax(history["held_out_log_likelihood"])
    axes.set(xlabel="minutes of training", ylabel="log-likelihood, exact (nats an image)", ylim=(last - 20, last + 5))
    axes.set_title(f"{run.name}: NADE, {name}", fontsize=10)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure


def completions(run: genjax.Run, images: genjax.Dataset, count: int = 10) -> Figure:
    """The first test images, their lower half missing, and three draws of it each."""
    x = (images.test[:count] > 0.5).astype(np.float32)
    height = images.shape[0]
    missing = np.zeros(images.shape[:2], bool)
    missing[height // 2 :] = True
    drawn = [run.sample(3, given=example, missing=missing.ravel(), sweeps=100, seed=i) for i, example in enumerate(x)]
    rows = [x, np.where(missing.ravel(), 0.5, x), *np.stack(drawn, 1).reshape(3, count, -1)]
    figure = Figure(figsize=(count * 0.7, len(rows) * 0.7 + 0.5), layout="constrained")
    for axes, image in zip(figure.subplots(len(rows), count).ravel(), np.concatenate(rows)):
        axes.imshow(image.reshape(images.shape[:2]), cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
    figure.suptitle(f"{run.name}: test images, what is given of them, three draws of the rest", fontsize=9)
    return figure


if __name__ == "__main__":
    main()
