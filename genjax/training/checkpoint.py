"""Checkpoints of a run: the whole state as named arrays, by Orbax, each written whole or not at all."""

import contextlib
import errno
import logging
import os
import re
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from genjax.errors import DataWarning, UserError
from genjax.training import processes

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax tells of every file it touches
MOST_OF_TIME = 0.02  # that writing may take


def named_leaves(state: Any) -> dict[str, Any]:
    """The state's arrays by their path, e.g. `.machine.weights[0]`."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]}


def shapes(leaves: dict[str, Any]) -> dict[str, list[int]]:
    """The shape of each array, as JSON keeps it."""
    return {name: list(leaf.shape) for name, leaf in leaves.items()}


def digest(leaves: dict[str, Any]) -> int:
    """CRC-32 over names and bytes: what tells a damaged checkpoint from a whole one."""
    total = 0
    for name in sorted(leaves):
        total = zlib.crc32(np.ascontiguousarray(leaves[name]).tobytes(), zlib.crc32(name.encode(), total))
    return total


def with_rates(like: Any, names: dict[str, Any]) -> Any:
    """The same structure with the rates that a checkpoint has, of which a run that was made longer has one more."""
    if not isinstance(getattr(like, "hyper", None), dict):
        return like
    rates = [match[1] for name in names if (match := re.fullmatch(r"\.hyper\['(\w+)'\]", name))]
    return like._replace(hyper={name: jax.ShapeDtypeStruct((), jnp.float32) for name in rates})


class Pause:
    """Between two checkpoints: some seconds, and so many that writing takes at most 2 % of the time, whatever the disk.

    0 is no pause at all.
    """

    def __init__(self, seconds: float):
        self.seconds, self.least, self.began = seconds, seconds, time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether it is over."""
        return time.perf_counter() - self.began >= self.least

    @contextlib.contextmanager
    def over(self) -> Iterator[None]:
        """Write a checkpoint here; then another pause begins."""
        began = time.perf_counter()
        yield
        self.began = time.perf_counter()
        self.least = max(self.seconds, (self.began - began) / MOST_OF_TIME) if self.seconds else 0.0


class Checkpoints:
    """The folder `checkpoints/` of a run: the newest three, named by stage and step."""

    def __init__(self, folder: Path, stage: str = "train"):
        self.folder = folder / stage
        self.folder.mkdir(parents=True, exist_ok=True)
        here = ocp.options.MultiprocessingOptions(
            jax.process_index(), {jax.process_index()}
        )  # of several the one that calls
        options = ocp.CheckpointManagerOptions(
            max_to_keep=3, enable_async_checkpointing=False, create=False, multiprocessing_options=here
        )
        self.manager = ocp.CheckpointManager(self.folder.resolve(), options=options)

    def latest(self) -> int | None:
        """Steps done at the newest checkpoint; None where there is none."""
        return self.manager.latest_step()

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / str(step)

    def save(self, step: int, state: Any) -> None:
        """Write the state reached after `step` steps; a step that is there already is left as it is."""
        if step in self.manager.all_steps():
            return
        leaves = {name: np.asarray(leaf) for name, leaf in named_leaves(state).items()}
        record = ocp.args.JsonSave({"shapes": shapes(leaves), "digest": digest(leaves)})  # type: ignore[call-arg]
        arrays = ocp.args.StandardSave(leaves)  # type: ignore[call-arg]
        try:
            self.manager.save(step, args=ocp.args.Composite(state=arrays, record=record))
        except Exception as error:  # Orbax raises whatever its storage layers raise
            why = reason(error)
            text = f"Checkpoint {self.path(step)} cannot be written ({why}); make room, then go on with `resume`."
            raise UserError(text) from error

    def restore(self, step: int, like: Any) -> Any:
        """The state of a step, in the structure of `like` (a state or its `jax.eval_shape`).

        Rates (`hyper`) are those that the checkpoint holds, which may have other names. Raises `UserError` where the
        files are damaged or hold another model's state.
        """
        hush_late_answers()
        remedy = "delete that folder to go back to the checkpoint before it"
        try:
            record = self.manager.restore(step, args=ocp.args.Composite(record=ocp.args.JsonRestore()))["record"]
            like = with_rates(like, record["shapes"])
            wanted = named_leaves(like)
            if record["shapes"] != shapes(wanted):
                raise UserError(f"Checkpoint {self.path(step)} holds another model's state than config.json names.")
            abstract = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in wanted.items()}
            arrays = ocp.args.StandardRestore(abstract)  # type: ignore[call-arg]
            leaves = self.manager.restore(step, args=ocp.args.Composite(state=arrays))["state"]
            whole = digest(leaves) == record["digest"]
        except UserError:
            raise
        except Exception as error:  # Orbax raises whatever its storage layers raise
            raise UserError(f"Checkpoint {self.path(step)} is damaged ({type(error).__name__}); {remedy}.") from error
        if not whole:
            raise UserError(f"Checkpoint {self.path(step)} is damaged (its checksum differs); {remedy}.")
        return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaves[name]) for name in wanted])

    def steps(self) -> list[int]:
        """Those that are kept, in their order."""
        return sorted(self.manager.all_steps())

    def drop_after(self, step: int) -> None:
        """Delete what a run that goes on from this step will write again."""
        for later in (kept for kept in self.steps() if kept > step):
            self.manager.delete(later)

    def close(self) -> None:
        """Wait for what is being written."""
        self.manager.close()


