"""What does each part of a regularisation recipe contribute when a network learns a surface?

    python -m experiments.surface [--quick | --smoke] [--out DIR]

A perceptron of two layers of 50 tanh units on 2,000 random points of a surface over [0, 1]^2, tested on 1,000 others.
The surface is made up openly, after the course's kind: a weighted mean of five non-linear functions (`FUNCTIONS`). The
targets have no noise, as there, or noise of standard deviation 0.1; test targets have none. The recipe: L1, L2, dropout,
batch normalisation, early stopping (500 of the 2,000 are held out in any case; it ends where their error has not become
less for 5 chunks of 240 steps), and a learning rate that falls along a cosine, by Adam. It is learned whole, with one
part taken away at a time, and with none of them. The strengths are chosen for the whole recipe by the error on the
held-out points (two seeds that are not those of the table), not allowing zero; then the learning rate of each
variant. Seeds are common: points, noise, first weights and batches are those of the whole recipe's.

Writes results.jsonl, surface.png, parts.png and the table: mean squared error on the test points with its 95 % interval
over seeds, and its ratio to the whole recipe's with the interval of the paired logarithms: below 1, the part does harm.
(Students of the course reached 2.8e-3 on surfaces of their own, which are others: no comparison.) Expect that without
noise everything but the falling rate does harm, dropout most. Full: 10 seeds, about 10 minutes of one core; --quick: 3
seeds, fewer epochs, 90 s. A run that is interrupted goes on.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, options
from genjax.plots.images import save
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
WEIGHTS, DROPOUTS, RATES = [1e-6, 1e-5, 1e-4], [0.05, 0.2], [1e-3, 3e-3, 1e-2]
CHOOSING = (100, 101)  # seeds of the runs that are chosen by


class Scale(NamedTuple):
    """How much is tried."""

    noises: tuple[float, ...]
    seeds: int
    epochs: int


SCALES = {"full": Scale((0.0, 0.1), 10, 400), "quick": Scale((0.0,), 3, 100), "smoke": Scale((0.1,), 2, 10)}


def surface(x: np.ndarray) -> np.ndarray:
    """Heights `(n, 1)` at points `(n, 2)`."""
    total = sum(weight for weight, _ in FUNCTIONS)
    return sum(weight * f(x[:, :1], x[:, 1:]) for weight, f in FUNCTIONS) / total


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


def choose(recipe: dict[str, Any], noise: float, epochs: int, **axes: Any) -> dict[str, Any]:
    """The values of the axes with the least error on held-out points at the end, without early stopping."""
    errors: dict[tuple, list[float]] = {}
    for seed in CHOOSING:
        run = {"epochs": epochs, "batch_size": BATCH, "seeds": [seed], "progress": False}
        for one in genjax.grid(model(recipe), points(noise, seed), **axes, **run):
            config = {**vars(one.config), **vars(one.config.network)}
            error = float("inf") if one.diverged else float(one.history["held_out_loss"][-1])
            errors.setdefault(tuple(config[name] for name in axes), []).append(error)
    best = min(errors, key=lambda values: np.mean(errors[values]))
    tried = [[*values, float(np.mean(error))] for values, error in errors.items()]
    return {"chosen": dict(zip(axes, best)), "tried": tried}


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


def measure(scale: Scale, path: Any) -> list[dict[str, Any]]:
    """All rows: what was chosen, and runs."""
    done = {(row["noise"], row["variant"], row["seed"]): row for row in lines(path)}

    def once(noise: float, variant: str, seed: int | None, make: Any) -> dict[str, Any]:
        key = (noise, variant, seed)
        if key not in done:
            done[key] = {"noise": noise, "variant": variant, "seed": seed} | make()
            append(path, done[key])
        return done[key]

    for noise in scale.noises:
        usual = {"batch_norm": True, "schedule": "cosine", "learning_rate": RATES[1]}
        axes = {"l1": WEIGHTS, "l2": WEIGHTS, "dropout": DROPOUTS}
        strengths = once(noise, "strengths", None, lambda: choose(usual, noise, scale.epochs, **axes))["chosen"]
        for variant, without in VARIANTS.items():
            recipe = usual | strengths | {"patience": 5} | without
            del recipe["learning_rate"]
            found = once(noise, variant, None, lambda: choose(recipe, noise, scale.epochs, learning_rate=RATES))
            recipe |= found["chosen"]
            for seed in range(scale.seeds):
                once(noise, variant, seed, lambda: learn(recipe, noise, seed, scale.epochs))
    return list(done.values())


def ratios(rows: list[dict[str, Any]], noise: float) -> dict[str, dict[str, Any]]:
    """Of each variant its errors over seeds, and their ratios to the whole recipe's."""
    found = {}
    for variant in VARIANTS:
        own = sorted(
            (row for row in rows if (row["noise"], row["variant"]) == (noise, variant)),
            key=lambda row: -1 if row["seed"] is None else row["seed"],
        )
        errors = np.array([row["error"] for row in own if row["seed"] is not None])
        base = errors if variant == "everything" else found["everything"]["errors"]
        logs = np.log(errors / base)
        found[variant] = {
            "errors": errors,
            "ratio": float(np.exp(logs.mean())),
            "interval": tuple(np.exp(interval(logs))),
            "rate": next(row["chosen"]["learning_rate"] for row in own if row["seed"] is None),
            "stopped": sum(row["stopped"] for row in own if row["seed"] is not None),
        }
    return found


