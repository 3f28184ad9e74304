"""Does tempering over a run's own past estimate the likelihood as it learns, and mix where plain Gibbs does not?

    python -m experiments.trajectory --data-dir DIR [--quick | --smoke] [--out DIR]

An RBM 784-500 learns MNIST (sampled binarisation) with `negative="trajectory"`: past machines of the run serve as the
ladder (Bereux, Decelle, Furtlehner and Seoane 2025), and its log-likelihood comes along. At the end its chains run on
for some rounds, and what they say of log Z is held against AIS and reverse AIS. Then an RBM 784-100 learns the zeros
and ones alone, whose two modes are far apart: both ways of sampling start from the same training images, 100 of each
class, and take the same number of sweeps of a machine (a round of tempering sweeps every rung): how many chains are
still in their first class, by a classifier of expected images, and what would be left of them if the chains had
forgotten. Writes trajectory.png, results.jsonl and the table. Full: about 20 minutes on one core; --quick: 5 epochs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

import genjax
from experiments.common import append, minutes, mnist, options
from genjax import data
from genjax.algorithms import trajectory
from genjax.boltzmann.machine import Machine, States, mean
from genjax.plots.images import save, tile
from genjax.sampling import tempering
from genjax.sampling.gibbs import initial_states, sample

TIMES, OF_A_CLASS, MODES = 50, 100, (0, 1)
REST = 50  # rounds that the chains get to settle, and as many that are averaged


class Scale(NamedTuple):
    """How much is tried; the second numbers are of the machine of two modes."""

    epochs: tuple[int, int]
    hidden: tuple[int, int]
    learning_rate: tuple[float, float]
    rungs: tuple[int, int]
    every: tuple[int, int]  # steps from one round of swaps to the next
    temperatures: int
    rounds: int  # of tempering between two times at which chains are observed


SCALES = {
    "full": Scale((30, 60), (500, 100), (0.03, 0.05), (30, 30), (50, 10), 10_000, 20),
    "quick": Scale((5, 10), (500, 100), (0.03, 0.05), (30, 30), (50, 10), 2000, 10),
    "smoke": Scale((3, 3), (16, 8), (0.1, 0.1), (4, 4), (2, 2), 100, 1),
}
Observe = Callable[[States], jax.Array]


def train(images: data.Dataset, scale: Scale, which: int) -> genjax.Run:
    """A run of which the log-likelihood of training images is known as it learns."""
    model = genjax.rbm(
        hidden=scale.hidden[which],
        learning_rate=scale.learning_rate[which],
        negative="trajectory",
        chains=100,
        rungs=scale.rungs[which],
        swap_every=scale.every[which],
    )
    return genjax.fit(model, images, epochs=scale.epochs[which], validation=False, progress=False)


def log_z(run: genjax.Run, scale: Scale) -> dict[str, Any]:
    """Log Z in nats by the trajectory, by AIS and by reverse AIS, and the test log-likelihood by AIS."""
    numbers = run.evaluation(temperatures=scale.temperatures)
    reverse = numbers["log_z"]["reverse"]
    repeated = jax.jit(trajectory.repeated_log_z, static_argnames="rounds")
    _, info, estimates = repeated(jax.random.key(6), run.state.chains, run.machine, rounds=2 * REST)
    return {
        "log_z_trajectory": float(estimates[REST:].mean()),
        "swap_rates": np.asarray(tempering.report(info).swap_rate).tolist(),
        "log_z_ais": numbers["log_z"]["mean"],
        "log_z_reverse": None if reverse is None else reverse["mean"],
        "log_likelihood_test": numbers["log_likelihood"]["test"]["mean"],
    }


def first_images(images: data.Dataset, seed: int) -> np.ndarray:
    """Training images at which chains begin, the same number of each class, binarised."""
    labels = images.labels.train
    chosen = np.concatenate([np.flatnonzero(labels == c)[:OF_A_CLASS] for c in MODES])
    return data.binarise_fixed(images.train[chosen], "sampled", seed)


def along_gibbs(machine: Machine, first: np.ndarray, every: int, observe: Observe) -> np.ndarray:
    """What `observe` says of plain Gibbs chains after each `every` sweeps, `(TIMES, chains, ...)`."""
    above = initial_states(jax.random.key(2), machine, len(first))[1:]
    go = jax.jit(partial(sample, sweeps=TIMES * every, every=every, observe=observe))
    return np.asarray(go(jax.random.key(3), machine, (jnp.asarray(first), *above)).observed)


def along_tempering(
    run: genjax.Run, first: np.ndarray, rounds: int, observe: Observe
) -> tuple[np.ndarray, tempering.Report]:
    """The same of the top rung over the run's past, after each `rounds` rounds, and how the rungs swapped."""
    carried, count = run.state.chains, len(first)
    ladder = trajectory.ladder_at(carried.past, carried.smooth, run.state.machine, carried.places)
    chains = tempering.init(jax.random.key(4), ladder, count)
    states = tuple(jnp.resize(x, (x.shape[0], count, x.shape[-1])) for x in carried.chains.states)
    states = (states[0].at[-1].set(first), *states[1:])
    chains, infos, observed = chains._replace(states=states), [], []
    go = jax.jit(tempering.run, static_argnames=("rounds",))
    for _ in range(TIMES):
        chains, info, _ = go(jax.random.key(5), ladder, chains, rounds=rounds)
        infos.append(info)
        observed.append(observe(tempering.top(chains)))
    return np.stack(observed), tempering.report(jax.tree.map(lambda *x: sum(x), *infos))


