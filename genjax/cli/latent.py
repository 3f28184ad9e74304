"""`genjax latent RUN`: pictures of the latent space of a trained autoencoder or generator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genjax.api.waiting import Waiting
from genjax.api.writing import refuse_file, refuse_run_folder, write_arrays
from genjax.cli.options import OpenOptions, open_run, say
from genjax.cli.parsing import parse
from genjax.data.places import Missing
from genjax.errors import UserError
from genjax.plots.images import save
from genjax.training.config import positive


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Picture a latent space: plane, traversals and interpolations; of a generator neighbourhoods, of an autoencoder a
    map of codes and reconstructions."""

    images: int = 2000
    """Test images on the map of codes."""
    map: Literal["tsne", "pca"] = "tsne"
    """How codes of more than two units come into the plane: t-SNE, or their principal components."""
    axes: tuple[int, int] | None = None
    """The two latents of the plane, from 0 (by default the two most active)."""
    label: str | None = None
    """Of a conditional model: the class of plane and traversals (by default 0)."""
    seed: int = 0
    """Random seed of t-SNE, and of the latents of a generator."""
    out: str | None = None
    """An .npz for codes (images x units) and labels of those test images."""
    overwrite: bool = False
    """Replace --out where it exists."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax latent`."""
    options = parse(Options, arguments, "genjax latent")
    positive(options, "images")
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".npz", options.overwrite)
    run = open_run(options)
    space, test = run.plot.space()  # refuses models without one
    refuse_run_folder(run)
    if space.encode is None and (options.out or options.axes):
        raise UserError("--out and --axes are of images' codes, and here there are none; leave them out.")
    if test is None and run.model.space is not None:
        try:
            run.fixed_test(1)
        except Missing as missing:
            say(f"{missing} Without them only what is made of latents can be pictured.")
    with Waiting("drawing the latent space", "t-SNE of 2,000 codes: 10 to 40 s; --map pca: seconds"):
        figures = run.plot.latent(options.label, options.images, options.map, options.axes, options.seed)
    written = [str(save(figure, run.folder / "figures" / f"latent-{name}.png")) for name, figure in figures.items()]
    result: dict[str, Any] = {"units": len(space.centre), "figures": written}
    if test is not None:
        result["activity"] = [float(a) for a in space.activity]
    if options.out is not None and test is not None:
        codes = run.plot.codes(options.images)
        result["out"] = str(write_arrays(Path(options.out), codes, "--out", options.overwrite))
    return result, "\n".join(written)
