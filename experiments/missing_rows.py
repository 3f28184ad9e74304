"""How well are missing rows filled in, how many and where? The error of RBM, DBM and VAE, and images.

    python -m experiments.missing_rows [--dataset NAME] [--data-dir DIR] [--quick | --smoke] [--out DIR]

Pixels are black or white (threshold at one half). Rows are taken from the top, the middle or the bottom of test images,
an eighth of them, a quarter, and so on to three quarters, or as many pixels at random; each model fills them in with
their expected values given the rest (400 sweeps). The error is the share of the removed pixels that end on the wrong
side of one half; beside it what the training mean gives, which knows nothing of the image. Writes missing_rows.png (a
panel for each place, a line a model, with 95 % intervals over images), filled-MODEL.png (the same images with one part
after the other filled in), results.jsonl and the table. Expect the middle to be the hardest part, since it tells one
digit from another; a quarter at the top or the bottom to be no harder than as many pixels at random; and the three
models to be alike, all ahead of the mean, by half of its errors at best and by a fifth at three quarters. Full: 400
epochs each, 1,000 test images; --quick: 150 epochs, 200 images, a quarter, a half and three quarters removed.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import IMAGES, Rows, images_of, options
from genjax.api.removal import picture, removals
from genjax.plots.images import save

PLACES = ("top", "middle", "bottom", "random")
SPREAD = "examples_se"
SHOWN = 12  # images of filled-MODEL.png


class Scale(NamedTuple):
    """The eighths that are removed, epochs, test images, units of a layer, and sweeps."""

    eighths: tuple[int, ...]
    epochs: int
    images: int
    units: int
    sweeps: int


SCALES = {
    "full": Scale((1, 2, 3, 4, 5, 6), 400, 1000, 128, 400),
    "quick": Scale((2, 4, 6), 150, 200, 128, 400),
    "smoke": Scale((2, 4), 2, 20, 8, 10),
}


def models(units: int) -> dict[str, Any]:
    """The three, of comparable size."""
    return {
        "RBM": genjax.rbm(hidden=units),
        "DBM": genjax.dbm(layers=(units, units)),
        "VAE": genjax.vae(layers=(units,), latents=min(16, units)),
    }


def places(eighths: tuple[int, ...], height: int) -> list[str]:
    """The parts, as `genjax reconstruct --remove` names them."""
    rows = [round(number * height / 8) for number in eighths]
    whole = [f"{place}:{count}" for place in PLACES[:-1] for count in rows]
    return whole + [f"random:{count / height:.3f}" for count in rows]


def draw(rows: list[dict[str, Any]], title: str) -> Figure:
    """A panel for each place: error against the share removed, a line a model."""
    figure = Figure(figsize=(3.6 * len(PLACES), 3.8), layout="constrained")
    names = list(dict.fromkeys(row["model"] for row in rows))
    for axes, place in zip(figure.subplots(1, len(PLACES), sharey=True), PLACES):
        at = {name: [row for row in rows if row["model"] == name and row["remove"].startswith(place)] for name in names}
        share = [100 * row["share"] for row in at[names[0]]]
        for number, (name, mine) in enumerate(at.items()):
            error, spread = (np.array([100 * (row["pixel_error"][n] or 0) for row in mine]) for n in ("mean", SPREAD))
            axes.errorbar(share, error, yerr=1.96 * spread, marker="o", capsize=3, color=f"C{number}", label=name)
        plain = [100 * row["pixel_error_of_mean"]["mean"] for row in at[names[0]]]
        axes.plot(share, plain, "x--", color="grey", label="training mean")
        axes.set(xlabel="removed, % of the pixels", title=place)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("removed pixels that are wrong, %")
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[0].legend(fontsize=8)
    figure.suptitle(title)
    return figure


def main() -> None:
    """All models and parts; print the table, write results and figures."""
    chosen = options(__doc__, "missing-rows", "150 epochs, 200 images, three shares", more=IMAGES)
    scale, images = SCALES[chosen.scale], images_of(chosen)
    parts = places(scale.eighths, images.shape[0])
    rows = Rows(chosen.out / "results.jsonl", "model", "remove")
    print(f"{'removed':14}" + "".join(f"{name:>8}" for name in (*models(1), "mean")) + "   % of its pixels wrong")
    for name, model in models(scale.units).items():
        run = genjax.fit(model, images, epochs=scale.epochs, binarisation="threshold", validation=False, progress=False)
        found = removals(run, parts, scale.images, scale.sweeps)
        for one in found:
            rows.once(lambda one=one: {"share": one.share} | one.numbers, model=name, remove=one.where)
        some = found[len(scale.eighths) // 2 :: len(scale.eighths)]  # of each place one share
        save(picture(run, some, SHOWN), chosen.out / f"filled-{name.lower()}.png")
    for part in parts:
        of = rows.of(remove=part)
        errors = [row["pixel_error"]["mean"] for row in of] + [of[0]["pixel_error_of_mean"]["mean"]]
        print(f"{part:14}" + "".join(f"{100 * error:8.1f}" for error in errors))
    title = f"{images.name}: parts removed and filled in by their expected values, {scale.images} test images"
    print(save(draw(rows.of(), title), chosen.out / "missing_rows.png"))


if __name__ == "__main__":
    main()
