"""What the TPU's own compiler says of genjax, on one chip to 256, without a TPU.

    pip install -e ".[tpu]"
    python -m benchmarks.tpu [--quick] [--slices v5e-1 ...] [--programs sampler ...] [--out DIR]

`libtpu` compiles ahead of time for slices that are not there. Nothing is run: each line is what its compiler reports,
of one chip and of one sweep (step, temperature), beside what the program asks for:

- operations, over those of the products as written (`benchmarks.products`); bytes read and written; memory of a chip;
- collectives, with their bytes;
- microseconds by the compiler's cycles, without what it overlaps or what a launch costs, beside the least that the
  chip's figures allow: the products in as many bfloat16 passes as they take, the bytes (of which some never leave the
  chip, so that this may be too much), and the collectives over its links.

A slice is a process of its own under its own limit, and every line is in DIR/tpu.jsonl as soon as it is known. About
10 to 60 CPU seconds a line, half an hour in all on one core; --quick: the sampler and a step on 1 and 4 chips.
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import genjax
from benchmarks import harness
from benchmarks.compiled import read
from benchmarks.products import work
from genjax import Machine
from genjax.likelihood.ais import BLOCK, _anneal
from genjax.sampling import gibbs
from genjax.training import loop
from genjax.training.mesh import DATA, on, sharded
from genjax.typing import Batch, Example

HERE = Path(__file__).parent.parent
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1"}
LIMIT = 3600  # seconds of a slice


class Chip(NamedTuple):
    """A chip's bfloat16 operations a second, cycles a second, bytes, bytes a second from its memory and over its links.

    By the pages of Cloud TPU's documentation on v5e, v5p and v6e; half of the links' bytes go out. The clocks are the
    operations over those of a cycle: 4 units of 128 x 128, of v5p 8, of v6e 2^19 operations.
    """

    operations: float
    clock: float
    memory: float
    bandwidth: float
    links: float


CHIPS = {
    "v5e": Chip(197e12, 1.5e9, 16e9, 819e9, 400e9),
    "v5p": Chip(459e12, 1.75e9, 95e9, 2765e9, 1200e9),
    "v6e": Chip(918e12, 1.75e9, 32e9, 1638e9, 800e9),
}
SLICES = {
    "v5e-1": ("v5e:2x2", 1),  # the first of four: not every JAX knows a slice of one
    "v5e-4": ("v5e:2x2", 4),
    "v5e-16": ("v5e:4x4", 16),
    "v5e-256": ("v5e:16x16", 256),
    "v5p-4": ("v5p:2x2x1", 4),
    "v6e-4": ("v6e:2x2", 4),
}


PRODUCT = 2.0 * 784 * 500
"""Operations of one product of an RBM with the states of one chain, in either direction."""


class Program(NamedTuple):
    """A jitted function with its arguments' shapes, laid out on the mesh, and static ones.

    `trips` are how often its nested loops run, the outermost first; what the last one's body does is the `unit` that is
    reported. `operations` are those of the mathematics on all chips, where they can be written down: the products of
    the program's text may be more, of which a compiler leaves out what is asked twice.
    """

    function: Any
    arguments: tuple[Any, ...]
    static: dict[str, Any]
    unit: str
    trips: tuple[float, ...] = ()
    operations: float | None = None


def laid_out(tree: Any, mesh: Mesh, *axes: str | None) -> Any:
    """Shapes of arrays that lie so on the mesh, whole on each chip without axes."""
    place = NamedSharding(mesh, P(*axes))
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), tree)


def shapes(*sizes: int, dtype: Any = jnp.float32) -> Any:
    """Of an array that is never made."""
    return jax.ShapeDtypeStruct(sizes, dtype)


def a_key(mesh: Mesh) -> Any:
    return laid_out(jax.eval_shape(lambda: jax.random.key(0)), mesh)


def a_machine(mesh: Mesh, sizes: tuple[int, int] = (784, 500)) -> Machine:
    return laid_out(Machine((shapes(*sizes),), tuple(map(shapes, sizes))), mesh)


def sampler(mesh: Mesh, numbers: Any = "exact", a_chip: int | None = 16_384, sweeps: int = 128) -> Program:
    """Chains of 784-500, states in a byte a unit: so many a chip, or 16,384 on all chips together."""
    machine, chains = a_machine(mesh), 16_384 if a_chip is None else a_chip * mesh.size
    states = tuple(laid_out(shapes(chains, size, dtype=jnp.int8), mesh, DATA) for size in (784, 500))
    run = jax.jit(gibbs.sample, static_argnames=("sweeps", "kernel"), donate_argnames="states")
    with on(mesh):
        ahead = gibbs._at_once(machine, states, sweeps)
    trips = (sweeps / ahead, ahead) if ahead > 1 else (sweeps,)
    static = {"sweeps": sweeps, "kernel": gibbs.Gibbs(numbers)}
    return Program(run, (a_key(mesh), machine, states), static, "sweep", trips, 2 * PRODUCT * chains)


def wide_sampler(mesh: Mesh) -> Program:
    """4,096 chains of 4096-4096, the units of the odd layer split over four chips (`sampling.sharding`)."""
    if mesh.size < 4:
        raise harness.Skip("units are split over four chips")
    both = Mesh(mesh.devices.reshape(-1, 4), (DATA, "model"), axis_types=(AxisType.Auto,) * 2)
    states = laid_out((shapes(4096, 4096), shapes(4096, 4096)), both, DATA)
    states = (states[0], laid_out(states[1], both, DATA, "model"))
    run = jax.jit(gibbs.sample, static_argnames=("sweeps", "mesh"))
    arguments = a_key(both), a_machine(both, (4096, 4096)), states
    return Program(run, arguments, {"sweeps": 16, "mesh": both}, "sweep", (16,), 2 * 2 * 4096.0**3)


def learner(of: Callable[[int], Any], a_chip: int, mesh: Mesh, **settled: Any) -> tuple[Any, Any, Batch]:
    """The algorithm, state and batch of 28x28 images of a model for so many on each chip, which is made for them."""
    count = a_chip * mesh.size
    model = of(count)
    example = Example(Batch(shapes(count, 784), shapes(count, dtype=jnp.int32)), shapes(784), shapes(784))
    stage = model.model.stages(model, 1000, 1, **settled)[-1]
    state = jax.eval_shape(stage.algorithm.init, jax.random.key(0), example, stage.hyper)
    return stage.algorithm, laid_out(state, mesh), laid_out(example.batch, mesh)


def step(mesh: Mesh, of: Callable[[int], Any], a_chip: int = 128, products: int = 0, **settled: Any) -> Program:
    """One step of training, laid out on the mesh as the loop lays it out; of an RBM, of so many products."""
    algorithm, state, batch = learner(of, a_chip, mesh, **settled)

    def one(key: Any, state: Any, batch: Batch) -> Any:
        return algorithm.step(key, state, sharded(batch))

    operations = products * PRODUCT * batch.x.shape[0]
    return Program(
        jax.jit(one, donate_argnames="state"), (a_key(mesh), state, batch), {}, "step", (), operations or None
    )


def chunk(mesh: Mesh, of: Callable[[int], Any], a_chip: int = 128, examples: int = 55_000) -> Program:
    """A chunk of an RBM's loop, whose images are bytes on every chip."""
    algorithm, state, batch = learner(of, a_chip, mesh)
    plan = loop.plan(examples, batch.x.shape[0], "sampled")
    x, target = shapes(examples, 784, dtype=jnp.uint8), shapes(examples, dtype=jnp.int32)
    data = laid_out(loop.TrainingSet(x, target), mesh)
    numbers = laid_out((shapes(dtype=jnp.int32), shapes(dtype=jnp.int32)), mesh)
    within = min(plan.chunk, plan.steps_per_epoch)
    static = {"step": algorithm.step, "plan": plan}
    trips, operations = (plan.chunk / within, within), 5 * PRODUCT * batch.x.shape[0]
    return Program(loop.run_chunk, (a_key(mesh), state, data, *numbers), static, "step", trips, operations)


