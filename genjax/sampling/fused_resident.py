"""All sweeps of a machine in one launch, on Hopper GPUs: 64 chains stay in shared memory, and so do weights that fit.

The thread blocks of a cluster share 64 chains. Each keeps all layers' states of them, draws its own tiles of units,
and fetches the others' tiles after each half of a sweep, through global memory (the L2 cache): a tile is 8 KB, and
stores from block to block (`async_store_smem`) would carry each one as often as there are blocks. Two warpgroups
multiply and draw, a third brings weights: once, where they fit, otherwise again for every sweep (from L2).

On an H100 (JAX 0.11): 64-16 with 256 chains takes 1.9 us a sweep (XLA 20), with 65,536 chains 21, 245 flips/ns: one
block keeps everything: no loads, no exchange. 784-500 with 1,000 chains takes 29 us in bfloat16 (XLA 41 to 47) and
43 in float32 (XLA 82 to 88): 16 clusters of 8 blocks, of whose sweep products are 2.5 us and draws 1.5; 7 us are the
fences of the exchange, and most of the rest is waiting for weights, of which only three slices are on the way.
"""

import importlib
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, BFloat16, Float, UInt32

from genjax.boltzmann.machine import States
from genjax.sampling.fused_hopper import SHARED, bare, bernoulli, gpu, pl
from genjax.sampling.fused_weights import in_slices, up_to

CHAINS, GROUPS = 64, 2  # chains of a cluster; warpgroups of a block that multiply
MULTIPROCESSORS, FEWEST = 128, 3  # in whole clusters of 8; slices of weights that each warpgroup has on the way


class Plan(NamedTuple):
    """How a machine is laid out; static."""

    unit: int  # units of a tile, and inputs of a slice
    parts: int  # blocks of a cluster
    tiles: tuple[int, ...]  # of each layer
    own: tuple[int, ...]  # of each layer, those of one warpgroup at most
    depth: tuple[int, ...]  # of each layer, slices of a product
    slots: int  # slices of weights that each warpgroup keeps
    resident: bool  # those are all of them

    def start(self, layer: int) -> int:
        """The layer's first tile among all layers' tiles."""
        return sum(self.tiles[:layer])

    def order(self) -> list[tuple[int, int, int]]:
        """Layer, number of the warpgroup's tile and number of its first slice, as drawn in a sweep."""
        found, first = [], 0
        for layer in (*range(1, len(self.tiles), 2), *range(0, len(self.tiles), 2)):
            for i in range(self.own[layer]):
                found.append((layer, i, first))
                first += self.depth[layer]
        return found


