"""Optimal transport: exact and regularised plans, distances of sets of points, the colours of one image on another.

The solvers are POT's and OTT-JAX's (the extra `ot`).
"""

from genjax.transport.colour import fit_colours, recoloured
from genjax.transport.distances import sinkhorn_divergence, wasserstein
from genjax.transport.plans import Plan, barycentric, exact, regularised, squared_distances

__all__ = ["Plan", "barycentric", "exact", "fit_colours", "recoloured", "regularised", "sinkhorn_divergence",
           "squared_distances", "wasserstein"]  # fmt: skip
