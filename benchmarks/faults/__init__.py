"""Faults, tried for real: what is killed, interrupted, damaged or has no room, and what is left of it."""
