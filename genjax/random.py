"""Randomness: named subkeys, and the Bernoulli draws that every sampler of binary units comes down to.

The generator travels in the key's type. With JAX's default keys (threefry2x32) a draw's words come from `words`,
cheap enough to vanish behind a matrix product; any other kind of key (`jax.random.key(seed, impl="rbg")`, or
`key(seed, "threefry")` from here) draws through `jax.random.bits`.
"""

import zlib
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl
from jaxtyping import Array, Bool, Float, Int, Key, UInt32

from genjax.errors import UserError

Generator = Literal["counter", "threefry", "rbg"]
"""`counter`: `words` below; `threefry`: all bits by JAX's threefry2x32; `rbg`: the device's own generator."""


def _default(data: Array) -> Key[Array, ""]:
    return jax.random.wrap_key_data(data, impl="threefry2x32")


_THREEFRY = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl="threefry2x32")),
    split=lambda data, shape: jax.random.key_data(jax.random.split(_default(data), shape)),
    random_bits=lambda data, width, shape: jax.random.bits(_default(data), shape, f"uint{width}"),
    fold_in=lambda data, number: jax.random.key_data(jax.random.fold_in(_default(data), number)),
    name="threefry_bits",
    tag="threefry_bits",
)


class Noise(NamedTuple):
    """All that a draw reads of its key, derived beforehand: the pairs from which `mix` makes its words."""

    a: UInt32[Array, "*draws chains"]
    b: UInt32[Array, "*draws chains"]
    c: UInt32[Array, "*draws units"]
    d: UInt32[Array, "*draws units"]


Source = Key[Array, ""] | Noise
"""Where one draw's words come from; the same words either way."""

LARGEST_SEED = 2**32 - 1
"""JAX takes the lower 32 bits of a seed, unless 64 bits are enabled: beyond this, two seeds would be one."""


def refuse_seed(seed: int) -> None:
    """Raise `UserError` for a seed of which no generator makes a key of its own."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"`seed` {seed} is out of range; give a whole number from 0 to {LARGEST_SEED}.")


def key(seed: int, generator: Generator = "counter") -> Key[Array, ""]:
    """A key whose draws come from this generator. Raises `UserError` for a seed not from 0 to 2^32 - 1."""
    refuse_seed(seed)
    implementations = {"counter": "threefry2x32", "threefry": _THREEFRY, "rbg": "rbg"}
    return jax.random.key(seed, impl=implementations[generator])


def subkey(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """The key of one use, found by its name: adding a use elsewhere leaves it as it is."""
    return jax.random.fold_in(key, np.uint32(zlib.crc32(name.encode())))


def words(
    key: Key[Array, ""],
    chains: int,
    units: int,
    first_chain: int | Int[Array, ""] = 0,
    first_unit: int | Int[Array, ""] = 0,
) -> UInt32[Array, "chains units"]:
    """Random 32-bit words, each a function of the key and of its global (chain, unit) alone.

    Threefry-2x32 (Salmon et al. 2011) gives every chain a 64-bit pair (a, b) and every unit a pair (c, d); a word
    mixes its chain's pair with its unit's. The pairs are O(chains + units); the mix is elementwise, so that XLA fuses
    it into the comparison that consumes the words. The products by data, not only by constants, break the rectangles
    that a + c and b ^ d leave; the last two lines end lowbias32 (Wellons 2018, "hash prospector").
    """
    return _words(_noise(pairs(key, chains, units, first_chain, first_unit)))


def noise(keys: Key[Array, " draws"], chains: int, units: int) -> Noise:
    """What `words` makes of each of these keys, but for the mixing, in a few large operations for all of them.

    A draw's own are tens of operations on a few numbers, which are most of a small machine's sweep. The hash is written
    out, as one fused operation of a CPU where JAX's own is a loop; that is for what is kept, as here: next to the
    comparison that consumes it, it would be fused into that and done again for every word.
    """

    def folded(keys: Array, count: int) -> tuple[Array, Array]:
        return _threefry(keys[:, :1], keys[:, 1:], jnp.uint32(0), jnp.arange(count, dtype=jnp.uint32))

    of_key = jax.vmap(lambda key: jax.random.bits(key, (2, 2), jnp.uint32))(keys)
    return Noise(*folded(of_key[:, 0], chains), *folded(of_key[:, 1], units))


def _threefry(
    key: UInt32[Array, "..."], second: UInt32[Array, "..."], x: UInt32[Array, "..."], y: UInt32[Array, "..."]
) -> tuple[Array, Array]:
    """Threefry-2x32 of 20 rounds (Salmon et al. 2011), which is what `jax.random.fold_in` does with (0, number)."""
    keys = (key, second, key ^ second ^ jnp.uint32(0x1BD11BDA))
    x, y = x + keys[0], y + keys[1]
    for number in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[number % 2]:
            x = x + y
            y = x ^ (y << turn | y >> (32 - turn))
        x, y = x + keys[(number + 1) % 3], y + keys[(number + 2) % 3] + jnp.uint32(number + 1)
    return x, y


def _noise(rows_and_columns: tuple[Array, Array]) -> Noise:
    return Noise(*rows_and_columns[0], *rows_and_columns[1])


def _words(of: Noise) -> UInt32[Array, "chains units"]:
    return mix(of.a[:, None], of.b[:, None], of.c, of.d)


def counted(key: Key[Array, "..."]) -> bool:
    """Whether its draws come from `words`, as those of JAX's default keys do."""
    return str(jax.random.key_impl(key)) == "threefry2x32"


