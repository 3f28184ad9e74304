"""The two players of a generative adversarial network: how they are configured, and what each of them computes."""

import math
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from genjax.algorithms.gan_losses import LOSSES, PENALTIES, R1, Loss, NonSaturating, Penalty, is_loss, is_penalty
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
from genjax.training.config import at_least, check_choices, choice, kind_of, positive, rate, shares, sizes
from genjax.training.optimisers import (
    Adam,
    Constant,
    Optimiser,
    Schedule,
    is_finished,
    optimiser_choice,
    schedule_choice,
)
from genjax.training.update import Rates, changed, refuse_beside


@runtime_checkable
class Backbone(Protocol):
    """What makes the two networks of a game: a frozen value, those below or one's own.

    Both are flax modules. The generator is called with latents `(batch, latent)`, one-hot labels `(batch, classes)`, of
    width 0 where the game is not conditional, and whether it trains, and gives images `(batch, pixels)`. The
    discriminator is called with images in the place of latents, and gives a score for each pack, `(packs,)`; its labels
    are those of the packs' images.
    """

    def generator(self, game: "Game") -> nn.Module:
        """From latents to images."""
        ...

    def discriminator(self, game: "Game") -> nn.Module:
        """From images to scores."""
        ...


def is_backbone(value: Any) -> bool:
    """Whether it is a `Backbone`."""
    return isinstance(value, Backbone) and not isinstance(value, type)


def _networks(game: "Game", dense: tuple[int, ...], channels: tuple[int, ...]) -> tuple[Generator, Discriminator]:
    c = game.config
    kind = (c.normalisation, c.conditioning, c.packing, game.bounded, game.axis_name)
    return (
        Generator(game.shape, dense, channels, c.batch_norm, game.bounded, game.axis_name),
        Discriminator(game.shape, dense, channels, *kind),
    )


@dataclass(frozen=True)
class Dense:
    """Dense layers in both networks."""

    layers: tuple[int, ...] = (256, 512)
    """Dense layers of the generator; the discriminator has them in reverse order."""

    kind: ClassVar[str] = "mlp"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        sizes(self, "layers", least=1)

    def generator(self, game: "Game") -> nn.Module:
        """`networks.adversarial.Generator`."""
        return _networks(game, self.layers, ())[0]

    def discriminator(self, game: "Game") -> nn.Module:
        """`networks.adversarial.Discriminator`."""
        return _networks(game, self.layers, ())[1]


@dataclass(frozen=True)
class Convolutions:
    """Convolutions in both networks, as in DCGAN (Radford et al. 2016)."""

    channels: tuple[int, ...] = (32, 64)
    """Channels from the image inwards, each at half the size of the one before, in both networks."""
    dense: tuple[int, ...] = ()
    """Dense layers of the generator before its channels, of the discriminator in reverse order after them."""

    kind: ClassVar[str] = "conv"

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        sizes(self, "channels", least=1)
        sizes(self, "dense")

    def generator(self, game: "Game") -> nn.Module:
        """`networks.adversarial.Generator`."""
        return _networks(game, self.dense, self.channels)[0]

    def discriminator(self, game: "Game") -> nn.Module:
        """`networks.adversarial.Discriminator`."""
        return _networks(game, self.dense, self.channels)[1]