def annealed(mesh: Mesh, a_chip: int = 512) -> Program:
    """A block of AIS of 784-500, so many chains on each chip."""
    machine = a_machine(mesh)
    base = laid_out(jax.eval_shape(lambda m: m.uncoupled(), machine), mesh)
    states = tuple(laid_out(shapes(a_chip * mesh.size, size), mesh, DATA) for size in (784, 500))
    betas, first = laid_out((shapes(BLOCK + 1), shapes(dtype=jnp.int32)), mesh)
    arguments, static = (a_key(mesh), machine, base, states, betas, first), {"parity": 0, "kernel": None}
    return Program(_anneal, arguments, static, "temperature", (BLOCK,), 2 * PRODUCT * states[0].shape[0])


def rbm(chains: int) -> Any:
    return genjax.rbm(hidden=500, chains=chains)


IMAGES = {"shape": (28, 28, 1)}
PROGRAMS: dict[str, Callable[[Mesh], Program]] = {
    "sampler": sampler,
    "sampler, fast": partial(sampler, numbers="fast"),
    "sampler, 16,384 chains in all": partial(sampler, a_chip=None),
    "RBM step": partial(step, of=rbm, products=5),
    "AIS": annealed,
    "RBM chunk": partial(chunk, of=rbm),
    "VAE step": partial(step, of=lambda count: genjax.vae(), **IMAGES),
    "convolutional GAN step": partial(step, of=lambda count: genjax.gan(backbone="conv"), **IMAGES),
    "sampler, units split": wide_sampler,
    "DBM step": partial(step, of=lambda count: genjax.dbm(layers=(500, 1000), chains=count)),
    "flow matching step": partial(step, of=lambda count: genjax.diffusion(process="flow"), **IMAGES),
}
QUICK = (("v5e-1", "v5e-4"), ("sampler", "RBM step"))


