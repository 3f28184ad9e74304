"""Do colour images by the hundred thousand train in the memory of a laptop?

    python -m benchmarks.images [--images N] [--steps N] [--models gan vae] [--out DIR]

Writes 200,000 made-up images of 64x64x3 into a .npy file of 2.5 GB in a temporary folder (they would be 9.8 GB as
floats), trains a convolutional GAN and a VAE on it for a few steps, each in a process of its own, and takes the
folder away. Into DIR/images.jsonl: a process's greatest resident memory, the file's pages that the system had mapped
into it included, and seconds to the last step, which are those of compiling and of the two passes over all images
before the first step. At most 8 GB are claimed, and 6.5 to expect, in those two passes; a step takes far less.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import genjax
from benchmarks import harness
from genjax.data.stored import Stored

HERE = Path(__file__).parent.parent
SHAPE = (64, 64, 3)
MOST = 8e9
MODELS = {
    "gan": lambda: genjax.gan(backbone="conv", channels=(16, 32)),
    "vae": lambda: genjax.vae(latents=32, channels=(16, 32), layers=(128,), pixels="gaussian"),
}


def write(path: Path, images: int) -> None:
    """Smooth colours with noise, a block at a time."""
    rng, block = np.random.default_rng(0), 2000
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, (images, *SHAPE))
    for first in range(0, images, block):
        here = mapped[first : first + block]
        colours = rng.integers(0, 192, (len(here), 8, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        here[:] = colours + rng.integers(0, 64, SHAPE, np.uint8)
    mapped.flush()


def train(model: str, path: Path, steps: int) -> dict[str, Any]:
    """In this process, which has done nothing else."""
    began = time.perf_counter()
    run = genjax.fit(MODELS[model](), path, steps=steps, batch_size=100, progress=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "peak_bytes": peak,
        "seconds": time.perf_counter() - began,
        "streamed": isinstance(run.prepared.training.x, Stored),
        "device": f"{jax.devices()[0].platform}: {jax.devices()[0].device_kind}",
    }


def run(
    out: Path, images: int = 200_000, steps: int = 5, models: tuple[str, ...] = tuple(MODELS)
) -> list[dict[str, Any]]:
    """One line a model into `out/images.jsonl`, and onto the screen."""
    path, lines = out / "images.jsonl", []
    path.unlink(missing_ok=True)
    harness.append(path, [harness.where()])
    with tempfile.TemporaryDirectory(prefix="genjax-images-") as folder:
        file = Path(folder) / "colours.npy"
        write(file, images)
        about = {"images": images, "steps": steps, "file_bytes": file.stat().st_size, "commit": harness.commit()}
        for model in models:
            command = [sys.executable, "-m", "benchmarks.images", "--one", model, str(file), "--steps", str(steps)]
            done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
            failed: dict[str, Any] = {"failed": f"status {done.returncode}: {done.stderr[-300:]}"}
            found = failed if done.returncode else json.loads(done.stdout.splitlines()[-1])
            lines.append({"kind": "images", "row": model, **about, **found})
            harness.append(path, lines[-1:])
            if "failed" in found:
                print(f"images: {model} {found['failed']}")
                continue
            verdict = "holds" if found["peak_bytes"] <= MOST else "fails"
            print(
                f"images: {model}, {images:,} of {'x'.join(map(str, SHAPE))}, {steps} steps: at most "
                f"{found['peak_bytes'] / 1e9:.2f} GB resident in {found['seconds']:.0f} s; at most 8 GB {verdict}",
                flush=True,
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(train(asked.one[0], Path(asked.one[1]), asked.steps)))
        return
    lines = run(asked.out, asked.images, asked.steps, tuple(asked.models))
    sys.exit(any(line.get("peak_bytes", MOST + 1) > MOST for line in lines))


if __name__ == "__main__":
    main()
