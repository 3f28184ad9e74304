"""Compiled programs: what one process has compiled the next one reads from JAX's persistent cache, what it holds in
memory stays bounded, and what is said while it compiles."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import jax
import jax.monitoring

from genjax.data.cache import folder as cache_folder
from genjax.training.mesh import Devices, counted

MOST_BYTES = 10**9
LEAST_SECONDS = 0.3  # of compiling: shorter ones are not worth a file
MOST_PROGRAMS = 300  # that a process holds: of an RBM's training 7 MB each, and a run with all its pictures has 50
EVENT = "/jax/core/compile/backend_compile_duration"  # of JAX, once a program, read from the cache or not


def keep_compiled_programs() -> None:
    """Turn the cache on, unless the user has set one, in the user's cache folder with mode 0700.

    It is below the jaxlib version and the host's processor, since a program for another one may not run here. What has
    become too much in memory is forgotten.
    """
    forget_programs()
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


class Programs:
    """How many this process has compiled since it last forgot them."""

    count = 0

    @classmethod
    def note(cls, event: str, duration_secs: float, **_: Any) -> None:
        """Listener: count it."""
        cls.count += event == EVENT


jax.monitoring.register_event_duration_secs_listener(Programs.note)


def forget_programs() -> None:
    """Give back the memory of compiled programs where there are too many: JAX holds thousands, gigabytes of them.

    For the beginnings of work; what is needed again is compiled, or read, again.
    """
    if Programs.count > MOST_PROGRAMS:
        Programs.count = 0
        jax.clear_caches()


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
