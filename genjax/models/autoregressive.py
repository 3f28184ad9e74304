"""The autoregressive model, whose likelihood is exact: NADE of binary values."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import examples
from genjax.algorithms.autoregressive import AutoregressiveConfig, autoregressive, trained_model
from genjax.blocks import in_blocks
from genjax.data import Dataset
from genjax.likelihood.estimate import mean_over_examples
from genjax.models.base import Config
from genjax.networks import nade
from genjax.networks.nade import NADE
from genjax.plots import panels
from genjax.plots.panels import Panel
from genjax.random import subkey
from genjax.sampling.ancestral import ancestral, completed, expected
from genjax.training.config import split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Measure, Model, Stage


@dataclass(frozen=True, kw_only=True)
class Autoregressive(Config, AutoregressiveConfig):
    """An autoregressive model of binary values (NADE), whose likelihood is exact."""


def stages(config: Autoregressive, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """One stage."""
    static, hyper = split(config, steps)
    return (Stage(LAST, autoregressive(static), hyper, steps),)


def check(config: Autoregressive, run: RunConfig, dataset: Dataset) -> None:
    """Values have to be binary once they are shown."""
    for x in (dataset.train, dataset.validation, dataset.test):
        if run.binarisation == "none":
            examples.binary(x, "An autoregressive model", "another model", "values")
        else:
            examples.intensities(x, f"`binarisation` {run.binarisation}")


def begin(state: Any, model: NADE) -> Any:
    """A fresh state whose model is this one, its order too."""
    copied = jax.tree.map(jnp.copy, model)
    return state._replace(
        model=copied, average=None if state.average is None else jax.tree.map(jnp.copy, copied.weights)
    )


@jax.jit
def _log_probability(model: NADE, x: Array) -> Array:
    with jax.default_matmul_precision("highest"):
        return nade.log_probability(model, x)


def answer(key: Key[Array, ""], model: NADE, mean: np.ndarray, chains: None = None, **_: Any) -> Answer:
    """Log p of examples, exactly."""

    def score(batch: Batch) -> np.ndarray:
        return in_blocks(partial(_log_probability, model), batch.x).astype(np.float64)

    return Answer(score, partial(mean_over_examples, method="the product of the conditionals"))


def sample(key: Key[Array, ""], model: NADE, count: int, label: None = None) -> dict[str, Any]:
    """Independent exact draws, and what each value was expected to be given those drawn before it."""
    found = ancestral(subkey(key, "sample"), model, count)
    return {"samples": np.asarray(found.x), "means": np.asarray(found.means)}


def reconstruct(key: Key[Array, ""], model: NADE, x: np.ndarray, missing: np.ndarray, sweeps: int) -> np.ndarray:
    """Expected missing values given the others, by as many particles an example as `sweeps` says.

    Draws are of the model itself where what is given comes first in its order (of images in rows: the upper ones).
    Given values that come later only weight them (see `sampling.ancestral`).
    """
    return np.asarray(expected(subkey(key, "reconstruct"), model, jnp.asarray(x), jnp.asarray(missing), sweeps))


def complete(
    key: Key[Array, ""], model: NADE, given: np.ndarray, missing: np.ndarray, count: int, sweeps: int
) -> np.ndarray:
    """Draws of what is missing of one example, chosen among at least `sweeps` particles as in `reconstruct`."""
    x, hole = jnp.asarray(given), jnp.asarray(missing)
    return np.asarray(completed(subkey(key, "complete"), model, x, hole, count, sweeps))


def features(model: NADE, x: np.ndarray) -> np.ndarray:
    """The hidden units after all values."""
    return in_blocks(partial(jax.jit(nade.features), model), x)


def filters(model: NADE) -> list[np.ndarray]:
    """Weights of each hidden unit from the values, `(values, hidden)`."""
    return [arrays(model)["inputs"]]


def arrays(model: NADE) -> dict[str, np.ndarray]:
    """All weights, rows and columns of values in the order of an example, and the `order` in which they are explained:
    inputs and outputs `(values, hidden)`, direct `(values, values)` (row i: what value i takes), hidden_biases, biases.
    """
    order, of = np.asarray(model.order), model.weights
    back = np.argsort(order)
    direct = np.tril(np.asarray(of.direct), -1)[back][:, back]
    rows = {name: np.asarray(getattr(of, name))[back] for name in ("inputs", "outputs", "biases")}
    return rows | {"direct": direct, "hidden_biases": np.asarray(of.hidden_biases), "order": order}


LIKELIHOOD = Panel(
    "log-likelihood, exact",
    "nats per example",
    {"log_likelihood": "training", "held_out_log_likelihood": "validation"},
)

Autoregressive.model = Model(
    name="autoregressive",
    config=Autoregressive,
    stages=stages,
    parameters=trained_model,
    begin=begin,
    check=check,
    binarisation=lambda config: "sampled",
    answer=answer,
    sample=sample,
    reconstruct=reconstruct,
    complete=complete,
    features=features,
    filters=filters,
    arrays=arrays,
    measures=(Measure("held_out_log_likelihood"),),
    panels=(
        LIKELIHOOD,
        Panel("gap, training - validation", "nats per example", {"free_energy_gap": "gap"}),
        panels.GRADIENT,
        panels.LEARNING_RATE,
    ),
)
