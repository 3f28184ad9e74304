"""Generative adversarial networks (Goodfellow et al. 2014) as one `Algorithm`: any loss, penalty and backbone.

A step updates the discriminator k times and then the generator once. Each of the two updates gets the whole state and
 returns its own player alone, so that the other's parameters stay what they were, bit for bit.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.algorithms.gan_game import Game, GANConfig, Network
from genjax.algorithms.gan_losses import boundary as boundary_of
from genjax.algorithms.kernel_distance import kernel_distance
from genjax.errors import UserError
from genjax.networks.adversarial import Shape
from genjax.networks.mlp import parameter_count
from genjax.random import subkey
from genjax.training import devices
from genjax.training.config import factory, traced
from genjax.training.devices import own_copy, own_key
from genjax.training.mesh import sharded, whole
from genjax.training.optimisers import Adam
from genjax.training.update import (
    applied,
    kernels,
    learning_rate_at,
    moving_average,
    parameter_max,
    transformation,
)
from genjax.typing import Algorithm, Batch, Example, Hyper, Metrics

FRAMES = 20  # of the film: after 1, 2, 4, ... 524,288 steps
ACTORS = 10  # images in a frame


class Player(NamedTuple):
    """One of the two, and its optimiser's state."""

    network: Network
    optimiser: Any


class Film(NamedTuple):
    """What the averaged generator made of the same latents after 1, 2, 4, ... steps; zeros where it is not so far."""

    latents: Float[Array, "actors latent"]
    label: Int[Array, " actors"]
    frames: Float[Array, "frames actors pixels"]


class GANState(NamedTuple):
    """What training carries from step to step."""

    game: Game  # static
    generator: Player
    discriminator: Player
    average: Network  # of the generator
    film: Film
    step: Int[Array, ""]
    hyper: Hyper

    def __repr__(self) -> str:
        generator, discriminator = (parameter_count(parameters) for parameters in self.parameters)
        sizes = f"{generator:,} parameters of the generator, {discriminator:,} of the discriminator"
        return f"GANState({self.game.config.backbone}, {sizes})"

    @property
    def parameters(self) -> PyTree:
        """Of both players."""
        return self.generator.network.parameters, self.discriminator.network.parameters


