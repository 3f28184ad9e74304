"""What `cnn` and `attention` share: a row for each setting and seed, their table, and their figure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np
from matplotlib.axes import Axes

import genjax
from experiments.common import append, interval, lines, mnist
from genjax import data
from genjax.data.dataset import PARTS
from genjax.networks.mlp import parameter_count

BATCH = 100
SHAPE = (28, 28, 1)


class Scale(NamedTuple):
    """How much is tried: seeds, steps of a setting, steps of the run whose test error is shown, settings of a part."""

    seeds: int
    steps: int
    final_steps: int
    settings: int | None = None


@dataclass(frozen=True)
class Setting:
    """A network and how it learns: options of `genjax.supervised`."""

    network: nn.Module
    options: dict[str, Any] = field(default_factory=dict)


def images(chosen: Any) -> data.Dataset:
    """MNIST; for a smoke test the 8x8 digits at three times their size with a border, so as large."""
    dataset = mnist(chosen)
    if chosen.scale != "smoke":
        return dataset

    def enlarged(x: np.ndarray) -> np.ndarray:
        return np.pad(np.kron(x.reshape(-1, 8, 8), np.ones((3, 3), np.float32)), ((0, 0), (2, 2), (2, 2)))

    train, *others = ((enlarged(getattr(dataset, part)), dataset.target(part)) for part in PARTS)
    return data.Dataset.from_arrays(*train, validation=others[0], test=others[1], name="digits")


def parts_option(parts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The option by which some parts are left for another call."""
    return {"--parts": {"nargs": "+", "choices": list(parts), "default": list(parts), "help": "which are trained"}}


def all_rows(chosen: Any, dataset: data.Dataset, parts: dict[str, dict[str, Setting]], scale: Scale) -> list[Any]:
    """A row for each setting and seed of the chosen parts, kept in results.jsonl, and those of earlier calls.

    Of the part "test" the error on test images after learning from all others, of other parts that on validation
    images.
    """
    path = chosen.out / "results.jsonl"
    for part in chosen.parts:
        settings = parts[part]
        for name in list(settings)[: scale.settings]:
            for seed in range(scale.seeds):
                about = {"part": part, "setting": name, "seed": seed}
                if not any(about.items() <= row.items() for row in lines(path)):
                    append(path, about | learned(chosen, dataset, settings[name], scale, about))
                row = next(row for row in lines(path) if about.items() <= row.items())
                print(f"{part:13} {name:22} seed {seed}: {spoken(row)}", flush=True)
    return lines(path)


def learned(chosen: Any, dataset: data.Dataset, setting: Setting, scale: Scale, about: dict[str, Any]) -> dict:
    """What is measured of one run."""
    final = about["part"] == "test"
    began = time.process_time()
    if final:
        run = learned_run(chosen, dataset, setting, scale, about["seed"])
    else:
        run = _fit(dataset, setting, steps=scale.steps, seed=about["seed"])
    x, label = dataset.split("test" if final else "validation")
    error = float(np.mean(run.classify(x).argmax(1) != label))
    spent = {"cpu_minutes": (time.process_time() - began) / 60}
    measured = "error" if final else "held_out_error"
    curve = {"steps": run.history["step"].tolist(), "error": run.history[measured].tolist()}
    parameters = parameter_count(run.parameters.parameters)
    return {"steps": run.step, "parameters": parameters, "error": error, "curve": curve} | spent


def learned_run(chosen: Any, dataset: data.Dataset, setting: Setting, scale: Scale, seed: int) -> genjax.Run:
    """A run of the part "test", kept in a folder: an interrupted one goes on, a finished one is opened."""
    out = chosen.out / f"seed-{seed}"
    return _fit(dataset, setting, steps=scale.final_steps, seed=seed, validation=False, out=out)


def _fit(dataset: data.Dataset, setting: Setting, **options: Any) -> genjax.Run:
    model = genjax.supervised(network=setting.network, **setting.options)
    return genjax.fit(model, dataset, batch_size=BATCH, progress=False, **options)


def spoken(row: dict[str, Any]) -> str:
    """A row in a few words."""
    split = "test" if row["part"] == "test" else "validation"
    return f"error {100 * row['error']:.2f} % on {split} images, {row['cpu_minutes']:.1f} CPU minutes"


def errors(rows: list[Any], part: str, setting: str) -> np.ndarray:
    """Of every seed, per cent."""
    return np.array([100 * row["error"] for row in rows if (row["part"], row["setting"]) == (part, setting)])


def table(rows: list[Any]) -> list[str]:
    """Accuracy of each setting, and the difference to the part's first one, with 95 % intervals over common seeds."""
    said = [f"{'':36}{'parameters':>11}  accuracy, %, and less error than the first of its part, %"]
    for part in dict.fromkeys(row["part"] for row in rows):
        names = list(dict.fromkeys(row["setting"] for row in rows if row["part"] == part))
        first = errors(rows, part, names[0])
        for name in names:
            each = errors(rows, part, name)
            count = next(r["parameters"] for r in rows if (r["part"], r["setting"]) == (part, name))
            shown = "{:.2f} [{:.2f}, {:.2f}]".format(100 - each.mean(), *interval(100 - each))
            if name != names[0]:
                shown += "{:>+9.2f} [{:+.2f}, {:+.2f}]".format((first - each).mean(), *interval(first - each))
            said.append(f"{part:13} {name:22}{count:>11,}  {shown}")
    return said


def draw_settings(axes: Axes, rows: list[Any], part: str, title: str) -> None:
    """A point a seed and a line at their mean for each setting, from above."""
    names = list(dict.fromkeys(row["setting"] for row in rows if row["part"] == part))
    if not names:  # left for another call
        return
    for place, name in enumerate(names):
        each = errors(rows, part, name)
        axes.plot(each, [place] * len(each), "o", color="C0", markersize=4, alpha=0.7)
        axes.plot([each.mean()] * 2, [place - 0.3, place + 0.3], color="C0")
    counts = {row["setting"]: row["parameters"] for row in rows if row["part"] == part}
    axes.set_yticks(range(len(names)), [f"{name}\n{counts[name]:,}" for name in names], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(errors(rows, part, names[0]).mean(), color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="error on validation images (%)", ylabel="setting, and its parameters", title=title)
    axes.grid(alpha=0.3, axis="x")
