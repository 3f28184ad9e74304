"""`genjax sample RUN`: draw from a trained model, along chains if it has them, of one label if it learned them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from genjax.api.plot import times_to
from genjax.api.run import Run, Start
from genjax.api.waiting import Waiting
from genjax.cli.options import OnDevices, OpenOptions, open_run
from genjax.cli.parsing import parse
from genjax.cli.writing import in_any_case, refuse_file, refuse_run_folder, write_arrays
from genjax.errors import UserError
from genjax.numerics import Numbers
from genjax.plots.images import save
from genjax.sampling.fused import Fused
from genjax.sampling.gibbs import Gibbs
from genjax.sampling.tempering import Tempered
from genjax.training.config import positive
from genjax.training.mesh import counted

KERNELS = {"gibbs": Gibbs, "tempered": Tempered, "fused": Fused}


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
    kernel = kernel_of(options)
    run = open_run(options)
    refuse_run_folder(run)
    refuse_label(run, options.label)
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
    with Waiting("measuring how well chains mix"):
        result, lines = described(run, options, kernel, arrays)
    if options.kernel == "tempered" and "info" in arrays:
        written.append(str(save(run.plot.of_ladder(arrays["info"]), folder / f"{name}-ladder.png")))
    result |= {"figure": written[0], "figures": written}
    text = "\n".join([f"{lines[0]}: {written[0]}", *lines[1:], *written[1:]])
    if options.out is not None:
        kept = {key: arrays[key] for key in ("samples", "means", "labels") if key in arrays}
        with in_any_case(result, text):
            result["out"] = str(write_arrays(Path(options.out), kept, "--out", options.overwrite))
        text += f"\n{options.out}"
    return result, text


def refuse_label(run: Run, label: str | None) -> None:
    """Raise `UserError` for a label that the model has not."""
    if label in (None, "all"):
        return
    try:
        run.class_number(label)
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}, or all." if run.classes else str(error)) from None


def kernel_of(options: Options) -> Any:
    """The kernel that was asked for; None for the default one. Raises `UserError` for options that it has not."""
    if options.rungs is not None and options.kernel != "tempered":
        raise UserError(f"--rungs {options.rungs} has no effect with --kernel {options.kernel}, only with tempered.")
    if options.numbers is not None and options.kernel == "tempered":
        raise UserError(f"--numbers {options.numbers} has no effect with --kernel tempered, only with gibbs and fused.")
    if options.kernel == "gibbs" and options.numbers is None:
        return None
    chosen = {"rungs": options.rungs, "numbers": options.numbers}
    return KERNELS[options.kernel](**{name: value for name, value in chosen.items() if value is not None})


def described(run: Run, options: Options, kernel: Any, arrays: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The answer as numbers and as lines: how many samples, and how well chains of the same kind mix."""
    count = len(arrays["samples"])
    if not run.has_chains:
        return {"images": count}, [f"{count} images"]
    result: dict[str, Any] = {"chains": count, "sweeps": options.sweeps}
    lines = [f"{count} chains, {options.sweeps} sweeps"]
    label = None if options.label in (None, "all") else options.label
    how = label, kernel, options.start, options.seed, options.devices
    found = run.diagnostics(max(count, 2), options.sweeps, *how)
    result["diagnostics"] = found
    if not np.isnan(found["r_hat"]):
        lines.append(
            f"R-hat {found['r_hat']:.3f}, effective samples {found['effective_samples']:.0f}, autocorrelation time "
            f"{found['autocorrelation_time']:.1f} sweeps"
        )
    if "swap_rate" in found:
        rates = ", ".join("-" if rate is None or np.isnan(rate) else f"{rate:.2f}" for rate in found["swap_rate"])
        lines.append(f"swap rates {rates}; {found['round_trips']} round trips")
    return result, lines
