"""One layer drawn on a Hopper GPU: the draw of one block of states runs while the next block is multiplied.

A thread block has three warpgroups. One brings slices of states and weights into shared memory; the other two take
tiles of `CHAINS` chains by `tile(units)` units in turns: while one keeps the tensor cores busy, the other draws its
tile from the accumulators in its registers (`random.mix`, `random.below_sigmoid`) and writes it.

What an H100 should need for a sweep of 784-500 with 65,536 chains in bfloat16 (132 multiprocessors, 1.7 GHz, 4096
operations a clock each; nothing here was measured):

- products: 65,536 x 832 x 512 and 65,536 x 512 x 784, twice each in operations, 108 TFLOP: 118 us.
- shared memory, 128 bytes a clock: a 128 x 128 x 64 slice takes 512 clocks to multiply, in which 49 KB are read (the
  weights once for each 64 chains) and the next 33 KB are written: 160 bytes a clock, so that products need 150 us.
- draws: 28 instructions a state as compiled, 11 of them where the integer unit does 64 a clock: 84 million
  in 82 us, hidden as long as a tile's draw (3,600 clocks) is shorter than its product (3,600 to 6,700).
- registers: 64 accumulators a thread for each 64 x 128, two of them, of 232; 56 for 112, and nothing is spilled there.
- memory: 340 MB of states, 100 us, hidden; weights stay in L2.

So 150 us, and 165 to 200 with the pairs of words, the ends of halves and an uneven last round: 420 to 510 flips/ns.
float32 weights multiply three times as long: about 450 us.
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
MULTIPROCESSORS = 132
SHARED = 227 * 1024  # bytes of shared memory that a thread block can have
WIDEST = 128  # units of a tile: as many accumulators a thread


def tile(units: int) -> int:
    """Units of a tile: the multiple of 16 up to `WIDEST` that costs least, when each tile costs 32 units more."""
    return min(range(WIDEST, 0, -16), key=lambda n: -(-units // n) * (n + 32))


def width(units: int) -> int:
    """Columns of a layer's array: whole tiles where it is drawn, whole slices where it is read."""
    return up_to(up_to(units, tile(units)), DEPTH)


def laid_out(sides: list[Float[Array, "_ units"]]) -> BFloat16[Array, "columns rows"]:
    """The weights of all sides of a layer as the kernel reads them."""
    units = sides[0].shape[1]
    return in_slices(sides, [width(len(w)) for w in sides], DEPTH, up_to(units, tile(units))).T


