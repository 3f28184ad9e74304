"""The mathematics of a program: how many operations its products of matrices and convolutions ask for, as written.

Loops count once, as compilers count them. A compiler that reports many more does work twice.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import Precision


class Work(NamedTuple):
    """Of all devices together: `flops`, and how many bfloat16 ones a TPU makes of them in `passes`.

    A float32 product at HIGHEST precision takes six bfloat16 passes, or three where one side is made of single bytes,
    whose values one bfloat16 holds; any other product takes one.
    """

    flops: float = 0.0
    passes: float = 0.0

    def __add__(self, other: Any) -> "Work":
        return Work(self.flops + other.flops, self.passes + other.passes)


def work(function: Callable[..., Any], *arguments: Any) -> Work:
    """Of a function of arrays, or of their shapes: nothing is run."""
    return _of(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of(jaxpr: Any) -> Work:
    total, bytewise = Work(), set()
    for equation in jaxpr.eqns:
        name, inputs = equation.primitive.name, equation.invars
        if name == "convert_element_type" and inputs[0].aval.dtype.itemsize == 1:
            bytewise.add(equation.outvars[0])
        if name in ("dot_general", "conv_general_dilated"):
            flops = (_product if name == "dot_general" else _convolution)(equation)
            exact = equation.params["precision"] in (Precision.HIGHEST, (Precision.HIGHEST, Precision.HIGHEST))
            wide = exact and inputs[0].aval.dtype == jnp.float32
            times = 1 if not wide else 3 if any(x in bytewise for x in inputs if not hasattr(x, "val")) else 6
            total += Work(flops, times * flops)
        within = [_of(inner) for inner in inner_jaxprs(equation)]
        total += max(within, default=Work()) if name == "cond" else sum(within, Work())
    return total


def inner_jaxprs(equation: Any) -> Iterator[Any]:
    """The bodies of a loop, a branch or a call."""
    for value in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
        if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
            yield getattr(value, "jaxpr", value)


def _product(equation: Any) -> float:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = equation.invars[0].aval.shape
    return 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)


def _convolution(equation: Any) -> float:
    """Inserted zeros are not multiplied by; those of the padding are."""
    kernel, dimensions = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec
    each = math.prod(kernel) / kernel[dimensions[0]] / math.prod(equation.params["lhs_dilation"])
    return 2.0 * math.prod(equation.outvars[0].aval.shape) * each
