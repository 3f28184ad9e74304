"""Is a VAE's training step faster in the loop's scan than driven step by step from the host?

    python -m experiments.vae_throughput --data-dir DIR [--quick | --smoke] [--out DIR]

The same network, batch and Adam (rate 1e-3) each time: `genjax`, whole epochs on the device as `genjax.fit` runs
them, metrics and all; and a host loop as Flax's VAE example has it: a compiled step of one batch, for which the host
shuffles, gathers and binarises images in NumPy, splits a key, and calls (it waits at the end of the epoch only). Once
more with the images binarised in the compiled step, which leaves the host less to do.
784-500-20 with batch 128, that example's network; 784-200-200-50; and small networks on the 8x8 digits, where what is
timed is the calling more than the arithmetic. Rounds time each once in turn. Writes vae_throughput.png, results.jsonl
and the table. Expect genjax never slower, and 3 times faster on the small networks (and on a GPU). Full: 15 rounds,
about 5 minutes on two cores that do nothing else; --quick: 3 rounds. --smoke: digits, seconds.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import genjax as genjax_package
from benchmarks.harness import Interval, order, ratio, where
from experiments.common import append, mnist, options
from genjax import data
from genjax.plots.images import save
from genjax.training import loop

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


def from_the_host(images: np.ndarray, network: Network, in_the_step: bool = False) -> Epoch:
    """One call of a compiled step for each batch, which is binarised by the host or in the step."""
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
        if in_the_step:
            key, pixels = jax.random.split(key)
            x = jax.random.bernoulli(pixels, x).astype(x.dtype)
        value, slope = jax.value_and_grad(loss)(parameters, x, key)
        change, rest = optimiser.update(slope, rest, parameters)
        return (optax.apply_updates(parameters, change), rest), value

    def epoch() -> None:
        nonlocal state, key
        shuffled = rng.permutation(len(images))
        for first in range(0, len(images) - network.batch + 1, network.batch):
            x = images[shuffled[first : first + network.batch]]
            x = x if in_the_step else (rng.random(x.shape, np.float32) < x).astype(np.float32)
            key, here = jax.random.split(key)
            state, _ = step(state, x, here)
        jax.block_until_ready(state)

    return epoch


def genjax(images: np.ndarray, network: Network) -> Epoch:
    """The loop's own chunks, without `observe`, which is one a chunk."""
    training, plan = loop.TrainingSet(jnp.asarray(images)), loop.plan(len(images), network.batch, "sampled")
    sizes = {"layers": network.layers, "latents": network.latents}
    model = genjax_package.vae(**sizes, activation="relu", schedule="constant", average=0.0, learning_rate=1e-3)
    algorithm, hyper = model.algorithm(1000 * plan.steps_per_epoch, loop.example(training, plan))
    key = jax.random.key(0)
    state, step = loop.initial(key, algorithm, training, plan, hyper), 0

    def epoch() -> None:
        nonlocal state, step
        for first, count in loop.chunks(step, step + plan.steps_per_epoch, plan):
            numbers = jnp.asarray(first), jnp.asarray(count)
            state, metrics = loop.run_chunk(key, state, training, *numbers, algorithm.step, plan)
            jax.device_get(metrics)
        step += plan.steps_per_epoch

    return epoch


WAYS: dict[str, Callable[[np.ndarray, Network], Epoch]] = {
    "genjax": genjax,
    "host loop": from_the_host,
    "host, binarised in the step": partial(from_the_host, in_the_step=True),
}
HOSTS = list(WAYS)[1:]


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
    sets = {"mnist": mnist(chosen).without_validation(), "digits": data.load("digits")}
    path = chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    append(path, where())
    found: dict[str, list[Interval]] = {way: [] for way in HOSTS}
    print(f"{'network':16} {'batch':>5}" + "".join(f"{way:>30}" for way in WAYS) + "   a step, times genjax's (95 %)")
    for name, network in NETWORKS.items():
        images = sets[network.dataset].train
        seconds = timed(images, network, ROUNDS[chosen.scale])
        step = {way: 1e6 * np.median(values) / (len(images) // network.batch) for way, values in seconds.items()}
        for way in HOSTS:
            found[way].append(ratio(seconds[way], seconds["genjax"]))
        times = {way: found[way][-1] for way in HOSTS}
        shown = f"{step['genjax']:27.0f} us"
        for way, t in times.items():
            text = f"{step[way]:.0f} us, {t.median:.2f} [{t.low:.2f}, {t.high:.2f}]"
            shown += f"{text:>30}"
        print(f"{name:16} {network.batch:>5}{shown}", flush=True)
        measured = {way: values.tolist() for way, values in seconds.items()}
        ratios = {way: list(t) for way, t in times.items()}
        append(path, {"network": name, **network._asdict(), "seconds": measured, "ratio": ratios})
    print(save(draw(found), chosen.out / "vae_throughput.png"))


def draw(found: dict[str, list[Interval]]) -> Figure:
    """How many times longer the host loops take, with the intervals."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for number, (way, intervals) in enumerate(found.items()):
        middle = np.array([interval.median for interval in intervals])
        ends = np.abs(np.array([[i.low, i.high] for i in intervals]).T - middle)
        axes.barh(np.arange(len(middle)) + 0.4 * number, middle, 0.4, xerr=ends, label=way)
    axes.axvline(1.0, color="grey", linestyle=":")
    axes.set_yticks(np.arange(len(NETWORKS)) + 0.2, list(NETWORKS))
    axes.invert_yaxis()
    axes.legend()
    axes.set(xlabel="seconds of the host loop / seconds of genjax", title="A VAE's training step")
    return figure


if __name__ == "__main__":
    main()
