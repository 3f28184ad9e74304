"""What an evaluation costs."""

import sys
from typing import Any


def peak_memory_mb() -> int | None:
    """The most resident memory that this process has had, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def at_first_look(kind: Any, effort: dict[str, Any]) -> dict[str, Any]:
    """The effort of an estimate, little where it is not given or is the usual one."""
    usual = {} if kind is None else vars(kind())
    little = {n: v for n, v in getattr(kind, "quick", {}).items() if effort.get(n, usual[n]) == usual[n]}
    return effort | ({} if effort.get("standard_error") else little)
