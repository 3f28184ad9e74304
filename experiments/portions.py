"""What does the regularisation do to a transport plan?

    python -m experiments.portions [--smoke] [--out DIR]

A dinner: eight people, who eat different amounts, and six dishes, of which there are different numbers of portions; a
person's taste for a dish is between -2 and 2. The plan that pleases most gives as many people as possible what they
like best, and few of them more than two dishes; a regularised one (Cuturi 2013), whose cost is minus the taste and
whose entropy counts too, lets everyone try more of everything, until at a large regularisation each plate is the same
mix. Writes plans.png, plans as numbers in results.jsonl, and the table. Seconds. Needs the extra `ot`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.common import append, lines, options
from genjax.plots.images import save
from genjax.transport import exact, regularised

PEOPLE = ("Ada", "Ben", "Chloe", "Dirk", "Emeka", "Fatma", "Goro", "Hana")
APPETITES = (3, 3, 3, 4, 2, 2, 2, 1)
DISHES = ("lentils", "fish", "dumplings", "salad", "cheese", "cake")
PORTIONS = (4, 2, 6, 4, 2, 2)
TASTES = np.array(
    [
        [2, 0, 1, 1, -1, 2],
        [1, -2, 2, 0, 0, 1],
        [0, 2, -1, 2, 1, 0],
        [2, 1, 1, -2, 1, 0],
        [1, -2, -2, 2, -1, 2],
        [1, 1, 2, -1, -2, 1],
        [-2, 2, 2, 0, -1, 1],
        [0, -1, 1, 1, 2, 2],
    ],
    float,
)
SCALES = {"full": (None, 0.3, 1.0, 10.0), "quick": (None, 0.3, 1.0, 10.0), "smoke": (None, 1.0)}


def run(scale: float | None) -> dict[str, Any]:
    """A plan, what it pleases, and how it is spread."""
    cost = -TASTES
    plan = exact(cost, APPETITES, PORTIONS) if scale is None else regularised(cost, scale, APPETITES, PORTIONS)
    each = plan.weights > 0.05  # of a portion
    row = {"regularisation": scale, "taste": -plan.cost / sum(PORTIONS), "entropy": plan.entropy}
    return row | {"dishes_a_person": float(each.sum(1).mean()), "plan": np.round(plan.weights, 6).tolist()}


def main() -> None:
    """All regularisations; print the table, write plans and figure."""
    chosen = options(__doc__, "portions", "the same")
    path = chosen.out / "results.jsonl"
    rows = lines(path)
    for scale in SCALES[chosen.scale]:
        if not any(row["regularisation"] == scale for row in rows):
            rows.append(run(scale))
            append(path, rows[-1])
    print(f"{'regularisation':>14} {'taste a portion':>16} {'entropy (nats)':>15} {'dishes a person':>16}")
    for row in rows:
        name = "exact" if row["regularisation"] is None else f"{row['regularisation']:g}"
        print(f"{name:>14} {row['taste']:16.3f} {row['entropy']:15.2f} {row['dishes_a_person']:16.1f}")
    print(draw(rows, chosen.out / "plans.png"))


def draw(rows: list[dict[str, Any]], path: Path) -> Path:
    """The tastes, and each plan in portions."""
    figure = Figure(figsize=(3.2 * (len(rows) + 1), 4), layout="constrained")
    shown = {"taste": TASTES}
    for row in rows:
        name = "exact plan" if row["regularisation"] is None else f"regularisation {row['regularisation']:g}"
        shown[f"{name}\ntaste {row['taste']:.2f} a portion, {row['entropy']:.2f} nats"] = np.array(row["plan"])
    for number, (axes, (title, values)) in enumerate(zip(figure.subplots(1, len(shown), sharey=True), shown.items())):
        low, high, colours = (-3, 3, "RdBu") if number == 0 else (0, 4, "Blues")
        axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
        for place, value in np.ndenumerate(values):
            text = f"{value:.0f}" if number == 0 else f"{value:.1f}" if value > 0.05 else ""
            ink = "white" if abs(value) > 0.6 * high else "black"
            axes.text(place[1], place[0], text, ha="center", va="center", fontsize=8, color=ink)
        axes.set_xticks(
            range(len(DISHES)), [f"{name} ({n})" for name, n in zip(DISHES, PORTIONS)], rotation=60, fontsize=8
        )
        axes.set_yticks(range(len(PEOPLE)), [f"{name} ({n})" for name, n in zip(PEOPLE, APPETITES)], fontsize=8)
        axes.set_title(title, fontsize=9)
    figure.supxlabel("dish (portions); of each person (appetite) the portions of each dish", fontsize=9)
    return save(figure, path)


if __name__ == "__main__":
    main()
