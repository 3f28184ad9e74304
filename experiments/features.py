"""How well does a linear classifier tell digits apart by an RBM's features?

    python -m experiments.features --data-dir DIR [--run RUN] [--quick | --smoke] [--out DIR]

Logistic regression (scikit-learn's L-BFGS) on the pixels and on the mean hidden units of a Boltzmann machine, of grey
images. The strength of its regularisation is the one with the least error on the 5,000 validation images; with it, the
classifier is fitted to all 60,000 training images and evaluated on the test images once. --run is a folder of
`genjax train` rbm, dbm or dbn, or rbm-mnist, which comes with genjax; without it an RBM 784-1024 is trained here.
Expect an error of 8 % from pixels and about 2 % from the features. Writes features.png, results.jsonl and the table.
Full: half an hour on two cores, half of it for the RBM; --quick: 784-500, a tenth of the training, fewer strengths.
--smoke: digits. What is there already is not done again.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

import genjax
from experiments.common import append, data_name, lines, options, run_of, with_validation
from genjax.plots.images import save
from genjax.plots.text import plain


class Scale(NamedTuple):
    """How much is tried: the RBM's hidden units and passes, and scikit-learn's C."""

    hidden: int
    epochs: int
    strengths: tuple[float, ...]


SCALES = {
    "full": Scale(1024, 100, (0.01, 0.03, 0.1, 0.3, 1.0)),
    "quick": Scale(500, 10, (0.03, 0.1, 0.3)),
    "smoke": Scale(64, 60, (0.3, 3.0)),
}
TRIED, FINAL = "validation", "test"


def fitted(x: Float[np.ndarray, "images inputs"], y: np.ndarray, strength: float) -> LogisticRegression:
    """The classifier at one C: the loss of all images, summed and times C, plus half the squared norm."""
    return LogisticRegression(C=strength, max_iter=1000).fit(x, y)


def main() -> None:
    """Every strength on validation images, then the best on test images; print the table, write results and figure."""
    more = {"--run": {"type": Path, "help": "a Boltzmann machine's run, or rbm-mnist or dbm-mnist"}}
    chosen = options(__doc__, "features", "a smaller and shorter RBM", mnist=True, more=more)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    run = run_of(chosen, chosen.run, genjax.rbm(hidden=scale.hidden), epochs=scale.epochs)
    dataset = with_validation(chosen, run)
    parts = {"train": dataset.train, TRIED: dataset.validation, FINAL: dataset.test}
    features = {name: run.features(x) for name, x in parts.items()}
    rows = lines(path)

    def row(inputs: str, split: str, strength: float, x: dict[str, np.ndarray]) -> dict[str, Any]:
        """The error on this split, from the file where it is known."""
        about = {"run": str(run.folder), "inputs": inputs, "split": split, "strength": strength}
        known = [row for row in rows if about.items() <= row.items()]
        if not known:
            train, label = x["train"], dataset.labels.train
            if split == FINAL:
                train = np.concatenate([train, x[TRIED]])
                label = np.concatenate([label, dataset.labels.validation])
            classifier = fitted(train, label, strength)
            wrong = 1 - classifier.score(x[split], getattr(dataset.labels, split))
            known = [about | {"error": float(wrong), "iterations": int(classifier.n_iter_[0])}]
            append(path, known[0])
            rows.extend(known)
        return known[0]

    print(f"{'inputs':10} {'C':>6} {'validation':>11} {'test':>8}")
    for inputs, x in (("pixels", parts), ("features", features)):
        tried = [row(inputs, TRIED, strength, x) for strength in scale.strengths]
        best = min(tried, key=lambda row: row["error"])
        final = row(inputs, FINAL, best["strength"], x)
        for entry in tried:
            of_test = f"{100 * final['error']:6.2f} %" if entry is best else ""
            print(f"{inputs:10} {entry['strength']:6.2f} {100 * entry['error']:9.2f} % {of_test:>8}", flush=True)
    title = f"{data_name(run)}: logistic regression, features of {run.name} ({features[FINAL].shape[1]})"
    print(draw([row for row in rows if row["run"] == str(run.folder)], title, chosen.out / "features.png"))


def draw(rows: list[dict[str, Any]], title: str, path: Path) -> Path:
    """The error against the strength, validation images as lines, test images as a star each."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, inputs in enumerate(("pixels", "features")):
        points = {
            split: sorted(
                (row["strength"], 100 * row["error"])
                for row in rows
                if (row["inputs"], row["split"]) == (inputs, split)
            )
            for split in (TRIED, FINAL)
        }
        axes.plot(*zip(*points[TRIED]), "o-", color=f"C{number}", label=f"{inputs}, validation")
        axes.plot(*zip(*points[FINAL]), "*", color=f"C{number}", markersize=14, label=f"{inputs}, test")
    axes.set(xscale="log", yscale="log", xlabel="C (1 / strength of the regularisation)", ylabel="error (%)")
    axes.set_title(plain(title), fontsize=9)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return save(figure, path)


if __name__ == "__main__":
    main()
