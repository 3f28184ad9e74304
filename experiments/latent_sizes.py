"""What do 3, 10, 100 and 1000 latents give an autoencoder and a VAE?

    python -m experiments.latent_sizes --data-dir DIR [--quick | --smoke] [--out DIR]

The same network, 784-512-256-latents and back, rectified units, Bernoulli pixels, sampled binarisation, as a plain
autoencoder and as a VAE. Of both, test images given back by their codes (cross-entropy in nats, squared error a
pixel); of the VAE ELBO, importance-sampled likelihood and active units; of both samples: a VAE's from its prior, an
autoencoder's from a Gaussian with the means and deviations of its codes, which is not what its codes are distributed
like. Writes latent_sizes.png (curves), samples.png, reconstructions.png, results.jsonl and the table. Expect the
autoencoder to give back images better the more latents it has, and its samples to get worse; the VAE to use some
tens of its latents however many there are, and its likelihood to stay. `genjax latent` draws planes, traversals and
maps of single runs. Full: 30 epochs each, about 30 minutes on two cores; --quick: 5 epochs of 3 and 100. --smoke:
digits, seconds.
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.common import append, images_alone, learn, mnist, options
from experiments.vae_likelihood import batch_of
from genjax import data
from genjax.algorithms import autoencoder
from genjax.algorithms.autoencoder import AutoencoderConfig
from genjax.algorithms.vae import VAEConfig, trained_model, vae
from genjax.cli.autoencoding import ae_space
from genjax.cli.blocks import in_blocks
from genjax.cli.variational import vae_space
from genjax.evaluation.latent import LatentSpace
from genjax.likelihood.latent import evaluate
from genjax.networks.pixels import log_probability
from genjax.plots.grids import rows_of_images
from genjax.plots.images import save

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


def trained(model: str, size: int, found: data.Dataset, scale: Scale) -> tuple[LatentSpace, Any, float]:
    """The latent space of one model, its state, and the seconds."""
    training, seen = images_alone(found.train), batch_of(found.train[:10_000], 1)
    if model == "vae":
        config: Any = VAEConfig(latents=(size,), layers=scale.layers, activation="relu", learning_rate=1e-3)
        state, seconds = learn(config, training, scale.epochs, 0, factory=vae)
        return vae_space(state, seen), state, seconds
    config = AutoencoderConfig(layers=(*scale.layers, size), error="bernoulli")
    state, seconds = learn(config, training, scale.epochs, 0, factory=autoencoder.autoencoder)
    return ae_space(state, seen), state, seconds


def main() -> None:
    """All sizes of both; print the table, write results and figures."""
    chosen = options(__doc__, "latent-sizes", "5 epochs, 3 and 100 latents", mnist=True)
    scale, found = SCALES[chosen.scale], mnist(chosen)
    path = chosen.out / "results.jsonl"
    path.unlink(missing_ok=True)
    test, rows = batch_of(found.test, 0), []
    samples, again = {}, {"original": np.asarray(test.x[:12])}
    print(
        f"{'model':5} {'latents':>7} {'minutes':>8} {'cross-entropy':>14} {'squared':>9} {'ELBO':>9} {'NLL':>8}  active"
    )
    for model in NAMES:
        for size in scale.sizes:
            space, state, seconds = trained(model, size, found, scale)
            assert space.reconstruct is not None
            pixels = np.clip(in_blocks(space.reconstruct, test.x, space.condition(test.label)), 1e-6, 1 - 1e-6)
            logits = jnp.asarray(np.log(pixels) - np.log1p(-pixels))
            nats = -log_probability("bernoulli", logits, jnp.zeros(()), test.x)
            row: dict[str, Any] = {"model": model, "latents": size, "seconds": seconds}
            row |= {"cross_entropy": float(nats.mean()), "squared": float(np.mean((pixels - np.asarray(test.x)) ** 2))}
            if model == "vae":
                train = batch_of(found.train, 1)
                row = evaluate(jax.random.key(0), trained_model(state), train, test, scale.draws) | row
            append(path, row)
            rows.append(row)
            print(line(row), flush=True)
            noise = np.random.default_rng(0).normal(size=(12, size)) * space.spread + space.centre
            no_label = space.condition(jnp.zeros(12, jnp.int32))
            samples[f"{NAMES[model]}, {size}"] = np.asarray(space.decode(jnp.asarray(noise, jnp.float32), no_label))
            again[f"{NAMES[model]}, {size}"] = pixels[:12]
    for sheet, title, name in ((samples, "samples", "samples.png"), (again, "given back", "reconstructions.png")):
        rows_of_images(sheet, found.shape, f"{title}: model, latents", chosen.out / name)
    print(draw(rows, chosen.out / "latent_sizes.png"))


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    start = f"{row['model']:5} {row['latents']:>7} {row['seconds'] / 60:8.1f}"
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
