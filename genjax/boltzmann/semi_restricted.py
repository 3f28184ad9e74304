"""The semi-restricted Boltzmann machine (Osindero and Hinton 2008): an RBM whose visible units are coupled too.

    E(v, h) = - b v - c h - v W h - v L v / 2,    L symmetric with zero diagonal

It is the worked example of the interface `Energy` (`genjax.typing`): annealed importance sampling, tempering and the
negative phases take it, and none of them knows it. The hidden units can be summed out, the visible ones cannot; they
are drawn one after the other, each given all others.
"""

import dataclasses
from dataclasses import dataclass
from typing import Optional

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from genjax import numerics, random
from genjax.boltzmann.machine import Clamp, States, product
from genjax.boltzmann.path import Beta, interpolate
from genjax.boltzmann.rbm import first_weights
from genjax.boltzmann.units import BERNOULLI
from genjax.errors import UserError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SemiRestricted:
    """A machine of binary units as a value: a pytree whose leaves are its parameters.

    - `weights`: `(visible, hidden)`, and `lateral`: `(visible, visible)`; both None where nothing is coupled. Of
      `lateral` the symmetric part off the diagonal counts, so that any array and any step of an optimiser is a machine.
    - `visible_biases` `(visible,)`, `hidden_biases` `(hidden,)`.
    """

    weights: PyTree
    lateral: PyTree
    visible_biases: PyTree
    hidden_biases: PyTree

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """E(v, h) in nats, `(*batch,)`."""
        visible, hidden = states
        total = numerics.exact(visible, self.visible_biases) + numerics.exact(hidden, self.hidden_biases)
        if self.weights is not None:
            total += jnp.sum(product(visible, self.weights) * hidden, axis=-1)
        return -total + self._lateral_energy(visible)

    def update(
        self,
        key: Key[Array, ""],
        states: States,
        parity: int,
        beta: Beta = 1.0,
        base: Optional["SemiRestricted"] = None,
        clamp: Clamp | None = None,
    ) -> States:
        """The hidden units given the visible ones (parity 1), or each visible unit in turn given all others (0)."""
        here = _at(self, beta, base)
        visible, hidden = states
        noise, kept = (
            random.bits(jax.random.fold_in(key, parity), states[parity].shape),
            (clamp or (None, None))[parity],
        )
        if parity == 1:
            drawn = random.below_sigmoid(noise, here.hidden_fields(visible)).astype(hidden.dtype)
            return visible, drawn if kept is None else jnp.where(kept, hidden, drawn)
        from_hidden, lateral = here.visible_fields(hidden), here.symmetric()
        free = jnp.ones(visible.shape, bool) if kept is None else jnp.broadcast_to(~kept, visible.shape)

        def one(unit: int | Array, x: Array) -> Array:
            field = from_hidden[..., unit]
            if lateral is not None:
                field = field + numerics.exact(x, lateral[unit])
            drawn = random.below_sigmoid(noise[..., unit], field).astype(x.dtype)
            return x.at[..., unit].set(jnp.where(free[..., unit], drawn, x[..., unit]))

        return jax.lax.fori_loop(0, visible.shape[-1], one, visible), hidden

    def marginal(self, states: States, parity: int) -> Float[Array, "*batch"]:
        """Log of the unnormalised probability of the visible units, the hidden ones summed out (parity 1), nats."""
        if parity != 1:
            raise UserError("The visible units of a semi-restricted machine are coupled; sum out the hidden ones.")
        visible = states[0]
        own = numerics.exact(visible, self.visible_biases) - self._lateral_energy(visible)
        return own + jnp.sum(BERNOULLI.cumulant(self.hidden_fields(visible), None), axis=-1)

    def expected(self, states: States, parity: int = 1) -> States:
        """The hidden units at their expected values given the visible ones; the other way there is no closed form."""
        if parity != 1:
            raise UserError("The visible units of a semi-restricted machine are coupled; draw them with `update`.")
        return states[0], BERNOULLI.mean(self.hidden_fields(states[0]), None)

    def uncoupled(self, x: Float[Array, "examples visible"] | None = None) -> "SemiRestricted":
        """No couplings; with examples, their base rates and the mean of the hidden units given them as biases."""
        alone = dataclasses.replace(self, weights=None, lateral=None)
        if x is None:
            return alone
        visible, hidden = (BERNOULLI.field_of_mean(jnp.mean(layer, axis=0), None) for layer in self.expected((x, None)))
        return dataclasses.replace(alone, visible_biases=visible, hidden_biases=hidden)

    def log_z(self) -> Float[Array, ""]:
        """Exact log Z in nats of a machine without couplings. Raises `UserError` where there are any."""
        self._refuse_couplings("log_z")
        return sum(
            (jnp.sum(BERNOULLI.cumulant(b, None)) for b in (self.visible_biases, self.hidden_biases)),
            start=jnp.zeros((), jnp.float32),
        )

    def draw(self, key: Key[Array, ""], chains: int) -> States:
        """Independent states of a machine without couplings. Raises `UserError` where there are any."""
        self._refuse_couplings("draw")
        return tuple(
            random.bernoulli(jax.random.fold_in(key, layer), jnp.broadcast_to(b, (chains, *b.shape)))
            for layer, b in enumerate((self.visible_biases, self.hidden_biases))
        )

    def symmetric(self) -> Float[Array, "visible visible"] | None:
        """L: the symmetric part of `lateral`, with a zero diagonal."""
        if self.lateral is None:
            return None
        return 0.5 * (self.lateral + self.lateral.T) * (1 - jnp.eye(self.lateral.shape[0], dtype=self.lateral.dtype))

    def hidden_fields(self, visible: Float[Array, "*batch visible"]) -> Float[Array, "*batch hidden"]:
        """c + v W."""
        fields = jnp.broadcast_to(self.hidden_biases, (*visible.shape[:-1], self.hidden_biases.shape[-1]))
        return fields if self.weights is None else fields + product(visible, self.weights)

    def visible_fields(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch visible"]:
        """b + W h: what acts on the visible units but for their own couplings."""
        fields = jnp.broadcast_to(self.visible_biases, (*hidden.shape[:-1], self.visible_biases.shape[-1]))
        return fields if self.weights is None else fields + product(hidden, self.weights, down=True)

    def _lateral_energy(self, visible: Float[Array, "*batch visible"]) -> Float[Array, "*batch"]:
        lateral = self.symmetric()
        if lateral is None:
            return jnp.zeros(visible.shape[:-1], jnp.float32)
        return -0.5 * jnp.sum(product(visible, lateral) * visible, axis=-1)

    def _refuse_couplings(self, name: str) -> None:
        if self.weights is not None or self.lateral is not None:
            raise UserError(f"SemiRestricted.{name} is of machines without couplings; take `uncoupled()` first.")


def semi_restricted(
    key: Key[Array, ""], hidden: int, visible_mean: Float[Array, " visible"], scale: float = 0.01
) -> SemiRestricted:
    """A machine at the data's base rates: small normal weights, no lateral couplings yet, hidden fields zero."""
    visible = visible_mean.shape[0]
    return SemiRestricted(
        weights=first_weights(key, visible, hidden, scale),
        lateral=jnp.zeros((visible, visible), jnp.float32),
        visible_biases=BERNOULLI.field_of_mean(visible_mean, None),
        hidden_biases=jnp.zeros(hidden, jnp.float32),
    )


def _at(machine: SemiRestricted, beta: Beta, base: SemiRestricted | None) -> SemiRestricted:
    """The machine whose density an update keeps; parameters are natural, so it is a mixture of them."""
    if isinstance(beta, float) and beta == 1.0:
        return machine
    if jnp.ndim(beta):
        raise UserError("A semi-restricted machine takes one `beta` for all chains.")
    return interpolate(jax.tree.map(jnp.zeros_like, machine) if base is None else base, machine, beta)
