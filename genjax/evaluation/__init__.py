"""Judging what a model gives by other means than its likelihood."""
