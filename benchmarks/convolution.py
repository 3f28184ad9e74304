"""Are convolutions inside `lax.scan` and under `vmap` as fast as `lax.conv` called from the host?

    python -m benchmarks.convolution [--smoke] [--out DIR]

About 4 minutes on a CPU. Training steps (gradient and descent) of a small convolutional classifier, 50 images of
28x28; 20 steps are a scan. `genjax` is `genjax.networks.conv`; `lax.conv` leaves the derivatives to JAX; `patches`
are padded, strided slices times a matrix. `vmap` trains 2 members at once, and its time is for one of them. Writes
DIR/convolution.jsonl.

On a CPU expect genjax in a scan to take as long as lax.conv from the host, with and without vmap; lax.conv in a scan
10 to 20 times as long, patches twice as long. On a GPU or TPU genjax is lax.conv.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import harness
from benchmarks.harness import Effort, Result, Run
from genjax.networks.conv import LAYOUT, convolve

Convolution = Callable[[jax.Array, jax.Array, int], jax.Array]


class Size(NamedTuple):
    """Images a batch, side of an image, channels of the four convolutions, steps of a scan, members under vmap."""

    batch: int = 50
    side: int = 28
    channels: tuple[int, ...] = (32, 32, 64, 64)
    steps: int = 20
    members: int = 2


SMOKE = Size(batch=2, side=4, channels=(2, 2), steps=2, members=2)


def by_lax(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """What JAX gives, padding SAME."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=LAYOUT)


def by_patches(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """One strided slice of the padded image for each entry of the kernel, side by side, times a matrix."""
    rows, columns, inner, outer = kernel.shape
    (top, bottom), (left, right) = lax.padtype_to_pads(x.shape[1:3], (rows, columns), (stride, stride), "SAME")
    height, width = (-(-n // stride) for n in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))

    def entry(i: int, j: int) -> jax.Array:
        end = (x.shape[0], i + (height - 1) * stride + 1, j + (width - 1) * stride + 1, inner)
        return lax.slice(x, (0, i, j, 0), end, (1, stride, stride, 1))

    patches = jnp.concatenate([entry(i, j) for i in range(rows) for j in range(columns)], -1)
    return patches @ kernel.reshape(-1, outer)


def trainer(convolution: Convolution, size: Size, scan: bool = True, vmap: bool = False) -> Run:
    """A `Run` whose unit is `size.steps` training steps (of every member); it keeps its parameters."""
    rng = np.random.default_rng(0)
    channels = (1, *size.channels)
    kernels = [rng.normal(0, (9 * a) ** -0.5, (3, 3, a, b)) for a, b in pairwise(channels)]
    strides = [2 - i % 2 for i in range(len(kernels))]
    x = jnp.asarray(rng.random((size.steps, size.batch, size.side, size.side, 1)), jnp.float32)
    label = jnp.asarray(rng.integers(0, 10, size.batch))

    def loss(parameters: Any, x: jax.Array) -> jax.Array:
        y = x
        for kernel, stride in zip(parameters[0], strides):
            y = jax.nn.relu(convolution(y, kernel, stride))
        logits = y.mean((1, 2)) @ parameters[1]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), label[:, None], 1))

    def step(parameters: Any, x: jax.Array) -> Any:
        return jax.tree.map(lambda a, slope: a - 0.01 * slope, parameters, jax.grad(loss)(parameters, x))

    if vmap:
        step = jax.vmap(step, (0, None))

    @jax.jit
    def several(parameters: Any, x: jax.Array) -> Any:
        return lax.scan(lambda parameters, batch: (step(parameters, batch), None), parameters, x)[0]

    once, batches = jax.jit(step), list(x)
    parameters: Any = (kernels, rng.normal(0, 0.1, (channels[-1], 10)))
    copies = (lambda a: np.stack([a] * size.members)) if vmap else (lambda a: a)
    parameters = jax.tree.map(lambda a: jnp.asarray(copies(a), jnp.float32), parameters)

    def run(units: int) -> jax.Array:
        nonlocal parameters
        for _ in range(units):
            if scan:
                parameters = several(parameters, x)
            else:
                for batch in batches:
                    parameters = once(parameters, batch)
        return jax.block_until_ready(parameters[1])

    return run


ROWS: dict[str, Callable[[Size], Run]] = {
    "lax.conv, from the host": partial(trainer, by_lax, scan=False),
    "genjax, in scan": partial(trainer, convolve),
    "lax.conv, in scan": partial(trainer, by_lax),
    "patches, in scan": partial(trainer, by_patches),
    "genjax, in scan, vmap": partial(trainer, convolve, vmap=True),
    "lax.conv, in scan, vmap": partial(trainer, by_lax, vmap=True),
    "patches, in scan, vmap": partial(trainer, by_patches, vmap=True),
}


def run(out: Path, size: Size | None = None, effort: Effort | None = None) -> list[dict[str, Any]]:
    """Measure all rows into `out/convolution.jsonl`, and onto the screen."""
    size, path = size or Size(), out / "convolution.jsonl"
    path.unlink(missing_ok=True)
    harness.append(path, [harness.where()])
    makers = {name: partial(make, size) for name, make in ROWS.items()}
    found = harness.measure(makers, effort or Effort(rounds=5, seconds=0.0, limit=np.inf))
    reference = found["lax.conv, from the host"]
    print(f"{'a training step':<26}{'ms':>8}  times lax.conv from the host")
    for name, result in found.items():
        entry: dict[str, Any] = {"kind": "convolution", "row": name, **size._asdict()}
        if isinstance(result, Result) and isinstance(reference, Result):
            steps = size.steps * (size.members if name.endswith("vmap") else 1)
            ratio = harness.Interval(
                *(x * size.steps / steps for x in harness.ratio(result.seconds, reference.seconds))
            )
            milliseconds = 1e3 * float(np.median(result.seconds)) / steps
            entry |= {"milliseconds": milliseconds, "over_host": ratio._asdict(), "rounds": len(result.seconds)}
            text = f"{milliseconds:>8.3g}  {ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
        else:
            entry |= {"skipped": str(result)}
            text = f"  {result}"
        harness.append(path, [entry])
        print(f"{name:<26}{text}", flush=True)
    return harness.read(path)


def run_smoke(out: Path) -> list[dict[str, Any]]:
    """Does it run?"""
    return run(out, SMOKE, Effort(rounds=2, seconds=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.convolution", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--smoke", action="store_true", help="seconds, for the tests")
    parser.add_argument("--out", type=Path, help="folder of the results")
    asked = parser.parse_args()
    results = tempfile.mkdtemp(prefix="benchmarks-") if asked.smoke else "benchmarks/results"
    (run_smoke if asked.smoke else run)(asked.out or Path(results))


if __name__ == "__main__":
    main()
