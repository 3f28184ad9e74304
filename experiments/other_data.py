"""What do the default settings lose, on data that nobody tuned for, to a small search on validation data?

    python -m experiments.other_data [--quick | --smoke] [--data-dir DIR] [--silhouettes FILE] [--ratings FILE]

Each family by its defaults on digits, 1,000 images of MNIST, MNIST, Caltech Silhouettes, a fifth of MNIST with its
classes drawn unevenly, patches of two photographs, and ratings; beside it the best of a few settings, chosen on
validation examples. The loss is a share of the distance between the trivial model (independent pixels, the mean image,
user and item biases) and the search's best, all on test examples, higher being better: nats, or minus the error. GANs,
whose samples have no such scale, are in gan_comparison. Every cell of the table is a file in the `--out` folder: a call
after an interruption makes only those that are missing. Full: many hours; sets without their option are left out.
--quick: digits alone, 1,500 steps.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import genjax
from experiments.common import options
from genjax.data import Dataset, load, rating_splits
from genjax.data.ratings import SplitRatings
from genjax.evaluation.ratings import best_biases, known, queries, root_mean_square
from genjax.evaluation.references import without_structure
from genjax.models.recommender import expected
from genjax.training.folder import write_json

SHARES = np.geomspace(1, 0.05, 10)  # of each class's images, where they are uneven
BOLTZMANN = [{"learning_rate": 0.05}, {"weight_decay": 1e-3}, {"learning_rate": 0.05, "weight_decay": 1e-3}]
SEARCH: dict[str, list[dict[str, Any]]] = {
    "rbm": [*BOLTZMANN, {"negative": "trajectory", "learning_rate": 0.03}],
    "dbm": BOLTZMANN,
    "vae": [{"learning_rate": 4e-3}, {"learning_rate": 5e-4}, {"latents": 20}],
    "autoregressive": [{"learning_rate": 4e-3}, {"learning_rate": 3e-4}],
    "ae": [{"learning_rate": 3e-3}, {"learning_rate": 3e-4}],
    "recommender": [{"hidden": 4}, {"hidden": 16}, {"weight_decay": 3.0}, {"learning_rate": 0.03}],
}


class Scale(NamedTuple):
    """Which sets and families, for how many steps (None: by default), and with how many other settings."""

    sets: tuple[str, ...] | None
    families: tuple[str, ...]
    steps: int | None
    settings: int | None
    effort: dict[str, dict[str, int]]


CHEAP = {"temperatures": 300, "ais_chains": 50}
SCALES = {
    "full": Scale(None, tuple(SEARCH), None, None, {}),
    "quick": Scale(("digits",), ("rbm", "ae"), 1500, 1, {"rbm": CHEAP}),
    "smoke": Scale(("digits",), ("rbm", "ae"), 20, 1, {"rbm": CHEAP}),
}


def uneven(mnist: Dataset) -> Dataset:
    """A fifth of MNIST: of each class fewer images than of the one before, of 9 a twentieth of those of 0."""
    rng, labels = np.random.default_rng(0), mnist.labels.train
    wanted = 0.2 * len(labels) * SHARES / SHARES.sum()
    rows = [rng.permutation(np.flatnonzero(labels == c))[: int(n)] for c, n in enumerate(wanted)]
    return part_of(mnist, np.concatenate(rows), "mnist-uneven")


def part_of(whole: Dataset, rows: np.ndarray, name: str) -> Dataset:
    """Some training images, a tenth of them for validation, with all test images."""
    x, y = whole.train[rows].reshape(-1, *whole.shape), whole.labels.train[rows]
    test = whole.test[:].reshape(-1, *whole.shape), whole.labels.test
    return Dataset.from_arrays(x, y, test=test, validation=0.1, name=name)


def patches(count: int = 12_000, side: int = 12) -> Dataset:
    """Grey squares of the two photographs that scikit-learn brings."""
    from sklearn.datasets import load_sample_images

    rng, found = np.random.default_rng(0), []
    for image in load_sample_images().images:
        grey = image.mean(2) / 255
        corners = rng.integers(0, np.array(grey.shape) - side, (count // 2, 2))
        found += [grey[i : i + side, j : j + side] for i, j in corners]
    return Dataset.from_arrays(rng.permutation(np.stack(found).astype(np.float32)), name="patches")


def sets(chosen: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """What reads each set, of those whose files are named."""
    answer: dict[str, Callable[[], Any]] = {"digits": partial(load, "digits"), "patches": patches}
    if chosen.data_dir:
        mnist = partial(load, "mnist", chosen.data_dir)
        answer |= {"mnist-1000": lambda: part_of(mnist(), np.arange(1000), "mnist-1000"), "mnist": mnist}
        answer |= {"mnist-uneven": lambda: uneven(mnist())}
    answer |= {"silhouettes": partial(load, chosen.silhouettes)} if chosen.silhouettes else {}
    return answer | ({"ratings": partial(rating_splits.load, chosen.ratings)} if chosen.ratings else {})


def rated(data: SplitRatings, part: str, run: genjax.Run | None) -> float:
    """Minus the RMSE of a run on the ratings that a part asks; of the biases without one."""
    values = np.asarray(data.values)
    x, asked, learned = getattr(data, part), queries(getattr(data, part), values), known(data.train, values)
    if run is not None:
        return -root_mean_square(expected(run.parameters, x, asked.users, asked.items) - asked.ratings)
    guess = best_biases(learned, data.shape)[0].predict(asked.users, asked.items)
    return -root_mean_square(np.clip(guess, values[0], values[-1]) - asked.ratings)


def score(run: genjax.Run, data: Any, part: str, effort: dict[str, int]) -> float:
    """Of examples of a part, higher is better: nats, or minus the squared error of a value given back."""
    if isinstance(data, SplitRatings):
        return rated(data, part, run)
    x = np.asarray(getattr(data, part)[:])
    if run.model.answer is not None:
        return run.log_likelihood(x, **effort).mean
    return -float(np.mean((run.reconstruct(x) - x) ** 2))


def trivial(run: genjax.Run, data: Any) -> float:
    """The same of the model that knows nothing of how values go together, on test examples."""
    if isinstance(data, SplitRatings):
        return rated(data, "test", None)
    if run.model.answer is None:
        return -float(np.mean((data.test[:] - run.mean) ** 2))
    alone = without_structure(np.asarray(run.fixed_train().x), np.asarray(run.fixed_test().x))
    return float("nan") if alone is None else alone["independent_pixels"]


def cell(data: Any, family: str, scale: Scale) -> dict[str, Any]:
    """Default, search and trivial model of a family on one set."""
    rows, runs, effort = [], [], scale.effort.get(family, {})
    for setting in [{}, *SEARCH[family][: scale.settings]]:
        run = genjax.fit(getattr(genjax, family)(**setting), data, steps=scale.steps, progress=False)
        rows.append({"setting": setting, "validation": score(run, data, "validation", effort)})
        rows[-1] |= {"test": score(run, data, "test", effort), "follows": run.decided.get("follows")}
        runs = runs or [run]
    best, nothing = max(rows, key=lambda row: row["validation"]), trivial(runs[0], data)
    lost = (best["test"] - rows[0]["test"]) / (best["test"] - nothing)
    return {"rows": rows, "best": best["setting"], "trivial": nothing, "lost": lost}


def main() -> None:
    """Make the cells that are missing, and print the table of all."""
    files = {f"--{name}": {"help": f"the file of {name}"} for name in ("silhouettes", "ratings")}
    chosen = options(__doc__, "other-data", "digits alone, 1,500 steps", mnist=True, more=files)
    scale = SCALES[chosen.scale]
    print(f"{'data':14} {'family':15} {'trivial':>10} {'default':>10} {'search':>10} {'default loses':>14}  by")
    for name, read in sets(chosen).items():
        if scale.sets is not None and name not in scale.sets:
            continue
        for family in [f for f in scale.families if (f == "recommender") == (name == "ratings")]:
            path = chosen.out / f"{name}-{family}.json"
            if not path.exists():
                write_json(path, cell(read(), family, scale))
            made = json.loads(path.read_text())
            best = next(row for row in made["rows"] if row["setting"] == made["best"])["test"]
            numbers = (
                f"{made['trivial']:10.4g} {made['rows'][0]['test']:10.4g} {best:10.4g} {100 * made['lost']:12.1f} %"
            )
            print(f"{name:14} {family:15} {numbers}  {made['best'] or 'the default'}", flush=True)


if __name__ == "__main__":
    main()
