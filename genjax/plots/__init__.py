"""Figures: every function takes arrays and a path, and writes one PNG."""