@factory
def gan(
    config: GANConfig, shape: Shape, classes: int = 0, bounded: bool = True, axis_name: str | None = None
) -> Algorithm:
    """The game on images of this shape with so many classes, intensities in [0, 1] unless they are not `bounded`.

    A step takes `discriminator_steps` times the images of one update (`GANConfig.images_of_a_step`), and each update of
    the discriminator gets its own part of them; the generator makes as many images as are in one part. With
    `axis_name`, `step` runs inside `jax.pmap` or `jax.shard_map`: gradients and the statistics of BatchNorm are
    averaged over the axis, whichever factory made the state. Raises `UserError` where the config contradicts itself,
    and when a step is traced whose batch is not that many equal parts.
    """
    game = Game(config, shape, classes, bounded)

    def init(key: Key[Array, ""], example: Example, hyper: Hyper) -> GANState:
        film = Film(
            latents=latents(subkey(key, "film"), game, ACTORS),
            label=jnp.arange(ACTORS, dtype=jnp.int32) % max(classes, 1),
            frames=jnp.zeros((FRAMES, ACTORS, example.batch.x.shape[-1]), jnp.float32),
        )
        hyper = second_moments(config) | hyper
        generator, discriminator = (
            Player(network, optimiser_of(config, hyper, jnp.ones(()), network, prefix).init(network.parameters))
            for network, prefix in zip(game.first(subkey(key, "networks")), PREFIXES)
        )
        average = jax.tree.map(jnp.copy, generator.network)
        return GANState(game, generator, discriminator, average, film, jnp.zeros((), jnp.int32), hyper)

    def step(key: Key[Array, ""], state: GANState, batch: Batch) -> tuple[GANState, Metrics]:
        key = own_key(key, axis_name)
        kept, state = state.game, state._replace(game=dataclasses.replace(game, axis_name=axis_name))
        batch = batch if config.discriminator_steps == 1 else whole(batch)  # parts of all devices, not a device each
        parts = divided(with_labels(config, batch), config.discriminator_steps, config.packing)
        steps, each = parts.target.shape
        z = sharded(latents(subkey(key, "latents"), game, (steps + 1) * each).reshape(steps + 1, each, -1), axis=1)
        mix = random.uniform(random.bits(subkey(key, "mix"), (steps, each // config.packing)))
        parts, mix = sharded((parts, jnp.repeat(mix, config.packing, axis=1)[..., None]), axis=1)

        def once(player: Player, given: tuple[Batch, Array, Array]) -> tuple[Player, Metrics]:
            return updated_discriminator(state._replace(discriminator=player), *given)

        discriminator, metrics = jax.lax.scan(once, state.discriminator, (parts, z[1:], mix))
        boundary = metrics.pop("boundary")[-1]
        state = state._replace(discriminator=discriminator)
        generator, of_generator = updated_generator(state, parts.target[-1], z[0], boundary)
        average = moving_average(state.average, generator.network, state.step, state.hyper["average"])
        state = state._replace(generator=generator, average=average, step=state.step + 1)
        metrics = {name: jnp.mean(values) for name, values in metrics.items()} | of_generator
        metrics["parameter_max"] = parameter_max(state.parameters)
        return state._replace(game=kept, film=with_frame(state)), metrics

    def observe(key: Key[Array, ""], state: GANState, train: Batch, held_out: Batch | None) -> Metrics:
        network = state.discriminator.network
        train = with_labels(config, train)
        metrics = {"score_training": jnp.mean(game.score(network, *whole_packs(train, config.packing))[0])}
        if held_out is not None and len(held_out.x) >= config.packing:
            held_out = with_labels(config, held_out)
            metrics["score_held_out"] = jnp.mean(game.score(network, *whole_packs(held_out, config.packing))[0])
            metrics["score_gap"] = metrics["score_training"] - metrics["score_held_out"]
        x = generate(subkey(key, "latents"), state, train.target)
        if held_out is not None and len(held_out.x) > 1:
            metrics["held_out_kernel_distance"] = kernel_distance(x, held_out.x)
        return metrics | {
            "score_samples": jnp.mean(game.score(network, *whole_packs(Batch(x, train.target), config.packing))[0])
        }

    def check(batch: Batch) -> None:
        examples.finite(batch.x)
        if bounded:
            examples.intensities(batch.x, "A generator of bounded pixels")
        if config.conditioning != "none":
            examples.labels(batch.target, classes)

    return Algorithm(init, step, observe, check)


def updated_discriminator(
    state: GANState, batch: Batch, z: Float[Array, "batch latent"], mix: Float[Array, "batch 1"]
) -> tuple[Player, Metrics]:
    """The discriminator after one update on real images and on the fakes that the generator makes of z.

    `mix`, in [0, 1] and the same within a pack, is the place between the two at which a gradient penalty is taken.
    """
    game, config, player = state.game, state.game.config, state.discriminator
    loss: Any = traced(config.loss, state.hyper)
    smooth: Any = traced(config.penalty, state.hyper)
    fakes = game.make(state.generator.network, z, batch.target, train=True)[0]

    def objective(parameters: PyTree) -> tuple[Float[Array, ""], tuple[Array, Array, Network]]:
        network = player.network._replace(parameters=parameters)
        real, network = game.score(network, batch.x, batch.target, train=True)
        fake, network = game.score(network, fakes, batch.target, train=True)
        value = loss.discriminator(real, fake)

        def score(x: Array) -> Array:
            return game.score(network, x, batch.target, train=True)[0]

        penalty = smooth.penalty(score, batch.x, fakes, mix, config.packing)
        return value if penalty is None else value + penalty, (real, fake, network)

    own = own_copy(player.network.parameters, game.axis_name)
    (value, (real, fake, network)), slope = jax.value_and_grad(objective, has_aux=True)(own)
    before = player.network.parameters
    player, metrics = updated(player, network, slope, state, "discriminator_")
    if smooth.project is not None:
        parameters = smooth.project(player.network.parameters)
        player = player._replace(network=player.network._replace(parameters=parameters))
        metrics["moved"] = optax.tree.norm(optax.tree.sub(parameters, before))
    boundary = boundary_of(loss, real, fake)
    of_game = averaged(
        game,
        {
            "loss": value,
            "real_accuracy": jnp.mean(real > boundary),
            "fake_accuracy": jnp.mean(fake <= boundary),
            "boundary": boundary,
            "score_difference": jnp.mean(real) - jnp.mean(fake),
        },
    )
    return player, {"discriminator_loss": of_game.pop("loss")} | of_game | {
        f"discriminator_{n}": v for n, v in metrics.items()
    }


def updated_generator(
    state: GANState,
    label: Int[Array, " batch"],
    z: Float[Array, "batch latent"],
    boundary: Float[Array, ""],
) -> tuple[Player, Metrics]:
    """The generator after one update on fakes of these labels; scores above the boundary count as real."""
    game, player = state.game, state.generator

    def objective(parameters: PyTree) -> tuple[Float[Array, ""], tuple[Array, Network]]:
        fakes, network = game.make(player.network._replace(parameters=parameters), z, label, train=True)
        scores = game.score(state.discriminator.network, fakes, label, train=True)[0]
        return traced(game.config.loss, state.hyper).generator(scores), (scores, network)

    own = own_copy(player.network.parameters, game.axis_name)
    (value, (scores, network)), slope = jax.value_and_grad(objective, has_aux=True)(own)
    player, metrics = updated(player, network, slope, state, "")
    of_game = averaged(game, {"generator_loss": value, "fooled": jnp.mean(scores > boundary)})
    return player, of_game | {f"generator_{name}": value for name, value in metrics.items()}


def updated(player: Player, network: Network, slope: PyTree, state: GANState, prefix: str) -> tuple[Player, Metrics]:
    """The player one step down its slope at its own rates, whose names have this prefix, with the statistics of
    `network`; the norms of slope and step."""
    game, slope = state.game, averaged(state.game, slope)
    rate = learning_rate_at(game.config.schedule, state.hyper, state.step, prefix)
    chain = optimiser_of(game.config, state.hyper, rate, player.network, prefix)
    change, memory = applied(chain, slope, player.optimiser, player.network.parameters, {})
    parameters: Any = optax.apply_updates(player.network.parameters, change)
    after = Network(parameters, averaged(game, network.statistics))
    return Player(after, memory), {"gradient": optax.tree.norm(slope), "moved": optax.tree.norm(change)}


PREFIXES = ("", "discriminator_")  # of the rates of generator and discriminator


def optimiser_of(
    config: GANConfig, hyper: Hyper, rate: Float[Array, ""], network: Network, prefix: str
) -> optax.GradientTransformationExtraArgs:
    """A player's optimiser of this step."""
    optimiser = config.discriminator_optimiser if prefix else config.optimiser
    return transformation(optimiser, hyper, rate, kernels(network.parameters), prefix)


def second_moments(config: GANConfig) -> Hyper:
    """Those of Adam at their defaults, which are traced here as all other rates: XLA rounds constants otherwise."""
    optimisers = zip(PREFIXES, (config.optimiser, config.discriminator_optimiser))
    return {
        prefix + "second_moment": jnp.asarray(one.second_moment, jnp.float32)
        for prefix, one in optimisers
        if isinstance(one, Adam)
    }


def averaged(game: Game, x: Any) -> Any:
    """The mean over the devices, where there are several."""
    return devices.averaged(x, game.axis_name)


def with_labels(config: GANConfig, batch: Batch) -> Batch:
    """The batch with class numbers as its target: zeros where the game is not conditional, which takes any target."""
    return batch if config.conditioning != "none" else batch._replace(target=jnp.zeros(len(batch.x), jnp.int32))


def divided(batch: Batch, parts: int, packing: int) -> Batch:
    """The batch as `(parts, images, ...)`, in whole packs. Raises `UserError` where that is not all of it."""
    count = len(batch.x)
    if count < parts * packing or count % (parts * packing):
        of_packs = "" if packing == 1 else f" in whole packs (`packing` {packing})"
        raise UserError(
            f"A batch of {count} images is not {parts} equal parts{of_packs}, one for each update of the discriminator "
            f"(`discriminator_steps` {parts}); give `config.images_of_a_step(batch_size)` images a step."
        )
    return jax.tree.map(lambda x: x.reshape(parts, count // parts, *x.shape[1:]), batch)


def whole_packs(batch: Batch, packing: int) -> Batch:
    """Without the images at the end that do not fill a pack."""
    return jax.tree.map(lambda x: x[: len(x) // packing * packing], batch)


def latents(key: Key[Array, ""], game: Game, count: int) -> Float[Array, "count latent"]:
    """Standard normal."""
    return random.normal(key, (count, game.config.latent))


def generate(key: Key[Array, ""], state: GANState, label: Int[Array, " images"]) -> Float[Array, "images pixels"]:
    """New images by the averaged generator, one for each label; labels count where the game is conditional."""
    return decode(state, sharded(latents(key, state.game, len(label))), label)


def newest(state: GANState) -> GANState:
    """The state with the generator as it is now in the place of its average, which remembers what it was."""
    return state._replace(average=state.generator.network)


def decode(
    state: GANState, z: Float[Array, "images latent"], label: Int[Array, " images"]
) -> Float[Array, "images pixels"]:
    """The averaged generator's images of these latents."""
    return state.game.make(state.average, z, label)[0]


def with_frame(state: GANState) -> Film:
    """The film with a frame more, where the number of steps is a power of two."""
    film, number = state.film, jax.lax.population_count(state.step - 1)

    def taken(film: Film) -> Film:
        frame = decode(state, film.latents, film.label)
        return film._replace(frames=jax.lax.dynamic_update_index_in_dim(film.frames, frame, number, 0))

    due = (state.step & (state.step - 1) == 0) & (number < FRAMES)
    return jax.lax.cond(due, taken, lambda film: film, film)