def compiled(program: Program, mesh: Mesh, chip: Chip) -> dict[str, Any]:
    """One line: of one chip and one unit."""
    began = time.process_time()
    with on(None if "mesh" in program.static else mesh):
        asked = work(partial(program.function, **program.static), *program.arguments)
        done = program.function.lower(*program.arguments, **program.static).compile()
    mathematics = asked.flops if program.operations is None else program.operations
    costs, memory, chips = done.cost_analysis() or {}, done.memory_analysis(), mesh.size
    ran = read(done.as_text() or "", program.trips)
    passes = mathematics * asked.passes / asked.flops
    accessed = costs.get("bytes accessed", math.nan)
    least = {
        "products": passes / chips / chip.operations,
        "bytes": accessed / chip.bandwidth,
        "links": 2 * ran.sent / (chip.links / 2),
    }
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return {
        "unit": program.unit,
        "gigaflops": 1e-9 * mathematics / chips,
        "bfloat16_passes": passes / mathematics,
        "flops_over_mathematics": costs.get("flops", math.nan) * chips / mathematics,
        "megabytes_accessed": 1e-6 * accessed,
        "peak_megabytes": 1e-6 * (held + memory.temp_size_in_bytes),
        "collectives": ran.collectives,
        "collective_megabytes": 1e-6 * ran.sent,
        "estimated_microseconds": 1e6 * ran.cycles / chip.clock,
        "roofline_microseconds": {name: 1e6 * seconds for name, seconds in least.items()},
        "compile_cpu_seconds": time.process_time() - began,
    }


def measured(name: str, programs: list[str], out: Path) -> None:
    """All programs of one slice, in this process; what cannot be compiled is skipped with its reason."""
    from jax.experimental import topologies

    from genjax.networks import conv

    conv.written_out = lambda: False  # a TPU takes `lax.conv`; this process traces on a CPU
    topology, chips = SLICES[name]
    for program in programs:
        try:
            devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[:chips]
            mesh = Mesh(np.array(devices), (DATA,), axis_types=(AxisType.Auto,))
            line = compiled(PROGRAMS[program](mesh), mesh, CHIPS[name.split("-")[0]])
        except Exception as error:
            line = {"skipped": harness._reason(error)}
        line = {"slice": name, "program": program, **_rounded(line)}
        harness.append(out / "tpu.jsonl", [line])
        print(row(line), flush=True)


def row(line: dict[str, Any]) -> str:
    """A line of the table on the screen."""
    begin = f"{line['slice']:<8} {line['program']:<30}"
    if "skipped" in line:
        return f"{begin} skipped: {line['skipped']}"
    sent = ", ".join(f"{count:.3g} {kind}" for kind, count in line["collectives"].items())
    least = ", ".join(f"{name} {micro:.1f}" for name, micro in line["roofline_microseconds"].items())
    work = f"{line['gigaflops']:.3g} Gflop x {line['flops_over_mathematics']:.2f}, {line['megabytes_accessed']:.3g} MB"
    links = f"{sent}, {line['collective_megabytes']:.3g} MB" if sent else "no collective"
    lasts = f"{line['estimated_microseconds']:7.1f} us a {line['unit']} (at least {least})"
    return f"{begin} {lasts}; {work}, peak {line['peak_megabytes']:.3g} MB; {links}"


def _rounded(x: Any) -> Any:
    if isinstance(x, dict):
        return {name: _rounded(value) for name, value in x.items()}
    return float(f"{x:.4g}") if isinstance(x, float) else x


def limited(name: str, programs: list[str], out: Path) -> str | None:
    """One slice in a process under its limit; why it did not end well."""
    command = [sys.executable, "-m", "benchmarks.tpu", "--slice", name, "--programs", *programs, "--out", str(out)]
    with subprocess.Popen(command, cwd=HERE, env=os.environ | ENVIRONMENT, start_new_session=True) as process:
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started
            return f"was ended after {LIMIT} s"
    return f"ended with status {code}" if code else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the sampler and a step on 1 and 4 chips")
    parser.add_argument("--slices", nargs="+", choices=SLICES)
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS)
    parser.add_argument("--out", type=Path, help="folder of tpu.jsonl")
    parser.add_argument("--slice", choices=SLICES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    slices, programs = QUICK if asked.quick else (SLICES, PROGRAMS)
    slices, programs = list(asked.slices or slices), list(asked.programs or programs)
    out = asked.out or HERE / "benchmarks/results"
    if asked.slice:
        measured(asked.slice, programs, out)
        return
    harness.append(out / "tpu.jsonl", [harness.where() | {"libtpu": harness.version("libtpu")}])
    troubles = {name: limited(name, programs, out) for name in slices}
    for name, why in troubles.items():
        if why:
            print(f"{name} {why}")
            harness.append(out / "tpu.jsonl", [{"slice": name, "trouble": why}])
    sys.exit(any(troubles.values()))


if __name__ == "__main__":
    main()
