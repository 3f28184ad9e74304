"""Greedy pretraining of a deep Boltzmann machine: a stack of RBMs, layer by layer (Salakhutdinov and Hinton 2009).

Each RBM learns what the ones below it make of the images. The bottom one has its visible layer twice, the top one its
hidden layer twice, so that each alone already sends what it will send when the other half of a layer's input comes from
its neighbour; those between are trained as usual and halved when the stack is composed (`dbm.composed`, which also
says what becomes of a bias that two of them share).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from genjax.algorithms.contrastive import (
    ContrastiveConfig,
    ContrastiveState,
    DeepConfig,
    LayeredConfig,
    LearningConfig,
    contrastive,
    through,
    trained_machine,
)
from genjax.algorithms.labels import observed
from genjax.boltzmann.copies import Copies, merged
from genjax.boltzmann.dbm import composed
from genjax.boltzmann.machine import Machine, States
from genjax.boltzmann.mean_field import means, recognition
from genjax.boltzmann.rbm import with_classes
from genjax.random import subkey
from genjax.training.config import factory, split
from genjax.training.stages import LAST
from genjax.typing import Algorithm, Batch, Example, Hyper, Stage

Handover = Callable[[Key[Array, ""], ContrastiveState, Example, Hyper], ContrastiveState]


def copies_of(number: int, layers: int) -> Copies:
    """Of RBM `number` in a stack of so many: the bottom one sees the image twice, the top one has its units twice."""
    if layers == 1:
        return (1, 1)
    return (2, 1) if number == 0 else (1, 2) if number == layers - 1 else (1, 1)


def stages(config: DeepConfig, steps: int, pretraining_steps: int, pretraining_rate: float = 0.1) -> tuple[Stage, ...]:
    """An RBM for each hidden layer, `pretraining_steps` each by PCD-1, then all layers together for `steps`.

    Without pretraining steps there is the last stage alone. Raises `UserError` where the config contradicts itself.
    """
    config.check()
    static, hyper = split(config, steps)
    last = Stage(LAST, contrastive(static), hyper, steps)
    if not pretraining_steps:
        return (last,)
    copies = tuple(copies_of(n, len(config.layers)) for n in range(len(config.layers)))
    first = stack(config, config.layers, copies, pretraining_steps, pretraining_rate)
    return (*first, last._replace(handover=to_joint(static, copies)))


def stack(
    config: LayeredConfig, layers: tuple[int, ...], copies: tuple[Copies, ...], steps: int, learning_rate: float
) -> tuple[Stage, ...]:
    """A stage for each RBM of a stack with these hidden layers."""
    answer = []
    below: tuple[tuple[ContrastiveConfig, Copies], ...] = ()
    for number, (size, parts) in enumerate(zip(layers, copies)):
        layer = layer_config(config, number == 0, parts[1] * size, learning_rate)
        still, rates = split(layer, steps)
        handover = next_layer(still, parts) if number else None
        answer.append(Stage(f"layer-{number + 1}", on_top(still, parts, below), rates, steps, handover))
        below = (*below, (still, parts))
    return tuple(answer)


def layer_config(config: LearningConfig, lowest: bool, hidden: int, learning_rate: float) -> ContrastiveConfig:
    """How one RBM of the stack learns: by PCD-1, centred, with the whole's types, chains, decay and average."""
    return ContrastiveConfig(
        hidden=hidden,
        visible_type=config.visible_type if lowest else config.hidden_type,
        hidden_type=config.hidden_type,
        levels=config.levels,
        chains=config.chains,
        learning_rate=learning_rate,
        weight_decay=config.weight_decay,
        average=config.average,
    )


@factory
def on_top(
    config: ContrastiveConfig,
    copies: Copies,
    stack: tuple[tuple[ContrastiveConfig, Copies], ...],
    axis_name: str | None = None,
) -> Algorithm:
    """PCD for one RBM on those of `stack`; its own `init` has untrained machines of the right shapes below."""

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> ContrastiveState:
        below: tuple[Machine, ...] = ()
        for number, (one, parts) in enumerate(stack):
            below += (begun(jax.random.fold_in(key, number), one, parts, below, example, hyper).machine,)
        return begun(key, config, copies, below, example, hyper)

    algorithm = contrastive(config, axis_name, copies)
    return algorithm._replace(init=init, check=contrastive(stack[0][0]).check if stack else algorithm.check)


def begun(
    key: Key[Array, ""],
    config: ContrastiveConfig,
    copies: Copies,
    below: tuple[Machine, ...],
    example: Example,
    hyper: Hyper,
) -> ContrastiveState:
    """The state before the first step of one RBM on others."""
    x, mean, variance = example.batch.x, example.mean, example.variance
    if below:
        unit = below[-1].units[1]
        x = unit.intensities(through(subkey(key, "lift"), below, x))
        mean, variance = jnp.mean(x, 0), jnp.var(x, 0)
        if unit.states is not None:
            mean = (jnp.sum(x, 0) + 1) / (len(x) + 2)
            variance = mean * (1 - mean)
    x, mean, variance = jnp.tile(x, (1, copies[0])), jnp.tile(mean, copies[0]), jnp.tile(variance, copies[0])
    seen = Example(Batch(x, example.batch.target), mean, variance)
    return contrastive(config, None, copies).init(key, seen, hyper)._replace(below=below)


def next_layer(config: ContrastiveConfig, copies: Copies) -> Handover:
    """The next RBM begins on all that are trained."""

    def handover(key: Key[Array, ""], state: ContrastiveState, example: Example, hyper: Hyper) -> ContrastiveState:
        return begun(key, config, copies, (*state.below, trained_machine(state)), example, hyper)

    return handover


def to_joint(config: DeepConfig, copies: tuple[Copies, ...]) -> Handover:
    """The deep machine begins as the composed stack, its chains as what the stack makes of some images."""

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
        chains = fresh.chains
        if config.negative == "pcd":
            chains = near(subkey(key, "near"), machine, data, config.chains)
        return fresh._replace(
            machine=machine,
            chains=chains,
            offsets=offsets if config.centred else fresh.offsets,
            average=None if fresh.average is None else jax.tree.map(jnp.copy, machine),
        )

    return handover


def near(key: Key[Array, ""], machine: Machine, data: States, chains: int) -> States:
    """Chains that start at the data, hidden layers drawn in one pass upwards."""
    some = jax.tree.map(lambda x: jnp.resize(x, (chains, x.shape[-1])), data)
    return tuple(
        x if field is None else unit.sample(jax.random.fold_in(key, layer), field, machine.quadratic(layer))
        for layer, (x, field, unit) in enumerate(zip(some, recognition(machine, some), machine.units))
    )
