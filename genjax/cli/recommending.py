"""What the command line knows of the recommender: its data, how it is judged, and what it recommends."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from tyro.conf import Fixed, Suppress

from genjax.algorithms.recommender import (
    FIVE_STARS,
    RecommenderConfig,
    RecommenderState,
    recommender,
    trained_machine,
)
from genjax.boltzmann.rating import RatingMachine, predict
from genjax.cli.options import RunConfig, cost
from genjax.data import ratings, tastes
from genjax.data.binarisation import Binarisation
from genjax.data.ratings import Ratings, SplitRatings
from genjax.data.record import Record, listed
from genjax.errors import UserError
from genjax.evaluation.ratings import asked, best_biases, item_means, judged, known
from genjax.plots.curves import Panel
from genjax.training import loop
from genjax.training.config import part, split
from genjax.typing import Algorithm, Batch, Hyper

GENERATED = "generated"
NAMES = {"model": "RBM of ratings", "user_item_bias": "user + item biases", "item_mean": "item means"}
PANELS = (
    Panel("RMSE (units of the ratings)", {"rmse": "training, each from the others", "held_out_rmse": "validation"}),
    Panel("mean absolute error (units of the ratings)", {"mae": "training", "held_out_mae": "validation"}),
    Panel("Gibbs sweeps of the negative phase", {"sweeps": "k"}),
    Panel("norm of the weights", {"weight_norm": "weights"}),
    Panel("mean hidden activity (probability)", {"hidden_activity": "training"}),
    Panel("learning rate", {"learning_rate": "rate"}),
)


@dataclass(frozen=True, kw_only=True)
class RecommenderRun(RecommenderConfig, RunConfig):
    """Train an RBM of ratings on a file with user, item, rating and timestamp."""

    dataset: str = GENERATED
    """A file like MovieLens' u.data (tabs) or a CSV; `generated` makes ratings of known cause."""
    data_dir: str | None = None
    """Where the file lies."""
    validation: bool = True
    """Hold out a tenth of the ratings for the learning curves (another tenth is always kept for the test)."""
    epochs: int | None = 100
    """Passes over the users."""
    batch_size: int = 100
    """Users a step."""
    evaluate: bool = True
    """Predict the held-out ratings at the end."""
    size: Suppress[Fixed[int | None]] = None
    binarisation: Suppress[Fixed[Binarisation]] = "none"
    temperatures: Suppress[Fixed[int]] = 10_000
    ais_chains: Suppress[Fixed[int]] = 500
    precision: Suppress[Fixed[float | None]] = None
    stop_gap: Suppress[Fixed[float | None]] = None


def recommender_ratings(config: RecommenderRun, old: bool = False) -> SplitRatings:
    """The split ratings; `old` as a run has split them that keeps no record of them."""
    if config.dataset == GENERATED:
        return ratings.split(generated(), GENERATED, validation=0.1 if config.validation else 0.0)
    return ratings.load(config.dataset, config.data_dir, config.validation, by_line=old)


def generated() -> Ratings:
    """Ratings of known cause."""
    return tastes.generate(0, users=1000, items=100)[0]


def recommender_data(config: RecommenderRun, data: SplitRatings) -> tuple[loop.TrainingSet, loop.Plan, dict[str, Any]]:
    """What of the ratings the loop reads, how it is cut up, and what they settle of the algorithm."""
    held_out = None
    if (data.validation <= -1).any():
        held_out = Batch(jnp.asarray(data.validation[:1000]), jnp.zeros(min(1000, len(data.validation)), jnp.int32))
    training = loop.TrainingSet(jnp.asarray(data.train), jnp.zeros(len(data.train), jnp.int32), held_out)
    return training, loop.plan(len(data.train), config.batch_size, "none"), {"values": data.values}


def recommender_algorithm(
    config: RecommenderRun, total_steps: int, values: tuple[float, ...] = FIVE_STARS
) -> tuple[Algorithm, Hyper]:
    """Contrastive divergence with its rates, for the levels that the data have."""
    static, hyper = split(part(config, RecommenderConfig), total_steps)
    return recommender(static, values=values), hyper


@jax.jit
def _expected(
    machine: RatingMachine,
    values: Float[Array, " levels"],
    x: Float[Array, "users items"],
    users: Int[Array, " queries"],
    items: Int[Array, " queries"],
) -> Float[Array, " queries"]:
    return jnp.exp(predict(machine, x, users, items)) @ values


