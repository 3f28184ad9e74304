"""Greedy pretraining of a deep Boltzmann machine: a stack of RBMs, layer by layer (Salakhutdinov and Hinton 2009).

Each RBM learns what the ones below it make of the images. The bottom one has its visible layer twice, the top one its
hidden layer twice, so that each alone already sends what it will send when the other half of a layer's input comes from
its neighbour; those between are trained as usual and halved when the stack is composed (`dbm.composed`, which also
says what becomes of a bias that two of them share).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from genjax.algorithms.contrastive import (
    ContrastiveState,
    DBMConfig,
    LayeredConfig,
    RBMConfig,
    contrastive,
    hidden_samples,
    trained_machine,
)
from genjax.algorithms.labels import observed
from genjax.algorithms.negative import PCD
from genjax.boltzmann.copies import Copies, merged
from genjax.boltzmann.dbm import composed
from genjax.boltzmann.mean_field import means, recognition
from genjax.boltzmann.rbm import with_classes
from genjax.boltzmann.units import BERNOULLI
from genjax.errors import UserError
from genjax.random import subkey
from genjax.training.config import factory, kind_of, split
from genjax.training.stages import LAST
from genjax.typing import Algorithm, Batch, Example, Hyper, Stage

Layered = TypeVar("Layered", bound=LayeredConfig)
Handover = Callable[[Key[Array, ""], ContrastiveState, Example, Hyper], ContrastiveState]


def copies_of(number: int, layers: int) -> Copies:
    """Of RBM `number` in a stack of so many: the bottom one has the image twice, the top one has its units twice."""
    if layers == 1:
        return (1, 1)
    return (2, 1) if number == 0 else (1, 2) if number == layers - 1 else (1, 1)


def stages(config: DBMConfig, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """An RBM for each hidden layer, `pretraining` epochs each by PCD-1, then all layers together for `steps`.

    Without pretraining there is the last stage alone. Raises `UserError` where the config contradicts itself.
    """
    config.check()
    if config.pretraining and config.hidden_type != BERNOULLI:
        raise UserError(f"`hidden_type` {kind_of(config.hidden_type)} has no pretraining; give `pretraining` 0.")
    static, hyper = split(without_pretraining(config), steps)
    last = Stage(LAST, contrastive(static), hyper, steps)
    if not config.pretraining:
        return (last,)
    copies = tuple(copies_of(n, len(config.layers)) for n in range(len(config.layers)))
    first = stack(config, copies, config.pretraining * steps_per_epoch)
    return (*first, last._replace(handover=to_joint(static, copies)))


def without_pretraining(config: Layered) -> Layered:
    """The config of the last stage, whose program does not depend on the stages before it."""
    return dataclasses.replace(config, pretraining=0, pretraining_rate=LayeredConfig.pretraining_rate)


def stack(config: LayeredConfig, copies: tuple[Copies, ...], steps: int) -> tuple[Stage, ...]:
    """A stage of so many steps for each RBM of the stack."""
    answer = []
    below: tuple[tuple[RBMConfig, Copies], ...] = ()
    for number, (size, parts) in enumerate(zip(config.layers, copies)):
        layer = layer_config(config, number == 0, parts[1] * size)
        still, rates = split(layer, steps)
        handover = next_layer(still, parts) if number else None
        answer.append(Stage(f"layer-{number + 1}", on_top(still, parts, below), rates, steps, handover))
        below = (*below, (still, parts))
    return tuple(answer)


def layer_config(config: LayeredConfig, lowest: bool, hidden: int) -> RBMConfig:
    """How one RBM of the stack learns: by PCD-1, centred, with the whole's types, chains, decay and average."""
    return RBMConfig(
        hidden=hidden,
        visible_type=config.visible_type if lowest else config.hidden_type,
        hidden_type=config.hidden_type,
        negative=PCD(chains=getattr(config.negative, "chains", PCD.chains)),
        learning_rate=config.pretraining_rate,
        weight_decay=config.weight_decay,
        average=config.average,
    )


@factory
def on_top(
    config: RBMConfig,
    copies: Copies,
    stack: tuple[tuple[RBMConfig, Copies], ...],
    axis_name: str | None = None,
) -> Algorithm:
    """PCD for one RBM on those of `stack`; its own `init` has untrained machines of the right shapes below."""

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> ContrastiveState:
        below: tuple[Any, ...] = ()
        for number, (one, parts) in enumerate(stack):
            below += (first_state(jax.random.fold_in(key, number), one, parts, below, example, hyper).machine,)
        return first_state(key, config, copies, below, example, hyper)

    algorithm = contrastive(config, axis_name, copies)
    return algorithm._replace(init=init, check=contrastive(stack[0][0]).check if stack else algorithm.check)


def first_state(
    key: Key[Array, ""],
    config: RBMConfig,
    copies: Copies,
    below: tuple[Any, ...],
    example: Example,
    hyper: Hyper,
) -> ContrastiveState:
    """The state before the first step of one RBM on others."""
    x, mean, variance = example.batch.x, example.mean, example.variance
    if below:
        unit = below[-1].units[1]
        x = unit.intensities(hidden_samples(subkey(key, "lift"), below, x))
        mean, variance = jnp.mean(x, 0), jnp.var(x, 0)
        if unit.states is not None:
            mean = (jnp.sum(x, 0) + 1) / (len(x) + 2)
            variance = mean * (1 - mean)
    x, mean, variance = jnp.tile(x, (1, copies[0])), jnp.tile(mean, copies[0]), jnp.tile(variance, copies[0])
    shown = Example(Batch(x, example.batch.target), mean, variance)
    return contrastive(config, None, copies).init(key, shown, hyper)._replace(below=below)


def next_layer(config: RBMConfig, copies: Copies) -> Handover:
    """The next RBM begins on all that are trained."""

    def handover(key: Key[Array, ""], state: ContrastiveState, example: Example, hyper: Hyper) -> ContrastiveState:
        return first_state(key, config, copies, (*state.below, trained_machine(state)), example, hyper)

    return handover


def to_joint(config: DBMConfig, copies: tuple[Copies, ...]) -> Handover:
    """The deep machine begins as the composed stack, persistent chains at what the stack makes of some images."""

    def handover(key: Key[Array, ""], state: ContrastiveState, example: Example, hyper: Hyper) -> ContrastiveState:
        fresh = contrastive(config).init(key, example, hyper)
        stack = (*state.below, trained_machine(state))
        machine = composed([merged(one, parts) for one, parts in zip(stack, copies)])
        if config.classes:
            machine = with_classes(subkey(key, "classes"), machine, config.classes)
        data = observed(machine, example.batch)
        passed = recognition(machine, data)
        offsets = tuple(
            mu if layer == 0 else jnp.mean(x, 0)
            for layer, (mu, x) in enumerate(zip(fresh.offsets, means(machine, data, passed)))
        )
        chains = config.negative.from_data(subkey(key, "near"), machine, data, fresh.chains)
        return fresh._replace(
            machine=machine,
            chains=chains,
            offsets=offsets if config.centred else fresh.offsets,
            average=None if fresh.average is None else jax.tree.map(jnp.copy, machine),
        )

    return handover
