"""Boltzmann machines as values: unit types, the layered `Machine`, its RBM."""
