"""The front door: fit, load, grid, compare, and the run that they give."""
