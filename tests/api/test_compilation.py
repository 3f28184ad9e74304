"""The persistent cache of compiled programs."""

import os
import subprocess
import sys

PROGRAM = """
import jax
from genjax.api.compilation import keep_compiled_programs
keep_compiled_programs()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x + 1)(1.0)
"""


def test_a_program_is_kept_without_a_word_from_jax(tmp_path):
    """In a process of its own, as a user's: the tests have a cache already. JAX's one needs a package of its own."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM]
    done = subprocess.run(command, env=unset | {"GENJAX_CACHE": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "xla").glob("*/jit_*"))