@dataclass(frozen=True, kw_only=True)
class GANConfig(Rates):
    """The game, the two networks, and how they learn."""

    loss: Loss = choice(NonSaturating(), *LOSSES, takes=is_loss)
    """Loss of the two networks."""
    penalty: Penalty = choice(R1(), *PENALTIES, takes=is_penalty)
    """Penalty that keeps the discriminator smooth: the slope's distance from 1 between images (gradient, as in
    WGAN-GP), its size at real images (r1), parameters that are cut off (clipping), or nothing (none): a small set of
    images is then soon known by heart, and classes go missing."""
    normalisation: Normalisation = "none"
    """Normalisation of the discriminator's layers; spectral divides each kernel by its largest singular value."""
    batch_norm: bool = True
    """BatchNorm in the generator."""
    backbone: Backbone = choice(Dense(), Dense, Convolutions, takes=is_backbone)
    """Dense layers, or convolutions as in DCGAN."""
    latent: int = 64
    """Normal latents that go into the generator."""
    conditioning: Conditioning = "none"
    """Labels: not used, joined to what both networks take in (concatenation), or joined to the latents and projected on
    the discriminator's features (projection)."""
    discriminator_steps: int = 1
    """Updates of the discriminator for each of the generator, each on a batch of its own: a step takes as many."""
    packing: int = 1
    """Images that the discriminator scores together (PacGAN; Lin et al. 2018)."""
    optimiser: Optimiser = optimiser_choice(Adam(momentum=0.5))
    """Optimiser of the generator; from Python also a function of the learning rate, or a finished optax
    transformation."""
    discriminator_optimiser: Optimiser = optimiser_choice(Adam(momentum=0.5), prefix="discriminator_")
    """The same of the discriminator."""
    schedule: Schedule = schedule_choice(Constant())
    """How both learning rates fall over the run."""
    learning_rate: float = rate(5e-4)
    """Learning rate of the generator at the start."""
    discriminator_learning_rate: float = rate(5e-4)
    """Learning rate of the discriminator at the start."""
    average: float = rate(0.999)
    """Decay of the moving average over the generator's parameters that samples are drawn from (0: the newest)."""

    def check(self) -> None:
        """Raise `UserError` for what no data would make right, and where two options cannot go together."""
        check_choices(self)
        positive(self, "learning_rate", "discriminator_learning_rate", "latent", "discriminator_steps", "packing")
        at_least(self, 0, "weight_decay")
        shares(self, "average")
        refuse_contradictions(self)
        self.check_given(changed(self))

    def check_given(self, names: Set[str]) -> None:
        """Raise `UserError` where one of the fields that were set has no effect beside finished transformations."""
        finished = is_finished(self.optimiser), is_finished(self.discriminator_optimiser)
        if finished[0]:
            refuse_beside("optimiser", names & {"learning_rate"})
        if finished[1]:
            refuse_beside("discriminator_optimiser", names & {"discriminator_learning_rate"})
        if all(finished):
            refuse_beside("optimiser", names & {"schedule", "weight_decay"})

    def images_of_a_step(self, batch_size: int, most: int | None = None) -> int:
        """What a step takes: `batch_size` images, in whole packs, for each update of the discriminator.

        There are fewer where that is more than `most`, the images that there are, but at least a pack for each.
        """
        each = self.discriminator_steps * self.packing
        wanted = batch_size * self.discriminator_steps
        return max(1, min(wanted, wanted if most is None else most) // each) * each


class Network(NamedTuple):
    """All that a network learns: its parameters, and the statistics of BatchNorm and of spectral normalisation."""

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
        scored = self._discriminator.init(subkey(key, "discriminator"), x, label, False)
        return _network(made), _network(scored)

    @property
    def _labels(self) -> int:
        return self.classes if self.config.conditioning != "none" else 0

    @property
    def _generator(self) -> nn.Module:
        return self.config.backbone.generator(self)

    @property
    def _discriminator(self) -> nn.Module:
        return self.config.backbone.discriminator(self)

    def _run(
        self, module: nn.Module, network: Network, x: Array, label: Array, train: bool
    ) -> tuple[Float[Array, "..."], Network]:
        variables = {"params": network.parameters, "batch_stats": network.statistics}
        if not train:
            return module.apply(variables, x, one_hot(label, self._labels), False), network  # type: ignore[return-value]
        answer: Any = module.apply(variables, x, one_hot(label, self._labels), True, mutable=["batch_stats"])
        return answer[0], network._replace(statistics=answer[1].get("batch_stats", {}))


def _network(variables: Any) -> Network:
    return Network(variables["params"], variables.get("batch_stats", {}))


def refuse_contradictions(config: GANConfig) -> None:
    """Raise `UserError` where two options cannot go together."""
    loss, penalty = config.loss, config.penalty
    bounded = penalty.bounds_slope or config.normalisation == "spectral"
    if getattr(loss, "needs_bounded_slope", False) and not bounded:
        raise UserError(
            f"`loss` {kind_of(loss)} needs scores of bounded slope; give `penalty` gradient, `penalty` clipping or "
            "`normalisation` spectral."
        )
    if penalty.of_each_image and config.normalisation == "batch":
        raise UserError(
            f"`penalty` {kind_of(penalty)} is of each image alone, and `normalisation` batch mixes them; give "
            "`penalty` none, or normalise by layer or spectral."
        )
    if config.packing > 1 and config.conditioning != "none":
        raise UserError(
            f"`packing` {config.packing} scores images of several labels at once; give `conditioning` none."
        )
