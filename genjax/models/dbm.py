"""The deep Boltzmann machine: trained layer by layer, then all layers together; it answers what an RBM answers."""

from dataclasses import dataclass

from genjax.algorithms import greedy
from genjax.algorithms.contrastive import DBMConfig
from genjax.boltzmann.units import BERNOULLI
from genjax.data import Dataset
from genjax.errors import UserError
from genjax.models import rbm
from genjax.models.base import Config
from genjax.training.config import kind_of
from genjax.training.settings import RunConfig
from genjax.typing import Stage


@dataclass(frozen=True, kw_only=True)
class DBM(Config, DBMConfig):
    """A deep Boltzmann machine, trained layer by layer, then all layers together."""


def stages(config: DBM, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    """The stack of RBMs, then the whole machine."""
    return greedy.stages(config, steps, steps_per_epoch)


def check(config: DBM, run: RunConfig, dataset: Dataset) -> None:
    """RBMs hand on binary units alone; otherwise as of an RBM."""
    if config.pretraining and config.hidden_type != BERNOULLI:
        raise UserError(f"`hidden_type` {kind_of(config.hidden_type)} has no pretraining; give `pretraining` 0.")
    rbm.check(config, run, dataset)


DBM.model = rbm.RBM.model._replace(name="dbm", config=DBM, stages=stages, check=check, padding=None, follow=None)