def mixing(images: data.Dataset, scale: Scale) -> dict[str, Any]:
    """The share of chains still in the class where they began, by sweeps of a machine, for both ways."""
    labels = images.labels.train
    two, first = np.isin(labels, MODES), first_images(images, 3)
    run = train(genjax.Dataset.from_arrays(images.train[two], test=0, validation=0), scale, 1)
    x = data.binarise_fixed(images.train[two], "sampled", 2)
    classifier, machine = LogisticRegression(max_iter=200).fit(x, labels[two]), run.state.machine

    def observe(states: States) -> jax.Array:
        return mean(machine, states, 0)

    every = scale.rounds * scale.rungs[1]
    tempered, report = along_tempering(run, first, scale.rounds, observe)
    pictures = {"plain Gibbs": along_gibbs(machine, first, every, observe), "tempered": tempered}
    classes = {
        name: classifier.predict(p.reshape(-1, p.shape[-1])).reshape(p.shape[:2]) for name, p in pictures.items()
    }
    began = np.repeat(MODES, OF_A_CLASS)[: len(first)]
    shares = [float(np.mean(classes["tempered"][TIMES // 2 :] == c)) for c in MODES]
    return {
        "seconds_two_modes": 60 * minutes(run),
        "sweeps": [every * (i + 1) for i in range(TIMES)],
        "still": {name: np.mean(c == began, axis=1).tolist() for name, c in classes.items()},
        "class_changes": {name: float(np.mean(c[1:] != c[:-1])) for name, c in classes.items()},
        "class_shares": shares,
        "if_forgotten": float(np.mean([shares[MODES.index(c)] for c in began])),
        "swap_rates_two_modes": np.asarray(report.swap_rate).tolist(),
        "round_trips": int(report.round_trips),
        "pictures": {name: p[:: TIMES // 10, :: OF_A_CLASS // 3] for name, p in pictures.items()},
    }


def draw(curve: list[tuple[float, float]], answer: dict[str, Any], mixed: dict[str, Any], shape: Any) -> Figure:
    """Left: the likelihood along the way. Middle: chains in their first class. Right: chains as rows."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(*zip(*curve), color="C0", label="by the trajectory, 1000 training images")
    at_the_end = curve[-1][1] + answer["log_z_trajectory"] - answer["log_z_ais"]
    left.plot([curve[-1][0]], [at_the_end], "o", color="C3", label="the same by AIS")
    left.set(xlabel="epoch", ylabel="log-likelihood (nats an image)", title="estimated while learning")
    left.set_ylim(bottom=max(min(v for _, v in curve), at_the_end - 30))
    left.legend()
    for name, shares in mixed["still"].items():
        middle.plot(mixed["sweeps"], shares, label=name)
    middle.axhline(mixed["if_forgotten"], color="grey", linestyle=":", label="all forgotten")
    middle.set(xlabel="sweeps of a machine", ylabel="share of chains in their first class", ylim=(0, 1))
    middle.set(title=f"zeros and ones, {len(MODES) * OF_A_CLASS} chains")
    middle.legend()
    rows = np.concatenate([np.swapaxes(p, 0, 1) for p in mixed["pictures"].values()])
    right.imshow(tile(rows.reshape(-1, rows.shape[-1]), shape, rows.shape[1]), cmap="gray", vmin=0, vmax=1)
    half, height = len(rows) // 2, shape[0] + 1
    right.set_yticks([half * height / 2, 3 * half * height / 2], ["plain", "tempered"], rotation=90, va="center")
    right.set(xticks=[], xlabel=f"sweeps, to {mixed['sweeps'][-1]}", title="expected pixels along some chains")
    return figure


def main() -> None:
    """Train, evaluate, and let both kinds of chains run; print the table, write results and figure."""
    chosen = options(__doc__, "trajectory", "5 epochs", mnist=True)
    scale, images = SCALES[chosen.scale], mnist(chosen).without_validation()
    run = train(images, scale, 0)
    seconds, history = 60 * minutes(run), run.history
    curve = list(zip(history["epoch"].tolist(), history["log_likelihood"].tolist()))
    answer = log_z(run, scale)
    mixed = mixing(images, scale)
    save(draw(curve, answer, mixed, images.shape), chosen.out / "trajectory.png")
    del mixed["pictures"]
    (chosen.out / "results.jsonl").unlink(missing_ok=True)
    append(chosen.out / "results.jsonl", {"seconds": seconds, "curve": curve, **answer, **mixed})
    print(f"trained in {seconds / 60:.1f} minutes; test log-likelihood by AIS {answer['log_likelihood_test']:.2f} nats")
    for name in ("ais", "reverse"):
        other = answer[f"log_z_{name}"]
        if other is not None:
            gap = answer["log_z_trajectory"] - other
            print(f"log Z by the trajectory {answer['log_z_trajectory']:.2f}, by {name} {other:.2f}: {gap:+.2f}")
    for what, rates in (
        ("all digits", answer["swap_rates"]),
        ("zeros and ones", mixed["swap_rates_two_modes"]),
    ):
        low, middle = np.quantile(rates, [0.05, 0.5])
        print(f"{what}: swap rates {middle:.2f} in the median, {low:.2f} at the lowest twentieth")
    print(f"round trips {mixed['round_trips']}")
    print(
        f"{'sweeps':>8}" + "".join(f"{name:>14}" for name in mixed["still"]) + "   share of chains in their first class"
    )
    for i in (0, 4, 9, 24, TIMES - 1):
        print(f"{mixed['sweeps'][i]:>8}" + "".join(f"{shares[i]:14.2f}" for shares in mixed["still"].values()))
    print(f"all forgotten: {mixed['if_forgotten']:.2f}")
    print(chosen.out / "trajectory.png")


if __name__ == "__main__":
    main()
