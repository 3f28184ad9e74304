"""The RBM of ratings: its data, its errors beside baselines, and what it recommends."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from genjax import numerics
from genjax.algorithms.recommender import FIVE_STARS, RecommenderConfig, RecommenderState, recommender, trained_machine
from genjax.boltzmann.rating import RatingMachine, predict
from genjax.data import rating_splits, ratings, tastes
from genjax.data.ratings import Ratings, SplitRatings
from genjax.data.record import Record, listed, of_ratings
from genjax.errors import UserError
from genjax.evaluation import ratings as ratings_of
from genjax.models.base import Config
from genjax.plots import panels
from genjax.training import loop
from genjax.training.config import split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Measure, Model, Stage

GENERATED = "generated"
WATCHED = 4000  # rows, at most, that learning curves are about
POINTS = 20  # of a learning curve, where there are as many epochs


@dataclass(frozen=True, kw_only=True)
class Recommender(Config, RecommenderConfig):
    """An RBM of ratings, trained on a file with user, item, rating and timestamp."""


class Parameters(NamedTuple):
    """The machine, and the rating that each level stands for, `(levels,)`."""

    machine: RatingMachine
    values: Float[Array, " levels"]


def stages(
    config: Recommender,
    steps: int,
    steps_per_epoch: int,
    values: tuple[float, ...] = FIVE_STARS,
    rows: int | None = None,
) -> tuple[Stage, ...]:
    """One stage, for the levels and the number of rows that the data have."""
    static, hyper = split(config, steps)
    return (Stage(LAST, recommender(static, values=tuple(values), rows=rows), hyper, steps),)


def parameters(state: RecommenderState) -> Parameters:
    """The averaged machine, and the values."""
    return Parameters(trained_machine(state), state.values)


def begin(state: RecommenderState, trained: Parameters) -> RecommenderState:
    """A fresh state whose machine is this one."""
    machine = jax.tree.map(jnp.copy, trained.machine)
    average = None if state.average is None else jax.tree.map(jnp.copy, machine)
    return state._replace(machine=machine, average=average)


def read(run: RunConfig, old: bool = False, validation: Any = None, test: Any = None) -> SplitRatings:
    """The split ratings, with other splits than the run's where they are given; `old` as a run has split them that
    keeps no record of them."""
    own = run.validation if validation is None else validation, run.test if test is None else test
    if run.dataset == GENERATED:
        return rating_splits.assembled(generated(), GENERATED, *own, data_dir=run.data_dir)
    assert run.dataset is not None
    return rating_splits.load(run.dataset, run.data_dir, own[0], by_line=old, test=own[1])


def generated() -> Ratings:
    """Ratings of known cause."""
    return tastes.generate(0, users=1000, items=100)[0]


def prepare(
    config: Recommender, run: RunConfig, data: SplitRatings
) -> tuple[loop.TrainingSet, loop.Plan, dict[str, Any]]:
    """What of the ratings the loop reads, how it is cut up, and what they decide of the algorithm.

    Raises `UserError` where they should be binarised.
    """
    if run.binarisation not in (None, "none"):
        raise UserError(f"`binarisation` {run.binarisation}: ratings are learned as they are; leave it out.")
    x, validation = (part.T if items_are_rows(data.shape) else part for part in (data.train, data.validation))
    asked = np.flatnonzero((validation <= -1).any(axis=1))
    watched = asked[:: -(-len(asked) // WATCHED)] if len(asked) else asked
    held_out = Batch(jnp.asarray(validation[watched])) if len(asked) else None
    training = loop.TrainingSet(jnp.asarray(x), None, held_out)
    steps = max(1, len(x) // run.batch_size)
    total = steps * (run.epochs or 0) if run.steps is None else run.steps
    # Runs are short: a curve of few points begins late, and says nothing of over-fitting.
    plan = loop.plan(len(x), run.batch_size, "none", min(250, max(steps, total // POINTS)))
    return training, plan, {"values": data.values, "rows": len(x)}


def items_are_rows(shape: tuple[int, int]) -> bool:
    """Whether each item has a machine over users, and not each user one over items.

    Rows are what there is more of. What is known of a row is summed out, and a column's weights are learned from all
    of its ratings, so that those who have few of them each should be rows.
    """
    users, items = shape
    return items > users


@jax.jit
def _expected(
    machine: RatingMachine,
    values: Float[Array, " levels"],
    x: Float[Array, "rows columns"],
    rows: Int[Array, " queries"],
    columns: Int[Array, " queries"],
) -> Float[Array, " queries"]:
    return numerics.exact(jnp.exp(predict(machine, x, rows, columns)), values)


def expected(
    p: Parameters,
    x: Float[np.ndarray, "users items"],
    users: Int[np.ndarray, " queries"],
    items: Int[np.ndarray, " queries"],
) -> Float[np.ndarray, " queries"]:
    """Expected ratings, in their own units, given the known ratings of x."""
    queries = (jnp.asarray(users), jnp.asarray(items))
    if len(p.machine.biases) != x.shape[1]:  # each item has a machine over users
        x, queries = x.T, queries[::-1]
    return np.asarray(_expected(p.machine, p.values, jnp.asarray(x), *queries))


def evaluate(
    key: Key[Array, ""], p: Parameters, train: Batch, test: Batch, answer: Answer | None, **_: Any
) -> dict[str, Any]:
    """RMSE and MAE on the held-out ratings, beside those of the baselines on the same ratings."""
    x = np.asarray(test.x)
    return ratings_of.evaluate(partial(expected, p, x), np.asarray(p.values), np.asarray(train.x), x)


def recommend(
    run: RunConfig, p: Parameters, record: Record | None, user: str, top: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """The `top` items that a user is expected to rate highest, of those not rated yet, given all that the file holds
    of this user now; and what is to be said of users and items that the run does not know.

    Items are known by the names that the run keeps. A run that keeps none (`record` None) was trained on them in the
    order of the file.
    """
    assert run.dataset is not None
    source = generated() if run.dataset == GENERATED else ratings.read(ratings.find(run.dataset, run.data_dir))
    items, values = source.item_ids, source.values
    if record is not None:
        items, values = record.names["items"], tuple(np.asarray(p.values).tolist())
    elif len(items) != len(p.machine.biases):
        raise UserError(f"`dataset` {run.dataset} has other items than the run was trained on; train anew.")
    if user not in source.user_ids:
        some = ", ".join(source.user_ids[:3])
        raise UserError(
            f"`user` {user} is not among the {len(source.user_ids)} users of {run.dataset}, such as {some}."
        )
    known_ratings = ratings.row(source, user, items, values, run.dataset)
    said = [] if record is None or user in record.names["users"] else [f"user {user} is new since training"]
    if new := sorted(set(source.item_ids) - set(items)):
        said.append(f"left out: {len(new)} items that are new since training ({listed(new)})")
    unrated = np.flatnonzero(known_ratings[0] == 0)
    if not len(unrated):
        return [], said
    if len(p.machine.biases) == len(items):
        guess = expected(p, known_ratings, np.zeros(len(unrated), np.int32), unrated)
    else:
        assert record is not None
        guess = _of_columns(p, record, source, user, unrated, run.dataset)
    best = np.argsort(-guess, kind="stable")[:top]
    called = {} if run.dataset == GENERATED else ratings.titles(ratings.find(run.dataset, run.data_dir))
    chosen = [{"item": items[unrated[n]], "rating": round(float(guess[n]), 4)} for n in best]
    return [one | ({"title": called[one["item"]]} if one["item"] in called else {}) for one in chosen], said


def _of_columns(
    p: Parameters, record: Record, source: Ratings, user: str, unrated: Int[np.ndarray, " queries"], place: str
) -> Float[np.ndarray, " queries"]:
    """Expected ratings of a user who is a column of the machine. Raises `UserError` for one whom it does not know."""
    users, values = record.names["users"], tuple(np.asarray(p.values).tolist())
    if user not in users:
        raise UserError(
            f"`user` {user} is new since training, and this machine has learned what each of its {len(users)} users is "
            "like (there are more items than users); train anew."
        )
    known = ratings.matrix(source, users, record.names["items"], values, place)
    return expected(p, known, np.full(len(unrated), users.index(user), np.int32), unrated)


def arrays(p: Parameters) -> dict[str, np.ndarray]:
    """Plain arrays: weights_0 `(columns, levels, hidden)`, bias_0 `(columns, levels)`, bias_1 `(hidden,)`, values; and
    those of the offset. Columns are items, or users where there are more items than users."""
    machine = p.machine
    named = {"weights_0": machine.weights, "bias_0": machine.biases, "bias_1": machine.hidden_biases}
    named |= {"values": p.values} | ({} if machine.implicit is None else {"implicit": machine.implicit})
    if machine.offset is not None:
        offset = machine.offset
        named |= {"means": offset.means, "loadings": offset.loadings, "spacing": offset.spacing}
    return {name: np.asarray(array) for name, array in named.items()}


Recommender.model = Model(
    name="recommender",
    config=Recommender,
    stages=stages,
    parameters=parameters,
    begin=begin,
    binarisation=lambda config: "none",
    defaults={"dataset": GENERATED, "epochs": 10},
    machine=lambda p: p.machine,
    evaluate=evaluate,
    arrays=arrays,
    read=read,
    prepare=prepare,
    describe=of_ratings,
    recommend=recommend,
    measures=(Measure("held_out_rmse", higher=False),),
    panels=panels.RECOMMENDER,
)
