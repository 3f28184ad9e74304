"""Boltzmann machines and other generative models in JAX: train, sample, judge and compare."""

__version__ = "0.1.0"
