"""Backbones as flax.linen modules, used through `init` and `apply`."""
