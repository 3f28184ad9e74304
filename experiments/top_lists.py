"""Are the films at the top of a recommender's list the right ones? NDCG@N, precision@N, and lists with titles.

    python -m experiments.top_lists --ratings FILE [--quick | --smoke] [--out DIR]

FILE holds ratings (user, item, rating, timestamp: `u.data` or `ratings.csv` of MovieLens); titles are read from
`u.item` or `movies.csv` beside it. The RBM of ratings, user and item biases, and item means order the held-out ratings
of each user: NDCG@N, and the share of the first N that the user rated at least as high as ratings are on average, for N
of 1, 3, 5 and 10, with 95 % intervals over users. Writes top_lists.png, results.jsonl, the table, and for some users
what they liked best beside what the machine recommends of all that they have not rated. Expect the RBM a little ahead
of the biases at every N, hardly beyond the intervals of each; and a precision that falls with N towards the share of
liked ratings, as most users have few held-out ratings to choose among. Full: 20 epochs; --quick: 5. --smoke: ratings of
known cause.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import options
from genjax.data import rating_splits, ratings, tastes
from genjax.data.ratings import SplitRatings
from genjax.evaluation import ranking
from genjax.evaluation.ratings import Rated, best_biases, item_means, known, queries
from genjax.models.recommender import expected
from genjax.plots.images import save

TOPS = (1, 3, 5, 10)
EPOCHS = {"full": 20, "quick": 5, "smoke": 1}
USERS, LISTED = 3, 5  # whose lists are printed, and how long they are
MEASURES = {"ndcg": "NDCG@N", "precision": "precision@N"}


def orders(run: genjax.Run, data: SplitRatings, wanted: Rated) -> dict[str, np.ndarray]:
    """What each method expects of the ratings that are held out."""
    learned = known(data.train, np.asarray(data.values))
    biases, _ = best_biases(learned, data.shape)
    return {
        "RBM": expected(run.parameters, data.test, wanted.users, wanted.items),
        "user + item biases": biases.predict(wanted.users, wanted.items),
        "item means": item_means(learned, data.shape[1])[wanted.items],
    }


def scored(guesses: dict[str, np.ndarray], wanted: Rated, lowest: float, liked: float) -> list[dict[str, Any]]:
    """A row for each method and N."""
    rows = []
    for name, guess in guesses.items():
        for top in TOPS:
            gain = ranking.ndcg(guess, wanted.ratings, wanted.users, lowest, top)
            share = ranking.precision(guess, wanted.ratings, wanted.users, liked, top)
            row: dict[str, Any] = {"method": name, "top": top}
            rows.append(row | {k: [e.mean, e.low, e.high] for k, e in (("ndcg", gain), ("precision", share))})
    return rows


def draw(rows: list[dict[str, Any]], share: float, title: str) -> Figure:
    """Both measures against N, a line a method."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (measure, label) in zip(figure.subplots(1, 2), MEASURES.items()):
        for number, name in enumerate(dict.fromkeys(row["method"] for row in rows)):
            mean, low, high = np.array([row[measure] for row in rows if row["method"] == name]).T
            place = np.arange(len(TOPS)) + 0.06 * (number - 1)
            axes.errorbar(place, mean, yerr=[mean - low, high - mean], marker="o", capsize=3, label=name)
        axes.set(xlabel="N", ylabel=f"{label}, mean over users", title=label)
        axes.set_xticks(range(len(TOPS)), [str(top) for top in TOPS])
        axes.grid(alpha=0.3)
    figure.axes[1].axhline(share, color="grey", linestyle=":", label="of all held-out ratings")
    figure.axes[1].legend(fontsize=8)
    figure.suptitle(title)
    return figure


def lists(run: genjax.Run, data: SplitRatings, called: dict[str, str]) -> list[str]:
    """Of some users what they rated highest, and what they are expected to rate highest of the rest."""
    everything, values, said = data.all_known(), np.asarray(data.values), []
    for user in np.linspace(0, data.shape[0] - 1, USERS).astype(int):
        own = everything[user]
        new = np.flatnonzero(own == 0)
        guess = expected(run.parameters, everything, np.full(len(new), user), new)
        best = np.argsort(-own, kind="stable")[: min(LISTED, int((own > 0).sum()))]
        said.append(f"user {data.user_ids[user]} rated {int((own > 0).sum())}, best of all")
        said += [f"    {values[int(own[n]) - 1]:4.1f}  {called.get(data.item_ids[n], data.item_ids[n])}" for n in best]
        said.append("  and is expected to like")
        for n in np.argsort(-guess, kind="stable")[:LISTED]:
            said.append(f"    {guess[n]:4.1f}  {called.get(data.item_ids[new[n]], data.item_ids[new[n]])}")
    return said


def main() -> None:
    """Train, order, list; print the table, write results and figure."""
    more = {"--ratings": {"type": Path, "help": "a file of ratings, with u.item or movies.csv beside it for titles"}}
    chosen = options(__doc__, "top-lists", "5 epochs", more=more)
    if chosen.ratings is None and chosen.scale != "smoke":
        raise SystemExit("top_lists: name a file of ratings, --ratings FILE.")
    if chosen.ratings is None:
        data, called = ratings.split(tastes.generate(0, users=100, items=30)[0], "made up"), {}
    else:
        data, called = rating_splits.load(str(chosen.ratings)), ratings.titles(chosen.ratings)
    run = genjax.fit(genjax.recommender(), data, epochs=EPOCHS[chosen.scale], progress=False)
    values = np.asarray(data.values)
    wanted, liked = queries(data.test, values), float(known(data.train, values).ratings.mean())
    rows = scored(orders(run, data, wanted), wanted, float(values[0]), liked)
    (chosen.out / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(wanted.ratings):,} held-out ratings; liked: at least {liked:.2f}")
    print(f"{'method':20} {'N':>3} {'NDCG@N':>24} {'precision@N':>24}")
    for row in rows:
        cells = (f"{row[name][0]:.3f} [{row[name][1]:.3f}, {row[name][2]:.3f}]" for name in MEASURES)
        print(f"{row['method']:20} {row['top']:3}" + "".join(f"{cell:>25}" for cell in cells))
    print("\n".join(lists(run, data, called)))
    share = float(np.mean(wanted.ratings >= liked))
    title = f"{Path(data.name).name}: held-out ratings of each user, as each method orders them"
    print(save(draw(rows, share, title), chosen.out / "top_lists.png"))


if __name__ == "__main__":
    main()