def reason(error: Exception) -> str:
    """Why a file could not be written, in the operating system's words where an error of a storage layer has them."""
    known = (os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES))
    said = str(error)
    return next((words for words in known if words in said), type(error).__name__)


@cache
def hush_late_answers() -> None:
    """Say nothing of answers of the storage layer that come after Orbax has given up a damaged checkpoint: each would
    be a traceback of a thread of its own, at any time later."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if kind is not RuntimeError or str(error) != "Event loop is closed":
            before(kind, error, trace)

    sys.excepthook = hook


def any_saved(folder: Path, stage: str) -> bool:
    """Whether a stage of the run in this folder has a checkpoint: its own folder alone may be what a killed process
    left."""
    return any(path.name.isdecimal() for path in (folder / "checkpoints" / stage).glob("*"))


def restore_newest(folder: Path, like: Any, stage: str, going_on: bool = False) -> tuple[Any, int]:
    """The newest whole checkpoint's state and its step; those after it that are damaged are told in a warning.

    For a run that is `going_on`, whose own will have their places, they are set aside, and the state before the first
    step will do. Raises `UserError` where the stage has none, or none that is whole.
    """
    place = folder / "checkpoints" / stage
    steps = sorted((int(path.name) for path in place.glob("*") if path.name.isdecimal()), reverse=True)
    if not steps:
        raise UserError(f"{folder} has no checkpoint of {stage}; go on with `resume`, or train it again.")
    checkpoints, damaged = Checkpoints(place.parent, stage), []
    try:
        for step in steps if going_on or steps[0] == 0 else filter(None, steps):
            try:
                state = checkpoints.restore(step, like)
            except UserError as error:
                damaged.append((step, error))
                continue
            for number, _ in damaged:
                text = f"Checkpoint {place / str(number)} is damaged; the one before it, {step}, is used."
                warnings.warn(text, DataWarning, stacklevel=2)
                if going_on and processes.writes():
                    _set_aside(place / str(number))
            return state, step
    finally:
        checkpoints.close()
    raise damaged[0][1]


def _set_aside(path: Path) -> None:
    """A damaged checkpoint goes to `checkpoints/damaged/`, out of the way."""
    place = path.parent.parent / "damaged" / f"{path.parent.name}-{path.name}"
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    os.replace(path, place)
