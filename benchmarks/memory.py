"""How much memory does a long run of many chains need beyond its states?

    python -m benchmarks.memory [--out DIR]

Compiles 1000 sweeps of 16384 chains at 784-500 and asks the compiler (`memory_analysis`): temporaries and outputs
together, over the bytes of the float32 states. Nothing is run; about 5 seconds. Expect about 2: the outputs are one
(the states), and what is left is the fields of the layer that is being drawn. At most 2.5 is claimed, and no more
for more sweeps: random words and past states are never stored. Writes DIR/memory.jsonl.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import harness, problem
from benchmarks.problem import Sizes
from genjax import Machine
from genjax.sampling.gibbs import sample


def run(out: Path, sizes: Sizes = (784, 500), chains: int = 16384, sweeps: int = 1000) -> dict[str, Any]:
    """One line into `out/memory.jsonl`, and onto the screen."""

    def array(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    weights, biases = tuple(map(array, sizes, sizes[1:])), tuple(map(array, sizes))
    machine = Machine(weights, biases)
    state = tuple(array(chains, size) for size in sizes)
    key = jax.eval_shape(lambda: jax.random.key(0))
    compiled = jax.jit(sample, static_argnums=3, donate_argnums=2).lower(key, machine, state, sweeps).compile()
    analysis = compiled.memory_analysis()
    device = jax.devices()[0]
    about = {
        "kind": "memory",
        "machine": problem.name(sizes),
        "chains": chains,
        "sweeps": sweeps,
        "row": "genjax",
        "dtype": "float32",
        "device": f"{device.platform}: {device.device_kind}",
        "commit": harness.commit(),
    }
    if analysis is None:
        entry = {**about, "skipped": "this device's compiler reports no memory"}
        print(f"memory: {entry['skipped']}")
    else:
        states = 4 * chains * sum(sizes)
        used = analysis.temp_size_in_bytes + analysis.output_size_in_bytes
        entry = {
            **about,
            "state_bytes": states,
            "temporary_bytes": analysis.temp_size_in_bytes,
            "output_bytes": analysis.output_size_in_bytes,
            "over_states": used / states,
        }
        print(
            f"memory: {entry['machine']}, {chains} chains, {sweeps} sweeps: temporaries and outputs are "
            f"{entry['over_states']:.2f} times the states ({used / 2**20:.1f} MiB)"
        )
    path = out / "memory.jsonl"
    path.unlink(missing_ok=True)
    harness.append(path, [harness.where(), entry])
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    run(parser.parse_args().out)


if __name__ == "__main__":
    main()
