"""How much is spent on an estimate: the options of the estimators, one dataclass each."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from genjax.likelihood.bidirectional import PathKind, Schedule
from genjax.training.config import at_least, positive

FEWEST_MINUTES = 10.0  # for a standard error that was asked for


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
    minutes: float | None = None
    """How long an estimate may take that goes on because it is not to be trusted, with more temperatures and tempering
    (0: it does not go on; by default as long as training took, where a standard error is asked for at least 10)."""

    quick: ClassVar[dict[str, int]] = {"temperatures": 1000, "ais_chains": 100}
    """What is enough for a first look."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        at_least(self, 2, "temperatures", "ais_chains")
        at_least(self, 0, "minutes")
        positive(self, "standard_error")

    def within(self, training: float) -> "AIS":
        """The same with its minutes, of a run whose training took so many."""
        usual = training if self.standard_error is None else max(training, FEWEST_MINUTES)
        return self if self.minutes is not None else replace(self, minutes=usual)


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