def table(rows: list[dict[str, Any]], scale: Scale) -> None:
    """What was chosen, errors, and ratios."""
    for noise in scale.noises:
        chosen = next(r["chosen"] for r in rows if (r["noise"], r["variant"]) == (noise, "strengths"))
        print(f"\nnoise {noise}: {', '.join(f'{name} {value:g}' for name, value in chosen.items())}")
        print(f"{'':22} test MSE, 1e-4 {'':18} ratio to everything {'':8} rate  stopped early")
        for variant, found in ratios(rows, noise).items():
            (low, high), of_ratio = interval(found["errors"]), found["interval"]
            error = f"{found['errors'].mean() * 1e4:8.3g} [{low * 1e4:.3g}, {high * 1e4:.3g}]"
            ratio = f"{found['ratio']:.3g} [{of_ratio[0]:.3g}, {of_ratio[1]:.3g}]"
            print(f"{variant:22} {error:33} {ratio:25} {found['rate']:8g}  {found['stopped']}/{scale.seeds}")


def draw_parts(rows: list[dict[str, Any]], scale: Scale) -> Figure:
    """Ratios with their intervals."""
    figure = Figure(figsize=(1 + 5 * len(scale.noises), 3.6), layout="constrained")
    panels = figure.subplots(1, len(scale.noises), squeeze=False, sharey=True)[0]
    for axes, noise in zip(panels, scale.noises):
        found = ratios(rows, noise)
        for place, variant in enumerate(found):
            base = found["everything"]["errors"]
            axes.plot(found[variant]["errors"] / base, np.full(len(base), place), ".", color="C0", alpha=0.3)
            axes.plot(found[variant]["interval"], [place, place], color="C3", linewidth=2)
            axes.plot(found[variant]["ratio"], place, "o", color="C3")
        axes.axvline(1, color="grey", linestyle=":")
        axes.set(xscale="log", yticks=range(len(found)), yticklabels=found, title=f"noise {noise}")
        axes.set(xlabel="test error over that of everything (dots: seeds; bar: 95 %)")
        axes.invert_yaxis() if noise == scale.noises[0] else None
    return figure


def draw_surface(rows: list[dict[str, Any]], scale: Scale) -> Figure:
    """The surface, and how far off it the first seed is, by the whole recipe and by none of it."""
    figure = Figure(figsize=(11, 3.4 * len(scale.noises)), layout="constrained")
    truth = surface(lattice()).reshape(50, 50)
    for line, noise in enumerate(scale.noises):
        maps = {r["variant"]: r["map"] for r in rows if r["noise"] == noise and r["seed"] == 0}
        shown = {"surface": truth} | {
            f"{name}: error": np.reshape(maps[name], (50, 50)) - truth for name in ("everything", "nothing")
        }
        limit = np.abs(shown["everything: error"]).max()
        for column, (name, heights) in enumerate(shown.items()):
            axes = figure.add_subplot(len(scale.noises), 3, 3 * line + column + 1)
            limits = {} if column == 0 else {"vmin": -limit, "vmax": limit}
            image = axes.imshow(
                heights, origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r" if column else "viridis", **limits
            )
            axes.set(title=f"{name}, noise {noise}" if column else name, xlabel="x", ylabel="y")
            figure.colorbar(image, ax=axes)
    return figure


def main() -> None:
    """All runs that are not there yet, the table and the figures."""
    chosen = options(__doc__, "surface", "3 seeds, fewer epochs")
    scale = SCALES[chosen.scale]
    rows = measure(scale, chosen.out / "results.jsonl")
    table(rows, scale)
    for name, figure in (("parts.png", draw_parts(rows, scale)), ("surface.png", draw_surface(rows, scale))):
        print(save(figure, chosen.out / name))


if __name__ == "__main__":
    main()
