"""Configs from flat options, as the command line and the front door make them."""

from typing import Any

from genjax.training.options import build, flat


def made(of: Any, **options: Any) -> Any:
    """The config of this class with these options, or this config with some of its options changed."""
    return build(of, options) if isinstance(of, type) else build(type(of), flat(of) | options)
