"""One layer drawn on a Hopper GPU: the draw of one block of states runs while the next block is multiplied.

A thread block has three warpgroups. Two warps of one bring slices of states and weights into shared memory; the other
two warpgroups take tiles of `CHAINS` chains by `tile(units)` units in turns: while one keeps the tensor cores busy, the
other draws its tile from the accumulators in its registers (`random.mix`, `random.below_sigmoid`) and writes it. Blocks
of a cluster take the same units of other chains, and each brings a part of their weights to all.

On an H100 (JAX 0.11) a sweep of 784-500 with 65,536 chains takes 309 us in bfloat16, 272 flips/ns (XLA 698), and 609 us
in float32, 138 flips/ns (XLA 2802); without random words it is 217. What it could be, at 1.7 GHz:

- products, 108 GFLOP: 118 us; 150 by what shared memory gives, as each slice is written once and read once or twice.
- draws: 29 instructions a state, 12 of them on a unit that does 64 a clock: 72 us. They should hide behind products,
  and do not: words add 92 us. Why is not known.
- L2: 1.2 GB, 180 us at the 6.6 TB/s that a version without clusters drew (262 us without words, 301 with them).

Clusters of four took 512 us: the slowest of them sets the pace. Tiles of 128 units took 336.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, BFloat16, Float, UInt32

from genjax import random
from genjax.sampling.fused_weights import in_slices, up_to

try:
    from jax.experimental import pallas
    from jax.experimental.pallas import mosaic_gpu
except ImportError:
    pallas = mosaic_gpu = None
pl: Any = pallas
gpu: Any = mosaic_gpu

CHAINS, DEPTH = 128, 64  # chains of a tile; inputs of a slice: one swizzled row of 128 bytes
CLUSTER, CLUSTERS = 2, 66  # blocks that share their weights; clusters that an H100 runs at once
MULTIPROCESSORS = 132
SHARED = 227 * 1024  # bytes of shared memory that a thread block can have
WIDEST = 160  # units of a tile: as many accumulators a thread
DRAWN = 32  # units that are drawn together


def tile(units: int) -> int:
    """Units of a tile: the multiple of `DRAWN` up to `WIDEST` that costs least, when each tile costs 32 units more."""
    return min(range(WIDEST, 0, -DRAWN), key=lambda n: -(-units // n) * (n + 32))


def width(units: int) -> int:
    """Columns of a layer's array: whole tiles where it is drawn, whole slices where it is read."""
    return up_to(up_to(units, tile(units)), DEPTH)


def whole(chains: int) -> int:
    """Rows of a layer's array: whole tiles, as many for each block of a cluster where there are many."""
    return up_to(chains, CHAINS * (CLUSTER if chains > 4 * CHAINS * CLUSTER else 1))


def laid_out(sides: list[Float[Array, "_ units"]]) -> BFloat16[Array, "columns rows"]:
    """The weights of all sides of a layer as the kernel reads them."""
    units = sides[0].shape[1]
    return in_slices(sides, [width(len(w)) for w in sides], DEPTH, up_to(units, tile(units))).T


