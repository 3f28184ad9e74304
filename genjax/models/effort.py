"""How much is spent on an estimate: the options of the estimators, one dataclass each."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from genjax.likelihood.bidirectional import PathKind, Schedule
from genjax.training.config import at_least, positive


@dataclass(frozen=True, kw_only=True)
class AIS:
    """Annealed importance sampling of log Z, from both sides."""

    temperatures: int = 10_000
    """Temperatures of annealed importance sampling."""
    ais_chains: int = 500
    """Chains of annealed importance sampling."""
    standard_error: float | None = None
    """Standard error of log Z in nats for which to choose temperatures and chains instead, by a pilot run."""
    path: PathKind = "geometric"
    """From the data's base rates to the machine: straight, or through machines of averaged moments."""
    schedule: Schedule = "sine"
    """Where the temperatures stand: denser near 1 (sine), or where a pilot run finds that they are needed (adapted)."""

    quick: ClassVar[dict[str, int]] = {"temperatures": 1000, "ais_chains": 100}
    """What is enough for a first look."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        at_least(self, 2, "temperatures", "ais_chains")
        positive(self, "standard_error")


@dataclass(frozen=True, kw_only=True)
class ImportanceSampling:
    """Draws from a recognition model."""

    draws: int = 5000
    """Importance samples an image."""

    quick: ClassVar[dict[str, int]] = {"draws": 500}
    training: ClassVar[int] = 1000
    """Training examples that an evaluation takes, as each of them costs so many draws."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        positive(self, "draws")


@dataclass(frozen=True, kw_only=True)
class Inception:
    """The published network for FID and KID."""

    inception: Path | None = None
    """A file with the Inception network's weights, for FID and KID of samples."""

    def check(self) -> None:
        """Nothing to refuse before the file is read."""
