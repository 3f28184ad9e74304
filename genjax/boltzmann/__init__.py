"""Boltzmann machines as values: unit types, the layered `Machine`, and what is asked of one."""

from genjax.boltzmann.machine import Machine, energy
from genjax.boltzmann.rbm import free_energy

__all__ = ["Machine", "energy", "free_energy"]
