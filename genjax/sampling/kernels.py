"""The kernels that have a name."""

from genjax.errors import UserError
from genjax.numerics import Numbers
from genjax.sampling.fused import Fused
from genjax.sampling.gibbs import Gibbs
from genjax.sampling.tempering import Tempered
from genjax.typing import Kernel

KERNELS = {"gibbs": Gibbs, "tempered": Tempered, "fused": Fused}


def kernel_named(name: str, rungs: int | None = None, numbers: Numbers | None = None) -> Kernel | None:
    """The kernel of a name; None for the usual one. `rungs` are how many temperatures a tempered one has, `numbers`
    those of block Gibbs sampling. Raises `UserError` for an option that it does not have."""
    if rungs is not None and name != "tempered":
        raise UserError(f"`rungs` {rungs} has no effect with `kernel` {name}, only with tempered.")
    if numbers is not None and name == "tempered":
        raise UserError(f"`numbers` {numbers} has no effect with `kernel` tempered, only with gibbs and fused.")
    if name == "gibbs" and numbers is None:
        return None
    chosen = {"rungs": rungs, "numbers": numbers}
    return KERNELS[name](**{option: value for option, value in chosen.items() if value is not None})
