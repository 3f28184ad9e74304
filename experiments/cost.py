"""What a step of training costs: seconds and numbers, of several models side by side."""

import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from genjax.data import Dataset
from genjax.networks.mlp import parameter_count
from genjax.typing import Batch, Example

ROUNDS, REPEATS = 6, 10


def costs(models: Mapping[str, Any], dataset: Dataset, batch_size: int) -> list[dict[str, Any]]:
    """A row a model: `seconds` a step, and how many `parameters` it learns, of supervised models on these data.

    The models take turns, and of each the fastest round counts: what else the machine does slows down some of them.
    """
    target = jax.tree.map(lambda leaf: jnp.asarray(leaf[:batch_size]), dataset.target("train"))
    batch = Batch(jnp.asarray(dataset.train[:batch_size]), target)
    example = Example(batch, jnp.asarray(dataset.train.mean(0)), jnp.asarray(dataset.train.var(0)))
    steps, states = {}, {}
    for name, model in models.items():
        algorithm, hyper = model.algorithm(1000, example)
        states[name] = jax.jit(algorithm.init)(jax.random.key(0), example, hyper)
        steps[name] = jax.jit(algorithm.step).lower(jax.random.key(0), states[name], batch).compile()
    fastest = dict.fromkeys(models, float("inf"))
    for _ in range(ROUNDS):
        for name, step in steps.items():
            began = time.perf_counter()
            for number in range(REPEATS):
                states[name], _ = step(jax.random.key(number), states[name], batch)
            jax.block_until_ready(states[name])
            fastest[name] = min(fastest[name], (time.perf_counter() - began) / REPEATS)
    return [
        {"setting": name, "seconds": fastest[name], "parameters": parameter_count(states[name].model.parameters)}
        for name in models
    ]


def sentence(rows: list[dict[str, Any]]) -> str:
    """What each costs beside the first, the plain one."""
    plain, *others = rows
    said = f"Cost: {plain['setting']} {1000 * plain['seconds']:.2f} ms a step, {plain['parameters']:,} parameters"
    for row in others:
        more, most = row["seconds"] / plain["seconds"], row["parameters"] / plain["parameters"]
        said += f"; {row['setting']} {1000 * row['seconds']:.2f} ms ({more:.2f} times as long), "
        said += f"{row['parameters']:,} parameters ({most:.2f} times as many)"
    return said + "."
