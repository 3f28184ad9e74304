"""Programs of trials on 8 forced devices: JAX makes its devices once a process, so that each runs in its own."""

import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import jax

from tests.xla_flags import QUICK

DEVICES = 8
FORCED = f"--xla_force_host_platform_device_count={DEVICES}"


def process(command: list[str], flags: str = QUICK) -> str:
    """What Python prints with these arguments, on 8 devices."""
    environment = {**os.environ, "XLA_FLAGS": f"{FORCED} {flags}", "JAX_PLATFORMS": "cpu"}
    here = Path(__file__).parent.parent
    result = subprocess.run(
        [sys.executable, *command], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def run(program: str, names: list[str], flags: str = QUICK) -> dict[str, str]:
    """What a module that calls `main` says of each of its trials: "right", or what was wrong."""
    return dict(re.findall(r"^(\S.*?): (.*(?:\n    .*)*)", process(["-m", program, *names], flags), re.MULTILINE))


def main(trial: Callable[[str], None]) -> None:
    """Try each of the names that the process was given: a line each, and its seconds to the standard error."""
    assert jax.device_count() == DEVICES, jax.devices()
    for name in sys.argv[1:]:
        began = time.process_time()
        try:
            trial(name)
        except Exception:
            print(f"{name}: {traceback.format_exc()}".replace("\n", "\n    "), flush=True)
        else:
            print(f"{name}: right", flush=True)
        print(f"{name}, {time.process_time() - began:.1f} s", file=sys.stderr)
