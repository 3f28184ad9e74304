"""What do small diffusion models reach on MNIST in half an hour on two cores?

    python -m experiments.diffusion_mnist --data-dir DIR [--processes masked flow ddpm] [--quick | --smoke] [--out DIR]

Masked diffusion on binarised pixels: the bound of the test log-likelihood in nats with its interval. Flow matching and
DDPM on intensities: how good 2,000 samples are by a classifier that was trained on MNIST (it is trained first, and
kept: 3 to 5 minutes), beside real images. Of each, the first 40 samples, unpicked, and test images whose upper half was
removed: as given, filled in at expected values, and three draws. Writes results.jsonl, samples.png, filled.png,
curves.png and the table; runs lie beside them, and an interrupted one goes on. Expect the masked one above -95 nats,
and a classifier score above 9 of 10 of the others (real test images: about 9.9). Full: about 30 minutes each on two
cores, and 10 to sample; --quick: an eighth of the steps.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import append, lines, minutes, mnist, options
from genjax.plots.images import rows_of_images, save

SETTINGS: dict[str, dict[str, Any]] = {
    "masked": {},
    "flow": {"process": "flow"},
    "ddpm": {"process": "ddpm"},
}
SMALL: dict[str, Any] = {"channels": (8, 16)}  # of a smoke test
BATCH = 64
STEPS = {"masked": 6000, "flow": 12000, "ddpm": 12000}
SHARE = {"full": 1.0, "quick": 1 / 8, "smoke": 1 / 150}  # of the steps
COUNTS = {"full": 2000, "quick": 500, "smoke": 40}  # of samples
MASKS = {"full": 16, "quick": 8, "smoke": 4}
SHOWN, FILLED, DRAWS = 40, 10, 3
NAMES = ("classifier_score", "frechet_distance", "precision", "recall", "copies")


def trained(process: str, chosen: Any) -> genjax.Run:
    """The run of a process in the experiment's folder, and its processor time in cpu.jsonl."""
    small = SMALL | ({"layers": (32,)} if process == "masked" else {}) if chosen.scale == "smoke" else {}
    began = time.process_time()
    try:
        return genjax.fit(
            genjax.diffusion(**SETTINGS[process], **small),
            mnist(chosen),
            steps=round(SHARE[chosen.scale] * STEPS[process]),
            batch_size=BATCH,
            out=chosen.out / process,
            progress=False,
        )
    finally:
        append(chosen.out / "cpu.jsonl", {"process": process, "seconds": time.process_time() - began})


def measured(process: str, run: genjax.Run, chosen: Any) -> dict[str, Any]:
    """A row of the table: what it is evaluated by."""
    spent = sum(row["seconds"] for row in lines(chosen.out / "cpu.jsonl") if row["process"] == process)
    about = {"process": process, "steps": run.step, "minutes": minutes(run), "cpu_minutes": spent / 60}
    if process == "masked":
        return about | run.evaluation(masks=MASKS[chosen.scale])
    return about | run.sample_quality(COUNTS[chosen.scale])


def pictures(process: str, run: genjax.Run, out: Path) -> None:
    """Samples and completions, kept as arrays for the figures."""
    test = np.asarray(run.fixed_test(FILLED).x)
    missing = np.zeros(run.image_shape, bool)
    missing[: run.image_shape[0] // 2] = True
    hole = missing.reshape(run.shape)
    drawn = [run.sample(DRAWS, given=x.reshape(run.shape), missing=hole, seed=i) for i, x in enumerate(test)]
    np.savez(
        out / f"pictures-{process}.npz",
        samples=run.draw(SHOWN)["samples"],
        given=np.where(missing.reshape(-1), np.nan, test),
        expected=run.reconstruct(test, hole).reshape(FILLED, -1),
        drawn=np.stack(drawn).reshape(FILLED, DRAWS, -1),
    )


def main() -> None:
    """All processes; print the table as it grows, write results and figures."""
    more = {"--processes": {"nargs": "+", "choices": list(SETTINGS), "default": list(SETTINGS)[:2]}}
    chosen = options(__doc__, "diffusion-mnist", "an eighth of the steps", mnist=True, more=more)
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for process in chosen.processes:
        if not any(row["process"] == process for row in rows):
            run = trained(process, chosen)
            pictures(process, run, chosen.out)
            rows.append(measured(process, run, chosen) | {"curve": curve(run)})
            append(path, rows[-1])
        for text in table(next(row for row in rows if row["process"] == process)):
            print(text, flush=True)
    images = mnist(chosen)
    for name in ("samples", "filled"):
        print(save(figure(name, rows, images.shape, chosen.out), chosen.out / f"{name}.png"))
    print(save(curves(rows), chosen.out / "curves.png"))


def curve(run: genjax.Run) -> dict[str, Any]:
    """What was measured of validation images, by steps."""
    name = "held_out_elbo" if "held_out_elbo" in run.history else "held_out_denoising_error"
    return {"steps": run.history["step"].tolist(), "values": run.history[name].tolist()}


def table(row: dict[str, Any]) -> list[str]:
    """A process in one or two lines."""
    start = f"{row['process']:7} {row['steps']} steps, {row['minutes']:.1f} minutes, {row['cpu_minutes']:.1f} of CPU:"
    if "log_likelihood" in row:
        test, train = row["log_likelihood"]["test"], row["log_likelihood"]["train"]
        shown = f"{test['mean']:.2f} [{test['low']:.2f}, {test['high']:.2f}]"
        return [f"{start} test bound {shown} nats, training images {train['mean']:.2f}"]
    both = []
    for part in (row["samples"], row["real"]):
        values = [part[name]["mean"] if isinstance(part[name], dict) else part[name] for name in NAMES]
        both.append(", ".join(f"{n} {np.nan if v is None else v:.2f}" for n, v in zip(NAMES, values, strict=True)))
    return [f"{start} {both[0]}", f"{'real':7} {both[1]}"]


def figure(name: str, rows: list[dict[str, Any]], shape: tuple[int, int, int], out: Path) -> Figure:
    """Samples of every process, or what each makes of images without their upper half."""
    shown = {}
    for row in rows:
        process, kept = row["process"], np.load(out / f"pictures-{row['process']}.npz")
        if name == "samples":
            parts = np.array_split(kept["samples"], 4)
            shown |= {f"{process} {number + 1}": part for number, part in enumerate(parts)}
        else:
            shown |= {f"{process}: given": kept["given"], f"{process}: expected": kept["expected"]}
            shown |= {f"{process}: draw {d + 1}": kept["drawn"][:, d] for d in range(kept["drawn"].shape[1])}
    titles = {"samples": "the first samples", "filled": "test images without their upper half, filled in"}
    return rows_of_images(shown, shape, f"diffusion: {titles[name]}")


def curves(rows: list[dict[str, Any]]) -> Figure:
    """What validation images say, one mask or one noise an image, against steps of training."""
    drawn = Figure(figsize=(5 * len(rows), 4), layout="constrained")
    for axes, row in zip(drawn.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        axes.plot(row["curve"]["steps"], row["curve"]["values"])
        masked = row["process"] == "masked"
        label = "bound, nats an image" if masked else "squared error of the prediction, a pixel"
        axes.set(xlabel="steps of training", ylabel=f"{label}, validation", title=row["process"])
        if masked:
            axes.set_ylim(bottom=max(axes.get_ylim()[0], -130))
        axes.grid(alpha=0.3)
    return drawn


if __name__ == "__main__":
    main()
