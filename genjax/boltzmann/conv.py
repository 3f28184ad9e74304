"""The convolutional RBM (Lee, Grosse, Ranganath and Ng 2009): each filter has a hidden unit at every place of an image.

    E(v, h) = - sum_i b_i v_i - sum_kp h_kp (c_k + sum_j w_kj v_{p+j})

Places are `stride` pixels apart, in an image with a border of `padding` zeros. With `pooling` C > 1 the C x C hidden
units of a filter in a block are one variable: at most one of them is on (probabilistic max-pooling), and the next
machine of a stack sees whether any is. Either side can be summed out, so it is an `Energy` (`genjax.typing`).

Images are flat, `(rows * columns,)`; hidden units too, ordered by row, column and filter of their places.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Optional

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from genjax import random
from genjax.boltzmann.machine import Clamp, States
from genjax.boltzmann.path import Beta, mix
from genjax.boltzmann.units import BERNOULLI, Unit
from genjax.boltzmann.windows import Places, band, downwards, product, rows_under, upwards
from genjax.errors import UserError

LEAST = 1e-3  # base rates stay above it, as those of single units do


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ConvRBM:
    """A convolutional RBM of binary units as a value: a pytree whose leaves are its parameters.

    - `weights`: `(filters, width, width)`, or None where nothing is coupled.
    - `visible_biases`: one a pixel, or `(1,)` for one that all share; `filter_biases` `(filters,)`.
    """

    weights: PyTree
    visible_biases: PyTree
    filter_biases: PyTree
    places: Places = field(metadata={"static": True})

    def __repr__(self) -> str:
        filters, (rows, columns) = self.filter_biases.shape[-1], self.places.grid
        pooled = f", pooled by {self.places.pooling}" if self.places.pooling > 1 else ""
        return f"ConvRBM({self.places.shape} - {filters} filters of {self.places.width} at {rows} x {columns}{pooled})"

    @property
    def sizes(self) -> tuple[int, int]:
        """Visible and hidden units."""
        return self.places.visible, self.places.count * self.filter_biases.shape[-1]

    @property
    def units(self) -> tuple[Unit, Unit]:
        """Types of the pixels and of what the next machine of a stack sees."""
        return BERNOULLI, BERNOULLI

    def energy(self, states: States) -> Float[Array, "*batch"]:
        """E(v, h) in nats, `(*batch,)`, of hidden units of which a block has at most one on."""
        visible, hidden = states
        own = _sum(self.pixel_biases() * visible) + _sum(self.place_biases() * hidden)
        if self.weights is None:
            return -own
        # as a product of rows by a band matrix: its gradient is one product more, four times faster than lax.conv's
        sent = product(rows_under(self.places, visible), band(self.places, self.weights))
        return -own - _sum(sent.reshape(hidden.shape) * hidden)

    def update(
        self,
        key: Key[Array, ""],
        states: States,
        parity: int,
        beta: Beta = 1.0,
        base: Optional["ConvRBM"] = None,
        clamp: Clamp | None = None,
    ) -> States:
        """The hidden units given the visible ones (parity 1), or the other way round (0)."""
        kept, key = None if clamp is None else clamp[parity], jax.random.fold_in(key, parity)
        fields = mix(self.fields(states, parity), None if base is None else base.fields(states, parity), beta)
        if parity == 0:
            drawn = random.bernoulli(key, fields)
            return drawn if kept is None else jnp.where(kept, states[0], drawn), states[1]
        if kept is not None and self.places.pooling > 1:
            raise UserError("`clamp` holds hidden units that are pooled, which are drawn block by block; hold pixels.")
        drawn = self.draw_hidden(key, fields)
        return states[0], drawn if kept is None else jnp.where(kept, states[1], drawn)

    def marginal(self, states: States, parity: int) -> Float[Array, "*batch"]:
        """Log of the unnormalised probability of the side kept, the units of `parity` summed out and not read; nats."""
        fields = self.fields(states, parity)
        if parity == 1:
            return _sum(self.pixel_biases() * states[0]) + _sum(self.hidden_cumulants(fields))
        return _sum(self.place_biases() * states[1]) + _sum(jax.nn.softplus(fields))

    def log_ratio(self, base: "ConvRBM", states: States, parity: int, now: Array, before: Array) -> Float[Array, "..."]:
        """log f_now - log f_before on the path from `base`, the units of `parity` summed out, unit by unit; nats."""
        full, start = self.fields(states, parity), base.fields(states, parity)
        cumulants = self.hidden_cumulants if parity == 1 else jax.nn.softplus
        own, other = (m.pixel_biases() if parity == 1 else m.place_biases() for m in (self, base))
        change = _sum((now - before) * (own - other) * states[1 - parity])
        return change + _sum(cumulants(mix(full, start, now)) - cumulants(mix(full, start, before)))

    def larger_parity(self) -> int:
        """The side with more units: the one to sum out."""
        return int(self.sizes[1] > self.sizes[0])

    def expected(self, states: States, parity: int = 1) -> States:
        """The states with the units of one parity at their expected values given the others: exact."""
        fields = self.fields(states, parity)
        return (states[0], self.hidden_means(fields)) if parity == 1 else (jax.nn.sigmoid(fields), states[1])

    def uncoupled(self, x: Float[Array, "examples visible"] | None = None) -> "ConvRBM":
        """No weights; with examples, their base rates and those of the hidden units given them as biases."""
        alone = dataclasses.replace(self, weights=None)
        if x is None:
            return alone
        rates = jnp.mean(x, axis=0)
        rates = rates if self.visible_biases.shape[-1] > 1 else jnp.mean(rates, keepdims=True)
        places = self.places.pooling**2
        on = jnp.mean(self.of_filters(self.expected((x, None))[1]), axis=(0, 1))
        on = jnp.clip(on, LEAST / places, (1 - LEAST) / places)
        filter_biases = jnp.log(on) - jnp.log1p(-places * on)
        return dataclasses.replace(
            alone, visible_biases=BERNOULLI.field_of_mean(rates, None), filter_biases=filter_biases
        )

    def log_z(self) -> Float[Array, ""]:
        """Exact log Z in nats of a machine without weights. Raises `UserError` where there are any."""
        self._refuse_weights("log_z")
        return _sum(jax.nn.softplus(self.pixel_biases())) + _sum(self.hidden_cumulants(self.place_biases()))

    def draw(self, key: Key[Array, ""], chains: int) -> States:
        """Independent states of a machine without weights. Raises `UserError` where there are any."""
        self._refuse_weights("draw")
        pixels, places = (
            jnp.broadcast_to(b, (chains, b.shape[-1])) for b in (self.pixel_biases(), self.place_biases())
        )
        keys = [jax.random.fold_in(key, layer) for layer in (0, 1)]
        return random.bernoulli(keys[0], pixels), self.draw_hidden(keys[1], places)

    def offsets(self, states: States) -> States:
        """Constants that the biases can make up for when a gradient is centred by them, from the units' means.

        A filter has one bias at all places, so all pixels have one offset. Where all pixels share their bias, windows
        at the border send less to it than others, and hidden units have none.
        """
        visible, hidden = states
        wide = self.visible_biases.shape[-1] > 1
        of_filter = jnp.mean(self.of_filters(hidden), axis=-2) if wide else jnp.zeros_like(self.filter_biases)
        return jnp.full_like(visible, jnp.mean(visible)), jnp.tile(of_filter, self.places.count)

    def upwards(self, key: Key[Array, ""], x: Float[Array, "*batch visible"]) -> Float[Array, "*batch features"]:
        """What the next machine of a stack sees: hidden units drawn; with pooling, whether a block has one on."""
        return self.pooled(self.draw_hidden(jax.random.fold_in(key, 1), self.fields((x, None), 1)))

    def pooled(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch features"]:
        """Sums over blocks: of states whether a block has a unit on, of means how probable that is."""
        if self.places.pooling == 1:
            return hidden
        return jnp.sum(self._blocks(hidden), axis=-1).reshape(*hidden.shape[:-1], -1)

    def fields(self, states: States, parity: int) -> Float[Array, "*batch units"]:
        """What acts on the units of one parity: their biases and what the other side sends."""
        own, sender = (self.pixel_biases(), states[1]) if parity == 0 else (self.place_biases(), states[0])
        own = jnp.broadcast_to(own, (*sender.shape[:-1], own.shape[-1]))
        if self.weights is None:
            return own
        return own + (downwards if parity == 0 else upwards)(self.places, sender, self.weights)

    def pixel_biases(self) -> Float[Array, " visible"]:
        """One a pixel, also where they share it."""
        return jnp.broadcast_to(self.visible_biases, (self.places.visible,))

    def place_biases(self) -> Float[Array, " hidden"]:
        """One a hidden unit."""
        return jnp.tile(self.filter_biases, self.places.count)

    def of_filters(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch places filters"]:
        """Hidden units by their places and filters."""
        return hidden.reshape(*hidden.shape[:-1], self.places.count, -1)

    def hidden_cumulants(self, fields: Float[Array, "*batch hidden"]) -> Float[Array, "*batch features"]:
        """Log of the sum over the states of each hidden variable: a unit, or a block of which at most one is on."""
        if self.places.pooling == 1:
            return jax.nn.softplus(fields)
        return jax.nn.softplus(jax.nn.logsumexp(self._blocks(fields), axis=-1)).reshape(*fields.shape[:-1], -1)

    def hidden_means(self, fields: Float[Array, "*batch hidden"]) -> Float[Array, "*batch hidden"]:
        """Probability of each hidden unit to be on."""
        if self.places.pooling == 1:
            return jax.nn.sigmoid(fields)
        return self._unblocked(_shares(self._blocks(fields)))

    def draw_hidden(self, key: Key[Array, ""], fields: Float[Array, "*batch hidden"]) -> Float[Array, "*batch hidden"]:
        """Hidden units drawn, by one random word a variable."""
        if self.places.pooling == 1:
            return random.bernoulli(key, fields)
        shares = _shares(self._blocks(fields))
        above = jnp.cumsum(shares, axis=-1)
        noise = random.bits(key, (*fields.shape[:-1], fields.shape[-1] // self.places.pooling**2))
        u = random.uniform(noise).reshape(shares.shape[:-1])[..., None]
        below = jnp.concatenate([jnp.zeros_like(above[..., :1]), above[..., :-1]], axis=-1)
        return self._unblocked(((below <= u) & (u < above)).astype(fields.dtype))

    def _blocks(self, hidden: Float[Array, "*batch hidden"]) -> Float[Array, "*batch rows columns filters block"]:
        """Hidden units by blocks of one filter."""
        size, (rows, columns) = self.places.pooling, self.places.grid
        split = hidden.reshape(*hidden.shape[:-1], rows // size, size, columns // size, size, -1)
        moved = jnp.moveaxis(split, (-4, -2), (-2, -1))
        return moved.reshape(*moved.shape[:-2], size * size)

    def _unblocked(self, blocks: Float[Array, "*batch rows columns filters block"]) -> Float[Array, "*batch hidden"]:
        size = self.places.pooling
        split = blocks.reshape(*blocks.shape[:-1], size, size)
        return jnp.moveaxis(split, (-2, -1), (-4, -2)).reshape(*blocks.shape[:-4], -1)

    def _refuse_weights(self, name: str) -> None:
        if self.weights is not None:
            raise UserError(f"ConvRBM.{name} is of machines without weights; take `uncoupled()` first.")


def conv_rbm(
    key: Key[Array, ""],
    filters: int,
    places: Places,
    visible_mean: Float[Array, " visible"],
    shared_bias: bool = False,
    scale: float = 0.01,
) -> ConvRBM:
    """A machine at the data's base rates: small normal weights, hidden fields zero."""
    mean = jnp.mean(visible_mean, keepdims=True) if shared_bias else visible_mean
    weights = scale * random.normal(key, (filters, places.width**2))
    return ConvRBM(
        weights=weights.reshape(filters, places.width, places.width),
        visible_biases=BERNOULLI.field_of_mean(mean, None),
        filter_biases=jnp.zeros(filters, jnp.float32),
        places=places,
    )


def _shares(fields: Float[Array, "*blocks block"]) -> Float[Array, "*blocks block"]:
    """Probability of each unit of a block to be the one that is on."""
    return jnp.exp(fields - jax.nn.softplus(jax.nn.logsumexp(fields, axis=-1, keepdims=True)))


def _sum(x: Float[Array, "*batch units"]) -> Float[Array, "*batch"]:
    return jnp.sum(x, axis=-1)
