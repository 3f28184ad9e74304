"""What do pretraining and fine-tuning give a stacked autoencoder that tells MNIST's digits?

    python -m experiments.stacked_autoencoder --data-dir DIR [--quick | --smoke] [--out DIR]

Stacks of several sizes, each pair of layers taught to give back what lies below it from a quarter of it masked, then
a softmax layer on the frozen code ("before"), then everything together ("after"); and the same network fine-tuned
from scratch for the same epochs ("alone"). All 60,000 training images, rectified units, Adam along a cosine; the
settings were chosen on validation images. The students of the course had 94.2 +- 0.9 % with 64-16 units; published
are 98.6 % (stacked autoencoder) to 98.7 % (denoising), with layers of 1,000 (Vincent et al. 2010). Writes
stacked_autoencoder.png, results.jsonl and the table (mean over seeds with its 95 % interval). Expect 512-256-64 at
98.4 % or better. Full: 5 seeds, about 40 minutes on two cores; --quick: one seed of 512-256-64. --smoke: digits,
seconds. A run that is interrupted goes on.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.common import append, interval, lines, mnist, options
from genjax import data
from genjax.algorithms.autoencoder import AutoencoderConfig, stages, trained_model
from genjax.cli.autoencoding import measured
from genjax.plots.images import save
from genjax.training import loop
from genjax.training.stages import begin, key_of
from genjax.typing import Batch

SIZES = ((64, 16), (256, 64), (512, 256, 64))
SETTINGS = AutoencoderConfig(linear_code=False, corruption="masking", weight_decay=1e-2)
ACCURACIES = {"before": "softmax on the pretrained code", "after": "fine-tuned", "alone": "from scratch"}


class Scale(NamedTuple):
    """How much is tried: sizes, seeds, and epochs of each part of the pretraining and of the fine-tuning."""

    sizes: tuple[tuple[int, ...], ...]
    seeds: int
    pretraining: int
    epochs: int


SCALES = {
    "full": Scale(SIZES, 5, 10, 40),
    "quick": Scale(SIZES[-1:], 1, 5, 20),
    "smoke": Scale(((32, 16),), 2, 20, 30),
}


def accuracies(sizes: tuple[int, ...], seed: int, found: data.Dataset, scale: Scale) -> dict[str, float]:
    """Test accuracies with and without pretraining, and seconds."""
    training = loop.TrainingSet(jnp.asarray(found.train), jnp.asarray(found.labels.train), None)
    test = Batch(jnp.asarray(found.test), jnp.asarray(found.labels.test))
    plan = loop.plan(len(found.train), 100, "none")
    config = dataclasses.replace(SETTINGS, layers=sizes)
    classes = int(found.labels.train.max()) + 1
    answer: dict[str, float] = {}
    for name, pretraining in (("after", scale.pretraining), ("alone", 0)):
        length = (scale.epochs * plan.steps_per_epoch, pretraining * plan.steps_per_epoch)
        key, began = jax.random.key(seed), time.perf_counter()
        state: Any = None
        for stage in stages(config, *length, 1e-3, found.shape, classes):
            state = begin(key, stage, training, plan, state)
            state = loop.train(key_of(key, stage), stage.algorithm, training, plan, state, stage.steps)
            if stage.name == "softmax":
                answer["before"] = 1 - measured(trained_model(state), test)["error"]
        answer[name] = 1 - measured(trained_model(state), test)["error"]
        answer[f"seconds_{name}"] = time.perf_counter() - began
    return answer


def main() -> None:
    """All sizes for all seeds; print the table as it grows, write results and figure."""
    chosen = options(__doc__, "stacked-autoencoder", "one seed of 512-256-64", mnist=True)
    scale, found = SCALES[chosen.scale], mnist(chosen)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    print(f"{'sizes':14} {'before':>24} {'after':>24} {'alone':>24} {'after - alone':>24}   test accuracy, %")
    for sizes in scale.sizes:
        for seed in range(scale.seeds):
            if not any((tuple(row["sizes"]), row["seed"]) == (sizes, seed) for row in rows):
                row = {"sizes": list(sizes), "seed": seed, **accuracies(sizes, seed, found, scale)}
                append(path, row)
                rows.append(row)
        here = [row for row in rows if tuple(row["sizes"]) == sizes]
        values = {name: 100 * np.array([row[name] for row in here]) for name in ACCURACIES}
        shown = [text_of(v) for v in (*values.values(), values["after"] - values["alone"])]
        print(f"{'-'.join(map(str, sizes)):14} " + " ".join(f"{text:>24}" for text in shown), flush=True)
    print(draw(rows, chosen.out / "stacked_autoencoder.png"))


def text_of(values: np.ndarray) -> str:
    """A mean over seeds with its interval."""
    low, high = interval(values)
    return f"{values.mean():.2f}" + (f" [{low:.2f}, {high:.2f}]" if len(values) > 1 else "")


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Test errors by size, every seed a point, the students' and the published figures as lines."""
    sizes = list(dict.fromkeys(tuple(row["sizes"]) for row in rows))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, (name, text) in enumerate(ACCURACIES.items()):
        points = [(sizes.index(tuple(row["sizes"])) + 0.2 * (number - 1), 100 * (1 - row[name])) for row in rows]
        axes.plot(*zip(*points), "o", color=f"C{number}", label=text)
    for error, style, text in ((5.8, ":", "students, 64-16: 5.8 %"), (1.4, "--", "Vincent et al. 2010: 1.4 %")):
        axes.axhline(error, color="grey", linestyle=style, linewidth=1, label=text)
    axes.set_xticks(range(len(sizes)), ["-".join(map(str, s)) for s in sizes])
    axes.set(xlabel="units of the layers upwards", ylabel="test error (%)", yscale="log", title="Stacked autoencoders")
    axes.grid(alpha=0.3)
    axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
