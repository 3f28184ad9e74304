"""How long does an epoch of MNIST take an RBM 784-500, and how good is it after the same minutes?

    python -m experiments.epoch_speed --data-dir DIR [--quick | --smoke] [--out DIR]

PCD-1, 100 chains, batch 100, two cores: genjax, scikit-learn's `BernoulliRBM.fit` and rbms 0.6 (PyTorch; it wants
Python 3.12), in rounds that time each once in turn; and the floor, a scan of the five matrix products that such a step
cannot do without (positive phase, down, up, and two for the gradient). Beside them batch 10 and 10 chains,
scikit-learn's default, timed on a tenth of the images. Then genjax and rbms learn for the same minutes and are
evaluated by one AIS: genjax at its defaults, rbms at two constant learning rates (it has no schedule). Writes
epoch_speed.png, results.jsonl and the tables. Full: 15 rounds and 2 minutes of learning, about 25 minutes; --quick:
3 rounds, no likelihoods. `pip install -e ".[bench]"` brings the others. A run that is interrupted goes on.
"""

import importlib
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from sklearn.neural_network import BernoulliRBM

import genjax as genjax_package
from benchmarks.harness import order, ratio, where
from experiments.common import append, lines, mnist, options
from genjax import data
from genjax.evaluation.likelihood import boltzmann
from genjax.plots.images import save
from genjax.training import loop
from genjax.typing import Batch

RATES = {"genjax": (0.2,), "rbms": (0.01, 0.05)}  # learning rates; genjax's falls to 0, rbms keeps its own
Epoch = Callable[[], Any]
"""An epoch of training, done when it returns."""


class Scale(NamedTuple):
    """How much is tried."""

    rounds: int
    hidden: int
    minutes: float  # of learning before the likelihoods; 0 for none
    temperatures: int


SCALES = {"full": Scale(15, 500, 2.0, 5000), "quick": Scale(3, 500, 0.0, 0), "smoke": Scale(2, 16, 0.005, 50)}


