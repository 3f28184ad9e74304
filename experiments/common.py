"""What experiments share: their options, their runs, and the interval of a paired comparison."""

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

import genjax
from genjax import data
from genjax.training.folder import environment, write_json
from genjax.training.options import flat

IMAGES: dict[str, dict[str, Any]] = {
    "--dataset": {"default": "digits", "help": "digits (by default), mnist, a folder of images, ... as genjax train"},
    "--data-dir": {"help": "where the images of a known set lie (otherwise they are fetched)"},
}  # `more` options of a script on any images


def options(
    doc: str | None, out: str, quick: str, mnist: bool = False, more: dict[str, dict[str, Any]] | None = None
) -> argparse.Namespace:
    """`scale` (full, quick or smoke), `out` (a folder, made if it is not there, of each scale its own, with an
    environment.json of where it was started), and `data_dir` where MNIST is read.

    `more` names further options, each with what `add_argument` takes.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if mnist:
        parser.add_argument("--data-dir", help="where MNIST's files lie (otherwise they are fetched)")
    for name, details in (more or {}).items():
        parser.add_argument(name, **details)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", help=quick)
    parser.add_argument("--smoke", dest="scale", action="store_const", const="smoke", help="does it run?")
    parser.add_argument("--out", type=Path, help=f"a folder (by default runs/{out}, or runs/{out}-quick)")
    parser.set_defaults(scale="full")
    chosen = parser.parse_args()
    if chosen.out is None:
        chosen.out = Path("runs") / (out if chosen.scale == "full" else f"{out}-{chosen.scale}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    mark = chosen.out / "scale"
    if mark.exists() and mark.read_text() != chosen.scale:
        raise SystemExit(f"{chosen.out} holds results of a {mark.read_text()} run; choose another folder with --out.")
    if not mark.exists():
        mark.write_text(chosen.scale)
        write_json(chosen.out / "environment.json", environment("of the data, as genjax data lists it"))
    return chosen


def mnist(chosen: argparse.Namespace) -> data.Dataset:
    """MNIST, its last 5,000 training images for validation; for a smoke test the 8x8 digits."""
    return data.load("digits") if chosen.scale == "smoke" else data.load("mnist", chosen.data_dir)


def images_of(chosen: argparse.Namespace) -> data.Dataset:
    """The images of `IMAGES`; for a smoke test digits."""
    return data.load("digits") if chosen.scale == "smoke" else data.load(chosen.dataset, chosen.data_dir)


def of_classes(dataset: data.Dataset, part: str, classes: range) -> tuple[np.ndarray, np.ndarray]:
    """Images of a split that are of these classes, and their labels from 0."""
    labels = getattr(dataset.labels, part)
    rows = np.isin(labels, classes)
    return getattr(dataset, part)[rows], labels[rows] - classes[0]


def labelled(dataset: data.Dataset, classes: range, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many training images of each of these classes, and their labels from 0; with the same seed those of a smaller
    count are among those of a larger one."""
    x, y = of_classes(dataset, "train", classes)
    order = np.random.default_rng(seed).permutation(len(x))
    rows = np.concatenate([order[y[order] == label][:count] for label in range(len(classes))])
    return x[rows], y[rows]


def run_of(chosen: argparse.Namespace, named: Path | None, model: Any, name: str = "", **options: Any) -> genjax.Run:
    """The run in the folder that was named, or a machine that comes with genjax; without one, `model` trained on MNIST.

    That run is kept in a folder of the experiment's own, of this `name` or the model's: an interrupted one goes on, a
    finished one is opened. `options` are those of `genjax.fit`.
    """
    if named is not None:
        return genjax.load(named, data_dir=getattr(chosen, "data_dir", None))
    return genjax.fit(model, mnist(chosen), out=chosen.out / (name or model.model.name), **options)


def with_validation(chosen: argparse.Namespace, run: genjax.Run) -> data.Dataset:
    """The images of a run with those for validation apart, also where it learned from them (of no image's label)."""
    of = run.settings
    return mnist(chosen) if of.dataset is None else data.load(of.dataset, of.data_dir, of.size)


def data_name(run: genjax.Run) -> str:
    """What a run's data are called, for titles."""
    return run.settings.dataset or run.prepared.dataset.name


def minutes(run: genjax.Run) -> float:
    """Of training, all its stages and interruptions."""
    return run.entries[-1]["seconds"] / 60


def paired_distance(images: np.ndarray) -> float:
    """The mean squared distance of two different images of these, a pixel."""
    return float(2 * images.astype(np.float64).var(0, ddof=1).mean())


def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of paired differences, by Student's t: of a few seeds a bootstrap would be too sure.

    NaN of a single one.
    """
    count = len(differences)
    if count < 2:
        return float("nan"), float("nan")
    middle, half = np.mean(differences), t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / np.sqrt(count)
    return float(middle - half), float(middle + half)


def geometric(values: np.ndarray) -> tuple[float, float, float]:
    """The geometric mean of positive values, and the ends of its 95 % interval."""
    logs = np.log(values)
    low, high = np.exp(interval(logs))
    return float(np.exp(logs.mean())), float(low), float(high)


def value_at(where: float, x: Any, y: Any) -> float:
    """A curve's value there, by its logarithm over the logarithm of x on the line between its neighbours."""
    return float(np.exp(np.interp(np.log(where), np.log(x), np.log(y))))


