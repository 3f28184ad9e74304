"""Several processes that train one run together, on as many machines, over JAX's own engine (`jax.distributed`).

Every process reads the data, makes the same first state and computes its devices' part of each step. Process 0 alone
writes and prints; what decides how a run goes on, it asks of all (`most`). With one process nothing here does anything.
"""

import contextlib
import ctypes
import importlib.util
import os
import re
import signal
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from genjax.errors import Diverged, Interrupted, Lost, UserError

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as ended."""
PATIENCE = 300
"""Seconds in which all processes have to begin, and to end when their work is done."""
RUNTIME = (
    r"(ABORTED|CANCELLED|DEADLINE_EXCEEDED|FAILED_PRECONDITION|INTERNAL|UNAVAILABLE|UNKNOWN): "  # an error of XLA's
)


def writes() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def most(number: int) -> int:
    """The largest of the numbers with which all processes call this."""
    return number if jax.process_count() == 1 else int(multihost_utils.process_allgather(np.int32(number)).max())


def refuse_others(**facts: Any) -> None:
    """Raise `UserError`, in all processes, where one of them has other facts of the run than the rest."""
    if jax.process_count() == 1:
        return
    texts = [re.sub("0x[0-9a-f]+", "", repr(fact)) for fact in facts.values()]  # of objects from outside
    own = np.array([zlib.crc32(text.encode()) for text in texts], np.uint32)
    apart = np.ptp(multihost_utils.process_allgather(own).astype(np.int64), axis=0) > 0
    if apart.any():
        names = " and ".join(name for name, other in zip(facts, apart) if other)
        raise UserError(f"The processes differ in {names}; start all of them with the same command on the same files.")


@contextlib.contextmanager
def together(coordinator: str | None, processes: int | None, process_id: int | None) -> Iterator[None]:
    """While open, this process is one of several: as given, or as SLURM or a TPU pod says; else it is alone.

    Where another one ends before its time this one does too, with a sentence and status 1 within `HEARTBEAT` seconds.
    """
    if not join(coordinator, processes, process_id):
        yield
        return
    with aborts_in_words(), answers_apart():
        try:
            yield
        except (Diverged, Interrupted):  # of all alike
            jax.distributed.shutdown()
            raise
        except Exception as error:
            if not re.match(RUNTIME, str(error)):
                raise
            raise Lost() from error
        jax.distributed.shutdown()


def join(coordinator: str | None, processes: int | None, process_id: int | None) -> bool:
    """Meet the other processes; whether there are any. Raises `UserError` where the arguments name none, or they do not
    come."""
    options = named(coordinator, processes, process_id)
    told = bool(options) or is_task()
    if processes == 1 or not (told or has_tpu()):
        return False
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM
    options |= {"local_device_ids": devices_of_task(), "heartbeat_timeout_seconds": HEARTBEAT}
    try:
        with aborts_in_words():  # so it answers where they do not come
            jax.distributed.initialize(**options, initialization_timeout=PATIENCE, shutdown_timeout_seconds=PATIENCE)
    except (RuntimeError, ValueError, OSError) as error:
        if not told:
            return False  # a TPU that belongs to no pod
        why = str(error).splitlines()[0]
        raise UserError(f"`coordinator` {coordinator or 'of SLURM'}: the processes do not meet ({why}).") from error
    return jax.process_count() > 1


def named(coordinator: str | None, processes: int | None, process_id: int | None) -> dict[str, Any]:
    """What JAX takes of the three arguments; nothing where there are none. Raises `UserError` for less than all."""
    given = {"coordinator": coordinator, "processes": processes, "process_id": process_id}
    if given == dict.fromkeys(given):
        return {}
    if coordinator is None or processes is None or process_id is None:
        has = " and ".join(f"`{name}` {value}" for name, value in given.items() if value is not None)
        raise UserError(f"{has} alone; give all of `coordinator`, `processes` and `process_id`.")
    if not re.fullmatch(r"\S+:[0-9]+", coordinator):
        raise UserError(f"`coordinator` {coordinator} is no address; give HOST:PORT of process 0.")
    if processes < 1 or not 0 <= process_id < processes:
        raise UserError(f"`process_id` {process_id} of `processes` {processes}: give 0 to one less than their count.")
    return {
        "coordinator_address": coordinator,
        "num_processes": processes,
        "process_id": process_id,
        "cluster_detection_method": "deactivate",
    }


def is_task() -> bool:
    """Whether SLURM has started this process as one of several."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in os.environ


def devices_of_task() -> list[int] | None:
    """Which of the GPUs that it sees are this task's: all of them where it is alone on its node, or sees but one.

    Otherwise JAX gives each task the one of its number.
    """
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    alone = not re.search(r"[2-9]|[1-9][0-9]", re.sub(r"\(.*?\)", "", os.environ.get("SLURM_STEP_TASKS_PER_NODE", "1")))
    return list(range(len(visible))) if visible and (alone or len(visible) == 1) else None


def has_tpu() -> bool:
    """Whether this machine has TPUs that JAX may use."""
    allowed = os.environ.get("JAX_PLATFORMS", "tpu").split(",")
    chips = [*Path("/dev").glob("accel*"), *Path("/dev/vfio").glob("[0-9]*")]
    return "tpu" in allowed and bool(chips) and importlib.util.find_spec("libtpu") is not None


@contextlib.contextmanager
def aborts_in_words() -> Iterator[None]:
    """While open, JAX's abort, its answer to the end of another process, ends this one with a sentence and status 1."""

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def end(number: int) -> None:  # in a thread of JAX's, while the others may wait for ever
        sys.stderr.write(f"genjax: {Lost()}\n")
        sys.stderr.flush()
        os._exit(1)

    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGABRT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)


@contextlib.contextmanager
def answers_apart() -> Iterator[None]:
    """While open, what is written to standard output, as Gloo does, goes to standard error: the answer comes later."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
