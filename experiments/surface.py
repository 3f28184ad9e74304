"""What does each part of a regularisation recipe contribute when a network learns a surface?

    python -m experiments.surface [--quick | --smoke] [--out DIR]

A perceptron of two layers of 50 tanh units on 2,000 random points of a surface over [0, 1]^2, tested on 1,000 others.
The surface is made up openly, after the course's kind: a weighted mean of five non-linear functions (`FUNCTIONS`).
Targets have no noise, as there, or noise of standard deviation 0.1; test targets have none. The recipe: L1, L2,
dropout, batch normalisation, early stopping (500 of the 2,000 are held out in any case; a run ends a tenth after their
error has not become less for 5 chunks of 240 steps), and a learning rate that falls along a cosine, by Adam. It is
learned whole, with one part taken away at a time, and with none. The strengths are chosen for the whole recipe by the
error on the held-out points (two seeds that are not the table's), never zero; then the rate of each variant. Seeds are
common: points, noise, first weights and batches are those of the whole recipe's.

Writes results.jsonl, surface.png, parts.png and the table: mean squared error on the test points with its 95 % interval
over seeds, and its ratio to the whole recipe's with the interval of the paired logarithms: below 1, the part does harm.
(Students of the course reached 2.8e-3 on surfaces of their own, which are others: no comparison.) Expect, without
noise, that dropout does harm, that the falling rate and batch normalisation help the rest of the recipe, and that none
of it is ahead of all of it: points are many for so smooth a surface. Full: 10 seeds, 12 minutes of one core; --quick: 3
seeds, fewer epochs, nothing chosen, no noise, 90 s. A run that is interrupted goes on.
"""

import itertools
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import genjax
from experiments.common import Rows, chosen_by, geometric, interval, options
from genjax.plots.bands import ratio_panels
from genjax.plots.images import save
from genjax.plots.surfaces import surfaces
from genjax.training.early import Patience

FUNCTIONS = (
    (9, lambda x, y: np.sin(2 * np.pi * x) * np.cos(2 * np.pi * y)),
    (8, lambda x, y: np.exp(-20 * ((x - 0.3) ** 2 + (y - 0.7) ** 2))),
    (6, lambda x, y: np.cos(6 * np.pi * x * y)),
    (4, lambda x, y: np.tanh(10 * (x + y - 1))),
    (2, lambda x, y: np.abs(x - y)),
)
"""Weights, to be divided by their sum, and functions of two inputs."""
TRAINED, HELD_OUT, TESTED, BATCH = 1500, 500, 1000, 50
PARTS: dict[str, dict[str, Any]] = {
    "L1": {"l1": 0.0},
    "L2": {"l2": 0.0},
    "dropout": {"dropout": 0.0},
    "batch normalisation": {"batch_norm": False},
    "early stopping": {"patience": None},
    "rate reduction": {"schedule": "constant"},
}
VARIANTS = {"everything": {}} | {f"no {part}": without for part, without in PARTS.items()}
VARIANTS |= {"nothing": {name: value for part in PARTS.values() for name, value in part.items()}}
CHOOSING = (100, 101)  # seeds of the runs that are chosen by


class Scale(NamedTuple):
    noises: tuple[float, ...]
    seeds: int
    epochs: int
    weights: list[float]  # of L1 and of L2 to choose from
    dropouts: list[float]
    rates: list[float]


SCALES = {
    "full": Scale((0.0, 0.1), 10, 200, [1e-6, 1e-5, 1e-4], [0.05, 0.2], [1e-3, 3e-3, 1e-2]),
    "quick": Scale((0.0,), 3, 100, [1e-5], [0.05], [1e-2]),
    "smoke": Scale((0.1,), 2, 10, [1e-5], [0.05], [3e-3, 1e-2]),
}


def surface(x: np.ndarray) -> np.ndarray:
    """Heights `(n, 1)` at points `(n, 2)`."""
    total = sum(weight for weight, _ in FUNCTIONS)
    return np.sum([weight * f(x[:, :1], x[:, 1:]) for weight, f in FUNCTIONS], axis=0) / total


def points(noise: float, seed: int) -> genjax.Dataset:
    """Training, held-out and test points with their targets."""
    rng, parts = np.random.default_rng(seed), []
    for count, own in ((TRAINED, noise), (HELD_OUT, noise), (TESTED, 0.0)):
        x = rng.uniform(size=(count, 2))
        parts.append((x.astype(np.float32), (surface(x) + own * rng.standard_normal((count, 1))).astype(np.float32)))
    return genjax.Dataset.from_arrays(*parts[0], validation=parts[1], test=parts[2])


def model(recipe: dict[str, Any]) -> Any:
    """The perceptron that learns by a recipe, early stopping left out."""
    own = {name: value for name, value in recipe.items() if name != "patience"}
    return genjax.supervised(layers=(50, 50), activation="tanh", loss="squared_error", average=0.0, **own)