def stages(n: int) -> int:
    """Slices that each of the two warpgroups has on the way, as many as fit into shared memory."""
    of_slice, of_output = 2 * DEPTH * (CHAINS + n), 2 * 64 * n
    return min(4, (SHARED - 2048 - 2 * of_output) // (2 * of_slice))


def bernoulli(field, a, b, c, d):
    """States in the layout of `field`, from the pairs of its chains and units."""
    a, b = (lax.broadcast_in_dim(x, field.shape, (0,)) for x in (a, b))
    c, d = (lax.broadcast_in_dim(x, field.shape, (1,)) for x in (c, d))
    return random.below_sigmoid(random.mix(a, b, c, d), field)


def _kernel(x, weights, bias, base, scale, rows, columns, out, *, n: int, repeats: int, blocks: int, scaled: bool):
    units, depth = weights.shape[0] // n, weights.shape[1] // DEPTH  # tiles of units; slices of a product
    tiles, slots = x.shape[0] // CHAINS * units, stages(n)
    swizzle = gpu.find_swizzle(16 * n)
    block, group = lax.axis_index("block"), lax.axis_index("group")
    sliced = gpu.TilingTransform((8, DEPTH)), gpu.SwizzleTransform(128)

    def of_tile(turn):
        i = block + turn * blocks
        return i // units * CHAINS, pl.ds(i % units * n, n)

    mine = (tiles - block + blocks - 1) // blocks  # tiles of this thread block, which its warpgroups take in turns

    def load(a, b, full, empty):
        def one_tile(turn, _):
            first_chain, of_units = of_tile(turn)
            chains, ring = pl.ds(first_chain, CHAINS), turn % 2

            def one_slice(k, _):
                count = turn // 2 * depth + k
                slot = ring * slots + count % slots

                @pl.when(count >= slots)
                def _():
                    gpu.barrier_wait(empty.at[slot])

                inputs = pl.ds(k // repeats * DEPTH, DEPTH)
                gpu.copy_gmem_to_smem(x.at[chains, inputs], a.at[slot], full.at[slot])
                gpu.copy_gmem_to_smem(weights.at[of_units, pl.ds(k * DEPTH, DEPTH)], b.at[slot], full.at[slot])

            lax.fori_loop(0, depth, one_slice, None)

        lax.fori_loop(0, mine, one_tile, None)

    def multiply(accumulator, turn, a, b, full, empty):
        def one_slice(k, _):
            count = turn // 2 * depth + k
            slot = group * slots + count % slots
            gpu.barrier_wait(full.at[slot])
            gpu.wgmma(accumulator, a.at[slot], b.at[slot].transpose((1, 0)))
            if not isinstance(k, int):  # the product before this one is done: its slice may be overwritten
                gpu.wgmma_wait(1)
                gpu.barrier_arrive(empty.at[group * slots + (count - 1) % slots])

        one_slice(0, None)
        lax.fori_loop(1, depth, one_slice, None)
        return group * slots + (turn // 2 * depth + depth - 1) % slots

    def draw(total, turn, drawn):
        first_chain, of_units = of_tile(turn)
        by_chain, by_unit = gpu.Layout.WGMMA.reduce(1), gpu.Layout.WGMMA.reduce(0)

        def read(ref, index, layout):
            return gpu.load(ref.at[index], layout=layout, optimized=False)

        c, d = (read(columns, (i, of_units), layout=by_unit) for i in (0, 1))
        offset = read(bias, (of_units,), layout=by_unit)
        for half in range(CHAINS // 64):
            some = pl.ds(first_chain + 64 * half, 64)
            a, b = (read(rows, (i, some), layout=by_chain) for i in (0, 1))
            field = total[64 * half : 64 * half + 64] + lax.broadcast_in_dim(offset, (64, n), (1,))
            if scaled:
                beta = lax.broadcast_in_dim(read(scale, (some,), layout=by_chain), (64, n), (0,))
                at_base = lax.broadcast_in_dim(read(base, (of_units,), layout=by_unit), (64, n), (1,))
                field = beta * field + (1 - beta) * at_base
            state = jnp.where(bernoulli(field, a, b, c, d), 1.0, 0.0).astype(jnp.bfloat16)
            gpu.wait_smem_to_gmem(0, wait_read_only=True)
            drawn[group] = state
            gpu.commit_smem()
            gpu.copy_smem_to_gmem(drawn.at[group], out.at[some, of_units])

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
        a=gpu.SMEM((2 * slots, CHAINS, DEPTH), jnp.bfloat16, transforms=sliced),
        b=gpu.SMEM((2 * slots, n, DEPTH), jnp.bfloat16, transforms=sliced),
        drawn=gpu.SMEM(
            (2, 64, n),
            jnp.bfloat16,
            transforms=(gpu.TilingTransform((8, swizzle // 2)), gpu.SwizzleTransform(swizzle)),
        ),
        full=gpu.Barrier(num_arrivals=2, num_barriers=2 * slots),
        empty=gpu.Barrier(num_barriers=2 * slots),
        turns=gpu.Barrier(num_barriers=2),
        collective_axes="group",
    )
    def _(a, b, drawn, full, empty, turns):
        @pl.when(group == 2)
        def _():
            gpu.set_max_registers(40, action="decrease")
            gpu.barrier_arrive(turns.at[0])
            load(a, b, full, empty)

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
    blocks = min(MULTIPROCESSORS, chains // CHAINS * (units // n))
    drawn = gpu.kernel(
        partial(_kernel, n=n, repeats=weights.shape[1] // x.shape[1], blocks=blocks, scaled=scaled),
        out_type=jax.ShapeDtypeStruct((chains, len(bias)), jnp.bfloat16),
        grid=(blocks,),
        grid_names=("block",),
        num_threads=3,
        thread_name="group",
        interpret=interpret,
    )(x, weights, bias, base, beta, rows, columns)
    return drawn.at[:, units:].set(0)  # columns that only fill the last slice are not written
