"""What do 3, 10, 100 and 1000 latents give an autoencoder and a VAE?

    python -m experiments.latent_sizes --data-dir DIR [--quick | --smoke] [--out DIR]

The same network, 784-512-256-latents and back, rectified units, Bernoulli pixels, sampled binarisation, as a plain
autoencoder and as a VAE. Of both, test images reconstructed from their codes (cross-entropy in nats, squared error a
pixel); of the VAE ELBO, importance-sampled likelihood and active units; of both samples: a VAE's from its prior, an
autoencoder's from a Gaussian with the mean and covariance of its codes, which is not what its codes are distributed
like. Writes latent_sizes.png (curves), samples.png, reconstructions.png, results.jsonl and the table; each model is a
run of `genjax train` in a folder of its own, with its plane, traversals, interpolations and map of codes in figures/.
Expect the autoencoder to reconstruct images better the more latents it has, and its samples to get worse; the VAE to
use some tens of its first hundred latents, and to learn more slowly with 1,000. Full: 30 epochs each, about an hour on
one core; --quick: 5 epochs of 3 and 100. --smoke: digits, seconds, no figures/. Runs that are there are not made again.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, options, run_of
from genjax.networks.pixels import log_probability
from genjax.plots.images import rows_of_images, save

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


def trained(kind: str, size: int, chosen: argparse.Namespace) -> genjax.Run:
    """One model of so many latents, with the pictures of its latent space."""
    scale = SCALES[chosen.scale]
    if kind == "vae":
        model = genjax.vae(latents=size, layers=scale.layers, activation="relu", learning_rate=1e-3)
    else:
        layers = (*scale.layers, size)
        model = genjax.ae(layers=layers, error="bernoulli", activation="relu", learning_rate=1e-3)
    options = {"epochs": scale.epochs, "binarisation": "sampled", "validation": False}
    run = run_of(chosen, None, model, f"{kind}-{size}", **options)
    assert run.folder is not None
    if chosen.scale != "smoke":
        for name, figure in run.plot.latent().items():
            save(figure, run.folder / "figures" / f"{name}.png")
    return run


def measured(run: genjax.Run, draws: int) -> tuple[dict[str, Any], np.ndarray]:
    """What is measured of one model, and the test images' reconstructions."""
    test = run.fixed_test()
    pixels = np.clip(run.reconstruct(np.asarray(test.x)), 1e-6, 1 - 1e-6)
    logits = jnp.asarray(np.log(pixels) - np.log1p(-pixels))
    nats = -log_probability("bernoulli", logits, jnp.zeros(()), test.x)
    row = {"cross_entropy": float(nats.mean()), "squared": float(np.mean((pixels - np.asarray(test.x)) ** 2))}
    return (row if run.model.answer is None else run.evaluation(draws=draws) | row), pixels


def main() -> None:
    """All sizes of both; print the table, write results and figures."""
    chosen = options(__doc__, "latent-sizes", "5 epochs, 3 and 100 latents", mnist=True)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    rows, samples, again, shape = [], {}, {}, (1, 1, 1)
    print(f"{'model':5} {'latents':>7} {'cross-entropy':>14} {'squared':>9} {'ELBO':>9} {'NLL':>8}  active")
    for kind, text in NAMES.items():
        for size in scale.sizes:
            run = trained(kind, size, chosen)
            shape = run.image_shape
            numbers, back = measured(run, scale.draws)
            row = numbers | {"model": kind, "latents": size}
            append(path, row)
            rows.append(row)
            print(line(row), flush=True)
            drawn = run.draw(12)
            samples[f"{text}, {size}"] = drawn.get("means", drawn["samples"])
            again.setdefault("original", np.asarray(run.fixed_test(12).x))
            again[f"{text}, {size}"] = back[:12]
    for sheet, title, name in ((samples, "samples", "samples.png"), (again, "reconstructions", "reconstructions.png")):
        save(rows_of_images(sheet, shape, f"{title}: model, latents"), chosen.out / name)
    print(draw(rows, chosen.out / "latent_sizes.png"))


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    start = f"{row['model']:5} {row['latents']:>7}"
    start += f" {row['cross_entropy']:14.2f} {row['squared']:9.5f}"
    if "elbo" not in row:
        return start
    elbo, likelihood = row["elbo"]["test"]["mean"], row["log_likelihood"]["test"]["mean"]
    return f"{start} {elbo:9.2f} {-likelihood:8.2f}  {row['active_units'][0]}"


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """Cross-entropy of both, and the VAE's likelihood and active units, against the latents."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    nats, units = figure.subplots(1, 2)
    for model, text in NAMES.items():
        here = [row for row in rows if row["model"] == model]
        nats.plot(
            [r["latents"] for r in here], [r["cross_entropy"] for r in here], "o-", label=f"{text}: reconstruction"
        )
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