def stages(n: int) -> int:
    """Slices that are on the way, as many as fit into shared memory."""
    return min(8, (SHARED - 2048 - 2 * 2 * 64 * n) // (2 * DEPTH * (CHAINS + n)))


def bare() -> Any:
    """No barriers but the kernels' own: those that would surround every store and every copy cost more than a draw."""
    return gpu.CompilerParams(unsafe_no_auto_barriers=True)


def bernoulli(field, a, b, c, d):
    """States in the layout of `field`, from the pairs of its chains and units."""
    a, b = (lax.broadcast_in_dim(x, field.shape, (0,)) for x in (a, b))
    c, d = (lax.broadcast_in_dim(x, field.shape, (1,)) for x in (c, d))
    return random.below_sigmoid(random.mix(a, b, c, d), field)


def _kernel(x, weights, bias, base, scale, rows, columns, out, *, n, repeats, clusters, shared, scaled):
    units, depth = weights.shape[0] // n, weights.shape[1] // DEPTH  # tiles of units; slices of a product
    tiles, slots = x.shape[0] // CHAINS // shared * units, stages(n)
    cluster, group = lax.axis_index("cluster"), lax.axis_index("group")
    block = lax.axis_index("block") if shared > 1 else 0
    sliced = gpu.TilingTransform((8, DEPTH)), gpu.SwizzleTransform(128)

    def of_tile(turn):
        i = cluster + turn * clusters
        return (i // units * shared + block) * CHAINS, i % units * n

    mine = (tiles - cluster + clusters - 1) // clusters  # tiles of a block, which its warpgroups take in turns

    def load(a, b, full, empty):
        ours = {"collective_axes": "block"} if shared > 1 else {}
        warp = lax.axis_index("warp")

        def free(count):
            @pl.when(count >= slots)
            def _():
                gpu.barrier_wait(empty.at[count % slots])

        def one_tile(turn, _):
            first_chain, first_unit = of_tile(turn)
            chains, of_units = pl.ds(first_chain, CHAINS), pl.ds(first_unit, n)

            def one_slice(k, _):
                count = turn * depth + k
                slot, arrived = count % slots, full.at[turn % 2 * slots + count % slots]
                free(count)

                @pl.when(warp == 0)
                def _():
                    gpu.copy_gmem_to_smem(weights.at[of_units, pl.ds(k * DEPTH, DEPTH)], b.at[slot], arrived, **ours)

                @pl.when(warp == 1)
                def _():
                    gpu.copy_gmem_to_smem(x.at[chains, pl.ds(k // repeats * DEPTH, DEPTH)], a.at[slot], arrived)

            lax.fori_loop(0, depth, one_slice, None)

        @pl.when(warp < 2)
        def _():
            lax.fori_loop(0, mine, one_tile, None)
            # Blocks of the cluster still say that they are done with a slice: this one is there to hear it.
            lax.fori_loop(mine * depth, mine * depth + slots, lambda count, _: free(count), None)

    def multiply(accumulator, turn, a, b, full, empty):
        def one_slice(k, _):
            count = turn * depth + k
            slot = count % slots
            gpu.barrier_wait(full.at[group * slots + slot])
            gpu.wgmma(accumulator, a.at[slot], b.at[slot].transpose((1, 0)))
            if not isinstance(k, int):  # the product before this one is done: its slice may be overwritten
                gpu.wgmma_wait(1)
                gpu.barrier_arrive(empty.at[(count - 1) % slots])

        one_slice(0, None)
        lax.fori_loop(1, depth, one_slice, None)
        return (turn * depth + depth - 1) % slots

    def draw(total, turn, drawn):
        first_chain, first_unit = of_tile(turn)
        by_chain, by_unit = gpu.Layout.WGMMA.reduce(1), gpu.Layout.WGMMA.reduce(0)

        def read(ref, index, layout):
            return gpu.load(ref.at[index], layout=layout, optimized=False)

        for half in range(CHAINS // 64):
            some = pl.ds(first_chain + 64 * half, 64)
            a, b = (read(rows, (i, some), layout=by_chain) for i in (0, 1))
            beta: Any = read(scale, (some,), layout=by_chain) if scaled else None
            gpu.wait_smem_to_gmem(0, wait_read_only=True)
            for j in range(n // DRAWN):  # not all units at once: their words would fill the registers
                of_units, shape = pl.ds(first_unit + j * DRAWN, DRAWN), (64, DRAWN)
                c, d = (read(columns, (i, of_units), layout=by_unit) for i in (0, 1))
                field = total[64 * half : 64 * half + 64, j * DRAWN : (j + 1) * DRAWN]
                field = field + lax.broadcast_in_dim(read(bias, (of_units,), layout=by_unit), shape, (1,))
                if scaled:
                    of_chains = lax.broadcast_in_dim(beta, shape, (0,))
                    at_base = lax.broadcast_in_dim(read(base, (of_units,), layout=by_unit), shape, (1,))
                    field = of_chains * field + (1 - of_chains) * at_base
                drawn[group, j] = jnp.where(bernoulli(field, a, b, c, d), 1.0, 0.0).astype(jnp.bfloat16)
            gpu.commit_smem()
            for j in range(n // DRAWN):
                gpu.copy_smem_to_gmem(drawn.at[group, j], out.at[some, pl.ds(first_unit + j * DRAWN, DRAWN)])

    def compute(a, b, drawn, full, empty, turns):
        def one_tile(i, _):
            turn = 2 * i + group
            gpu.barrier_wait(turns.at[group])

            @partial(pl.run_scoped, accumulator=gpu.ACC((CHAINS, n), jnp.float32))
            def _(accumulator):
                last = multiply(accumulator, turn, a, b, full, empty)
                gpu.barrier_arrive(turns.at[1 - group])
                total = accumulator[...]
                gpu.barrier_arrive(empty.at[last])
                draw(total, turn, drawn)

        lax.fori_loop(0, (mine - group + 1) // 2, one_tile, None)
        gpu.wait_smem_to_gmem(0)

    @partial(
        pl.run_scoped,
        a=gpu.SMEM((slots, CHAINS, DEPTH), jnp.bfloat16, transforms=sliced),
        b=gpu.SMEM((slots, n, DEPTH), jnp.bfloat16, transforms=sliced),
        drawn=gpu.SMEM(
            (2, n // DRAWN, 64, DRAWN),
            jnp.bfloat16,
            transforms=(gpu.TilingTransform((8, DRAWN)), gpu.SwizzleTransform(2 * DRAWN)),
        ),
        # Of each slot one for each warpgroup that waits: it counts the phases that it has seen.
        full=gpu.Barrier(num_arrivals=2, num_barriers=2 * slots),
        empty=gpu.ClusterBarrier(collective_axes=("block",), num_barriers=slots)
        if shared > 1
        else gpu.Barrier(num_barriers=slots),
        turns=gpu.Barrier(num_barriers=2),
        collective_axes="group",
    )
    def _(a, b, drawn, full, empty, turns):
        @pl.when(group == 2)
        def _():
            gpu.set_max_registers(40, action="decrease")
            gpu.barrier_arrive(turns.at[0])
            pl.core_map(gpu.WarpMesh(axis_name="warp"))(lambda: load(a, b, full, empty))

        @pl.when(group < 2)
        def _():
            gpu.set_max_registers(232, action="increase")
            compute(a, b, drawn, full, empty, turns)


def draw(
    rows: UInt32[Array, "2 chains"],
    columns: UInt32[Array, "2 columns"],
    x: BFloat16[Array, "chains inputs"],
    weights: BFloat16[Array, "units rows"],
    bias: Float[Array, " columns"],
    base: Float[Array, " columns"],
    beta: Float[Array, " chains"],
    scaled: bool,
    interpret: Any = False,
) -> BFloat16[Array, "chains columns"]:
    """A layer drawn given its inputs, as `fused_triton.draw`."""
    units, chains = weights.shape[0], x.shape[0]
    n = tile(units)  # that of the layer: padding it once more changes nothing
    shared = CLUSTER if chains % (CHAINS * CLUSTER) == 0 else 1
    clusters = min(CLUSTERS if shared > 1 else MULTIPROCESSORS, chains // CHAINS // shared * (units // n))
    cluster: dict[str, Any] = {"cluster": (shared,), "cluster_names": ("block",)} if shared > 1 else {}
    drawn = gpu.kernel(
        partial(
            _kernel,
            n=n,
            repeats=weights.shape[1] // x.shape[1],
            clusters=clusters,
            shared=shared,
            scaled=scaled,
        ),
        out_type=jax.ShapeDtypeStruct((chains, len(bias)), jnp.bfloat16),
        grid=(clusters,),
        grid_names=("cluster",),
        num_threads=3,
        thread_name="group",
        interpret=interpret,
        compiler_params=bare(),
        **cluster,
    )(x, weights, bias, base, beta, rows, columns)
    return drawn.at[:, units:].set(0)  # columns that only fill the last slice are not written
