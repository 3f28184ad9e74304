"""One script per question; each makes its table and its figure."""

import os
import sys

if "matplotlib" not in sys.modules:  # as for the command line: a notebook's backend need not exist where scripts run
    os.environ["MPLBACKEND"] = "Agg"