def expected(
    state: RecommenderState,
    x: Float[np.ndarray, "users items"],
    users: Int[np.ndarray, " queries"],
    items: Int[np.ndarray, " queries"],
) -> Float[np.ndarray, " queries"]:
    """Expected ratings, in their own units, given the known ratings of x."""
    queries = (jnp.asarray(users), jnp.asarray(items))
    return np.asarray(_expected(trained_machine(state), state.values, jnp.asarray(x), *queries))


def recommender_evaluate(
    key: Key[Array, ""], state: RecommenderState, train_batch: Batch, test_batch: Batch, **_: Any
) -> dict[str, Any]:
    """RMSE and MAE on the held-out ratings, beside those of the baselines on the same ratings."""
    values, train, test = (np.asarray(x) for x in (state.values, train_batch.x, test_batch.x))
    learned, wanted = known(train, values), asked(test, values)
    biases, penalty = best_biases(learned, train.shape)
    predictions = {
        "model": expected(state, test, wanted.users, wanted.items),
        "user_item_bias": np.clip(biases.predict(wanted.users, wanted.items), values[0], values[-1]),
        "item_mean": item_means(learned, train.shape[1])[wanted.items],
    }
    errors = {name: judged(guess - wanted.ratings, wanted.users) for name, guess in predictions.items()}
    counts = {"train": len(learned.ratings), "test": len(wanted.ratings)}
    return {"errors": errors, "bias_penalty": penalty, "items": train.shape[1], "ratings": counts}


def recommender_sentences(judged: dict[str, Any]) -> list[str]:
    """What a person reads of an evaluation; the first line stands at the foot of figures."""

    def line(name: str) -> str:
        answer = judged["errors"][name]
        interval = f"[{answer['rmse_low']:.4f}, {answer['rmse_high']:.4f}]"
        return f"{NAMES[name]}: RMSE {answer['rmse']:.4f} {interval}, MAE {answer['mae']:.4f}"

    counts = judged["ratings"]
    size = f"{counts['test']} held-out ratings, {counts['train']} learned from, {judged['items']} items"
    return [*(line(name) for name in NAMES), f"{size}; {cost(judged)}"]


def recommend(
    config: RecommenderRun, state: RecommenderState, record: Record | None, user: str, top: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """The `top` items that a user is expected to rate highest, of those not rated yet, given all that the file holds
    of this user now; and what is to be said of users and items that the run does not know.

    Items are known by the names that the run keeps. A run that keeps none (`record` None) was trained on them in the
    order of the file.
    """
    found = generated() if config.dataset == GENERATED else ratings.read(ratings.find(config.dataset, config.data_dir))
    items, values = found.item_ids, found.values
    if record is not None:
        items, values = record.names["items"], tuple(np.asarray(state.values).tolist())
    elif len(items) != len(trained_machine(state).biases):
        raise UserError(f"--dataset {config.dataset} has other items than the run was trained on; train anew.")
    if user not in found.user_ids:
        some = ", ".join(found.user_ids[:3])
        raise UserError(
            f"--user {user} is not among the {len(found.user_ids)} users of {config.dataset}, such as {some}."
        )
    known_ratings = ratings.row(found, user, items, values, config.dataset)
    said = [] if record is None or user in record.names["users"] else [f"user {user} is new since training"]
    if new := sorted(set(found.item_ids) - set(items)):
        said.append(f"left out: {len(new)} items that are new since training ({listed(new)})")
    unrated = np.flatnonzero(known_ratings[0] == 0)
    if not len(unrated):
        return [], said
    guess = expected(state, known_ratings, np.zeros(len(unrated), np.int32), unrated)
    best = np.argsort(-guess, kind="stable")[:top]
    return [{"item": items[unrated[n]], "rating": round(float(guess[n]), 4)} for n in best], said


def recommender_arrays(state: RecommenderState) -> dict[str, np.ndarray]:
    """Plain arrays: weights_0 `(items, levels, hidden)`, bias_0 `(items, levels)`, bias_1 `(hidden,)`, values."""
    machine = trained_machine(state)
    named = {"weights_0": machine.weights, "bias_0": machine.biases, "bias_1": machine.hidden_biases}
    named |= {"values": state.values} | ({} if machine.implicit is None else {"implicit": machine.implicit})
    return {name: np.asarray(array) for name, array in named.items()}
