"""One script a claim; `python -m benchmarks` runs them (see `__main__.py`)."""