def pairs(
    key: Key[Array, ""],
    chains: int,
    units: int,
    first_chain: int | Int[Array, ""] = 0,
    first_unit: int | Int[Array, ""] = 0,
) -> tuple[UInt32[Array, "2 chains"], UInt32[Array, "2 units"]]:
    """The pairs (a, b) of the chains and (c, d) of the units from which `mix` makes the words."""
    rows, columns = jax.random.wrap_key_data(jax.random.bits(key, (2, 2), jnp.uint32), impl="threefry2x32")
    return _pairs(rows, chains, first_chain), _pairs(columns, units, first_unit)


def mix(
    a: UInt32[Array, "..."], b: UInt32[Array, "..."], c: UInt32[Array, "..."], d: UInt32[Array, "..."]
) -> UInt32[Array, "..."]:
    """The word of each chain and unit from their pairs (a, b) and (c, d), which broadcast against each other."""
    x = a + c
    y = (b ^ d) | jnp.uint32(1)  # odd: a product by y keeps every bit of x
    x = x * y
    x = (x ^ (x >> 16) ^ y) * y
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _pairs(key: Key[Array, ""], count: int, first: int | Int[Array, ""]) -> UInt32[Array, "2 count"]:
    indices = jnp.arange(count, dtype=jnp.uint32) + jnp.asarray(first, jnp.uint32)
    return jax.random.key_data(jax.vmap(jax.random.fold_in, (None, 0))(key, indices)).T


def bits(key: Source, shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    """Words of the key's generator; leading axes count as chains, the last as units."""
    if isinstance(key, Noise):
        return _words(key).reshape(shape)
    if not counted(key):
        return jax.random.bits(key, shape, jnp.uint32)
    *batch, units = shape
    chains = 1
    for size in batch:
        chains *= size
    return words(key, chains, units).reshape(shape)


def below_sigmoid(words: UInt32[Array, "*shape"], logits: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """u < sigmoid(logits) as u < (1 - u) exp(logits), where u = (1 + v 2^-24) / 2 and v is odd: the upper 24 bits.

    Probabilities are resolved to 2^-24; u is never 0 or 1, and an infinite logit decides without a NaN.
    """
    v = (jax.lax.bitcast_convert_type(words, jnp.int32) >> 7 | 1).astype(jnp.float32)
    return 2.0**24 + v < (2.0**24 - v) * jnp.exp(logits)


def bernoulli(key: Source, logits: Float[Array, "*batch units"]) -> Float[Array, "*batch units"]:
    """1 with probability sigmoid(logits), else 0, in the dtype of the logits.

    The noise of an entry depends on the key and on the entry's global index alone, so sharding changes nothing.
    """
    return below_sigmoid(bits(key, logits.shape), logits).astype(logits.dtype)


def bernoulli_of_mean(key: Key[Array, ""], mean: Float[Array, "*batch units"]) -> Float[Array, "*batch units"]:
    """1 with probability `mean`, else 0; means of 0 and 1 are kept exactly."""
    return (uniform(bits(key, mean.shape)) < mean).astype(mean.dtype)


def uniform(words: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The upper 24 bits as a multiple of 2^-24 from 0 to below 1."""
    return (words >> 8).astype(jnp.int32).astype(jnp.float32) * 2.0**-24


def inner_uniform(words: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The upper 23 bits and a half, as a multiple of 2^-24: never 0 and never 1, symmetric about 1/2."""
    return ((words >> 9).astype(jnp.int32).astype(jnp.float32) + 0.5) * 2.0**-23


def normal(key: Source, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Standard normal draws by the inverse of their distribution function; leading axes are chains, the last units."""
    return jax.scipy.special.ndtri(inner_uniform(bits(key, shape)))
