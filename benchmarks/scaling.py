"""What it costs to split a step and a sweep: on 1, 2, 4 and 8 devices of one process, and on those of two processes.

    python -m benchmarks.scaling [--out DIR]

About 4 minutes. A restricted machine of 784-500 units: steps a second of PCD-1 with 1,000 examples and chains, sweeps a
second of 1,024 chains, and the bytes that a device gives to collectives in each, as the compiler's program has them.
The devices are forced ones of the CPU (`--xla_force_host_platform_device_count`), which share its cores: more of them
cannot be faster, and what they are slower by is what splitting and talking costs. Two processes talk over Gloo and the
loopback. Writes DIR/scaling.jsonl.
"""

import argparse
import json
import math
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness

LAYOUTS = ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 4))  # processes, and devices of each
VISIBLE, HIDDEN, BATCH, CHAINS = 784, 500, 1000, 1024
TOGETHER, ROUNDS = 5, 5  # steps or sweeps of one dispatch, and dispatches, of which the median counts
BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}


def communication(program: str | None) -> int:
    """Bytes that a device gives to the collectives of a compiled program, a loop's body counted once."""
    total = 0
    kinds = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"
    for shapes in re.findall(rf"= (.*?) (?:{kinds})(?:-start)?\(", program or ""):
        for kind, sizes in re.findall(r"(\w+)\[([\d,]*)\]", shapes):
            total += BYTES[kind] * math.prod(int(size) for size in sizes.split(",") if size)
    return total


def rate(run: Callable[[], Any]) -> float:
    """Steps or sweeps a second of a dispatch of `TOGETHER`, compiled before."""
    import jax

    jax.block_until_ready(run())
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - began)
    return TOGETHER / float(np.median(seconds))


def measured(devices: int) -> dict[str, Any]:
    """Of this process's share of the devices, all of which compute the same two programs."""
    import jax
    import jax.numpy as jnp

    import genjax
    from genjax.sampling import gibbs
    from genjax.training import loop
    from genjax.training.mesh import mesh_of_all, on, placed, sharded
    from genjax.training.sets import TrainingSet

    x = (np.random.default_rng(0).random((BATCH, VISIBLE)) < 0.2).astype(np.float32)
    example = genjax.example(x, batch_size=BATCH)
    algorithm, hyper = genjax.rbm(hidden=HIDDEN, chains=BATCH).algorithm(10_000, example)
    state = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
    machine = jax.tree.map(jnp.copy, state.machine)  # training is given the state's buffers
    states = jax.tree.map(jnp.asarray, machine.uncoupled().draw(jax.random.key(0), CHAINS))
    plan = loop.plan(BATCH, BATCH, "none", TOGETHER)
    mesh = mesh_of_all(devices)
    key, state, data, machine, states = placed(
        (jax.random.key(1), state, TrainingSet(jnp.asarray(x)), machine, states), mesh
    )

    def step(key: Any, state: Any, batch: Any) -> Any:
        return algorithm.step(key, state, sharded(batch))

    def sweeps(key: Any, machine: Any, states: Any) -> Any:
        return gibbs.sample(key, machine, states, TOGETHER).states

    def train() -> Any:
        nonlocal state
        state, metrics = loop.run_chunk(key, state, data, jnp.asarray(0), jnp.asarray(TOGETHER), algorithm.step, plan)
        return metrics

    with on(mesh):
        steps = rate(train)  # first, while processes are together: Gloo waits half a minute for the others
        of_step = jax.jit(step).lower(key, state, loop.rows(data, slice(BATCH))).compile().as_text()
        sampler = jax.jit(sweeps).lower(key, machine, states).compile()
        found = {"step_bytes": communication(of_step), "sweep_bytes": communication(sampler.as_text())}
        return found | {"sweeps": rate(lambda: sampler(key, machine, states)), "steps": steps}


def process(devices: int, count: int, number: int, coordinator: str) -> None:
    """One process of a layout: prints what it measured, as JSON, on its last line."""
    from genjax.training.processes import together

    with together(coordinator, count, number):
        found = measured(devices)
    print(json.dumps(found), flush=True)


def layout(processes: int, devices: int) -> dict[str, Any]:
    """What process 0 of these processes measured."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "benchmarks.scaling", "--process", str(devices), str(processes)]
    started = [
        subprocess.Popen([*command, str(number), coordinator], env=environment, stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    answers = [one.communicate()[0] for one in started]
    return {"processes": processes, "devices": devices, **json.loads(answers[0].splitlines()[-1])}


def run(out: Path, layouts: tuple[tuple[int, int], ...] = LAYOUTS) -> None:
    """The table, on the screen and into DIR/scaling.jsonl."""
    path = out / "scaling.jsonl"
    path.unlink(missing_ok=True)
    harness.append(path, [harness.where()])
    print("processes x devices   steps/s   bytes a step   sweeps/s   bytes of 5 sweeps")
    for processes, devices in layouts:
        found = layout(processes, devices)
        harness.append(path, [{"kind": "layout", **found}])
        shape = f"{processes} x {devices}"
        print(
            f"{shape:19}   {found['steps']:7.1f}   {found['step_bytes']:12,}   {found['sweeps']:8.1f}   "
            f"{found['sweep_bytes']:17,}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    parser.add_argument("--process", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.process:
        devices, count, number, coordinator = asked.process
        process(int(devices), int(count), int(number), coordinator)
    else:
        run(asked.out)


if __name__ == "__main__":
    main()