def over(sizes: tuple[int, ...], count: int, parts: int) -> Plan | None:
    """The layout over so many blocks, or None where shared memory is too small."""
    unit = next((n for n in (64, 32) if min(-(-size // n) for size in sizes) >= GROUPS), 16)
    tiles = tuple(-(-size // unit) for size in sizes)
    own = tuple(-(-n // (GROUPS * parts)) for n in tiles)
    depth = tuple(count * sum(tiles[max(i - 1, 0) : i + 2]) - count * n for i, n in enumerate(tiles))
    free = SHARED - 4096 - 2 * sum(tiles) * CHAINS * unit
    room, needed = free // (2 * GROUPS * unit * unit), sum(n * d for n, d in zip(own, depth))
    if room < min(FEWEST, needed):
        return None
    return Plan(unit, parts, tiles, own, depth, min(room, needed) if room >= needed else min(room, 8), room >= needed)


def plan(sizes: tuple[int, ...], chains: int, count: int) -> Plan | None:
    """The layout of a machine whose weights are so many bfloat16 pieces; None where half sweeps serve better.

    One block where it holds everything; a cluster where that is so and all chains find a place at once; 8 blocks that
    bring their weights for every sweep.
    """
    plans = [over(sizes, count, parts) for parts in (1, 2, 4, 8)]
    for found in plans:
        if found and found.resident and (found.parts == 1 or chains <= CHAINS * MULTIPROCESSORS // found.parts):
            return found
    return plans[-1] if chains <= CHAINS * MULTIPROCESSORS // 8 else None


def laid_out(plan: Plan, layer: int, sides: list[Float[Array, "_ units"]]) -> BFloat16[Array, "columns rows"]:
    """The weights of all sides of a layer as the kernel reads them."""
    unit = plan.unit
    return in_slices(sides, [up_to(len(w), unit) for w in sides], unit, plan.tiles[layer] * unit).T


def in_tiles(plan: Plan, states: States) -> BFloat16[Array, "batches tiles 64 unit"]:
    """States as the kernel keeps them: all layers' tiles of 64 chains by `unit` units."""
    found = []
    for count, x in zip(plan.tiles, states):
        chains, units = x.shape
        padded = jnp.pad(x.astype(jnp.bfloat16), ((0, -chains % CHAINS), (0, count * plan.unit - units)))
        found.append(padded.reshape(-1, CHAINS, count, plan.unit).transpose(0, 2, 1, 3))
    return jnp.concatenate(found, axis=1)


def out_of_tiles(plan: Plan, tiles: BFloat16[Array, "batches tiles 64 unit"], like: States) -> States:
    """The layers' states, without padding, in the shapes and types of others."""
    found = []
    for layer, x in enumerate(like):
        own = tiles[:, plan.start(layer) : plan.start(layer) + plan.tiles[layer]].transpose(0, 2, 1, 3)
        found.append(own.reshape(own.shape[0] * CHAINS, -1)[: x.shape[0], : x.shape[1]].astype(x.dtype))
    return tuple(found)


def fence() -> None:
    """Copies of other blocks see what this one has written to global memory.

    Waiting for a copy promises that to the thread that waits alone; without this, four chains of a thousand were wrong
    in the first launch of a program that shared its GPU.
    """
    utils = importlib.import_module("jax.experimental.mosaic.gpu.utils")

    @gpu.inline_mgpu()
    def _(context: Any) -> None:
        one = utils.single_thread_predicate(utils.ThreadSubset.WARPGROUP)
        for kind in ("fence.acq_rel.gpu;", "fence.proxy.async;"):
            utils.inline_ptx(kind, predicate=one, has_side_effects=True)
        utils.warpgroup_barrier()

    _()


def _kernel(
    states, weights, bias, base, scale, rows, columns, out, *, plan: Plan, sweeps: int, scaled: bool, fenced: bool
):
    unit, parts, slots, resident = plan.unit, plan.parts, plan.slots, plan.resident
    total, of_sweep = sum(plan.tiles), sum(n * d for n, d in zip(plan.own, plan.depth))
    batch, group = lax.axis_index("batch"), lax.axis_index("group")
    part = lax.axis_index("part") if parts > 1 else 0

    def tile(layer, i, group):
        return part * GROUPS + group + i * GROUPS * parts

    def source(layer, k):
        """The tile of states that slice k multiplies: the layer below first, then the one above."""
        count = plan.depth[layer] // sum(plan.tiles[j] for j in (layer - 1, layer + 1) if 0 <= j < len(plan.tiles))
        k = k // count
        if layer == 0:
            return plan.start(1) + k
        below = plan.tiles[layer - 1]
        return jnp.where(k < below, plan.start(layer - 1) + k, plan.start(layer + 1) + k - below)

    def load(group, kept, full, empty):
        def one_tile(sweep, layer, i, first):
            units = pl.ds(jnp.minimum(tile(layer, i, group), plan.tiles[layer] - 1) * unit, unit)

            def one_slice(k, _):
                count = sweep * of_sweep + first + k
                slot = group * slots + count % slots
                if not resident:

                    @pl.when(count >= slots)
                    def _():
                        gpu.barrier_wait(empty.at[slot])

                barrier = full.at[group] if resident else full.at[slot]
                gpu.copy_gmem_to_smem(weights[layer].at[units, pl.ds(k * unit, unit)], kept.at[slot], barrier)

            lax.fori_loop(0, plan.depth[layer], one_slice, None)

        def one_sweep(sweep, _):
            for ordered in plan.order():
                one_tile(sweep, *ordered)

        lax.fori_loop(0, 1 if resident else sweeps, one_sweep, None)

    def multiply(accumulator, sweep, layer, first, held, kept, full, empty):
        def one_slice(k, _):
            count = sweep * of_sweep + first + k
            slot = group * slots + (first + k if resident else count % slots)
            if not resident:
                gpu.barrier_wait(full.at[slot])
            gpu.wgmma(accumulator, held.at[source(layer, k)], kept.at[slot].transpose((1, 0)))
            if not resident and not isinstance(k, int):  # the product before this one is done: let its slice go
                gpu.wgmma_wait(1)
                gpu.barrier_arrive(empty.at[group * slots + (count - 1) % slots])

        one_slice(0, None)
        lax.fori_loop(1, plan.depth[layer], one_slice, None)
        return group * slots + (sweep * of_sweep + first + plan.depth[layer] - 1) % slots

    def one_tile(sweep, layer, i, first, held, kept, full, empty):
        here = jnp.minimum(tile(layer, i, group), plan.tiles[layer] - 1)
        chains, units = pl.ds(batch * CHAINS, CHAINS), pl.ds((plan.start(layer) + here) * unit, unit)

        def read(ref, index, axis):
            return gpu.load(ref.at[index], layout=gpu.Layout.WGMMA.reduce(1 - axis), optimized=False)

        a, b = (read(rows, (sweep, layer, j, chains), 0) for j in (0, 1))
        c, d = (read(columns, (sweep, j, units), 1) for j in (0, 1))
        shape, offset = (CHAINS, unit), read(bias, (units,), 1)

        @partial(pl.run_scoped, accumulator=gpu.ACC(shape, jnp.float32))
        def _(accumulator):
            last = multiply(accumulator, sweep, layer, first, held, kept, full, empty)
            field = accumulator[...] + lax.broadcast_in_dim(offset, shape, (1,))
            if not resident:
                gpu.barrier_arrive(empty.at[last])
            if scaled:
                beta = lax.broadcast_in_dim(read(scale, (chains,), 0), shape, (0,))
                field = beta * field + (1 - beta) * lax.broadcast_in_dim(read(base, (units,), 1), shape, (1,))
            state = jnp.where(bernoulli(field, a, b, c, d), 1.0, 0.0).astype(jnp.bfloat16)

            @pl.when(tile(layer, i, group) < plan.tiles[layer])
            def _():
                held[plan.start(layer) + here] = state
                gpu.commit_smem()
                if parts > 1:
                    gpu.copy_smem_to_gmem(held.at[plan.start(layer) + here], out.at[batch, plan.start(layer) + here])

    def fetch(ref, layers, held, barrier):
        """All tiles of these layers into this block, and the wait for them."""

        @pl.when(group == 0)
        def _():
            for layer in layers:
                tiles = pl.ds(plan.start(layer), plan.tiles[layer])
                gpu.copy_gmem_to_smem(ref.at[batch, tiles], held.at[tiles], barrier)

        gpu.barrier_wait(barrier)

    def compute(held, kept, full, empty, arrived, halves, done):
        everything = range(len(plan.tiles))
        fetch(states, everything, held, arrived)
        if resident:
            gpu.barrier_wait(full.at[group])

        def one_sweep(sweep, _):
            for parity in (1, 0):
                layers = range(parity, len(plan.tiles), 2)
                for layer, i, first in plan.order():
                    if layer in layers:
                        one_tile(sweep, layer, i, first, held, kept, full, empty)
                if parts > 1:
                    gpu.wait_smem_to_gmem(0)
                    if fenced:
                        fence()
                gpu.barrier_arrive(done)
                gpu.barrier_wait(done)
                if parts > 1:
                    if fenced:
                        fence()
                    fetch(out, layers, held, halves[parity])

        lax.fori_loop(0, sweeps, one_sweep, None)
        if parts == 1:

            @pl.when(group == 0)
            def _():
                lax.fori_loop(0, total, lambda i, _: gpu.copy_smem_to_gmem(held.at[i], out.at[batch, i]), None)
                gpu.wait_smem_to_gmem(0)

    swizzled = gpu.TilingTransform((8, unit)), gpu.SwizzleTransform(2 * unit)
    layers = len(plan.tiles)

    @partial(
        pl.run_scoped,
        held=gpu.SMEM((total, CHAINS, unit), jnp.bfloat16, transforms=swizzled),
        kept=gpu.SMEM((GROUPS * slots, unit, unit), jnp.bfloat16, transforms=swizzled),
        full=gpu.Barrier(num_arrivals=of_sweep, num_barriers=GROUPS)
        if resident
        else gpu.Barrier(num_barriers=GROUPS * slots),
        empty=gpu.Barrier(num_barriers=GROUPS * (1 if resident else slots)),
        arrived=gpu.Barrier(num_arrivals=layers),
        even=gpu.Barrier(num_arrivals=(layers + 1) // 2),
        odd=gpu.Barrier(num_arrivals=layers // 2),
        done=gpu.ClusterBarrier(collective_axes=("part",), num_arrivals=GROUPS)
        if parts > 1
        else gpu.Barrier(num_arrivals=GROUPS),
        collective_axes="group",
    )
    def _(held, kept, full, empty, arrived, even, odd, done):
        @pl.when(group == GROUPS)
        def _():
            gpu.set_max_registers(40, action="decrease")

            @pl.core_map(gpu.WarpMesh(axis_name="warp"))
            def _():
                warp = lax.axis_index("warp")
                pl.when(warp < GROUPS)(lambda: load(warp, kept, full, empty))

        @pl.when(group < GROUPS)
        def _():
            gpu.set_max_registers(232, action="increase")
            compute(held, kept, full, empty, arrived, (even, odd), done)


def run(
    plan: Plan,
    sweeps: int,
    states: BFloat16[Array, "batches tiles 64 unit"],
    weights: list[BFloat16[Array, "_ _"]],
    bias: Float[Array, " columns"],
    base: Float[Array, " columns"],
    beta: Float[Array, " chains"],
    rows: UInt32[Array, "sweeps layers 2 chains"],
    columns: UInt32[Array, "sweeps 2 columns"],
    scaled: bool,
    interpret: Any = False,
) -> BFloat16[Array, "batches tiles 64 unit"]:
    """The chains after so many sweeps, in tiles; everything padded to whole tiles."""
    cluster: dict[str, Any] = {"cluster": (plan.parts,), "cluster_names": ("part",)} if plan.parts > 1 else {}
    return gpu.kernel(
        partial(_kernel, plan=plan, sweeps=sweeps, scaled=scaled, fenced=not interpret),
        out_type=jax.ShapeDtypeStruct(states.shape, states.dtype),
        grid=(states.shape[0],),
        grid_names=("batch",),
        num_threads=GROUPS + 1,
        thread_name="group",
        interpret=interpret,
        compiler_params=bare(),
        **cluster,
    )(states, weights, bias, base, beta, rows, columns)
