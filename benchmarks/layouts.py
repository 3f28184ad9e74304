"""Do other layouts of the same sweep pay? Each is timed against the shipped one, paired, on this device.

    python -m benchmarks.layouts [--out DIR]

About 3 minutes. The shipped sweep keeps one copy of the weights, float32 states that are donated, and a scan that is
not unrolled. The others: a transposed copy of the weights next to them, so that neither product has a transposed
operand; the scan unrolled 4 times; states that are not donated; states carried in bfloat16 (half the memory);
weights rounded to bfloat16 (`machine.rounded`), which is another machine. Writes DIR/layouts.jsonl.

Expect ratios of 1 within a few percent for the first four on a CPU, where the products are all the time there is, and
bfloat16 weights to lose on a CPU without bfloat16 arithmetic and to win on a GPU or TPU.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import harness, problem
from benchmarks.harness import Effort, Result, Run
from benchmarks.peers import to_machine
from benchmarks.problem import Problem, Sizes
from genjax import Machine, random
from genjax.boltzmann.machine import rounded
from genjax.sampling.gibbs import sample

CELLS: tuple[tuple[Sizes, int], ...] = (((784, 500), 64), ((784, 500), 1000), ((784, 500), 16384), ((4096, 4096), 64))


def shipped(p: Problem, chains: int, dtype: Any = jnp.float32, weights: Any = jnp.float32, donate: bool = True) -> Run:
    """`gibbs.sample`, with the states and the weights in these dtypes."""
    machine = rounded(to_machine(p), weights)
    state = tuple(jnp.asarray(x, dtype) for x in p.start(chains, 0))
    compiled = jax.jit(sample, static_argnums=3, donate_argnums=2 if donate else ())
    return runner(lambda key, state, sweeps: compiled(key, machine, state, sweeps).states, state)


def scanned(p: Problem, chains: int, transposed: bool = False, unroll: int = 1) -> Run:
    """The same sweep of a restricted machine written out, so that layout and unrolling can be chosen."""
    machine, state = to_machine(p), tuple(jnp.asarray(x) for x in p.start(chains, 0))
    copy = jnp.array(machine.weights[0].T) if transposed else None

    @partial(jax.jit, static_argnums=4, donate_argnums=3)
    def compiled(key: jax.Array, machine: Machine, copy: jax.Array | None, state: Any, sweeps: int) -> Any:
        up = machine.weights[0]
        down = up.T if copy is None else copy

        def one(state: Any, index: jax.Array) -> tuple[Any, None]:
            k = jax.random.fold_in(key, index)
            product = partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
            h = random.bernoulli(jax.random.fold_in(k, 1), product(state[0], up) + machine.biases[1])
            v = random.bernoulli(jax.random.fold_in(k, 0), product(h, down) + machine.biases[0])
            return (v, h), None

        return jax.lax.scan(one, state, jnp.arange(sweeps), unroll=unroll)[0]

    return runner(lambda key, state, sweeps: compiled(key, machine, copy, state, sweeps), state)


def runner(advance: Callable[[jax.Array, Any, int], Any], state: Any) -> Run:
    """A `Run` that keeps its own key and state."""
    key = jax.random.key(0)

    def run(sweeps: int) -> jax.Array:
        nonlocal state, key
        key, subkey = jax.random.split(key)
        state = jax.block_until_ready(advance(subkey, state, sweeps))
        return state[0]

    return run


LAYOUTS: dict[str, Callable[[Problem, int], Run]] = {
    "shipped": shipped,
    "written out": scanned,
    "transposed copy": partial(scanned, transposed=True),
    "unrolled 4 times": partial(scanned, unroll=4),
    "not donated": partial(shipped, donate=False),
    "bfloat16 states": partial(shipped, dtype=jnp.bfloat16),
    "bfloat16 weights and states": partial(shipped, dtype=jnp.bfloat16, weights=jnp.bfloat16),
}


def run(out: Path, cells: tuple[tuple[Sizes, int], ...] = CELLS, effort: Effort | None = None) -> list[dict[str, Any]]:
    """Measure all layouts in all cells into `out/layouts.jsonl`, and onto the screen."""
    path = out / "layouts.jsonl"
    path.unlink(missing_ok=True)
    harness.append(path, [harness.where()])
    print(f"{'machine':<13}{'chains':>6}  {'layout':<29}{'ms a sweep':>10}  times the shipped one")
    for sizes, chains in cells:
        p = problem.spin_glass(sizes)
        makers = {name: partial(make, p, chains) for name, make in LAYOUTS.items()}
        found = harness.measure(makers, effort or Effort())
        for name, result in found.items():
            entry = {"kind": "layout", "machine": problem.name(sizes), "chains": chains, "layout": name}
            reference = found["shipped"]
            if isinstance(result, Result) and isinstance(reference, Result):
                ratio = harness.ratio(result.seconds, reference.seconds)
                milliseconds = 1e3 * sorted(result.seconds)[len(result.seconds) // 2]
                entry |= {"milliseconds": milliseconds, "over_shipped": ratio._asdict(), "rounds": len(result.seconds)}
                text = f"{milliseconds:>10.3g}  {ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
            else:
                entry |= {"skipped": str(result)}
                text = f"  {result}"
            harness.append(path, [entry])
            print(f"{entry['machine']:<13}{chains:>6}  {name:<29}{text}", flush=True)
        jax.clear_caches()
    return harness.read(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layouts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    run(parser.parse_args().out)


if __name__ == "__main__":
    main()
