"""JAX's persistent cache: what one process has compiled the next one reads. And what is said while it compiles."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import jax

from genjax.data.cache import folder as cache_folder
from genjax.training.mesh import Devices, counted

MOST_BYTES = 10**9
LEAST_SECONDS = 0.3  # of compiling: shorter ones are not worth a file


def keep_compiled_programs() -> None:
    """Turn the cache on, unless the user has set one, in the user's cache folder with mode 0700.

    It is below the jaxlib version and the host's processor, since a program for another one may not run here.
    """
    if jax.config.values["jax_compilation_cache_dir"] or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    place = Path(cache_folder()) / "xla" / f"{version('jaxlib')}-{platform.machine()}-{_processor()}"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
    except OSError:
        return  # a home that cannot be written costs compiling again, no more
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)


def compiling(devices: Devices = None, usual: int | Literal["all"] = 1) -> str:
    """What a bar says until its first report: that programs are compiled, and for which devices."""
    count, (device,) = counted(devices, usual), jax.device_put(0.0).devices()
    return f"compiling for {device.device_kind if count == 1 else f'{count} x {device.device_kind}'} ..."


def _processor() -> str:
    """What tells this host's processor from others, as a file name."""
    import zlib

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = "".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    except OSError:
        told = platform.processor()
    return f"{zlib.crc32(told.encode()):08x}"
