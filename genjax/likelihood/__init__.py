"""What a machine says of data, in nats: exact, by annealed importance sampling, by pseudo-likelihood."""

from genjax.likelihood.partition import bracket, log_z

__all__ = ["bracket", "log_z"]
