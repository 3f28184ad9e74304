"""`genjax train MODEL`: train a model, keep, evaluate and plot it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from genjax.api import events, fit
from genjax.api import folder as on_disk
from genjax.api.classifier import classifier_of
from genjax.api.prepared import completed, read
from genjax.api.progress import Bar
from genjax.api.run import Run
from genjax.api.summary import about, next_steps
from genjax.api.training import Hooks
from genjax.cli import evaluate
from genjax.cli.options import Parser, model_name, say
from genjax.cli.writing import in_any_case
from genjax.data.places import refuse_missing, with_absolute_paths
from genjax.errors import Interrupted, UserError
from genjax.evaluation.cost import at_first_look
from genjax.evaluation.references import in_short
from genjax.evaluation.sentences import of_evaluation
from genjax.models.table import MODELS
from genjax.signals import Noted
from genjax.training import folder as run_folder
from genjax.training import processes

OF_TRAINING = ("temperatures", "ais_chains", "standard_error")  # of an estimate, on train's line


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train a model, evaluate and plot it at the end."""

    evaluate: bool = True
    """Evaluate at the end."""
    quick: bool = False
    """A first look: little effort on the estimate where none is given (AIS: 1,000 temperatures and 100 chains), and
    few figures."""
    tensorboard: bool = False
    """Also write what is measured as event files of TensorBoard, in the run's folder (needs tensorboardX)."""
    out: str | None = None
    """The run's folder (by default runs/<model>-<dataset>, with -2, -3, ... where that exists)."""
    coordinator: str | None = None
    """Where several processes train the run, HOST:PORT of process 0; SLURM's and a TPU pod's find each other."""
    processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which of them this is; 0 writes the folder, evaluates and plots."""
    resume: str | None = None
    """A run's folder to go on with: after an interruption it ends bit for bit as if there had been none. Its
    config.json rules; only --epochs and --devices may differ, and --dataset and --data-dir where its data have moved.
    More epochs stretch the schedule: the learning rate jumps to what a run of that length has at this point, and
    the average over the end of the run begins anew."""
    json: bool = False
    """Print one JSON object instead of sentences."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax train` with what stands behind it; returns the result as numbers and as sentences."""
    name = model_name("train", arguments)
    parser = Parser(MODELS[name].config, Options, f"genjax train {name}", OF_TRAINING)
    own = parser.own_options(arguments[1:])
    if own.tensorboard:
        events.refuse_missing()
    prepared = started if own.resume is None else partial(resumed, Path(own.resume))
    with processes.together(own.coordinator, own.processes, own.process_id):
        begin, effort, options = prepared(name, parser, arguments[1:])
        with Noted() as signals:  # from before the folder exists: what exists can be resumed
            training = begin()
            began = time.perf_counter()
            made = trained(training, signals, options)
            seconds = time.perf_counter() - began
    if not processes.writes():
        return {}, ""
    steps = training.steps_of(made)
    result: dict[str, Any] = {"run": str(made.folder), "steps": steps, "training_seconds": round(seconds, 2)}
    lines = [f"{made.folder}: {steps} steps in {seconds:.0f} s"]
    lines += [made.decided["follows"]] if "follows" in made.decided else []
    if made.over_fitting:
        result["over_fitting"] = made.over_fitting
        lines += [] if options.evaluate else [made.over_fitting]  # an evaluation says it itself
    if options.evaluate and (made.model.answer or made.model.evaluate or made.model.sample):
        effort = at_first_look(made.model.effort, effort) if options.quick else effort
        result["evaluation"] = evaluate.measure(made, made.settings.seed, **effort)
        lines += [*in_short(result["evaluation"]), "in full:", *of_evaluation(result["evaluation"])]
    from genjax.plots.images import save  # matplotlib is slow to import: the first line of metrics need not wait for it

    with in_any_case(result, "\n".join(lines)):
        if "evaluation" in result:
            made.write_evaluation(result["evaluation"])
        assert made.folder is not None
        with Bar("drawing", 1.0) as bar:
            figures = made.plot.all(made.settings.seed, options.quick, bar.update)
            result["figures"] = [str(save(f, made.folder / "figures" / f"{n}.png")) for n, f in figures.items()]
            bar.update(1.0)
    return result, "\n".join([*lines, *next_steps(made, [*figures])])


Begin = Callable[[], fit.Training]


def started(name: str, parser: Parser, arguments: list[str]) -> tuple[Begin, dict[str, Any], Options]:
    """What begins a new run in a folder of its own, the effort of its evaluation, and the command's options."""
    config, run, effort, options = parser(arguments)
    fit.check(config, run, effort, options.out)
    run = completed(config, with_absolute_paths(run))
    source, stem = read(run, config.model), Path(run.dataset or "").stem or "images"
    folder = Path(options.out) if options.out else run_folder.free_name(Path("runs") / f"{name}-{stem}")

    def begin() -> fit.Training:
        training = fit.new(config, run, source, folder)
        if processes.writes():
            on_disk.keep(folder, at_end=effort | {"evaluate": options.evaluate})
        return training

    return begin, effort, options


def resumed(folder: Path, name: str, parser: Parser, arguments: list[str]) -> tuple[Begin, dict[str, Any], Options]:
    """The same of a run that exists, with the new length and the new places of data that were given; refuses any other
    change."""
    out = parser.own_options(arguments).out
    if out is not None:
        raise UserError(f"--out {out} does not go with --resume {folder}; leave it out.")
    saved = on_disk.read(folder)
    if saved.config.model.name != name:
        other = saved.config.model.name
        raise UserError(f"--resume {folder} holds a run of {other}, not {name}; use genjax train {other}.")
    parser.usual(on_disk.at_end(folder))
    config, run, effort, options = parser(arguments, saved.config, saved.run)
    run = on_disk.with_new_places(folder, (config, run), saved)
    fit.check(config, run, effort, options.out)
    refuse_missing(run, folder)
    source = read(run, config.model, old=saved.record is None)
    return partial(fit.resume, folder, saved, run, source), effort, options


def trained(training: fit.Training, signals: Noted, options: Options) -> Run:
    """The run after all that is left of it, with a bar. Raises `Interrupted` after a signal, once it is saved."""
    run, dataset = training.run, training.prepared.dataset
    watch, writes = None, processes.writes()
    if writes:
        say(f"{run.folder}: {about(training)}")
    if writes and run.model.watch is not None:
        classifier = classifier_of(dataset) if options.evaluate else None
        watch = run.model.watch(run.config, run.settings, dataset, classifier)
    with fit.bar(training, writes) as shown:
        if writes and options.tensorboard and run.folder is not None:
            shown = (*shown, events.events(run.folder / "tensorboard", run.entries))
        hooks = Hooks(say if writes else lambda sentence: None, watch, shown, lambda: signals.number is not None)
        made = training.finished(hooks)
    signals.number = processes.most(signals.number or 0) or None  # of the one that was told
    if signals.number is not None:
        raise Interrupted(signals.number)
    return made
