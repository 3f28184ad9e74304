"""What only a device can say, in seven minutes: speed, time to compile, and which tests fail on it.

    python -m benchmarks.device [--parts sampler training ...] [--smoke] [--out DIR]

For one GPU (or TPU chip). Each part is a process of its own under its own limit, and every line is in DIR/device.jsonl
as soon as it is measured: a part that hangs or dies costs no other.

- sampler: a sweep of three machines with 256 to 262,144 chains: the floor (`benchmarks.floor`), genjax in float32 and
  in bfloat16, both by its fused kernels too, and torch.compile, rbms, thrml where they are installed, paired in rounds;
  flips/ns, and effective samples a second by the autocorrelation time of the energy (`benchmarks.throughput`).
- agreement: states of the fused kernels beside the compiler's, on weights whose sums are exact in any order.
- epoch: 60,000 images, 784-500, PCD-1, batch 100, beside rbms.
- training: seconds to the first chunk, then steps a second, of an RBM, a DBM, a VAE, a convolutional GAN, diffusion,
  and a grid of 64 RBMs, on made-up images of 28x28.
- likelihood: AIS of rbm-mnist, with 10,000 temperatures and 500 chains.
- tests: those of sampling, likelihood, Boltzmann machines and algorithms that are not slow; failures by name.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import genjax
from benchmarks import harness, peers, problem
from benchmarks.floor import floor
from benchmarks.harness import Effort, Run
from benchmarks.problem import Sizes
from benchmarks.throughput import effective_per_sweep
from genjax.boltzmann.machine import Machine, rounded
from genjax.sampling.fused import Fused
from genjax.sampling.gibbs import Gibbs, initial_states, sample
from genjax.typing import Kernel

HERE = Path(__file__).parent.parent
CELLS: tuple[tuple[Sizes, int], ...] = (
    ((784, 500), 1000),
    ((784, 500), 65_536),
    ((64, 16), 256),
    ((4096, 4096), 4096),
    ((784, 500), 256),
    ((784, 500), 16_384),
    ((784, 500), 262_144),
    ((64, 16), 65_536),
)
KERNELS: dict[str, Kernel] = {
    "float32": Gibbs(),
    "bfloat16": Gibbs("fast"),
    "fused, float32": Fused(),
    "fused, bfloat16": Fused("fast"),
}
OTHERS = ("torch.compile", "rbms", "thrml")
TESTED = ("test_numerics.py", "test_random.py", "sampling", "boltzmann", "likelihood", "algorithms")


class Part(NamedTuple):
    """What measures, `say(**line)` for each line, and its limit in seconds."""

    measure: Callable[[Callable[..., None], bool], None]
    limit: int


def together(sizes: Sizes, chains: int) -> int:
    """Sweeps that one call makes, milliseconds of work: one program a row is compiled, for no other number."""
    work = chains * sum(a * b for a, b in itertools.pairwise(sizes))
    return int(2 ** np.clip(np.round(np.log2(2e11 / work)), 2, 12))


def prepared(make: Callable[[], Run], sweeps: int) -> tuple[Callable[[], Run], float | None]:
    """A maker of what has been compiled already, whose `run(n)` makes n times so many sweeps; seconds it took."""
    began = time.perf_counter()
    try:
        run = make()
        run(sweeps)
    except Exception as error:
        return partial(failing, error), None

    def times(count: int) -> Any:
        return [run(sweeps) for _ in range(count)][-1]

    return lambda: times, time.perf_counter() - began


def failing(error: Exception) -> Run:
    raise error


def sampler(say: Callable[..., None], smoke: bool) -> None:
    """Cell by cell, those with claims first. What JAX compiles is compiled side by side."""
    effort = Effort(rounds=3, seconds=0.0) if smoke else Effort(rounds=7, seconds=0.03, limit=float("inf"))
    per_sweep: dict[Sizes, Future[float | None]] = {}
    pool = ThreadPoolExecutor()
    for sizes, chains in [((6, 4), 8)] if smoke else CELLS:
        p, sweeps = problem.spin_glass(sizes), 1 if smoke else together(sizes, chains)
        if sizes not in per_sweep:
            per_sweep[sizes] = pool.submit(effective_per_sweep, p, 16 if smoke else 256)
        makers: dict[str, Callable[[], Run]] = {"floor": partial(floor, p, chains, 0)}
        makers |= {name: partial(peers.genjax, p, chains, 0, of) for name, of in KERNELS.items()}
        ready = dict(zip(makers, pool.map(partial(prepared, sweeps=sweeps), makers.values())))
        if not smoke and chains <= 1000:  # where a sweep of theirs is short, and so is their compilation
            ready |= {name: prepared(partial(peers.PEERS[name].make, p, chains, 0), sweeps) for name in OTHERS}
        for name, result in harness.measure({name: make for name, (make, _) in ready.items()}, effort).items():
            about = {"machine": problem.name(sizes), "chains": chains, "row": name}
            if isinstance(result, str):
                say(**about, skipped=result)
                continue
            seconds, effective = float(np.median(result.seconds)) / sweeps, per_sweep[sizes].result()
            say(
                **about,
                microseconds=1e6 * seconds,
                flips_per_ns=p.units * chains / seconds * 1e-9,
                effective_samples_per_second=effective and effective * chains / seconds,
                compile_seconds=ready[name][1],
            )


def agreement(say: Callable[..., None], smoke: bool) -> None:
    """Chains that differ after three sweeps: none should, as words are the same and sums have no rounding."""
    for sizes, chains in [((6, 4), 8)] if smoke else [((64, 16), 256), ((784, 500), 1000), ((784, 500), 65_536)]:
        p = problem.spin_glass(sizes)
        weights = tuple(jnp.round(jnp.asarray(w) * 256) / 256 for w in p.weights)
        machine = rounded(Machine(weights, tuple(jnp.round(jnp.asarray(b) * 256) / 256 for b in p.biases)))
        for kind, own in (("bfloat16", machine), ("float32", rounded(machine, jnp.float32))):
            states, go = initial_states(jax.random.key(0), own.uncoupled(), chains), jax.jit(sample, static_argnums=3)
            expected = go(jax.random.key(1), own, states, 3).states
            drawn = jax.jit(partial(sample, kernel=Fused()), static_argnums=3)(jax.random.key(1), own, states, 3).states
            apart = sum(int((a != b).any(-1).sum()) for a, b in zip(expected, drawn))
            say(machine=problem.name(sizes), chains=chains, row=f"fused, {kind}", layers_of_chains_that_differ=apart)


def made_up(count: int) -> np.ndarray:
    """Images of 28x28 with bars, as bytes."""
    rng = np.random.default_rng(0)
    bars = rng.random((count, 28, 1)) < 0.3
    return (255 * (bars ^ (rng.random((count, 28, 28)) < 0.05))).astype(np.uint8)


def timed(model: Any, x: np.ndarray, **options: Any) -> dict[str, Any]:
    """Seconds to the first chunk, and steps a second after it."""
    began, seen = time.perf_counter(), []
    on_chunk = [lambda chunk: seen.append((time.perf_counter(), chunk.step))]
    genjax.fit(model, x, validation=False, progress=False, on_chunk=on_chunk, **options)
    (first, done), (last, steps) = seen[0], seen[-1]
    rate = (steps - done) / (last - first) if steps > done else None
    return {"seconds_to_first_chunk": first - began, "steps_per_second": rate, "steps": steps}


def epoch(say: Callable[..., None], smoke: bool) -> None:
    """PCD-1 by genjax; rbms by its own `train`, its second call, which has nothing left to set up."""
    x = made_up(300 if smoke else 75_000)  # a fifth is set aside for testing
    steps = 6 if smoke else 3000
    say(row="genjax", **timed(genjax.rbm(hidden=8 if smoke else 500, chains=100), x, steps=steps, batch_size=100))
    try:
        from experiments.epoch_speed import rbms_train

        flat = x[: 100 if smoke else 60_000].reshape(-1, 784).astype(np.float32) / 255
        rbms_train(flat, 500, 100, 10)
        began = time.perf_counter()
        rbms_train(flat, 500, 100, 100)
        say(row="rbms", steps_per_second=100 / (time.perf_counter() - began))
    except (ImportError, harness.Skip) as error:
        say(row="rbms", skipped=str(error))


def training(say: Callable[..., None], smoke: bool) -> None:
    """A few chunks of each family."""
    x, own = made_up(400 if smoke else 10_000), {"steps": 4} if smoke else {"steps": 1000}
    small: dict[str, Any] = {"layers": (8,), "channels": (4,)} if smoke else {}
    models = {
        "RBM 784-500": genjax.rbm(hidden=8 if smoke else 500),
        "DBM 784-500-1000": genjax.dbm(layers=(8, 6) if smoke else (500, 1000)),
        "VAE": genjax.vae(),
        "convolutional GAN": genjax.gan(backbone="conv", **({"channels": (4,)} if smoke else {})),
        "flow matching": genjax.diffusion(process="flow", **small),
    }
    for name, model in models.items():
        say(row=name, **timed(model, x, batch_size=100, **own))
    began = time.perf_counter()
    grid: dict[str, Any] = own | {"learning_rate": [0.05, 0.1], "hidden": [8, 10] if smoke else [32, 64, 96, 128]}
    runs = genjax.grid(genjax.rbm(), x, seeds=2 if smoke else 8, validation=False, progress=False, **grid)
    say(row=f"grid of {len(runs)} RBMs", seconds=time.perf_counter() - began, steps=own["steps"])


def likelihood(say: Callable[..., None], smoke: bool) -> None:
    """Twice: the second call compiles nothing."""
    machine = genjax.load("rbm-mnist").machine
    if smoke:
        machine = Machine((machine.weights[0][:6, :4],), (machine.biases[0][:6], machine.biases[1][:4]))
    for number in range(2):
        began = time.perf_counter()
        log_z = genjax.likelihood.log_z(machine)
        say(row=f"call {number + 1}", seconds=time.perf_counter() - began, log_z=log_z.mean, trusted=log_z.trusted)


def tests(say: Callable[..., None], smoke: bool) -> None:
    """In one process, so that it holds the device alone; failures are named as they come, for time may run out."""
    which = ["tests/test_random.py"] if smoke else [f"tests/{name}" for name in TESTED]
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-m", "not slow", "-v", "--tb=no", *which]
    environment = {
        **os.environ,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "--xla_gpu_autotune_level=0"),  # else tests/conftest.py sets a CPU's
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    passed = 0
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            passed += " PASSED" in line
            if " FAILED" in line or " ERROR" in line:
                say(row="pytest", said=line.strip())
            elif " PASSED" in line and passed % 25 == 0:
                say(row="pytest", passed=passed)
    say(row="pytest", passed=passed, status=process.returncode)


PARTS = {
    "sampler": Part(sampler, 170),
    "agreement": Part(agreement, 35),
    "epoch": Part(epoch, 35),
    "training": Part(training, 90),
    "likelihood": Part(likelihood, 40),
    "tests": Part(tests, 50),
}


def measured(name: str, out: Path, smoke: bool) -> None:
    """One part, in this process."""
    device = jax.devices()[0]
    where = {"part": name, "device": f"{device.platform}: {device.device_kind}"}

    def say(**line: Any) -> None:
        line = {key: float(f"{x:.5g}") if isinstance(x, float) else x for key, x in line.items()}
        harness.append(out / "device.jsonl", [where | line])
        print(name.ljust(12), *(f"{key} {x}" for key, x in line.items() if x is not None), flush=True)

    PARTS[name].measure(say, smoke)


def limited(name: str, out: Path, smoke: bool) -> str | None:
    """One part in a process under its limit; why it did not end well."""
    command = [sys.executable, "-m", "benchmarks.device", "--part", name, "--out", str(out), *["--smoke"] * smoke]
    limit = 600 if smoke else PARTS[name].limit
    with subprocess.Popen(command, cwd=HERE, start_new_session=True) as process:
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            return f"was ended after {limit} s"
    return f"ended with status {code}" if code else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "benchmarks/results", help="folder of device.jsonl")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it run?")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        measured(asked.part, asked.out, asked.smoke)
        return
    harness.append(asked.out / "device.jsonl", [harness.where()])
    troubles = {name: limited(name, asked.out, asked.smoke) for name in asked.parts}
    for name, why in troubles.items():
        if why:
            print(f"{name} {why}")
            harness.append(asked.out / "device.jsonl", [{"part": name, "trouble": why}])
    sys.exit(any(troubles.values()))


if __name__ == "__main__":
    main()
