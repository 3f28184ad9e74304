"""Figures: every function takes arrays and returns a matplotlib Figure; `images.save` writes one."""
