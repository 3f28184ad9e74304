"""Autoencoder, VAE and GAN with one network and as many latents: who gives images back, and who draws better ones?

    python -m experiments.one_backbone [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

The same perceptron, pixels-256-128-latents and back (--quick: pixels-128-latents), as a stacked autoencoder (pretrained
pair by pair, then trained as a whole to give images back), as a VAE, and its upper half as the generator of a GAN
against the lower half, with 3, 10, 100 and 1,000 latents each and as many epochs. Of the first two the squared error of
test images given back; of all three samples, by a classifier of the images (trained first, and kept): the classifier
score, the Frechet distance of features from test images', precision and recall. An autoencoder has no distribution of
codes: they are drawn from a Gaussian with the mean and covariance of the training images'. Pixels are intensities, not
binarised; of the autoencoder and the VAE the expected ones are measured. Writes one_backbone.png (each score against
the latents), samples.png (a row a model), results.jsonl and the table. Expect the VAE to give images back best with
three latents, and the autoencoder with many; three latents to leave all three far from the data, and to draw few of its
kinds (recall); and after few epochs the VAE's samples to be blurred and the GAN's not yet digits, each near the data
and without their variety (precision high, recall low). Full: 400 epochs, 3 seeds; --quick: 40 epochs, one seed, 3 and
100 latents.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import IMAGES, Rows, images_of, options
from genjax.api.classifier import classifier_of
from genjax.evaluation.classifier import Classifier
from genjax.evaluation.samples import quality
from genjax.plots.bands import number
from genjax.plots.images import rows_of_images, save

SCORES = {
    "squared": "squared error a pixel, test images given back",
    "classifier_score": "classifier score of samples",
    "frechet_distance": "Frechet distance of samples",
    "precision": "precision of samples",
    "recall": "recall of samples",
}
SHOWN = 14


class Scale(NamedTuple):
    """Latents, seeds, epochs, and hidden layers."""

    latents: tuple[int, ...]
    seeds: int
    epochs: int
    layers: tuple[int, ...]


SCALES = {
    "full": Scale((3, 10, 100, 1000), 3, 400, (256, 128)),
    "quick": Scale((3, 100), 1, 40, (128,)),
    "smoke": Scale((2, 5), 1, 2, (16, 8)),
}


def models(latents: int, scale: Scale) -> dict[str, Any]:
    """The three with so many latents."""
    layers, pretraining = scale.layers, max(1, scale.epochs // 6)
    return {
        "stacked autoencoder": genjax.sae(layers=(*layers, latents), task="reconstruct", pretraining=pretraining),
        "VAE": genjax.vae(layers=layers, latents=latents, pixels="continuous_bernoulli", activation="relu"),
        "GAN": genjax.gan(layers=layers[::-1], latent=latents),
    }


def measured(run: genjax.Run, images: genjax.Dataset, classifier: Classifier) -> dict[str, Any]:
    """How it gives images back, its samples, and some of them."""
    arrays = run.draw(len(images.test))
    x = np.clip(arrays.get("means", arrays["samples"]), 0, 1)
    table = quality(classifier, x, images.train, images.test)
    found = {name: table["samples"][name] for name in SCORES if name in table["samples"]}
    if run.model.back is not None:
        found["squared"] = float(np.mean((run.reconstruct(images.test) - images.test) ** 2))
    real = {name: table["real"][name] for name in found if name in table["real"]}
    return found | {"real": real, "drawn": x[:SHOWN].round(3).tolist()}


def draw(rows: Rows, names: list[str], title: str) -> Figure:
    """Each score against the latents, a line a model, a dot a seed."""
    figure = Figure(figsize=(4.2 * 3, 7), layout="constrained")
    grid = figure.subplots(2, 3).ravel()
    for axes, (score, label) in zip(grid, SCORES.items()):
        for colour, name in enumerate(names):
            points = [(row["latents"], row[score]) for row in rows.of(model=name) if row.get(score) is not None]
            sizes = sorted({size for size, _ in points})
            means = [np.mean([value for size, value in points if size == at]) for at in sizes]
            axes.plot(sizes, means, color=f"C{colour}", label=name)
            axes.plot(*zip(*points), ".", color=f"C{colour}") if points else None
        if (known := rows.of()[0]["real"].get(score)) is not None:
            axes.axhline(known, color="grey", linestyle=":", label="real images")
        axes.set(xscale="log", xlabel="latents", title=label)
        number(axes.xaxis)
        sizes = sorted({row["latents"] for row in rows.of()})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.grid(alpha=0.3)
    grid[1].legend(fontsize=8)
    grid[-1].set_axis_off()
    figure.suptitle(title)
    return figure


def main() -> None:
    """All models, latents and seeds; print the table, write results and figures."""
    chosen = options(__doc__, "one-backbone", "40 epochs, one seed, 3 and 100 latents", more=IMAGES)
    scale, images = SCALES[chosen.scale], images_of(chosen).without_validation()
    classifier = classifier_of(images)
    if classifier is None:
        raise SystemExit(
            f"one_backbone: {images.name} has no labels, and a classifier measures samples; choose others."
        )
    rows, sheet = Rows(chosen.out / "results.jsonl", "model", "latents", "seed"), {}
    names = list(models(1, scale))
    print(f"{'model':20} {'latents':>7}" + "".join(f"{name:>18}" for name in SCORES) + "   means over seeds")
    for name in names:
        for latents in scale.latents:
            model = models(latents, scale)[name]
            for seed in range(scale.seeds):
                fitting: dict[str, Any] = {"epochs": scale.epochs, "seed": seed, "binarisation": "none"}

                def made(model: Any = model, fitting: dict[str, Any] = fitting) -> dict[str, Any]:
                    return measured(genjax.fit(model, images, **fitting, progress=False), images, classifier)

                rows.once(made, model=name, latents=latents, seed=seed)
            mine = rows.of(model=name, latents=latents)
            sheet[f"{name}, {latents}"] = np.array(mine[0]["drawn"])
            numbers = [[row[score] for row in mine if row.get(score) is not None] for score in SCORES]
            cells = "".join(f"{np.mean(values):18.4g}" if values else f"{'':18}" for values in numbers)
            print(f"{name:20} {latents:7}{cells}", flush=True)
    title = f"{images.name}: one network, {'-'.join(map(str, scale.layers))}-latents, {scale.epochs} epochs"
    print(save(draw(rows, names, title), chosen.out / "one_backbone.png"))
    print(save(rows_of_images(sheet, images.shape, f"{title}: samples of seed 0"), chosen.out / "samples.png"))


if __name__ == "__main__":
    main()
