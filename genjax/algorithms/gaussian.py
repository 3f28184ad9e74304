"""Gaussian diffusion: images turn into noise by z_t = alpha(t) x + sigma(t) e, and a network undoes it.

Two processes: DDPM (Ho, Jain and Abbeel 2020), whose network predicts the noise e, and flow matching along straight
lines (Lipman et al. 2023; Liu, Gong and Liu 2023), whose network predicts the velocity e - x. From either follow
guesses of x and of e, so that one step back from time t to s serves both: it draws from q(z_s | z_t, x) at the guessed
x, or without noise (`churn` 0; Song, Meng and Ermon 2021), which for straight lines is Euler's method. Values are
standardised by the mean and the deviation of the training values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from genjax import random
from genjax.algorithms import examples
from genjax.algorithms.denoiser import Denoiser, Holes, Images, spread_levels
from genjax.errors import UserError
from genjax.networks.backbones import Shape
from genjax.networks.unet import TimedUNet
from genjax.random import subkey
from genjax.training.config import positive, sizes
from genjax.training.mesh import sharded
from genjax.typing import Metrics

SHORTEST, LONGEST = 0.008, 0.978  # quarter turns of the cosine schedule: sigma stays above 0, alpha above 0.03

Time = Float[Array, ""] | Float[Array, " images"]


class Guess(NamedTuple):
    """What a network says of z_t: the image and the noise in it, `(images, values)` each."""

    x: Images
    noise: Images


Guesser = Callable[[Images, Time], Guess]


class Path(NamedTuple):
    """alpha(t) and sigma(t): from images at time 0 to noise at 1."""

    alpha: Callable[[Time], Array]
    sigma: Callable[[Time], Array]

    def at(self, x: Images, noise: Images, t: Time) -> Images:
        """z_t."""
        return _column(self.alpha(t)) * x + _column(self.sigma(t)) * noise


def _angle(t: Time) -> Array:
    return 0.5 * math.pi * (SHORTEST + (LONGEST - SHORTEST) * jnp.asarray(t))


COSINE = Path(lambda t: jnp.cos(_angle(t)), lambda t: jnp.sin(_angle(t)))  # Nichol and Dhariwal 2021
STRAIGHT = Path(lambda t: 1.0 - jnp.asarray(t), lambda t: jnp.asarray(t))


def shifted(path: Path, shift: float) -> Path:
    """The same path, on which more time is spent near the noise, where an image is decided on as a whole: signal to
    noise at each time is `shift` times less (Hoogeboom, Heek and Salimans 2023; Esser et al. 2024, equation 23)."""

    def later(t: Time) -> Array:
        return shift * jnp.asarray(t) / (1 + (shift - 1) * jnp.asarray(t))

    return Path(lambda t: path.alpha(later(t)), lambda t: path.sigma(later(t)))


def _column(a: Array) -> Array:
    return a[:, None] if a.ndim else a


def forwards(path: Path, s: Time, t: Time) -> tuple[Array, Array]:
    """Of q(z_t | z_s), s < t: the factor of z_s, and the variance."""
    ratio = path.alpha(t) / path.alpha(s)
    return ratio, path.sigma(t) ** 2 - (ratio * path.sigma(s)) ** 2


def posterior(path: Path, z: Images, x: Images, s: Time, t: Time) -> tuple[Images, Array]:
    """Of q(z_s | z_t, x), s < t: mean and variance (Ho, Jain and Abbeel 2020, equation 7)."""
    ratio, variance = forwards(path, s, t)
    kept, total = path.sigma(s) ** 2, path.sigma(t) ** 2
    return path.alpha(s) * variance / total * x + ratio * kept / total * z, kept * variance / total


def backwards(path: Path, z: Images, guess: Guess, noise: Images, s: Time, t: Time, churn: float) -> Images:
    """One step from time t to s: a draw of the posterior at the guessed image (`churn` 1), or none of its noise (0).

    Between them its deviation is `churn` times the posterior's (Song, Meng and Ermon 2021, equation 12).
    """
    deviation = churn * jnp.sqrt(posterior(path, z, guess.x, s, t)[1])
    direction = jnp.sqrt(jnp.maximum(path.sigma(s) ** 2 - deviation**2, 0.0))
    return path.alpha(s) * guess.x + direction * guess.noise + deviation * noise


def draw(key: Key[Array, ""], guesser: Guesser, path: Path, shape: tuple[int, int], steps: int, churn: float) -> Images:
    """From noise at time 1 to images at time 0, `(images, values)`, in so many steps."""

    def one(z: Images, number: Array) -> tuple[Images, None]:
        t, s = (1 - n.astype(jnp.float32) / steps for n in (number, number + 1))
        noise = random.normal(jax.random.fold_in(key, number), shape) if churn else jnp.zeros(shape, jnp.float32)
        z = sharded(z)
        guess = guesser(z, t)
        return jnp.where(number + 1 < steps, backwards(path, z, guess, noise, s, t, churn), guess.x), None

    return jax.lax.scan(one, random.normal(subkey(key, "start"), shape), jnp.arange(steps))[0]


def inpaint(
    key: Key[Array, ""], guesser: Guesser, path: Path, x: Images, missing: Holes, steps: int, repeats: int
) -> Images:
    """Draws of what is missing: at each level the rest is x with noise, and the step back is made `repeats` times, with
    the noise put back in between, so that both parts come to fit (Lugmayr et al. 2022)."""

    def one(z: Images, number: Array) -> tuple[Images, None]:
        t = 1 - (number // repeats).astype(jnp.float32) / steps
        s = jnp.maximum(t - 1 / steps, 0.0)
        step, known, again = (
            random.normal(jax.random.fold_in(subkey(key, use), number), x.shape) for use in ("step", "known", "again")
        )
        z = sharded(z)
        guess = guesser(z, t)
        lower = backwards(path, z, guess, step, s, t, 1.0)
        lower = jnp.where(missing, lower, path.at(x, known, s))
        ratio, variance = forwards(path, s, t)
        renewed = ratio * lower + jnp.sqrt(variance) * again
        last = jnp.where(missing, guess.x, x)
        lower = jnp.where(number // repeats + 1 < steps, lower, last)
        return jnp.where((number + 1) % repeats == 0, lower, renewed), None

    start = random.normal(subkey(key, "start"), x.shape)
    return jnp.where(missing, jax.lax.scan(one, start, jnp.arange(steps * repeats))[0], x)


@dataclass(frozen=True)
class DDPM:
    """Intensities get Gaussian noise, which a U-Net predicts (Ho, Jain and Abbeel 2020), on a cosine schedule."""

    layers: tuple[int, ...] = (512,)
    """Units of the dense layers that see all of an image (none: the U-Net alone)."""
    channels: tuple[int, ...] = (32, 64, 64)
    """Channels of the U-Net, first at half the image's sides, then halved each time."""
    blocks: int = 1
    """Residual blocks of the U-Net at each size, on either way."""
    sampling_steps: int = 50
    """Steps from noise to an image."""
    repeats: int = 4
    """Times that each level is gone through to fill in missing values."""
    churn: float = 1.0
    """Noise of a step of sampling: 1 that of the posterior, 0 none."""
    shift: float = 3.0
    """By how much less signal to noise there is at each time, so that more of it goes to images as a whole."""

    kind: ClassVar[str] = "ddpm"
    binarisation: ClassVar[str] = "none"
    line: ClassVar[Path] = COSINE

    def check(self) -> None:
        """Raise `UserError` for what is out of range."""
        sizes(self, "layers")
        sizes(self, "channels", least=1)
        positive(self, "blocks", "sampling_steps", "repeats", "shift")
        if not 0 <= self.churn <= 1:
            raise UserError(f"`churn` {self.churn} is out of range; give a number from 0 to 1.")

    @property
    def path(self) -> Path:
        """From images to noise."""
        return shifted(self.line, self.shift)

    def network(self, shape: Shape) -> nn.Module:
        """From noisy images and times to images."""
        return TimedUNet(shape, self.channels, self.blocks, self.layers)

    def first(self, key: Key[Array, ""], network: nn.Module, shape: Shape, mean: Float[Array, " values"]) -> PyTree:
        """As flax draws them."""
        return network.init(key, jnp.zeros((1, mean.shape[0]), jnp.float32), jnp.zeros(1, jnp.float32))

    def target(self, x: Images, noise: Images) -> Images:
        """What the network predicts."""
        return noise

    def guess(self, z: Images, t: Time, predicted: Images) -> Guess:
        """Image and noise from the prediction."""
        alpha, sigma = _column(self.path.alpha(t)), _column(self.path.sigma(t))
        return Guess((z - sigma * predicted) / alpha, predicted)

    def loss(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Float[Array, ""]:
        """Mean squared error of the prediction (Ho, Jain and Abbeel 2020, equation 14)."""
        z, t, wanted = self._noisy(key, standardised(model, x))
        return jnp.mean((model(z, t) - wanted) ** 2)

    def _noisy(self, key: Key[Array, ""], x: Images) -> tuple[Images, Array, Images]:
        t = spread_levels(subkey(key, "level"), len(x))
        noise = random.normal(subkey(key, "noise"), x.shape)
        return self.path.at(x, noise, t), t, self.target(x, noise)

    def observe(self, key: Key[Array, ""], model: Denoiser, x: Images) -> Metrics:
        """The error of the prediction, squared, a value."""
        return {"denoising_error": self.loss(key, model, x)}

    def guesser(self, model: Denoiser) -> Guesser:
        """The model's guesses, kept within the range of the training values."""

        def guess(z: Images, t: Time) -> Guess:
            every = jnp.broadcast_to(t, len(z)).astype(jnp.float32)
            alpha, sigma = _column(self.path.alpha(every)), _column(self.path.sigma(every))
            low, high = ((limit - model.range.mean) / model.range.deviation for limit in model.range[2:])
            x = jnp.clip(self.guess(z, every, model(z, every)).x, low, high)
            return Guess(x, (z - alpha * x) / sigma)

        return guess

    def sample(self, key: Key[Array, ""], model: Denoiser, count: int) -> Images:
        """From noise to images."""
        shape = (count, model.values)
        return original(model, draw(key, self.guesser(model), self.path, shape, self.sampling_steps, self.churn))

    def complete(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes) -> Images:
        """`inpaint`."""
        known = standardised(model, jnp.where(missing, 0.0, x))
        drawn = inpaint(key, self.guesser(model), self.path, known, missing, self.sampling_steps, self.repeats)
        return jnp.where(missing, original(model, drawn), x)

    def reconstruct(self, key: Key[Array, ""], model: Denoiser, x: Images, missing: Holes, sweeps: int) -> Images:
        """The mean of some completions."""
        draws = max(1, sweeps // (self.sampling_steps * self.repeats))
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(draws))
        return jax.lax.map(lambda own: self.complete(own, model, x, missing), keys).mean(0)

    def check_examples(self, x: examples.Values) -> None:
        """Raise `UserError` where they are no numbers."""
        examples.finite(x)


@dataclass(frozen=True)
class Flow(DDPM):
    """Intensities move to noise on straight lines, and a U-Net predicts the velocity (flow matching)."""

    churn: float = 0.0
    """Noise of a step of sampling: 1 that of the posterior, 0 none."""

    kind: ClassVar[str] = "flow"
    line: ClassVar[Path] = STRAIGHT

    def target(self, x: Images, noise: Images) -> Images:
        """The velocity."""
        return noise - x

    def guess(self, z: Images, t: Time, predicted: Images) -> Guess:
        """Where the line began, and where it ends."""
        alpha, sigma = _column(self.path.alpha(t)), _column(self.path.sigma(t))
        return Guess(z - sigma * predicted, z + alpha * predicted)


def standardised(model: Denoiser, x: Images) -> Images:
    """Of mean 0 and deviation 1, as the training values are then."""
    return (x - model.range.mean) / model.range.deviation


def original(model: Denoiser, x: Images) -> Images:
    """Back from `standardised`."""
    return x * model.range.deviation + model.range.mean
