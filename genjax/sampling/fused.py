"""Fused Gibbs sampling of binary layers on GPUs: products, random words and comparisons in one kernel.

Fields never leave the chip, and states are written once. Three forms, chosen by sizes and device when it is traced:

- `fused_resident` (Hopper): all sweeps in one launch, where a cluster of thread blocks holds the machine's states.
- `fused_hopper`: one launch a layer, which draws one block of states while it multiplies the next.
- `fused_triton`: one launch a layer, on other GPUs and with a JAX before 0.11.

Elsewhere XLA's own fusion (`gibbs`) draws the same states. The type of the weights says how precise products are:
float32 keeps 24 bits, as three bfloat16 products; bfloat16 (`machine.rounded`) takes one. Words are bit-equal to those
of `gibbs`, and states too where the order of summation does not matter, as on weights that are multiples of 2^-8.
Both were seen on an H100, of all three forms.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Integer, Key

from genjax import random
from genjax.boltzmann.machine import Clamp, Machine, States, for_sampling
from genjax.boltzmann.path import Beta
from genjax.boltzmann.units import Bernoulli
from genjax.errors import UserError
from genjax.numerics import Numbers
from genjax.sampling import fused_hopper, fused_resident, fused_triton
from genjax.sampling.fused_weights import count, up_to
from genjax.sampling.gibbs import Gibbs

WORDS = 2**25  # of chains and units that are made before a launch: 128 MB
INSTEAD = 'use `kernel="gibbs"` (genjax.sampling.gibbs)'


def available() -> bool:
    """Whether this JAX has Pallas."""
    return fused_triton.pl is not None


def on_hopper() -> bool:
    """Whether kernels are compiled for a Hopper GPU by a JAX whose Mosaic GPU knows all that they use (0.11)."""
    if not hasattr(fused_hopper.gpu, "InterpretGPUParams"):
        return False
    abstract = getattr(jax.sharding.get_abstract_mesh(), "abstract_device", None)
    if abstract is not None:
        return any(name in abstract.device_kind for name in ("H100", "H200", "GH200"))
    return getattr(jax.devices()[0], "compute_capability", None) == "9.0"


def check(key: Key[Array, ""], machine: Machine, state: States, base: Machine | None) -> None:
    """Raises `UserError` for what no fused kernel serves."""
    if not available() or not all(isinstance(unit, Bernoulli) for unit in machine.units):
        raise UserError(f"The fused kernel takes binary layers and a JAX with Pallas; {INSTEAD}.")
    if any(w is None for w in machine.weights) or any(x.ndim != 2 for x in state):
        raise UserError(f"The fused kernel takes states `(chains, units)` of layers that are all coupled; {INSTEAD}.")
    if base is not None and any(w is not None for w in base.weights):
        raise UserError(f"The fused kernel takes an uncoupled base; {INSTEAD}.")
    if (generator := str(jax.random.key_impl(key))) != "threefry2x32":
        raise UserError(f"The fused kernel draws from keys of the default kind, not from {generator}; {INSTEAD}.")


def sides(machine: Machine, layer: int) -> list[tuple[int, Array]]:
    """A layer's neighbours, lower one first, each with the weights from its units to the layer's."""
    found = []
    if layer > 0:
        found.append((layer - 1, machine.weights[layer - 1]))
    if layer + 1 < machine.depth:
        found.append((layer + 1, machine.weights[layer].T))
    return found


def _plain(beta: Beta, base: Machine | None) -> bool:
    return base is None and isinstance(beta, float) and beta == 1.0


def _betas(beta: Beta, chains: int, rows: int) -> Array:
    beta = jnp.broadcast_to(jnp.asarray(beta, jnp.float32), (chains,))
    return jnp.pad(beta, (0, rows - chains))


def by_layer(
    form: Any,
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    sweeps: int,
    beta: Beta = 1.0,
    base: Machine | None = None,
    clamp: Clamp | None = None,
    first: int | Integer[Array, ""] = 0,
    interpret: Any = False,
) -> States:
    """Sweeps of one launch a layer, by `fused_hopper` or `fused_triton`."""
    chains, layers = len(state[0]), range(machine.depth)
    more = form.whole(chains) - chains
    beside = [[j for j, _ in sides(machine, layer)] for layer in layers]
    weights = [form.laid_out([w for _, w in sides(machine, layer)]) for layer in layers]

    def fit(x: Array, layer: int) -> Array:
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, form.width(machine.sizes[layer]) - x.shape[-1])])

    def whole(x: Array, layer: int) -> Array:
        return jnp.pad(fit(x, layer), ((0, more), (0, 0))) if x.ndim == 2 else fit(x, layer)

    start = tuple(whole(x.astype(jnp.bfloat16), layer) for layer, x in enumerate(state))
    clamps = (None,) * machine.depth if clamp is None else clamp
    kept = [None if x is None else whole(x, layer) for layer, x in enumerate(clamps)]
    biases = [fit(machine.biases[i], i) for i in layers]
    bases = [jnp.zeros_like(x) if base is None else fit(base.biases[i], i) for i, x in enumerate(biases)]
    scale, scaled = _betas(beta, chains, form.whole(chains)), not _plain(beta, base)

    def sweep(state: States, index: Array) -> tuple[States, None]:
        new, of_sweep = list(state), jax.random.fold_in(key, index)
        for layer in (*machine.layers(1), *machine.layers(0)):
            rows, columns = random.pairs(jax.random.fold_in(of_sweep, layer), chains, machine.sizes[layer])
            rows, columns = jnp.pad(rows, ((0, 0), (0, more))), fit(columns, layer)
            x = jnp.concatenate([new[j] for j in beside[layer]], axis=1)
            drawn = form.draw(
                rows, columns, x, weights[layer], biases[layer], bases[layer], scale, scaled, interpret=interpret
            )
            of_layer = kept[layer]
            new[layer] = drawn if of_layer is None else jnp.where(of_layer, state[layer], drawn)
        return tuple(new), None

    end = lax.scan(sweep, start, first + jnp.arange(sweeps))[0]
    cut = tuple(x[:chains, : old.shape[1]].astype(old.dtype) for x, old in zip(end, state))
    return tuple(x if k is None else jnp.where(k, old, x) for x, k, old in zip(cut, clamps, state))


def resident(
    plan: fused_resident.Plan,
    key: Key[Array, ""],
    machine: Machine,
    state: States,
    sweeps: int,
    beta: Beta = 1.0,
    base: Machine | None = None,
    first: int | Integer[Array, ""] = 0,
    interpret: Any = False,
) -> States:
    """Sweeps of as few launches as their words allow: all in one, but for long runs of many chains."""
    chains, layers = len(state[0]), range(machine.depth)
    rows_of_all, widths = up_to(chains, fused_resident.CHAINS), [n * plan.unit for n in plan.tiles]
    weights = [fused_resident.laid_out(plan, layer, [w for _, w in sides(machine, layer)]) for layer in layers]

    def joined(biases: tuple) -> Array:
        return jnp.concatenate([jnp.pad(x, (0, n - len(x))) for x, n in zip(biases, widths)])

    bias = joined(machine.biases)
    at_base = jnp.zeros_like(bias) if base is None else joined(base.biases)
    scale, scaled = _betas(beta, chains, rows_of_all), not _plain(beta, base)

    def words(index: Array) -> tuple[Array, Array]:
        """The pairs of all layers for one sweep: `(layers, 2, chains)` and `(2, columns)`."""
        of_sweep = jax.random.fold_in(key, index)
        found = [random.pairs(jax.random.fold_in(of_sweep, i), chains, machine.sizes[i]) for i in layers]
        rows = jnp.stack([jnp.pad(a, ((0, 0), (0, rows_of_all - chains))) for a, _ in found])
        return rows, jnp.concatenate([jnp.pad(c, ((0, 0), (0, n - c.shape[1]))) for (_, c), n in zip(found, widths)], 1)

    def launch(tiles: Array, indices: Array) -> tuple[Array, None]:
        rows, columns = jax.vmap(words)(indices)
        arguments = (tiles, weights, bias, at_base, scale, rows, columns, scaled)
        return fused_resident.run(plan, len(indices), *arguments, interpret=interpret), None

    at_once = max(1, min(sweeps, WORDS // (2 * (machine.depth * rows_of_all + sum(widths)))))
    indices = first + jnp.arange(sweeps)
    tiles = fused_resident.in_tiles(plan, state)
    full = sweeps // at_once * at_once
    tiles = lax.scan(launch, tiles, indices[:full].reshape(-1, at_once))[0]
    if full < sweeps:
        tiles = launch(tiles, indices[full:])[0]
    return fused_resident.out_of_tiles(plan, tiles, state)


@dataclass(frozen=True)
class Fused:
    """Gibbs sampling of binary layers by fused kernels, for GPUs. The same draws as `gibbs`.

    With "fast" `numbers` the machine's weights are rounded for it, and that machine is sampled (`genjax.numerics`).
    """

    numbers: Numbers = "exact"

    kind: ClassVar[str] = "fused"

    def init(self, key: Key[Array, ""], machine: Machine, states: States) -> States:
        """The chains themselves are all that it carries."""
        return states

    def step(
        self,
        key: Key[Array, ""],
        machine: Machine,
        state: States,
        sweeps: int = 1,
        beta: Beta = 1.0,
        base: Machine | None = None,
        clamp: Clamp | None = None,
        first: int | Integer[Array, ""] = 0,
    ) -> tuple[States, tuple[()]]:
        """The chains after so many sweeps; there is nothing to count.

        States are 0 or 1; a value between that is clamped is rounded to bfloat16 where it is multiplied.
        Raises `UserError` for layers that are not binary or not coupled, for a base with weights, for states that are
        not `(chains, units)`, and for keys of another kind than JAX's default.
        """
        machine = for_sampling(machine, self.numbers)
        check(key, machine, state, base)
        hopper, of_weight = on_hopper(), count(jnp.result_type(*machine.weights))
        held = fused_resident.plan(machine.sizes, len(state[0]), of_weight) if hopper and clamp is None else None

        def on_gpu(key: Key[Array, ""], machine: Machine, state: States) -> States:
            if held is not None:
                return resident(held, key, machine, state, sweeps, beta, base, first)
            form = fused_hopper if hopper else fused_triton
            return by_layer(form, key, machine, state, sweeps, beta, base, clamp, first)

        def elsewhere(key: Key[Array, ""], machine: Machine, state: States) -> States:
            return Gibbs().step(key, machine, state, sweeps, beta, base, clamp, first)[0]

        return lax.platform_dependent(key, machine, state, cuda=on_gpu, default=elsewhere), ()

    def states(self, state: States) -> States:
        """The chains, `(chains, units)` a layer."""
        return state