def order(errors: dict[str, np.ndarray]) -> str:
    """Names from the least error to the greatest, by the means of the logarithms over common seeds.

    Between two neighbours stands "<" where the 95 % interval of their paired differences excludes 0, else "~".
    """
    logs = {name: np.log(of_seeds) for name, of_seeds in errors.items()}
    names = sorted(logs, key=lambda name: logs[name].mean())
    said = names[0]
    for first, second in itertools.pairwise(names):
        low, _ = interval(logs[second] - logs[first])
        said += f" {'<' if low > 0 else '~'} {second}"
    return said


def chosen_by(
    model: Any, data: Callable[[int], Any], seeds: Sequence[int], metric: str = "held_out_loss", **options: Any
) -> dict[str, Any]:
    """The setting of a grid with the least mean of a metric at the end over seeds, each on its own data.

    `options` are those of `genjax.grid`: lists are the axes. Its `chosen` is by name, `tried` holds all settings with
    their means; one that diverges is infinitely bad. A setting that is the only one is not tried.
    """
    axes = [name for name, value in options.items() if isinstance(value, list)]
    if all(len(options[name]) == 1 for name in axes):
        return {"chosen": {name: options[name][0] for name in axes}, "tried": []}
    values: dict[tuple[Any, ...], list[float]] = {}
    for seed in seeds:
        for run in genjax.grid(model, data(seed), seeds=[seed], progress=False, **options):
            setting = flat(run.config)
            value = float("inf") if run.diverged else float(run.history[metric][-1])
            values.setdefault(tuple(setting[name] for name in axes), []).append(value)
    means = {setting: float(np.mean(of_seeds)) for setting, of_seeds in values.items()}
    best = min(means, key=lambda setting: means[setting])
    return {"chosen": dict(zip(axes, best)), "tried": [[*setting, mean] for setting, mean in means.items()]}


class Rows:
    """The rows of a results.jsonl, each made once: an interrupted experiment goes on."""

    def __init__(self, path: Path, *key: str):
        self.path, self.key = path, key
        self.made = {tuple(row.get(name) for name in key): row for row in lines(path)}

    def once(self, make: Callable[[], dict[str, Any]], **key: Any) -> dict[str, Any]:
        """The row of this key, made and written if it is not there."""
        place = tuple(key.get(name) for name in self.key)
        if place not in self.made:
            self.made[place] = key | make()
            append(self.path, self.made[place])
        return self.made[place]

    def of(self, **key: Any) -> list[dict[str, Any]]:
        """All rows that have these values, in the order of their making."""
        return [row for row in self.made.values() if all(row.get(name) == value for name, value in key.items())]


def append(path: Path, entry: dict[str, Any]) -> None:
    """One more JSON line, on disk when this returns."""
    with open(path, "a") as file:
        file.write(json.dumps(entry) + "\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """What earlier calls wrote; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def best_rate(rates: Sequence[float], learn: Callable[[float], genjax.Run]) -> dict[str, Any]:
    """The `rate` whose run ends with the fewest errors of validation images, and all that were `tried` with their
    accuracies; one that is alone is not tried."""
    tried = [(rate, 1 - learn(rate).history["held_out_error"][-1]) for rate in rates if len(rates) > 1]
    return {"rate": max(tried, key=lambda pair: pair[1])[0] if tried else rates[0], "tried": tried}


def accuracy_table(runs: Sequence[dict[str, Any]], name: str) -> list[str]:
    """Test accuracy by what rows are called under `name`, and its difference to the first one's, paired by seed."""
    said = [f"{name:28}{'rate':>8}{'test accuracy, %':>28}{'less the first':>28}"]
    plain = np.array([row["test"] for row in runs if row[name] == runs[0][name]])
    for setting in dict.fromkeys(row[name] for row in runs):
        mine = [row for row in runs if row[name] == setting]
        test = np.array([row["test"] for row in mine])
        less = "" if setting == runs[0][name] else percent(test - plain)
        said.append(f"{setting:28}{mine[0]['rate']:>8g}{percent(test):>28}{less:>28}")
    return said


def percent(values: np.ndarray, digits: int = 2) -> str:
    """The mean of shares and its 95 % interval, which a single one has not, in percent."""
    low, high = interval(100 * values)
    shown = f" [{low:.{digits}f}, {high:.{digits}f}]" if len(values) > 1 else ""
    return f"{100 * values.mean():.{digits}f}{shown}"


def seed_lines(axes: Any, x: Any, values: np.ndarray, colour: str, label: str) -> None:
    """A thin line for each seed, `(seeds, points)`, and their mean as a thick one."""
    axes.plot(x, values.T, color=colour, linewidth=0.5, alpha=0.5)
    axes.plot(x, values.mean(0), color=colour, linewidth=2, label=label)
