"""One script a claim; `python -m benchmarks` runs them (see `__main__.py`)."""

import os
import sys

if "matplotlib" not in sys.modules:  # as for the command line: a notebook's backend need not exist where scripts run
    os.environ["MPLBACKEND"] = "Agg"
