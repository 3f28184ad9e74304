"""The figures of a run, drawn at the end of training into its figures/."""

import json
from pathlib import Path

from genjax.cli import filters, latent, sample
from genjax.cli.evaluate import called
from genjax.cli.reconstruct import damage, fill, parse_region
from genjax.cli.reconstruct import draw as draw_filled
from genjax.cli.run import Run
from genjax.plots import curves
from genjax.plots.images import save
from genjax.training.folder import read_metrics

TIMES = [1, 3, 10, 30, 100, 300, 1000]


def draw(run: Run) -> list[Path]:
    """All figures that the family has; the paths written."""
    target, name = run.folder / "figures", run.folder.name
    shape = run.shape
    title = f"{name}: learning curves"
    figure = curves.learning_curves(read_metrics(run.folder), run.family.panels, title, summary(run))
    written = [save(figure, target / "curves.png")]
    if run.family.filters is not None:
        written += filters.draw(run, 64, run.config.seed)
    if run.family.figures is not None:
        figures = run.family.figures(run.state, shape, name)
        written += [save(figure, target / f"{stem}.png") for stem, figure in figures.items()]
    if run.family.sample is not None:
        written.append(sample.draw(run, TIMES, 10, run.config.seed, target / "samples.png")[0])
    if sample.drawing(run) is not None:
        written.append(sample.draw_at_once(run, 100, run.config.seed, target / "samples.png")[0])
    if sample.persistent(run, 1) is not None:
        path = target / "samples-persistent.png"
        written.append(sample.draw(run, TIMES, 10, run.config.seed, path, start="persistent")[0])
    if sample.classes(run):
        written.append(sample.draw_classes(run, TIMES[-1], 10, run.config.seed, target / "classes.png")[0])
    if run.family.reconstruct is not None:
        count = min(16, len(run.prepared.dataset.test))
        where = f"bottom:{shape[0] // 2}" if shape[0] > 1 else "random:0.5"
        removed = damage(parse_region(where), shape, count, run.config.seed)
        found = fill(run, removed, 400, run.config.seed)
        written.append(draw_filled(run, found, target / "reconstructions.png"))
    if run.family.latent is not None or run.family.decoder is not None:
        written += latent.draw(run, latent.Options(run=str(run.folder)))[0]
    return written


def summary(run: Run) -> str:
    """One line of the evaluation for the foot of a figure."""
    path = run.folder / "evaluation.json"
    if not path.exists():
        return "not evaluated"
    judged = json.loads(path.read_text())
    if judged["step"] != run.step:
        return "not evaluated since it was trained further"
    if run.family.sentences is not None:
        return run.family.sentences(judged)[0]
    answer = judged["log_likelihood"]["test"]
    doubt = "" if answer["trusted"] else " (not trusted)"
    numbers = f"{answer['mean']:.2f} nats [{answer['low']:.2f}, {answer['high']:.2f}]{doubt}"
    return f"test {called(answer)} {numbers}, {answer['estimator']}, binarisation {run.config.binarisation}"
