"""What does every family make of your own pictures: grey, in colour, without labels?

    python -m experiments.own_pictures [--folder DIR] [--size N] [--quick | --smoke] [--out DIR]

Without --folder two folders of PNG files are cut from the photographs that scikit-learn ships: `grey` with a subfolder
for each of two classes (china, flower), and `colour` with neither subfolders nor labels. Each is read as `genjax train
MODEL --dataset FOLDER` reads it, and every family learns it with the pixels that suit intensities where it has them
(Gaussian visible units; Gaussian outputs of a VAE, flow matching), else binarised, which is said. Writes FOLDER.png
(real pictures, and a row of samples of each family; below it, of those that give a picture back or fill its lower half
in, what they make of it), results.jsonl and the table: what a pixel is, the mean squared error of that row, and the
minutes. Families that cannot take pictures like these say so in a sentence. Expect an autoencoder to give pictures back
best and to draw some that are burnt out; a Gaussian RBM to find the few mean colours first; and noise in red, green and
blue from those that binarise each channel. Full: 6,000 steps a family, 16 by 16 pixels; --quick: 1,000 steps of four
families, 8 by 8.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import genjax
from experiments.common import Rows, minutes, options
from genjax import data
from genjax.errors import Diverged, UserError
from genjax.evaluation.reconstruction import missing_mask, region
from genjax.plots.images import rows_of_images, save

SHOWN = 12


class Scale(NamedTuple):
    """Pictures of each class, pixels of a side, steps, units of a layer, and families (none: all)."""

    pictures: int
    side: int
    steps: int
    units: int
    families: tuple[str, ...] = ()


SCALES = {
    "full": Scale(1000, 16, 6000, 128),
    "quick": Scale(300, 8, 1000, 64, ("rbm", "ae", "vae", "gan")),
    "smoke": Scale(40, 8, 2, 8, ("rbm", "ae", "gan")),
}


def families(scale: Scale, labelled: bool) -> dict[str, Any]:
    """All that learn pictures; a conditional VAE only where there are labels."""
    units = scale.units
    layers, gaussian = (units, units), {"visible_type": "gaussian"}
    found = {
        "rbm": genjax.rbm(hidden=units, **gaussian),
        "dbm": genjax.dbm(layers=layers, pretraining=1, **gaussian),
        "dbn": genjax.dbn(layers=layers, pretraining=1),
        "conv_rbm": genjax.conv_rbm(),
        "ae": genjax.ae(layers=(units, 16)),
        "dae": genjax.dae(layers=(units, 16)),
        "sae": genjax.sae(layers=(units, 16), task="reconstruct", pretraining=1),
        "vae": genjax.vae(layers=(units,), latents=16, pixels="gaussian"),
        "gan": genjax.gan(layers=layers),
        "diffusion": genjax.diffusion(process="flow"),
        "autoregressive": genjax.autoregressive(),
        "hopfield": genjax.hopfield(rule="modern"),
    }
    found |= {"cvae": genjax.cvae(layers=(units,), latents=16, pixels="gaussian")} if labelled else {}
    return {name: model for name, model in found.items() if not scale.families or name in scale.families}


def cut(folder: Path, scale: Scale) -> list[Path]:
    """The two folders of pictures, from places at random in the two photographs."""
    places = [folder / "grey", folder / "colour"]
    for number, name in enumerate(("china", "flower")):
        photograph, rng = load_sample_image(f"{name}.jpg")[::4, ::4], np.random.default_rng(number)
        for n in range(scale.pictures):
            top, left = (rng.integers(0, size - scale.side) for size in photograph.shape[:2])
            patch = Image.fromarray(photograph[top : top + scale.side, left : left + scale.side])
            for place, picture in ((places[0] / name, patch.convert("L")), (places[1], patch)):
                place.mkdir(parents=True, exist_ok=True)
                picture.save(place / f"{name}-{n}.png")
    return places


def learned(model: Any, images: genjax.Dataset, scale: Scale) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What became of a family on a folder: its numbers, samples, and what it gives back of test pictures."""
    try:
        run = genjax.fit(model, images, steps=scale.steps, progress=False)
    except (UserError, Diverged) as error:
        return {"said": str(error)}, {}
    truth = np.asarray(run.fixed_test(SHOWN).x)
    row = {"pixels": run.settings.binarisation, "minutes": minutes(run) if run.entries else 0.0}
    drawn = run.draw(SHOWN)
    pictures = {"samples": drawn.get("means", drawn["samples"])}
    if run.model.back is not None and not run.classes:
        pictures["given back"] = run.reconstruct(truth)
    elif run.model.reconstruct is not None:
        lower = missing_mask(region(f"bottom:{run.image_shape[0] // 2}"), run.image_shape, len(truth))
        pictures["lower half filled in"] = run.reconstruct(truth, lower)
    for name in [*pictures][1:]:
        row |= {"what": name, "squared": float(np.mean((pictures[name] - truth) ** 2))}
    return row, pictures


def main() -> None:
    """All families on all folders; print the table, write results and figures."""
    more = {"--folder": {"type": Path, "help": "pictures of your own"}, "--size": {"type": int, "help": "of a side"}}
    chosen = options(__doc__, "own-pictures", "1,000 steps of four families, 8 by 8 pixels", more=more)
    scale = SCALES[chosen.scale]
    rows = Rows(chosen.out / "results.jsonl", "folder", "family")
    for place in [chosen.folder] if chosen.folder else cut(chosen.out / "pictures", scale):
        images = data.load(str(place), size=chosen.size)
        print(
            f"{place}: {len(images.train)} training pictures, {images.shape}, classes: {images.class_names or 'none'}"
        )
        sheet = {"real": images.test[:SHOWN]}
        for name, model in families(scale, images.classes > 1).items():
            row, pictures = learned(model, images, scale)
            row = rows.once(lambda row=row: row, folder=place.name, family=name)
            sheet |= {f"{name}: {what}": np.clip(x.reshape(len(x), -1), 0, 1) for what, x in pictures.items()}
            error = f"{row['what']}: squared error {row['squared']:.4f}" if "squared" in row else ""
            binarised = {"none": "intensities", "sampled": "black or white, drawn", "threshold": "black or white"}
            what = row.get("said") or f"{binarised[row['pixels']]:22} {row['minutes']:6.2f} min   {error}"
            print(f"  {name:15} {what}", flush=True)
        title = f"{place.name}: samples of every family, and pictures given back"
        print(save(rows_of_images(sheet, images.shape, title), chosen.out / f"{place.name}.png"))


if __name__ == "__main__":
    main()
