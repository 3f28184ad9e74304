"""`genjax sample RUN`: draw from a trained model, along chains if it has them, of one label if it learned them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genjax.api.plot import times_to
from genjax.api.run import Start
from genjax.api.waiting import Waiting
from genjax.api.writing import refuse_file, refuse_run_folder, write_arrays
from genjax.cli.options import OnDevices, OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case
from genjax.evaluation.sentences import of_mixing
from genjax.numerics import Numbers
from genjax.plots.images import save
from genjax.sampling.kernels import kernel_named
from genjax.training.config import positive
from genjax.training.mesh import counted


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions, OnDevices):
    """Draw samples along independent chains, and picture them."""

    sweeps: int = 1000
    """Gibbs sweeps from the starting points (of models that have chains)."""
    chains: int = 10
    """Independent chains, or images of a model that draws at once; of each label where all are drawn."""
    kernel: Literal["gibbs", "tempered", "fused"] = "gibbs"
    """What moves chains: block Gibbs sampling, parallel tempering, or Gibbs sampling in one kernel of a GPU."""
    numbers: Numbers | None = None
    """Of block Gibbs sampling: float32 (exact, the default), or weights of bfloat16 (fast), for accelerators."""
    rungs: int | None = None
    """Number of temperatures (tempered; by default 10)."""
    start: Start = "fresh"
    """Fresh starting points, or where training has left its persistent chains."""
    label: str | None = None
    """Draw this label of a model that has learned them, or each of them in turn: all."""
    seed: int = 0
    """Random seed."""
    out: str | None = None
    """An .npz for the last states (`samples`, chains x pixels) and their expected pixels (`means`)."""
    overwrite: bool = False
    """Replace --out where it exists."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax sample`."""
    options = parse(Options, arguments, "genjax sample")
    positive(options, "sweeps", "chains")
    counted(options.devices)
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".npz", options.overwrite)
    kernel = kernel_named(options.kernel, options.rungs, options.numbers)
    run = open_run(options)
    refuse_run_folder(run)
    if options.label not in (None, "all"):
        run.class_number(options.label, "all")
    name = "samples" + ("-persistent" if options.start == "persistent" else "")
    name += f"-{options.kernel}" if options.kernel != "gibbs" else ""
    name += f"-{options.numbers}" if options.numbers else ""
    name += f"-label-{options.label}" if options.label else ""
    folder = run.folder / "figures"
    path = folder / f"{name}-{options.sweeps if run.has_chains else options.chains}.png"
    how = kernel, options.start, options.seed, options.devices
    with Waiting("drawing samples"):
        if options.label == "all":
            arrays = run.draw_classes(options.chains, options.sweeps, *how)
            figure = run.plot.of_classes(arrays, options.sweeps)
        else:
            times = times_to(options.sweeps)
            arrays = run.draw(options.chains, times, options.label, *how)
            figure = run.plot.of_samples(arrays, times, options.label, options.start)
        written = [str(save(figure, path))]
    count = len(arrays["samples"])
    result: dict[str, Any] = {"images": count}
    lines = [f"{count} images: {path}"]
    if run.has_chains:
        label = None if options.label == "all" else options.label
        with Waiting("measuring how well chains mix"):
            mixing = run.diagnostics(max(count, 2), options.sweeps, label, *how)
        result = {"chains": count, "sweeps": options.sweeps, "diagnostics": mixing}
        lines = [f"{count} chains, {options.sweeps} sweeps: {path}", *of_mixing(mixing)]
    if options.kernel == "tempered" and "info" in arrays:
        written.append(str(save(run.plot.of_ladder(arrays["info"]), folder / f"{name}-ladder.png")))
    result |= {"figure": written[0], "figures": written}
    text = "\n".join([*lines, *written[1:]])
    if options.out is not None:
        kept = {key: arrays[key] for key in ("samples", "means", "labels") if key in arrays}
        with in_any_case(result, text):
            result["out"] = str(write_arrays(Path(options.out), kept, "--out", options.overwrite))
        text += f"\n{options.out}"
    return result, text
