"""What do 3, 10, 100 and 1000 latents give an autoencoder and a VAE?

    python -m experiments.latent_sizes --data-dir DIR [--quick | --smoke] [--out DIR]

The same network, 784-512-256-latents and back, rectified units, Bernoulli pixels, sampled binarisation, as a plain
autoencoder and as a VAE. Of both, test images given back by their codes (cross-entropy in nats, squared error a
pixel); of the VAE ELBO, importance-sampled likelihood and active units; of both samples: a VAE's from its prior, an
autoencoder's from a Gaussian with the mean and covariance of its codes, which is not what its codes are distributed
like. Writes latent_sizes.png (curves), samples.png, reconstructions.png, results.jsonl and the table; each model is a
run of `genjax train` in a folder of its own, with its plane, traversals, interpolations and map of codes in figures/.
Expect the autoencoder to give back images better the more latents it has, and its samples to get worse; the VAE to use
some tens of its first hundred latents, and to learn more slowly with 1,000. Full: 30 epochs each, about an hour on one
core; --quick: 5 epochs of 3 and 100. --smoke: digits, seconds, no folders. Runs that are there are not made again.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.common import append, options, run_of
from genjax.algorithms.vae import trained_model
from genjax.cli.blocks import in_blocks
from genjax.cli.run import Run, fixed_batches
from genjax.cli.sample import drawing
from genjax.likelihood.latent import evaluate
from genjax.networks.pixels import log_probability
from genjax.plots.grids import rows_of_images
from genjax.plots.images import save
from genjax.typing import Batch

NAMES = {"ae": "autoencoder", "vae": "VAE"}


class Scale(NamedTuple):
    """How much is tried: latents, hidden layers, epochs, importance samples."""

    sizes: tuple[int, ...]
    layers: tuple[int, ...]
    epochs: int
    draws: int


SCALES = {
    "full": Scale((3, 10, 100, 1000), (512, 256), 30, 1000),
    "quick": Scale((3, 100), (512, 256), 5, 200),
    "smoke": Scale((3, 20), (32,), 8, 20),
}


def trained(model: str, size: int, chosen: argparse.Namespace) -> Run:
    """One model of so many latents."""
    scale = SCALES[chosen.scale]
    fields: dict[str, Any] = {"epochs": scale.epochs, "activation": "relu", "binarisation": "sampled"}
    fields |= {"learning_rate": 1e-3, "validation": False}
    if model == "vae":
        fields |= {"latents": (size,), "layers": scale.layers}
    else:
        fields |= {"layers": (*scale.layers, size), "error": "bernoulli"}
    return run_of(chosen, model, None, fields, f"{model}-{size}", dataset="mnist", **fields)


def main() -> None:
    """All sizes of both; print the table, write results and figures."""
    chosen = options(__doc__, "latent-sizes", "5 epochs, 3 and 100 latents", mnist=True)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    rows, samples, again, shape = [], {}, {}, (1, 1, 1)
    print(f"{'model':5} {'latents':>7} {'cross-entropy':>14} {'squared':>9} {'ELBO':>9} {'NLL':>8}  active")
    for model in NAMES:
        for size in scale.sizes:
            run = trained(model, size, chosen)
            train, test = fixed_batches(run)
            assert run.family.latent is not None
            space, shape = run.family.latent(run.state, Batch(train.x[:10_000], train.label[:10_000])), run.shape
            assert space.reconstruct is not None
            again.setdefault("original", np.asarray(test.x[:12]))
            pixels = np.clip(in_blocks(space.reconstruct, test.x, space.condition(test.label)), 1e-6, 1 - 1e-6)
            logits = jnp.asarray(np.log(pixels) - np.log1p(-pixels))
            nats = -log_probability("bernoulli", logits, jnp.zeros(()), test.x)
            row: dict[str, Any] = {"model": model, "latents": size}
            row |= {"cross_entropy": float(nats.mean()), "squared": float(np.mean((pixels - np.asarray(test.x)) ** 2))}
            if model == "vae":
                row = evaluate(jax.random.key(0), trained_model(run.state), train, test, scale.draws) | row
            append(path, row)
            rows.append(row)
            print(line(row), flush=True)
            made = drawing(run)
            assert made is not None
            drawn = made(jax.random.key(0), 12, None)
            samples[f"{NAMES[model]}, {size}"] = drawn.get("means", drawn["samples"])
            again[f"{NAMES[model]}, {size}"] = pixels[:12]
    for sheet, title, name in ((samples, "samples", "samples.png"), (again, "given back", "reconstructions.png")):
        save(rows_of_images(sheet, shape, f"{title}: model, latents"), chosen.out / name)
    print(draw(rows, chosen.out / "latent_sizes.png"))


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    start = f"{row['model']:5} {row['latents']:>7}"
    start += f" {row['cross_entropy']:14.2f} {row['squared']:9.5f}"
    if "elbo" not in row:
        return start
    return f"{start} {row['elbo']['test']:9.2f} {-row['log_likelihood']['test']['mean']:8.2f}  {row['active_units'][0]}"


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Cross-entropy of both, and the VAE's likelihood and active units, against the latents."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    nats, units = figure.subplots(1, 2)
    for model, text in NAMES.items():
        here = [row for row in rows if row["model"] == model]
        nats.plot([r["latents"] for r in here], [r["cross_entropy"] for r in here], "o-", label=f"{text}: given back")
    here = [row for row in rows if row["model"] == "vae"]
    sizes = [row["latents"] for row in here]
    nats.plot(sizes, [-row["log_likelihood"]["test"]["mean"] for row in here], "o--", label="VAE: NLL")
    units.plot(sizes, [row["active_units"][0] for row in here], "o-", color="C1", label="active")
    units.plot(sizes, sizes, ":", color="grey", label="all")
    nats.set(xlabel="latents", ylabel="nats a test image", xscale="log")
    units.set(xlabel="latents", ylabel="active units of the VAE", xscale="log", yscale="log")
    for axes in (nats, units):
        axes.grid(alpha=0.3)
        axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
