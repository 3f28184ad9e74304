"""What an evaluation costs."""

import sys


def peak_memory_mb() -> int | None:
    """The most resident memory that this process has had, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
