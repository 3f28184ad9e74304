"""A run in a few lines: what is about to be trained, and what to do with it afterwards."""

from genjax.api.fit import Training
from genjax.api.prepared import blank
from genjax.api.run import Run
from genjax.networks.mlp import parameter_count


def about(training: Training) -> str:
    """What is about to be trained, on what, for how long."""
    run, dataset = training.run, training.prepared.dataset
    many = f"{len(dataset.train)} {'users' if run.model.read else 'images'}"
    size = parameter_count(run.model.parameters(blank(training.prepared, training.stages[-1], run.settings)))
    return f"{run.model.name} on {run.settings.dataset}, {many}, {size} parameters, {training.total} steps"


def next_steps(run: Run, figures: list[str]) -> list[str]:
    """Where the pictures are, and what to do next."""
    model, folder = run.model, run.folder
    questions = {"sample": model.sample, "reconstruct": model.reconstruct, "latent": model.space or model.decoder}
    commands = [f"genjax {name} {folder}" for name, answer in questions.items() if answer is not None]
    longer = [] if run.settings.epochs is None else [f"--resume {folder} --epochs {2 * run.settings.epochs}"]
    commands += [f"genjax train {model.name} {option}" for option in longer]
    shown = "" if not figures else f": {', '.join(f'{name}.png' for name in figures)}"
    return [f"figures in {folder}/figures{shown}", *([f"next: {'   '.join(commands)}"] if commands else [])]
