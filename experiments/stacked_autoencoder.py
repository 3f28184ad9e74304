"""What do pretraining and fine-tuning give a stacked autoencoder that classifies digits, or reconstructs them?

    python -m experiments.stacked_autoencoder --data-dir DIR [--quick | --smoke] [--out DIR]

Stacks of several sizes, each pair of layers trained to reconstruct what lies below it with a quarter of it masked, then
(of a classifier) a softmax layer on the frozen code ("before"), then everything together ("after"); and the same
network from scratch for the epochs of the fine-tuning ("alone"). All 60,000 training images, rectified units, Adam
along a cosine. The students of the course had 94.2 +- 0.9 % with 64-16 units; published are 98.6 % (stacked
autoencoder) to 98.7 % (denoising), with layers of 1,000 (Vincent et al. 2010). Writes stacked_autoencoder.png,
results.jsonl and the tables (mean over seeds with its 95 % interval): test accuracy, and squared error a pixel. Expect
512-256-64 at 98.4 % or better, and pretraining to help narrow codes reconstruct images, not classifiers. Full: five
seeds, about an hour on two cores; --quick: one seed of 512-256-64. --smoke: digits, seconds. A run that is interrupted
goes on.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, mnist, options
from genjax import data
from genjax.algorithms.autoencoder import measured
from genjax.evaluation.reconstruction import mean_metrics
from genjax.plots.images import save
from genjax.training import loop
from genjax.training.stages import LAST, begin, key_of
from genjax.typing import Batch

SIZES = ((64, 16), (256, 64), (512, 256, 64))
SETTINGS: dict[str, dict[str, Any]] = {
    "classify": {"linear_code": False, "corruption": "masking", "weight_decay": 1e-2},
    "reconstruct": {"linear_code": True, "corruption": "none", "weight_decay": 0.0},
}
PHASES = {"before": "pretrained", "after": "fine-tuned", "alone": "from scratch"}
TASKS = {"classify": "test accuracy (%)", "reconstruct": "squared error a pixel of test images, times 1000"}


class Scale(NamedTuple):
    """How much is tried: sizes, seeds, and epochs of each part of the pretraining and of the fine-tuning."""

    sizes: tuple[tuple[int, ...], ...]
    seeds: int
    pretraining: int
    epochs: int


SCALES = {
    "full": Scale(SIZES, 5, 5, 20),
    "quick": Scale(SIZES[-1:], 1, 5, 20),
    "smoke": Scale(((32, 16),), 2, 20, 30),
}


def scores(task: str, sizes: tuple[int, ...], seed: int, images: data.Dataset, scale: Scale) -> dict[str, float]:
    """What `TASKS` says, of each phase, and seconds."""
    training = loop.TrainingSet(jnp.asarray(images.train), jnp.asarray(images.labels.train))
    test = Batch(jnp.asarray(images.test), jnp.asarray(images.labels.test))
    plan, answer = loop.plan(len(images.train), 100, "none"), {}

    def score(state: Any) -> float:
        numbers = mean_metrics(partial(measured, model.model.parameters(state)), test)
        if task == "classify":
            return 100 * (1 - numbers["error"].mean)
        return 1000 * numbers["reconstruction_error"].mean

    for name, pretraining in (("after", scale.pretraining), ("alone", 0)):
        model = genjax.sae(layers=sizes, task=task, pretraining=pretraining, **SETTINGS[task])
        steps, settled = scale.epochs * plan.steps_per_epoch, model.model.settle(model, images)
        key, start = jax.random.key(seed), time.perf_counter()
        state: Any = None
        for stage in model.model.stages(model, steps, plan.steps_per_epoch, **settled):
            if stage.name == LAST and state is not None:
                answer["before"] = score(state)
            state = begin(key, stage, training, plan, state)
            state = loop.train(key_of(key, stage), stage.algorithm, training, plan, state, stage.steps)
        answer[name] = score(state)
        answer[f"seconds_{name}"] = time.perf_counter() - start
    return answer


def main() -> None:
    """Both tasks, all sizes, all seeds; print the tables as they grow, write results and figure."""
    chosen = options(__doc__, "stacked-autoencoder", "one seed of 512-256-64", mnist=True)
    scale, images = SCALES[chosen.scale], mnist(chosen).without_validation()
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for task, text in TASKS.items():
        print(f"{'sizes':14} {'before':>24} {'after':>24} {'alone':>24} {'after - alone':>24}   {text}")
        for sizes in scale.sizes:
            for seed in range(scale.seeds):
                about = {"task": task, "sizes": list(sizes), "seed": seed}
                if not any(about.items() <= row.items() for row in rows):
                    rows.append(about | scores(task, sizes, seed, images, scale))
                    append(path, rows[-1])
            here = [row for row in rows if (row["task"], tuple(row["sizes"])) == (task, sizes)]
            values = {name: np.array([row[name] for row in here]) for name in PHASES}
            shown = [text_of(v) for v in (*values.values(), values["after"] - values["alone"])]
            print(f"{'-'.join(map(str, sizes)):14} " + " ".join(f"{text:>24}" for text in shown), flush=True)
    print(draw(rows, chosen.out / "stacked_autoencoder.png"))


def text_of(values: np.ndarray) -> str:
    """A mean over seeds with its interval."""
    low, high = interval(values)
    return f"{values.mean():.2f}" + (f" [{low:.2f}, {high:.2f}]" if len(values) > 1 else "")


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Test errors of both tasks by size, every seed a point; the students' and the published figures as lines."""
    sizes = list(dict.fromkeys(tuple(row["sizes"]) for row in rows))
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    labels = {"classify": "error on test images (%)", "reconstruct": TASKS["reconstruct"]}
    for axes, (task, label) in zip(figure.subplots(1, 2), labels.items()):
        mine = [row for row in rows if row["task"] == task]
        for number, (name, text) in enumerate(PHASES.items()):
            errors = [100 - row[name] if task == "classify" else row[name] for row in mine]
            places = [sizes.index(tuple(row["sizes"])) + 0.2 * (number - 1) for row in mine]
            axes.plot(places, errors, "o", color=f"C{number}", label=text)
        if task == "classify":
            for error, style, text in ((5.8, ":", "students, 64-16: 5.8 %"), (1.4, "--", "Vincent et al. 2010: 1.4 %")):
                axes.axhline(error, color="grey", linestyle=style, linewidth=1, label=text)
        axes.set_xticks(range(len(sizes)), ["-".join(map(str, s)) for s in sizes])
        axes.set(xlabel="units of the layers upwards", ylabel=label, yscale="log", title=f"stacks that {task}")
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(lambda value, _: f"{value:g}")
        axes.grid(alpha=0.3)
        axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