def learn(recipe: dict[str, Any], noise: float, seed: int, epochs: int) -> dict[str, Any]:
    """One run: its error on the test points, where it stopped, and what the first seed has learned, on a lattice."""
    data, patience = points(noise, seed), recipe["patience"]
    calls = [] if patience is None else [Patience(patience)]
    run = genjax.fit(model(recipe), data, epochs=epochs, batch_size=BATCH, seed=seed, on_chunk=calls, progress=False)
    error = float(np.mean((run.predict(data.test) - surface(data.test)) ** 2))
    row = {"error": error, "steps": run.step, "stopped": "stopped_early" in run.decided}
    return row | ({"map": np.round(run.predict(lattice())[:, 0], 5).tolist()} if seed == 0 else {})


def lattice(count: int = 50) -> np.ndarray:
    """Points of a square lattice, `(count^2, 2)`."""
    x = (np.arange(count) + 0.5) / count
    return np.stack(np.meshgrid(x, x, indexing="xy"), -1).reshape(-1, 2).astype(np.float32)


def measure(scale: Scale, path: Any) -> Rows:
    """All rows: what was chosen, and runs."""
    rows = Rows(path, "noise", "variant", "seed")
    for noise in scale.noises:
        run = {"data": partial(points, noise), "seeds": CHOOSING, "epochs": scale.epochs, "batch_size": BATCH}
        usual = {"batch_norm": True, "schedule": "cosine"}
        grid = {"l1": scale.weights, "l2": scale.weights, "dropout": scale.dropouts}
        find = partial(chosen_by, model(usual | {"learning_rate": 3e-3}), **run, **grid)
        strengths = rows.once(find, noise=noise, variant="strengths")["chosen"]
        for variant, without in VARIANTS.items():
            recipe = usual | strengths | {"patience": 5} | without
            find = partial(chosen_by, model(recipe), **run, learning_rate=scale.rates)
            recipe |= rows.once(find, noise=noise, variant=variant)["chosen"]
            for seed in range(scale.seeds):
                rows.once(partial(learn, recipe, noise, seed, scale.epochs), noise=noise, variant=variant, seed=seed)
    return rows


def compared(rows: Rows, noise: float, seeds: int) -> dict[str, tuple[float, float, float, np.ndarray]]:
    """Of each variant the ratio of its errors to the whole recipe's, its interval, and the ratios of the seeds."""
    whole = errors(rows, noise, "everything", seeds)
    ratios = {variant: errors(rows, noise, variant, seeds) / whole for variant in VARIANTS}
    return {variant: (*geometric(each), each) for variant, each in ratios.items()}


def errors(rows: Rows, noise: float, variant: str, seeds: int) -> np.ndarray:
    """Of all seeds."""
    return np.array([rows.of(noise=noise, variant=variant, seed=seed)[0]["error"] for seed in range(seeds)])


def table(rows: Rows, scale: Scale) -> None:
    """What was chosen, errors, and ratios."""
    for noise in scale.noises:
        chosen = rows.of(noise=noise, variant="strengths")[0]["chosen"]
        print(f"\nnoise {noise}: {', '.join(f'{name} {value:g}' for name, value in chosen.items())}")
        print(f"{'':22} test MSE, 1e-4 {'':18} ratio to everything {'':8} rate  stopped early")
        for variant, (ratio, least, most, _) in compared(rows, noise, scale.seeds).items():
            of_seeds, own = errors(rows, noise, variant, scale.seeds) * 1e4, rows.of(noise=noise, variant=variant)
            low, high = interval(of_seeds)
            error, beside = f"{of_seeds.mean():8.3g} [{low:.3g}, {high:.3g}]", f"{ratio:.3g} [{least:.3g}, {most:.3g}]"
            stopped, rate = sum(row.get("stopped", 0) for row in own), own[0]["chosen"]["learning_rate"]
            print(f"{variant:22} {error:33} {beside:25} {rate:8g}  {stopped}/{scale.seeds}")


def main() -> None:
    """All runs that are not there yet, the table and the figures: ratios, and errors of the first seed as maps."""
    chosen = options(__doc__, "surface", "3 seeds, fewer epochs, nothing chosen")
    rows = measure(scale := SCALES[chosen.scale], chosen.out / "results.jsonl")
    table(rows, scale)
    parts = {f"noise {noise} (dots: seeds; bar: 95 %)": compared(rows, noise, scale.seeds) for noise in scale.noises}
    print(save(ratio_panels(parts, "test error over that of everything"), chosen.out / "parts.png"))
    truth, off = surface(lattice()).reshape(50, 50), {}
    for noise, variant in itertools.product(scale.noises, ("everything", "nothing")):
        heights = rows.of(noise=noise, variant=variant, seed=0)[0]["map"]
        off[f"{variant}: error, noise {noise}"] = np.reshape(heights, (50, 50)) - truth
    print(save(surfaces({"the surface": truth, **off}, 1 + len(off), errors=off), chosen.out / "surface.png"))


if __name__ == "__main__":
    main()
