"""Is a VAE's training step faster in the loop's scan than driven step by step from the host?

    python -m experiments.vae_throughput --data-dir DIR [--quick | --smoke] [--out DIR]

The same network, batch and Adam (rate 1e-3) twice: `genjax`, whole epochs on the device as `genjax train vae` runs
them, metrics and all; and a host loop as Flax's VAE example has it: a compiled step of one batch, for which the host
shuffles, gathers and binarises images in NumPy, splits a key, and calls (it waits at the end of the epoch only).
784-500-20 with batch 128, that example's network; 784-200-200-50; and small networks on the 8x8 digits, where what is
timed is the calling more than the arithmetic. Rounds time each once in turn. Writes vae_throughput.png, results.jsonl
and the table. Expect genjax never slower, and 3 times faster on the small networks (and on a GPU). Full: 15 rounds,
about 5 minutes on two cores that do nothing else; --quick: 3 rounds. --smoke: digits, seconds.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.harness import Interval, order, ratio, where
from experiments.common import append, images_alone, mnist, options
from genjax import data
from genjax.algorithms.vae import VAEConfig, vae
from genjax.plots.images import save
from genjax.training import loop
from genjax.training.config import split

Epoch = Callable[[], Any]
"""An epoch of training, done when it returns."""


class Network(NamedTuple):
    """Which images, hidden layers, latents and batch."""

    dataset: str
    layers: tuple[int, ...]
    latents: int
    batch: int


NETWORKS = {
    "784-500-20": Network("mnist", (500,), 20, 128),
    "784-200-200-50": Network("mnist", (200, 200), 50, 100),
    "64-32-4": Network("digits", (32,), 4, 32),
    "64-16-2": Network("digits", (16,), 2, 8),
}
ROUNDS = {"full": 15, "quick": 3, "smoke": 2}


class HostVAE(nn.Module):
    """The network of the host loop: dense layers, the example's activation."""

    layers: tuple[int, ...]
    latents: int
    pixels: int

    @nn.compact
    def __call__(self, x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        y = x
        for size in self.layers:
            y = nn.relu(nn.Dense(size)(y))
        mean, log_variance = nn.Dense(self.latents)(y), nn.Dense(self.latents)(y)
        y = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        for size in reversed(self.layers):
            y = nn.relu(nn.Dense(size)(y))
        return nn.Dense(self.pixels)(y), mean, log_variance


def from_the_host(images: np.ndarray, network: Network) -> Epoch:
    """One call of a compiled step for each batch."""
    module = HostVAE(network.layers, network.latents, images.shape[1])
    optimiser, rng, key = optax.adam(1e-3), np.random.default_rng(0), jax.random.key(0)
    parameters: Any = module.init(key, jnp.zeros((1, images.shape[1])), key)
    state: Any = (parameters, optimiser.init(parameters))

    def loss(parameters: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        outputs: Any = module.apply(parameters, x, key)
        logits, mean, log_variance = outputs
        image = jnp.sum(optax.sigmoid_binary_cross_entropy(logits, x), axis=-1)
        away = 0.5 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1 - log_variance, axis=-1)
        return jnp.mean(image + away)

    @jax.jit
    def step(state: Any, x: jax.Array, key: jax.Array) -> tuple[Any, jax.Array]:
        parameters, rest = state
        value, slope = jax.value_and_grad(loss)(parameters, x, key)
        change, rest = optimiser.update(slope, rest, parameters)
        return (optax.apply_updates(parameters, change), rest), value

    def epoch() -> None:
        nonlocal state, key
        shuffled = rng.permutation(len(images))
        for first in range(0, len(images) - network.batch + 1, network.batch):
            x = images[shuffled[first : first + network.batch]]
            x = (rng.random(x.shape, np.float32) < x).astype(np.float32)
            key, here = jax.random.split(key)
            state, _ = step(state, x, here)
        jax.block_until_ready(state)

    return epoch


def genjax(images: np.ndarray, network: Network) -> Epoch:
    """The loop's own chunks, without `observe`, which is one a chunk."""
    training, plan = images_alone(images), loop.plan(len(images), network.batch, "sampled")
    config = VAEConfig(
        layers=network.layers, latents=(network.latents,), activation="relu", schedule="constant", average=0.0
    )
    static, hyper = split(config, 1000 * plan.steps_per_epoch)
    algorithm, key = vae(static), jax.random.key(0)
    state, step = loop.initial(key, algorithm, training, plan, hyper), 0

    def epoch() -> None:
        nonlocal state, step
        for _ in range(plan.steps_per_epoch // plan.part):
            state, metrics = loop.run_chunk(key, state, training, jnp.asarray(step), algorithm, plan, 1)
            step += plan.part
            jax.device_get(metrics)

    return epoch


WAYS: dict[str, Callable[[np.ndarray, Network], Epoch]] = {"genjax": genjax, "host loop": from_the_host}


def timed(images: np.ndarray, network: Network, rounds: int) -> dict[str, np.ndarray]:
    """Seconds an epoch of each way, `(rounds,)`."""
    epochs = {name: make(images, network) for name, make in WAYS.items()}
    for epoch in epochs.values():
        epoch()  # compiles
    steps = len(images) // network.batch
    repeats = 1 if rounds <= 3 else max(1, round(400 / steps))  # short epochs are timed several at once
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(rounds):
        for name in order(list(epochs), number):
            began = time.perf_counter()
            for _ in range(repeats):
                epochs[name]()
            seconds[name].append((time.perf_counter() - began) / repeats)
    return {name: np.array(values) for name, values in seconds.items()}


def main() -> None:
    """Time all networks; print the table, write results and figure."""
    chosen = options(__doc__, "vae-throughput", "3 rounds", mnist=True)
    sets = {"mnist": mnist(chosen), "digits": data.load("digits")}
    path = chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    append(path, where())
    found: dict[str, Interval] = {}
    print(f"{'network':16} {'batch':>5} {'genjax':>10} {'host loop':>10}   the host loop takes, times genjax (95 %)")
    for name, network in NETWORKS.items():
        images = sets[network.dataset].train
        seconds = timed(images, network, ROUNDS[chosen.scale])
        times = found[name] = ratio(seconds["host loop"], seconds["genjax"])
        steps = len(images) // network.batch
        shown = " ".join(f"{1e6 * np.median(values) / steps:8.0f}us" for values in seconds.values())
        print(
            f"{name:16} {network.batch:>5} {shown}   {times.median:.2f} [{times.low:.2f}, {times.high:.2f}]", flush=True
        )
        measured = {way: values.tolist() for way, values in seconds.items()}
        append(path, {"network": name, **network._asdict(), "seconds": measured, "ratio": list(times)})
    print(save(draw(found), chosen.out / "vae_throughput.png"))


def draw(found: dict[str, Interval]) -> Figure:
    """How many times longer the host loop takes, with the interval."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    middle = np.array([interval.median for interval in found.values()])
    ends = np.abs(np.array([[i.low, i.high] for i in found.values()]).T - middle)
    axes.barh(list(found), middle, xerr=ends)
    axes.axvline(1.0, color="grey", linestyle=":")
    axes.invert_yaxis()
    axes.set(xlabel="seconds of the host loop / seconds of genjax", title="A VAE's training step")
    return figure


if __name__ == "__main__":
    main()