@partial(jax.jit, static_argnames=("batch_size",), donate_argnames=("weights", "hidden"))
def products(weights: jax.Array, hidden: jax.Array, images: jax.Array, batch_size: int) -> tuple[jax.Array, jax.Array]:
    """An epoch of steps that are five products, a comparison a unit, and the addition to the weights."""

    def one(carry: tuple[jax.Array, jax.Array], step: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        weights, hidden = carry
        x = jax.lax.dynamic_slice(images, (step * batch_size, 0), (batch_size, images.shape[1]))
        positive = x @ weights
        down = (hidden @ weights.T > 0).astype(x.dtype)
        up = down @ weights
        weights = weights + 1e-6 * (x.T @ positive - down.T @ up)
        return (weights, (up > 0).astype(x.dtype)), None

    return jax.lax.scan(one, (weights, hidden), jnp.arange(len(images) // batch_size))[0]


def floor(images: np.ndarray, hidden: int, batch_size: int) -> Epoch:
    """The five products alone (nothing is learned)."""
    x = jnp.asarray(images)
    carry = (0.01 * jax.random.normal(jax.random.key(0), (images.shape[1], hidden)), jnp.zeros((batch_size, hidden)))

    def epoch() -> None:
        nonlocal carry
        carry = jax.block_until_ready(products(*carry, x, batch_size))

    return epoch


def genjax(images: np.ndarray, hidden: int, batch_size: int) -> Epoch:
    """The loop's own chunks, as `genjax.fit` runs them, metrics and all; without `observe`, which is one a chunk."""
    training, plan = loop.TrainingSet(jnp.asarray(images)), loop.plan(len(images), batch_size, "sampled")
    model = genjax_package.rbm(hidden=hidden, chains=batch_size)
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


def sklearn_rbm(hidden: int, batch_size: int, epochs: int, rate: float = 0.01) -> BernoulliRBM:
    """scikit-learn's machine: as many chains as the batch has images."""
    return BernoulliRBM(hidden, batch_size=batch_size, n_iter=epochs, learning_rate=rate, random_state=0)


def sklearn(images: np.ndarray, hidden: int, batch_size: int) -> Epoch:
    """`fit` of one epoch on the intensities, as its documentation does."""
    return lambda: sklearn_rbm(hidden, batch_size, 1).fit(images)


def rbms_train(images: np.ndarray, hidden: int, batch_size: int, updates: int, rate: float = 0.01) -> Any:
    """rbms' own `train`: PCD-1, centred, plain gradient ascent; it draws batches of intensities as binary pixels."""
    os.environ["TQDM_DISABLE"] = "1"
    torch, package = importlib.import_module("torch"), importlib.import_module("rbms")
    from_rbms = {
        name: getattr(importlib.import_module(f"rbms.{module}"), name)
        for module, name in (
            ("dataset.dataset_class", "RBMDataset"),
            ("optim", "setup_optim"),
            ("pre_grad", "build_pre_grad_update"),
            ("sampler", "PCD"),
            ("training.pcd", "train"),
        )
    }
    count, device = len(images), torch.device("cpu")
    nothing = np.zeros(count)
    given = from_rbms["RBMDataset"](images, nothing, nothing + 1, nothing, "MNIST", "bernoulli", device)
    machine = package.BBRBM.init_parameters(hidden, given, device, torch.float32)
    chains = machine.init_chains(num_samples=batch_size)
    wanted = {"learning_rate": rate, "max_lr": 10.0, "scale_lr": False, "mult_optim": False, "optim": "sgd"}
    optimiser = from_rbms["setup_optim"]("sgd", wanted, machine)
    nothing_more = from_rbms["build_pre_grad_update"](optimiser, 0.0, 0.0, False, -1)
    with tempfile.TemporaryDirectory() as folder:
        from_rbms["train"](
            given,
            given,
            machine,
            from_rbms["PCD"](machine, chains, 1),
            optimiser,
            batch_size,
            True,
            0,
            nothing_more,
            0.0,
            np.array([], int),
            updates,
            str(Path(folder) / "rbm.h5"),
        )
    return machine


def rbms(images: np.ndarray, hidden: int, batch_size: int) -> Epoch:
    """An epoch's updates by `rbms`."""
    importlib.import_module("rbms")
    return lambda: rbms_train(images, hidden, batch_size, len(images) // batch_size)


LIBRARIES: dict[str, Callable[[np.ndarray, int, int], Epoch]] = {
    "five products": floor,
    "genjax": genjax,
    "scikit-learn": sklearn,
    "rbms": rbms,
}


def timed(images: np.ndarray, scale: Scale, batch_size: int) -> dict[str, np.ndarray]:
    """Seconds an epoch of each library that is there, `(rounds,)`."""
    epochs = {}
    for name, make in LIBRARIES.items():
        try:
            epochs[name] = make(images, scale.hidden, batch_size)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    for epoch in epochs.values():
        epoch()  # compiles
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for number in range(scale.rounds):
        for name in order(list(epochs), number):
            time.sleep(0.1)  # idle threads of one library spin for a while
            began = time.perf_counter()
            epochs[name]()
            seconds[name].append(time.perf_counter() - began)
    return {name: np.array(values) for name, values in seconds.items()}


def log_likelihood(machine: genjax_package.Machine, images: data.Dataset, temperatures: int) -> float:
    """Mean over the test images, nats, by AIS."""
    answer = boltzmann(jax.random.key(0), machine, images.train.mean(0), temperatures=temperatures)
    test = Batch(jnp.asarray(data.binarise_fixed(images.test, "sampled", 0)))
    return answer.estimate(answer.score(test)).mean


def as_machine(weights: Any, visible: Any, hidden: Any) -> genjax_package.Machine:
    """Another library's machine as ours, weights `(visible, hidden)`."""
    arrays = [jnp.asarray(np.asarray(x), jnp.float32) for x in (weights, visible, hidden)]
    return genjax_package.Machine((arrays[0],), (arrays[1], arrays[2])).check()


def after_minutes(images: data.Dataset, scale: Scale, seconds: float, name: str, rate: float) -> float:
    """Test log-likelihood of a machine that the library trained for about as many minutes, by its seconds an epoch."""
    epochs = max(1, round(60 * scale.minutes / seconds))
    if name == "genjax":
        model = genjax_package.rbm(hidden=scale.hidden, chains=100, learning_rate=rate)
        machine = genjax_package.fit(model, images, epochs=epochs, progress=False).machine
    else:
        fitted = rbms_train(images.train, scale.hidden, 100, epochs * (len(images.train) // 100), rate)
        machine = as_machine(fitted.weight_matrix, fitted.vbias, fitted.hbias)
    return log_likelihood(machine, images, scale.temperatures)


def draw(tables: dict[int, dict[str, np.ndarray]]) -> Figure:
    """Seconds an epoch as bars, with the quartiles."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (batch_size, table) in zip(np.atleast_1d(figure.subplots(1, len(tables))), tables.items()):
        low, middle, high = np.quantile(list(table.values()), [0.25, 0.5, 0.75], axis=1)
        axes.barh(list(table), middle, xerr=[middle - low, high - middle], color=[f"C{i}" for i in range(len(table))])
        axes.invert_yaxis()
        axes.set(xlabel="seconds an epoch (median, quartiles)", title=f"MNIST, PCD-1, batch {batch_size}")
    return figure


def table_of(rows: list[dict[str, Any]], batch_size: int) -> dict[str, np.ndarray]:
    """Seconds an epoch by library, as an earlier call wrote them."""
    return {row["name"]: np.array(row["seconds"]) for row in rows if row.get("batch_size") == batch_size}


def main() -> None:
    """Time, train and evaluate; print the tables, write results and figure. What earlier calls have done stays."""
    chosen = options(__doc__, "epoch-speed", "3 rounds, no likelihoods", mnist=True)
    scale, images = SCALES[chosen.scale], mnist(chosen).without_validation()
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    if not rows:
        append(path, where())
    tables: dict[int, dict[str, np.ndarray]] = {}
    for batch_size, share in ((100, 1), (10, 10)):
        table = table_of(rows, batch_size)
        if not table:
            some = images.train[: len(images.train) // share]
            table = {name: share * seconds for name, seconds in timed(some, scale, batch_size).items()}
            for name, seconds in table.items():
                append(path, {"batch_size": batch_size, "name": name, "seconds": seconds.tolist()})
        tables[batch_size] = table
        print(f"batch {batch_size}: seconds an epoch, and times genjax (95 %)")
        for name, seconds in table.items():
            times = ratio(seconds, table["genjax"])
            print(f"{name:16} {np.median(seconds):8.2f}   {times.median:6.2f} [{times.low:.2f}, {times.high:.2f}]")
        over = ratio(table["genjax"], table["five products"])
        print(f"genjax takes {over.median:.2f} [{over.low:.2f}, {over.high:.2f}] times its five products\n", flush=True)
    print(save(draw(tables), chosen.out / "epoch_speed.png"))
    if scale.minutes:
        print(f"test log-likelihood (nats) after {scale.minutes:g} minutes at batch 100, by learning rate")
    for name, rates in RATES.items():
        for rate in rates if scale.minutes and name in tables[100] else ():
            known = [row for row in rows if (row.get("trained"), row.get("rate")) == (name, rate)]
            if not known:
                score = after_minutes(images, scale, float(np.median(tables[100][name])), name, rate)
                known = [{"trained": name, "rate": rate, "minutes": scale.minutes, "log_likelihood": score}]
                append(path, known[0])
            print(f"{name:16} {rate:5}: {known[0]['log_likelihood']:.2f}", flush=True)


if __name__ == "__main__":
    main()
