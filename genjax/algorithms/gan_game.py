"""The two players of a generative adversarial network: how they are configured, and what each of them computes."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.algorithms.gan_losses import LOSSES, LossName, Penalty
from genjax.errors import UserError
from genjax.networks.adversarial import (
    Conditioning,
    Discriminator,
    Generator,
    Normalisation,
    Shape,
    one_hot,
)
from genjax.random import subkey
from genjax.training.config import at_least, positive, rate, shares
from genjax.training.optimiser import Optimiser, Schedule

Backbone = Literal["mlp", "conv"]


@dataclass(frozen=True, kw_only=True)
class GANConfig:
    """The game, the two networks, and how they learn."""

    loss: LossName = "non-saturating"
    """What the players minimise."""
    penalty: Penalty = "r1"
    """What keeps the discriminator smooth: the slope's distance from 1 between images (gradient, as in WGAN-GP), its
    size at real images (r1), parameters that are cut off (clipping), or nothing (none): a small set of images is then
    soon known by heart, and classes go missing."""
    normalisation: Normalisation = "none"
    """Of the discriminator's layers; spectral divides each kernel by its largest singular value."""
    batch_norm: bool = True
    """BatchNorm in the generator."""
    backbone: Backbone = "mlp"
    """Dense layers, or convolutions as in DCGAN."""
    layers: tuple[int, ...] = (256, 512)
    """Dense layers of the generator; the discriminator has them in reverse order (mlp)."""
    channels: tuple[int, ...] = (32, 64)
    """Channels from the image inwards, each at half the size of the one before, in both networks (conv)."""
    dense: tuple[int, ...] = ()
    """Dense layers of the generator before its channels, of the discriminator in reverse order after them (conv)."""
    latent: int = 64
    """Normal latents that go into the generator."""
    conditioning: Conditioning = "none"
    """Labels: not used, joined to what both networks take in (concatenation), or joined to the latents and projected on
    the discriminator's features (projection)."""
    discriminator_steps: int = 1
    """Updates of the discriminator for each of the generator, each on a batch of its own: a step takes as many."""
    packing: int = 1
    """Images that the discriminator judges together (PacGAN; Lin et al. 2018)."""
    optimiser: Optimiser = "adam"
    """Of the generator."""
    discriminator_optimiser: Optimiser = "adam"
    """Of the discriminator."""
    schedule: Schedule = "constant"
    """How both learning rates fall over the run."""
    learning_rate: float = rate(5e-4)
    """Of the generator, at the start."""
    discriminator_learning_rate: float = rate(5e-4)
    """Of the discriminator, at the start."""
    momentum: float = rate(0.5)
    """Adam's first beta, or the decay of the velocity, of the generator."""
    discriminator_momentum: float = rate(0.5)
    """The same of the discriminator."""
    second_moment: float = rate(0.999)
    """Adam's second beta, of the generator."""
    discriminator_second_moment: float = rate(0.999)
    """The same of the discriminator."""
    weight_decay: float = rate(0.0)
    """Decoupled decay of the kernels."""
    penalty_weight: float = rate(10.0)
    """What the penalty is multiplied by (gradient, r1). Slopes are by intensities in [0, 1]; published weights are
    mostly for images in [-1, 1], of which the slopes are half as steep."""
    clip: float = rate(0.01)
    """Largest magnitude of the discriminator's parameters (clipping)."""
    smoothing: float = rate(0.0)
    """Real images count as real to the degree 1 minus this (minimax, non-saturating, least-squares)."""
    average: float = rate(0.999)
    """Decay of the moving average over the generator's parameters that samples are drawn from (0: the newest)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right."""
        positive(self, "learning_rate", "discriminator_learning_rate")
        at_least(self, 0, "weight_decay", "penalty_weight", "clip")
        both = ("momentum", "second_moment")
        shares(self, *both, *(f"discriminator_{name}" for name in both), "smoothing", "average")
        refuse_contradictions(self)

    def images_of_a_step(self, batch_size: int, most: int | None = None) -> int:
        """What a step takes: `batch_size` images, in whole packs, for each update of the discriminator.

        There are fewer where that is more than `most`, the images that there are, but at least a pack for each.
        """
        each = self.discriminator_steps * self.packing
        wanted = batch_size * self.discriminator_steps
        return max(1, min(wanted, wanted if most is None else most) // each) * each


class Network(NamedTuple):
    """What a network knows: its parameters, and the statistics of BatchNorm and of spectral normalisation."""

    parameters: PyTree
    statistics: PyTree


@jax.tree_util.register_static
@dataclass(frozen=True)
class Game:
    """All that is static, a pytree without leaves: the config, and what the data are.

    `bounded`: intensities in [0, 1], and not points of a space without bounds. `classes`: how many labels there are.
    `axis_name`: the devices' axis, while a step runs along one; a state has none.
    """

    config: GANConfig
    shape: Shape
    classes: int = 0
    bounded: bool = True
    axis_name: str | None = None

    def make(
        self, network: Network, z: Float[Array, "batch latent"], label: Int[Array, " batch"], train: bool = False
    ) -> tuple[Float[Array, "batch pixels"], Network]:
        """Images from latents, and the generator with this batch in its statistics if it is training."""
        return self._run(self._generator, network, z, label, train)

    def score(
        self, network: Network, x: Float[Array, "batch pixels"], label: Int[Array, " batch"], train: bool = False
    ) -> tuple[Float[Array, " packs"], Network]:
        """Scores of images, and the discriminator with this batch in its statistics if it is training."""
        return self._run(self._discriminator, network, x, label, train)

    def first(self, key: Key[Array, ""]) -> tuple[Network, Network]:
        """Generator and discriminator before training."""
        label = jnp.zeros((self.config.packing, self._labels), jnp.float32)
        z, x = (jnp.zeros((len(label), size), jnp.float32) for size in (self.config.latent, math.prod(self.shape)))
        made = self._generator.init(subkey(key, "generator"), z, label, False)
        judged = self._discriminator.init(subkey(key, "discriminator"), x, label, False)
        return _network(made), _network(judged)

    @property
    def _labels(self) -> int:
        return self.classes if self.config.conditioning != "none" else 0

    @property
    def _generator(self) -> Generator:
        c = self.config
        return Generator(self.shape, *self._sizes, c.batch_norm, self.bounded, self.axis_name)

    @property
    def _discriminator(self) -> Discriminator:
        c = self.config
        kind = (c.normalisation, c.conditioning, c.packing, self.bounded, self.axis_name)
        return Discriminator(self.shape, *self._sizes, *kind)

    @property
    def _sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        c = self.config
        return (c.layers, ()) if c.backbone == "mlp" else (c.dense, c.channels)

    def _run(
        self, module: nn.Module, network: Network, x: Array, label: Array, train: bool
    ) -> tuple[Float[Array, "..."], Network]:
        variables = {"params": network.parameters, "batch_stats": network.statistics}
        if not train:
            return module.apply(variables, x, one_hot(label, self._labels), False), network  # type: ignore[return-value]
        found: Any = module.apply(variables, x, one_hot(label, self._labels), True, mutable=["batch_stats"])
        return found[0], network._replace(statistics=found[1].get("batch_stats", {}))


def _network(variables: Any) -> Network:
    return Network(variables["params"], variables.get("batch_stats", {}))


def refuse_contradictions(config: GANConfig) -> None:
    """Raise `UserError` where two options cannot go together, or one of them is out of its range."""
    if (
        config.loss == "wasserstein"
        and config.penalty not in ("gradient", "clipping")
        and config.normalisation != "spectral"
    ):
        raise UserError(
            "--loss wasserstein needs scores of bounded slope; give --penalty gradient, --penalty clipping or "
            "--normalisation spectral."
        )
    if config.penalty in ("gradient", "r1") and config.normalisation == "batch":
        raise UserError(
            f"--penalty {config.penalty} is of each image alone, and --normalisation batch mixes them; give --penalty "
            "none, or normalise by layer or spectral."
        )
    if config.smoothing and not LOSSES[config.loss].smooth:
        raise UserError(f"--smoothing {config.smoothing}: --loss {config.loss} has no targets; leave it out.")
    if config.packing > 1 and config.conditioning != "none":
        raise UserError(
            f"--packing {config.packing} judges images of several labels at once; give --conditioning none."
        )
    refuse_idle(config)
    sizes = config.layers if config.backbone == "mlp" else config.channels
    if not sizes or min(sizes) < 1:
        raise UserError(f"--{'layers' if config.backbone == 'mlp' else 'channels'}: give at least one size above 0.")
    if min(config.dense, default=1) < 1:
        raise UserError("--dense: give sizes above 0.")
    for name in ("latent", "discriminator_steps", "packing"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(config, name)} is too small; give at least 1.")


def refuse_idle(config: GANConfig) -> None:
    """Raise `UserError` where an option was changed that has no effect beside the others."""
    slow, none = ("adam", "adamw"), GANConfig()
    for name, works, needed in (
        ("layers", config.backbone == "mlp", "--backbone mlp"),
        ("channels", config.backbone == "conv", "--backbone conv"),
        ("dense", config.backbone == "conv", "--backbone conv"),
        ("penalty_weight", config.penalty in ("gradient", "r1"), "--penalty gradient or r1"),
        ("clip", config.penalty == "clipping", "--penalty clipping"),
        ("second_moment", config.optimiser in slow, "--optimiser adam"),
        ("discriminator_second_moment", config.discriminator_optimiser in slow, "--discriminator-optimiser adam"),
    ):
        if not works and getattr(config, name) != getattr(none, name):
            raise UserError(f"--{name.replace('_', '-')} has no effect without {needed}.")
