"""`genjax evaluate RUN`: log-likelihoods with their intervals, or what else a model is measured by."""

from dataclasses import dataclass
from typing import Any

from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.api.writing import refuse_run_folder
from genjax.cli.options import OnDevices, OpenOptions, open_run, parse_with
from genjax.cli.writing import in_any_case
from genjax.evaluation.cost import at_first_look
from genjax.evaluation.sentences import of_evaluation
from genjax.models.table import EFFORTS
from genjax.training.mesh import Devices, counted


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions, OnDevices):
    """Estimate the log-likelihood of a trained model on its training and test images, or what else it is measured by.
    The log Z of a machine that comes with genjax comes with it, and is estimated anew only where an option of the
    estimate is given."""

    seed: int | None = None
    """Random seed of the estimate (by default 0)."""
    quick: bool = False
    """A first look: less effort where none is given (AIS: 1,000 temperatures and 100 chains)."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax evaluate`."""
    options, effort = parse_with(Options, arguments, "genjax evaluate", EFFORTS)
    counted(options.devices)
    run, other = open_run(options), None
    refuse_run_folder(run)
    if options.seed is not None:
        run.known_log_z = None  # that of a machine of genjax is another estimate
    if options.dataset is not None or options.data_dir is not None:
        run, other = run.on_named_data()
    effort = at_first_look(run.model.effort, effort) if options.quick else effort
    numbers = measure(run, options.seed or 0, options.devices, **effort) | (
        {} if other is None else {"other_data": other}
    )
    text = "\n".join(of_evaluation(numbers))
    if other is None:
        with in_any_case(numbers, text):
            run.write_evaluation(numbers)
    return numbers, text


def measure(run: Run, seed: int, devices: Devices = None, **effort: Any) -> dict[str, Any]:
    """The evaluation of a run, with a bar."""
    with Bar("evaluating", 1.0) as bar:
        return run.evaluation(seed=seed, progress=bar.update, devices=devices, **effort)
