"""Drawing from models: block Gibbs, tempering, filling in."""

from genjax.sampling import diagnostics, gibbs, inpainting, tempering
from genjax.sampling.gibbs import sample

__all__ = ["diagnostics", "gibbs", "inpainting", "sample", "tempering"]
