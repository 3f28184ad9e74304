"""Does tempering over a run's own past know the likelihood while it learns, and does it mix where plain Gibbs does not?

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

from experiments.common import append, images_alone, learn, mnist, options
from genjax import data
from genjax.algorithms import trajectory
from genjax.algorithms.contrastive import ContrastiveConfig, ContrastiveState, trained_machine
from genjax.algorithms.negative import chains_of
from genjax.boltzmann.machine import Machine, States, mean
from genjax.likelihood.evaluate import evaluate
from genjax.plots.images import save, tile
from genjax.sampling import tempering
from genjax.sampling.gibbs import initial_state, sample
from genjax.training import loop

LOOKS, OF_A_CLASS, MODES = 50, 100, (0, 1)
REST = 50  # rounds that the chains get to settle, and as many that are averaged


class Scale(NamedTuple):
    """How much is tried; the second numbers are of the machine of two modes."""

    epochs: tuple[int, int]
    hidden: tuple[int, int]
    learning_rate: tuple[float, float]
    rungs: tuple[int, int]
    every: tuple[int, int]  # steps from one round of swaps to the next
    temperatures: int
    rounds: int  # of tempering between two looks at the chains


SCALES = {
    "full": Scale((30, 60), (500, 100), (0.03, 0.05), (30, 30), (50, 10), 10_000, 20),
    "quick": Scale((5, 10), (500, 100), (0.03, 0.05), (30, 30), (50, 10), 2000, 10),
    "smoke": Scale((3, 3), (16, 8), (0.1, 0.1), (4, 4), (2, 2), 100, 1),
}
Look = Callable[[States], jax.Array]


def train(images: np.ndarray, scale: Scale, which: int) -> tuple[ContrastiveState, float, list[tuple[float, float]]]:
    """The last state, the seconds, and `(epoch, log-likelihood of training images in nats)` along the way."""
    curve: list[tuple[float, float]] = []

    def watch(chunk: loop.Chunk) -> None:
        curve.append((chunk.epoch, chunk.metrics["log_likelihood"]))

    config = ContrastiveConfig(
        hidden=scale.hidden[which],
        chains=100,
        learning_rate=scale.learning_rate[which],
        negative="trajectory",
        rungs=scale.rungs[which],
        swap_every=scale.every[which],
    )
    state, seconds = learn(config, images_alone(images), scale.epochs[which], 0, on_chunk=[watch])
    return state, seconds, curve


def judged(state: ContrastiveState, found: data.Dataset, scale: Scale) -> dict[str, Any]:
    """Log Z in nats by the trajectory, by AIS and by reverse AIS, and the test log-likelihood by AIS."""
    machine = trained_machine(state)
    train, test = (data.binarise_fixed(x, "sampled", seed) for x, seed in ((found.train, 1), (found.test, 0)))
    effort = {"temperatures": scale.temperatures, "chains": 500, "start": chains_of(state.chains)}
    answer = evaluate(jax.random.key(1), machine, (jnp.asarray(train), None), (jnp.asarray(test), None), **effort)
    reverse = answer["log_z"]["reverse"]
    rest = jax.jit(trajectory.at_rest, static_argnames="rounds")
    _, info, estimates = rest(jax.random.key(6), state.chains, machine, rounds=2 * REST)
    return {
        "log_z_trajectory": float(estimates[REST:].mean()),
        "swap_rates": np.asarray(tempering.report(info).swap_rate).tolist(),
        "log_z_ais": answer["log_z"]["mean"],
        "log_z_reverse": None if reverse is None else reverse["mean"],
        "log_likelihood_test": answer["log_likelihood"]["test"]["mean"],
    }


def first_images(found: data.Dataset, seed: int) -> np.ndarray:
    """Training images as chains begin, the same number of each class, binarised."""
    labels = found.labels.train
    chosen = np.concatenate([np.flatnonzero(labels == c)[:OF_A_CLASS] for c in MODES])
    return data.binarise_fixed(found.train[chosen], "sampled", seed)


def plain_looks(machine: Machine, images: np.ndarray, every: int, look: Look) -> np.ndarray:
    """What `look` says of plain Gibbs chains after each `every` sweeps, `(LOOKS, chains, ...)`."""
    above = initial_state(jax.random.key(2), machine, len(images))[1:]
    move = jax.jit(partial(sample, steps=LOOKS * every, every=every, observe=look))
    return np.asarray(move(jax.random.key(3), machine, (jnp.asarray(images), *above))[1])


def tempered_looks(
    state: ContrastiveState, images: np.ndarray, rounds: int, look: Look
) -> tuple[np.ndarray, tempering.Report]:
    """The same of the top rung over the run's past, after each `rounds` rounds, and how the rungs swapped."""
    carried, count = state.chains, len(images)
    ladder = trajectory.ladder_at(carried.past, carried.smooth, state.machine, carried.places)
    chains = tempering.init(jax.random.key(4), ladder, count)
    states = tuple(jnp.resize(x, (x.shape[0], count, x.shape[-1])) for x in carried.chains.states)
    states = (states[0].at[-1].set(images), *states[1:])
    chains, total, seen = chains._replace(states=states), tempering.no_info(*chains.replica.shape), []
    move = jax.jit(tempering.run, static_argnames=("rounds",))
    for _ in range(LOOKS):
        chains, info, _ = move(jax.random.key(5), ladder, chains, rounds=rounds)
        total = jax.tree.map(jnp.add, total, info)
        seen.append(look(tuple(x[-1] for x in chains.states)))
    return np.stack(seen), tempering.report(total)


