"""A network that is taught by targets: classes, numbers, or what a loss of one's own takes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax.algorithms import supervised as learner
from genjax.algorithms.supervised import CrossEntropy, Predictor, SupervisedConfig, SupervisedState, is_network
from genjax.blocks import in_blocks
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.evaluation.reconstruction import mean_metrics
from genjax.models.base import Config
from genjax.plots import panels
from genjax.plots.panels import Panel
from genjax.training.config import split
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Answer, Batch, Measure, Model, Stage


@dataclass(frozen=True, kw_only=True)
class Supervised(Config, SupervisedConfig):
    """A network that learns targets from examples: classes by cross-entropy, numbers by squared error."""


def stages(config: Supervised, steps: int, steps_per_epoch: int, outputs: int = 1) -> tuple[Stage, ...]:
    """One stage."""
    static, hyper = split(config, steps)
    return (Stage(LAST, learner.supervised(static, outputs), hyper, steps),)


def settle(config: Supervised, dataset: Dataset) -> dict[str, Any]:
    """How wide a perceptron ends; a network from outside knows that itself."""
    if is_network(config.network):
        return {}
    if isinstance(config.loss, CrossEntropy) and dataset.targets is None:
        return {"outputs": dataset.classes}
    return {"outputs": config.loss.outputs(dataset.target("train"))}


def check(config: Supervised, run: RunConfig, dataset: Dataset) -> None:
    """Every split has targets that the loss can compare with."""
    for part in ("train", "validation", "test"):
        if len(getattr(dataset, part)):
            config.loss.check_targets(dataset.target(part))


def begin(state: SupervisedState, model: Predictor) -> SupervisedState:
    """A fresh state whose network is this one."""
    copied = jax.tree.map(jnp.copy, model)
    return state._replace(
        model=copied, average=None if state.average is None else jax.tree.map(jnp.copy, copied.parameters)
    )


@jax.jit
def _outputs(model: Predictor, x: Array) -> Any:
    return model(x)


def predict(model: Predictor, x: np.ndarray) -> Any:
    """Outputs, `(examples, outputs)`, or the pytree of such arrays that the network gives."""
    return in_blocks(partial(_outputs, model), x)


@jax.jit
def _features(model: Predictor, x: Array) -> Any:
    return model.network.apply({"params": model.parameters, **model.variables}, x, method="features")


def features(model: Predictor, x: np.ndarray) -> np.ndarray:
    """What the network's own method `features` gives, `(examples, features)`. Raises `UserError` where it has none."""
    if not hasattr(model.network, "features"):
        raise UserError(f"A {type(model.network).__name__} has no method `features`; give the network one.")
    return in_blocks(partial(_features, model), x)


def classify(model: Predictor, x: np.ndarray) -> np.ndarray:
    """Log-probabilities of the classes, `(examples, classes)`. Raises `UserError` of a network that learned none."""
    if not isinstance(model.loss, CrossEntropy):
        raise UserError(f"This network learned by {model.loss.kind}, not classes; ask it with `predict`.")
    return np.asarray(jax.nn.log_softmax(jnp.asarray(predict(model, x))))


def evaluate(
    key: Key[Array, ""], model: Predictor, train: Batch, test: Batch, answer: Answer | None, **_: Any
) -> dict[str, Any]:
    """The loss and what else it measures, means over test and training examples."""
    metrics = partial(learner.scores, model)
    return {name: mean_metrics(metrics, part) for name, part in (("test", test), ("train", train))}


def arrays(model: Predictor) -> dict[str, np.ndarray]:
    """All parameters, and what the network keeps beside them, by their paths."""
    leaves = jax.tree_util.tree_leaves_with_path({"params": model.parameters, **model.variables})
    return {"/".join(str(part.key) for part in path): np.asarray(leaf) for path, leaf in leaves}


LOSS = Panel(
    "loss",
    "nats, or squared error",
    {"train_loss": "training", "held_out_loss": "validation"},
)

Supervised.model = Model(
    name="supervised",
    config=Supervised,
    stages=stages,
    parameters=learner.trained_model,
    begin=begin,
    check=check,
    settle=settle,
    evaluate=evaluate,
    features=features,
    predict=predict,
    classify=classify,
    arrays=arrays,
    measures=(Measure("held_out_loss", higher=False),),
    panels=(
        LOSS,
        Panel("classification error", "share of examples", {"train_error": "training", "held_out_error": "validation"}),
        panels.GRADIENT,
        panels.LEARNING_RATE,
    ),
)
