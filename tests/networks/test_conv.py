"""Convolutions against `lax.conv`: values and derivatives of every order, in scan, under vmap, on both paths."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from genjax.networks import conv
from genjax.networks.conv import Conv, ConvTranspose, convolve, convolve_transposed

CASES = {
    # height and width of the larger image, kernel, stride, channels of the larger and of the smaller image
    "digits": ((8, 8), 3, 1, 1, 4),
    "mnist": ((28, 28), 5, 2, 1, 3),
    "colour": ((32, 32), 4, 2, 3, 2),
    "kernel of one": ((6, 4), 1, 2, 2, 3),
    "stride above kernel": ((6, 9), 2, 3, 2, 3),
    "image below kernel": ((4, 2), 5, 2, 2, 3),
    # no multiples of the stride, so not what a transposed convolution gives
    "odd": ((7, 9), 3, 2, 2, 3),
    "one of four": ((3, 11), 2, 4, 2, 2),
}


def some_fast(names, fast):
    """The names as parameters, all but these slow."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


def arrays(name, batch=3):
    (height, width), kernel, stride, inner, outer = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, height, width, inner), np.float32)
    w = rng.standard_normal((kernel, kernel, inner, outer), np.float32) / kernel
    y = rng.standard_normal((batch, -(-height // stride), -(-width // stride), outer), np.float32)
    return jnp.asarray(x), jnp.asarray(w), jnp.asarray(y), stride


def reference(x, w, stride):
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=conv.LAYOUT)


def reference_transposed(y, w, stride):
    return lax.conv_transpose(y, w, (stride, stride), "SAME", dimension_numbers=conv.LAYOUT, transpose_kernel=True)


def close(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5 * max(1.0, float(jnp.abs(y).max())))


def slopes(function, stride):
    return jax.grad(lambda x, w: jnp.sum(jnp.sin(function(x, w, stride))), (0, 1))


@pytest.mark.parametrize("name", some_fast(CASES, ("mnist", "stride above kernel", "image below kernel", "odd")))
def test_values_and_slopes(name):
    x, w, y, stride = arrays(name)

    @jax.jit
    def found(x, w, y):
        down, back = jax.vjp(lambda x, w: convolve(x, w, stride), x, w)
        here = [down, back(y)]
        down, back = jax.vjp(lambda x, w: reference(x, w, stride), x, w)
        there = [down, back(y)]
        if name not in ("odd", "one of four"):
            up, back = jax.vjp(lambda y, w: convolve_transposed(y, w, stride), y, w)
            here += [up, back(x)]
            up, back = jax.vjp(lambda y, w: reference_transposed(y, w, stride), y, w)
            there += [up, back(x)]
        return here, there

    close(*found(x, w, y))


@pytest.mark.parametrize("transposed", some_fast([False, True], [True]))
def test_slopes_of_slopes(transposed):
    """A penalty on a critic's gradient, say."""
    x, w, y, stride = arrays("colour", batch=1)
    functions = (convolve_transposed, reference_transposed) if transposed else (convolve, reference)

    def penalty(function):
        first = slopes(function, stride)
        return jax.jit(jax.grad(lambda x, w: sum(jnp.sum(slope**2) for slope in first(x, w)), (0, 1)))

    close(*(penalty(function)(y if transposed else x, w) for function in functions))


@pytest.mark.parametrize("module", [Conv(4, kernel=3, stride=2), ConvTranspose(4, kernel=4, stride=2)])
def test_both_paths_of_the_modules_agree(module, monkeypatch):
    x = arrays("colour")[0][:, :8, :6]
    shapes = jax.eval_shape(module.init, jax.random.key(1), x)
    assert shapes["params"]["bias"].shape == (4,)
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), shapes)

    def found(path):
        monkeypatch.setattr(conv, "written_out", lambda: path)

        def total(variables):
            return jnp.sum(module.apply(variables, x) ** 2)

        assert ("custom_vjp" in str(jax.make_jaxpr(total)(variables))) == path
        return jax.jit(jax.value_and_grad(total))(variables)

    close(found(True), found(False))


@pytest.mark.parametrize("axes", some_fast([(0, 0), (0, None), (None, 0)], [(0, 0)]), ids=["both", "images", "kernels"])
def test_vmap_is_each_alone(axes):
    x, w, _, stride = arrays("image below kernel")
    x, w = (a if axis is None else jnp.stack([a, 1 - a]) for a, axis in zip((x, w), axes))
    one = jax.jit(slopes(convolve, stride))
    alone = [one(*(a if axis is None else a[i] for a, axis in zip((x, w), axes))) for i in range(2)]
    close(jax.vmap(one, axes)(x, w), jax.tree.map(lambda *a: jnp.stack(a), *alone))


def test_slopes_of_a_vmap():
    x, w, _, stride = arrays("image below kernel")
    x, w = jnp.stack([x, 1 - x]), jnp.stack([w, 1 - w])

    def total(function):
        return jax.jit(
            jax.grad(lambda x, w: jnp.sum(jnp.sin(jax.vmap(partial(function, stride=stride))(x, w))), (0, 1))
        )

    close(total(convolve)(x, w), total(reference)(x, w))


def trained(function, x, w, y, remat):
    """Kernels after three steps of descent in a scan, and their slope by the first kernel."""
    once = jax.checkpoint(function, static_argnums=2) if remat else function

    def loss(w, x, y):
        return jnp.mean((once(x, w, 2) - y) ** 2)

    def end(w):
        return lax.scan(lambda w, batch: (w - 0.1 * jax.grad(loss)(w, *batch), None), w, (x, y))[0]

    return end(w), jax.grad(lambda w: jnp.sum(end(w) ** 2))(w)


def test_training_in_a_scan_and_differentiating_through_it():
    x, w, y, _ = arrays("colour")
    x, y = (jnp.stack([a, a + 1, 2 - a]) for a in (x, y))
    close(*jax.jit(lambda x, w, y: (trained(convolve, x, w, y, True), trained(reference, x, w, y, False)))(x, w, y))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a matter of XLA's CPU compiler")
@pytest.mark.parametrize("name", some_fast(["colour", "image below kernel"], ["colour"]))
@pytest.mark.parametrize("function", [convolve, reference])
@pytest.mark.parametrize("members", some_fast([None, 2], [2]))
def test_in_a_scan_every_convolution_has_the_fast_layout(name, function, members):
    x, w, y, stride = arrays(name)

    def train(w):
        def loss(x, w):
            return jnp.sum((function(x, w, stride) - y) ** 2)

        def step(carry, _):
            return jax.tree.map(lambda a, slope: a - 0.1 * slope, carry, jax.grad(loss, (0, 1))(*carry)), None

        return lax.scan(step, (x, w), None, length=3)[0]

    run, start = (train, w) if members is None else (jax.vmap(train), jnp.stack([w] * members))
    text = jax.jit(run).lower(start).compile().as_text()
    layouts = re.findall(r" convolution\(.*dim_labels=([^,\s]+)", text)
    assert len(layouts) == 3
    fast = set(layouts) == {"b01f_01io->b01f"} and "feature_group_count" not in text
    assert fast == (function is convolve)  # the day that this fails of the reference, all of this can go