def mixing(found: data.Dataset, scale: Scale) -> dict[str, Any]:
    """The share of chains still in the class where they began, by sweeps of a machine, for both ways."""
    labels = found.labels.train
    two = np.isin(labels, MODES)
    state, seconds, _ = train(found.train[two], scale, 1)
    judge = LogisticRegression(max_iter=200).fit(data.binarise_fixed(found.train[two], "sampled", 2), labels[two])
    machine, images = state.machine, first_images(found, 3)

    def look(state: States) -> jax.Array:
        return mean(machine, state, 0)

    every = scale.rounds * scale.rungs[1]
    tempered, report = tempered_looks(state, images, scale.rounds, look)
    pictures = {"plain Gibbs": plain_looks(machine, images, every, look), "tempered": tempered}
    classes = {name: judge.predict(p.reshape(-1, p.shape[-1])).reshape(p.shape[:2]) for name, p in pictures.items()}
    began = np.repeat(MODES, OF_A_CLASS)[: len(images)]
    shares = [float(np.mean(classes["tempered"][LOOKS // 2 :] == c)) for c in MODES]
    return {
        "seconds_two_modes": seconds,
        "sweeps": [every * (i + 1) for i in range(LOOKS)],
        "still": {name: np.mean(c == began, axis=1).tolist() for name, c in classes.items()},
        "class_changes": {name: float(np.mean(c[1:] != c[:-1])) for name, c in classes.items()},
        "class_shares": shares,
        "if_forgotten": float(np.mean([shares[MODES.index(c)] for c in began])),
        "swap_rates_two_modes": np.asarray(report.swap_rate).tolist(),
        "round_trips": int(report.round_trips),
        "pictures": {name: p[:: LOOKS // 10, :: OF_A_CLASS // 3] for name, p in pictures.items()},
    }


def draw(curve: list[tuple[float, float]], answer: dict[str, Any], mixed: dict[str, Any], shape: Any) -> Figure:
    """Left: the likelihood along the way. Middle: chains in their first class. Right: chains as rows."""
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(*zip(*curve), color="C0", label="by the trajectory, 1000 training images")
    at_the_end = curve[-1][1] + answer["log_z_trajectory"] - answer["log_z_ais"]
    left.plot([curve[-1][0]], [at_the_end], "o", color="C3", label="the same by AIS")
    left.set(xlabel="epoch", ylabel="log-likelihood (nats an image)", title="known while learning")
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
    """Train, judge, and let both kinds of chains run; print the table, write results and figure."""
    chosen = options(__doc__, "trajectory", "5 epochs", mnist=True)
    scale, found = SCALES[chosen.scale], mnist(chosen)
    state, seconds, curve = train(found.train, scale, 0)
    answer = judged(state, found, scale)
    mixed = mixing(found, scale)
    save(draw(curve, answer, mixed, found.shape), chosen.out / "trajectory.png")
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
    for i in (0, 4, 9, 24, LOOKS - 1):
        print(f"{mixed['sweeps'][i]:>8}" + "".join(f"{shares[i]:14.2f}" for shares in mixed["still"].values()))
    print(f"all forgotten: {mixed['if_forgotten']:.2f}")
    print(chosen.out / "trajectory.png")


if __name__ == "__main__":
    main()
