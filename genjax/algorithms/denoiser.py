"""What learns to undo noise: a network and its process. The processes are `masked`, `ddpm` and `flow`, or one's own."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from genjax import random
from genjax.algorithms.examples import Values
from genjax.networks.backbones import Shape
from genjax.typing import Metrics

Images = Float[Array, "images values"]
Holes = Bool[Array, "images values"]


class Range(NamedTuple):
    """Of the training values: their mean, standard deviation and limits (infinite where they have none)."""

    mean: Float[Array, ""]
    deviation: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["parameters", "range"],
    meta_fields=["network", "process", "shape"],
)
@dataclass(frozen=True)
class Denoiser:
    """Parameters, the range of the values, and what they are of (static); called as its network is."""

    parameters: PyTree
    range: Range
    network: nn.Module
    process: Any
    shape: Shape

    def __call__(self, *inputs: Array) -> Images:
        """What the network makes of flat images, `(images, values)`, and of what stands beside them."""
        answer: Any = self.network.apply(self.parameters, *inputs)
        return answer

    @property
    def values(self) -> int:
        """Of one image."""
        return int(np.prod(self.shape))


@runtime_checkable
class Process(Protocol):
    """How images turn into noise, and back: a frozen value. `model` is a `Denoiser` of it.

    - `binarisation`: how examples are shown to it unless a run says otherwise.
    - `network(shape)`: a flax module; `first(key, network, shape, mean)`: its parameters before learning.
    - `loss(key, model, x)`: what learning minimises, a mean over the batch; `observe(key, model, x)`: metrics.
    - `sample(key, model, count)`: new images; `complete(key, model, x, missing)`: draws of what is missing given the
      rest, one for each row; `reconstruct(key, model, x, missing, sweeps)`: expected values there, by about `sweeps`
      evaluations of the network.
    - `check_examples(x)`: raises `UserError` where it cannot learn these.

    Where it bounds the likelihood it also has `elbo(key, model, x, level)`: of each image an unbiased estimate of its
    bound in nats, given that `level` `(images,)` is uniform on [0, 1).
    """

    kind: ClassVar[str]
    binarisation: ClassVar[str]

    def network(self, shape: Shape) -> nn.Module: ...

    def first(self, key: Key[Array, ""], network: nn.Module, shape: Shape, mean: Float[Array, " values"]) -> PyTree: ...

    def loss(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Float[Array, ""]: ...

    def observe(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Metrics: ...

    def sample(self, key: Key[Array, ""], model: Denoiser, count: int) -> Images: ...

    def complete(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes) -> Images: ...

    def reconstruct(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes, sweeps: int) -> Images: ...

    def check_examples(self, x: Values) -> None: ...


def is_process(value: Any) -> bool:
    """Whether it is a `Process`."""
    return isinstance(value, Process) and not isinstance(value, type)


def spread_levels(key: Key[Array, ""], count: int) -> Float[Array, " count"]:
    """Levels of noise, each uniform on [0, 1), one in each of `count` equal parts: a batch meets all of them.

    One draw shifts them together (Kingma, Salimans, Poole and Ho 2021, appendix I.1), so that the loss of a batch
    scatters less than with independent ones.
    """
    u = random.uniform(random.bits(key, (1,)))
    return (jnp.arange(count, dtype=jnp.float32) + u) / count
