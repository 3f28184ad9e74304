"""How XLA compiles for tests: most of their time is its compiler's.

It is faster without its optimisations, and without the emitters of fusions a third faster still; later versions do not
know that flag, and abort. `UNOPTIMISED` is for processes that must not have the second.
"""

from importlib.metadata import version

UNOPTIMISED = "--xla_backend_optimization_level=0"
_OLD = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)
QUICK = f"{UNOPTIMISED} --xla_cpu_use_fusion_emitters=false" if _OLD else UNOPTIMISED
