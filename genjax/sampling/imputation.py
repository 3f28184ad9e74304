"""Filling in what is missing with a latent-variable model: Metropolis within Gibbs (Mattei and Frellsen 2018)."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from genjax import random
from genjax.networks import pixels
from genjax.networks.latent import LatentModel, Latents, draw, generated, recognised, terms
from genjax.random import subkey


@partial(jax.jit, static_argnames=("sweeps", "burn_in"))
def impute(
    key: Key[Array, ""],
    model: LatentModel,
    x: Float[Array, "images pixels"],
    missing: Bool[Array, "images pixels"],
    sweeps: int = 300,
    burn_in: int = 100,
) -> Float[Array, "images pixels"]:
    """Expected pixels given those that are not missing, by a chain an image; given pixels come back as they are.

    A sweep proposes latents from q(z | x), takes them by the ratio of the weights p(x, z) / q(z | x), and draws the
    missing pixels from p(x | z). The first half of the burn-in takes every proposal (Rezende, Mohamed and Wierstra
    2014, appendix F), since from a poor starting point none would be taken. Of conditional models the label, of uniform
    prior, is proposed anew every second time.
    """
    images, classes = x.shape[0], model.of.classes

    def weight(x: Array, z: Latents, label: Array) -> Float[Array, " images"]:
        given = jax.nn.one_hot(label, classes, dtype=jnp.float32)
        parts = terms(model, x, z, recognised(model, x, z, given), given)
        return parts.image + parts.prior - parts.posterior

    def proposed(key: Key[Array, ""], x: Array, label: Array) -> tuple[Latents, Array]:
        if classes:
            new, stay = jax.random.randint(subkey(key, "label"), (2, images), 0, jnp.array([[classes], [2]]))
            label = jnp.where(stay == 1, label, new)
        z, _ = draw(subkey(key, "latents"), model, x, jax.nn.one_hot(label, classes, dtype=jnp.float32), 1)
        return jax.tree.map(lambda leaf: leaf[0], z), label

    def sweep(carry: tuple, index: Array) -> tuple[tuple, None]:
        x, z, label, total = carry
        here = jax.random.fold_in(key, index)
        new_z, new_label = proposed(here, x, label)
        ratio = weight(x, new_z, new_label) - weight(x, z, label)
        u = random.inner_uniform(random.bits(subkey(here, "accept"), (images,)))
        taken = (jnp.log(u) < ratio) | (index < burn_in // 2)
        z = jax.tree.map(lambda new, old: jnp.where(taken[:, None], new, old), new_z, z)
        label = jnp.where(taken, new_label, label)
        outputs, deviation = generated(model, z, jax.nn.one_hot(label, classes, dtype=jnp.float32))[1]
        drawn = pixels.sample(subkey(here, "pixels"), model.of.pixels, outputs, deviation)
        total += jnp.where(index >= burn_in, pixels.mean(model.of.pixels, outputs), 0.0)
        return (jnp.where(missing, drawn, x), z, label, total), None

    x = jnp.where(missing, random.uniform(random.bits(subkey(key, "pixels"), x.shape)), x)
    label = jnp.zeros(images, jnp.int32)
    z, label = proposed(subkey(key, "start"), x, label)
    (x, _, _, total), _ = jax.lax.scan(sweep, (x, z, label, jnp.zeros_like(x)), jnp.arange(burn_in + sweeps))
    return jnp.where(missing, total / sweeps, x)
