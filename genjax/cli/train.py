"""`genjax train MODEL`: train, keep, evaluate and draw a model."""

import dataclasses
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from genjax.api import fit
from genjax.api import folder as on_disk
from genjax.api.prepared import completed, read
from genjax.api.run import Run
from genjax.api.training import Hooks
from genjax.cli import evaluate
from genjax.cli.options import Parser, say
from genjax.cli.writing import in_any_case
from genjax.data.places import moved, refuse_missing, with_absolute_paths
from genjax.errors import Interrupted, UserError
from genjax.evaluation.classifier import train_classifier
from genjax.models.table import MODELS
from genjax.networks.mlp import parameter_count
from genjax.plots.images import save
from genjax.training import folder as run_folder
from genjax.training.settings import RunConfig

OF_TRAINING = ("temperatures", "ais_chains", "standard_error", "draws")  # of an estimate, on train's line


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train, keep, evaluate and draw:"""

    evaluate: bool = True
    """Evaluate at the end."""
    out: str | None = None
    """The run's folder (by default runs/<model>-<dataset>, with -2, -3, ... where that exists)."""
    resume: str | None = None
    """A run's folder to go on with: after an interruption it ends bit for bit as if there had been none. Its
    config.json rules; only --epochs may differ, and --dataset and --data-dir where its data have moved. More epochs
    stretch the schedule: the learning rate jumps to what a run of that length has at this point, and the average over
    the end of the run begins anew."""
    json: bool = False
    """Print one JSON object instead of sentences."""


class Signals:
    """While open, SIGINT and SIGTERM are noted and answered at the end of the chunk; a second SIGINT ends at once."""

    def __enter__(self) -> "Signals":
        self.number: int | None = None
        self.before = {number: signal.signal(number, self.note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, frame: FrameType | None) -> None:
        """The first one is answered later."""
        if self.number == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.number = number
        say("finishing this chunk ...")


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax train` with what stands behind it; returns the result as numbers and as sentences."""
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help"):
        print(f"usage: genjax train MODEL ...   MODEL: {', '.join(MODELS)}; each takes --help")
        raise SystemExit(0)
    if name not in MODELS:
        raise UserError(f"genjax train {name or '...'}: name a model, one of {', '.join(MODELS)}.")
    parser = Parser(MODELS[name].config, Options, f"genjax train {name}", OF_TRAINING)
    config, run, effort, options = parser(arguments[1:])
    if MODELS[name].effort is not None:
        MODELS[name].effort(**effort).check()  # type: ignore[attr-defined]
    with Signals() as signals:  # from before the folder exists: what exists can be resumed
        if options.resume is None:
            training = started(config, run, options)
        else:
            training = resumed(name, parser, arguments[1:], Path(options.resume), options)
        made = trained(training, signals, options)
    steps = training.total if made.decided.get("stopped_early") is None else made.step
    seconds = made.entries[-1]["seconds"] if made.entries else 0.0
    result: dict[str, Any] = {"run": str(made.folder), "steps": steps, "training_seconds": round(seconds, 2)}
    lines = [f"{made.folder}: {steps} steps in {seconds:.0f} s"]
    if options.evaluate and (made.model.answer or made.model.evaluate or made.model.sample):
        result["evaluation"] = evaluate.measure(made, 0 if run.seed is None else made.settings.seed, **effort)
        lines += evaluate.sentences(made, result["evaluation"])
    with in_any_case(result, "\n".join(lines)):
        if "evaluation" in result:
            made.write_evaluation(result["evaluation"])
        assert made.folder is not None
        figures = made.plot.all(evaluate.summary(made), made.settings.seed)
        result["figures"] = [str(save(f, made.folder / "figures" / f"{n}.png")) for n, f in figures.items()]
    return result, "\n".join([*lines, f"figures: {made.folder / 'figures'}"])


def started(config: Any, run: RunConfig, options: Options) -> fit.Training:
    """A new run in a folder of its own."""
    check(config, run, options)
    run = completed(config, with_absolute_paths(run))
    source = said(read(run, config.model))
    name = Path(run.dataset or "").stem or "images"
    folder = Path(options.out) if options.out else run_folder.free_name(Path("runs") / f"{config.model.name}-{name}")
    return fit.new(config, run, source, folder)


def said(source: Any) -> Any:
    """The data; what is to be known of them is said on standard error."""
    for note in getattr(source, "notes", ()):
        say(note)
    return source


def resumed(name: str, parser: Parser, arguments: list[str], folder: Path, options: Options) -> fit.Training:
    """A run that exists, with the new length and the new places of data that were given; refuses any other change."""
    if options.out is not None:
        raise UserError(f"--out {options.out} does not go with --resume {folder}; leave it out.")
    saved = on_disk.read(folder)
    if saved.config.model.name != name:
        other = saved.config.model.name
        raise UserError(f"--resume {folder} holds a run of {other}, not {name}; use genjax train {other}.")
    config, run, _, _ = parser(arguments, saved.config, saved.run)
    places = {place: value for place in on_disk.PLACES if (value := getattr(run, place)) != getattr(saved.run, place)}
    run = dataclasses.replace(run, **{place: getattr(saved.run, place) for place in on_disk.PLACES})
    on_disk.unless_same(folder, (config, run), (saved.config, saved.run))
    run = with_absolute_paths(moved(run, **places)) if places else run
    check(config, run, options)
    refuse_missing(run, folder)
    return fit.resume(folder, saved, run, said(read(run, config.model, old=saved.record is None)))


def trained(training: fit.Training, signals: Signals, options: Options) -> Run:
    """The run after all that is left of it, with a bar. Raises `Interrupted` after a signal, once it is saved."""
    run = training.run
    many = f"{len(training.prepared.dataset.train)} {'users' if run.model.read else 'images'}"
    size = (
        f"{parameter_count(run.model.parameters(training.here.state))} parameters" if run.stage == "train" else "stages"
    )
    say(f"{run.folder}: {run.model.name} on {run.settings.dataset}, {many}, {size}, {training.total} steps")
    watch = None
    if run.model.watch is not None:
        dataset = training.prepared.dataset
        classifier = train_classifier(dataset) if options.evaluate and dataset.classes > 1 else None
        watch = run.model.watch(run.config, run.settings, dataset, classifier)
    with fit.bar(training) as shown:
        hooks = Hooks(say, watch, shown, lambda: signals.number is not None)
        made = training.finished(hooks)
    if signals.number is not None:
        raise Interrupted(signals.number)
    return made


def check(config: Any, run: RunConfig, options: Options) -> None:
    """Refuse what would only be found later, each by its option's name."""
    run.check()
    config.check()
    if options.out == "":
        raise UserError("--out is empty; name a folder.")
    if not is_text(os.path.abspath(options.out or "runs")):
        raise UserError(f"--out {options.out or 'runs'} is in a folder whose name is not UTF-8; choose another one.")


def is_text(path: str) -> bool:
    """Whether checkpoints can be written there: their library takes no bytes that are not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
