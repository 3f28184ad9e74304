"""What a latent-variable model says of images: its ELBO, its importance-sampled likelihood, its active units."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from genjax.likelihood.importance import importance, total
from genjax.networks.latent import LatentModel, condition, draw, log_weight
from genjax.random import subkey
from genjax.typing import Batch

DRAWS = 5000
ACTIVE = 0.01  # variance over images of a latent's posterior mean, from which it counts as active
TRAINING = 1000  # training images that are judged
ROWS = {"cpu": (100, 10), "gpu": (1000, 50), "tpu": (1000, 50)}
"""Images of a block and draws side by side: as many rows as the caches hold, or as keep a device busy."""


def log_likelihood(
    key: Key[Array, ""],
    model: LatentModel,
    batch: Batch,
    draws: int = DRAWS,
    progress: Callable[[float], None] | None = None,
) -> tuple[dict[str, Any], float]:
    """The estimate as plain numbers, nats an image, and the ELBO by the same draws."""
    block, at_once = ROWS.get(jax.default_backend(), ROWS["gpu"])
    at_once = min(at_once, draws)
    found = importance(key, model, batch, log_weight, draws, min(block, len(batch.x)), at_once, progress)
    answer = total(found)
    answer = answer._replace(estimator=f"{answer.estimator}, {draws} draws")
    return answer._asdict(), float(found.bounds.mean())


def evaluate(
    key: Key[Array, ""],
    model: LatentModel,
    train: Batch,
    test: Batch,
    draws: int = DRAWS,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Log-likelihoods of all test and of the first 1,000 training images, ELBOs, and active units of each layer."""
    some = jax.tree.map(lambda leaf: leaf[:TRAINING], train)
    share = len(test.x) / (len(test.x) + len(some.x))

    def of(name: str, batch: Batch, first: float, width: float) -> tuple[dict[str, Any], float]:
        def report(done: float) -> None:
            if progress is not None:
                progress(first + width * done)

        return log_likelihood(subkey(key, name), model, batch, draws, report)

    test_answer, test_elbo = of("test", test, 0.0, share)
    train_answer, train_elbo = of("train", some, share, 1 - share)
    activity = latent_activity(subkey(key, "activity"), model, test)
    return {
        "log_likelihood": {"test": test_answer, "train": train_answer},
        "elbo": {"test": test_elbo, "train": train_elbo},
        "draws": draws,
        "judged": {"test": len(test.x), "train": len(some.x)},
        "active_units": [int(np.sum(layer > ACTIVE)) for layer in activity],
        "latents": list(model.of.latents),
    }


@partial(jax.jit, static_argnames=("draws",))
def _means(key: Key[Array, ""], model: LatentModel, batch: Batch, draws: int) -> tuple[Array, ...]:
    layers = draw(key, model, batch.x, condition(model, batch.label), draws)[1]
    return tuple(q.mean if q.mean.ndim == 2 else jnp.mean(q.mean, 0) for q in layers)


def latent_activity(
    key: Key[Array, ""], model: LatentModel, batch: Batch, draws: int = 10, block: int = 500
) -> list[Float[np.ndarray, " units"]]:
    """Of each latent the variance over images of its posterior mean, a vector a layer (Burda et al. 2016, section 5.2).

    The means of upper layers are taken over draws of those below.
    """
    parts = []
    for number, start in enumerate(range(0, len(batch.x), block)):
        here = jax.tree.map(lambda leaf, start=start: leaf[start : start + block], batch)
        parts.append([np.asarray(m) for m in _means(jax.random.fold_in(key, number), model, here, draws)])
    return [np.concatenate(layer).var(0) for layer in zip(*parts)]
