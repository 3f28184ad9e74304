"""Datasets: one `load`, whatever the source."""
