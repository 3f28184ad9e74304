"""A grid on disk: what its runs are, a line of metrics.jsonl a run and chunk, and checkpoints of runs trained together.

An interrupted grid goes on from them, group by group; what lies after a group's checkpoint is written again.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from genjax.api import folder as on_disk
from genjax.data import record as records
from genjax.errors import UserError
from genjax.training import folder as run_folder
from genjax.training.checkpoint import Checkpoints, Pause, any_saved, restore_newest
from genjax.training.lock import hold, released_on_failure
from genjax.training.options import to_json
from genjax.typing import Stage

MAY_DIFFER = ("devices", "checkpoint_seconds", *on_disk.PLACES)  # of a grid that goes on


def saved_arguments(folder: Path, model: str) -> list[str]:
    """The arguments of the command that a grid of this model began with. Raises `UserError` where there are none."""
    if not (folder / "config.json").exists():
        raise UserError(f"`resume` {folder} is no grid's folder; name the folder of one.")
    saved = run_folder.read_config(folder)
    found = saved["decided"].get("arguments") if isinstance(saved.get("decided"), dict) else None
    if saved.get("model") != f"grid {model}" or not isinstance(found, list):
        raise UserError(f"`resume` {folder} holds no grid of {model} that can go on; name the folder of one.")
    return [str(argument) for argument in found]


@contextlib.contextmanager
def opened(
    folder: Path, members: Sequence[Any], common_batches: bool, facts: dict[str, Any] | None = None
) -> Iterator[None]:
    """While open, a grid's folder, made or found, is held for who trains it.

    `facts` are kept with it. Raises `UserError` where it holds something else than these runs on these data, or cannot
    be written.
    """
    wanted = content(members) | {"common_batches": common_batches}
    if not (folder / "config.json").exists():
        lock = on_disk.claimed(folder)
        with released_on_failure(lock):
            on_disk.create_grid(folder, members[0].config, members, (facts or {}) | wanted)
    else:
        saved = run_folder.read_config(folder).get("decided")
        for name, what in (("members", "runs"), ("data", "data"), ("common_batches", "batches")):
            if not isinstance(saved, dict) or saved.get(name) != json.loads(json.dumps(wanted[name])):
                raise UserError(f"`out` {folder} holds a grid of other {what}; name another folder for this one.")
        lock = hold(folder)
    try:
        yield
    finally:
        lock.release()


def content(members: Sequence[Any]) -> dict[str, Any]:
    """What tells a grid from all others: its runs' options, and its data."""
    runs = [dataclasses.asdict(member.run) for member in members]
    kept = [{name: value for name, value in run.items() if name not in MAY_DIFFER} for run in runs]
    data = {member.record.ordered: records.to_json(member.record) for member in members}
    return {"members": [[to_json(m.config), run] for m, run in zip(members, kept)], "data": list(data.values())}


def named(rows: Sequence[int]) -> str:
    """What the checkpoints of a group are named by: groups are made alike, or are halves of such."""
    return f"{rows[0]}x{len(rows)}"


def was_halved(folder: Path, rows: Sequence[int]) -> bool:
    """Whether a part of a group has checkpoints of its own, as the group could not be trained together."""
    if len(rows) == 1:
        return False
    halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    own = any(any((folder / "checkpoints").glob(f"{named(half)}-*")) for half in halves)
    return own or any(was_halved(folder, half) for half in halves)


class Keeper:
    """What a group of runs that are trained together leaves: `rows` are theirs among the runs of the grid."""

    def __init__(self, folder: Path, rows: Sequence[int], ending: Callable[[], bool], seconds: float):
        self.folder, self.rows, self.ending = folder, list(rows), ending
        self.name = named(self.rows)
        self.pause = Pause(seconds)

    def stage(self, stage: Stage) -> str:
        """The name of a stage's checkpoints."""
        return f"{self.name}-{stage.name}"

    def newest(self, stages: Sequence[Stage]) -> int | None:
        """The last stage with a checkpoint."""
        found = [n for n, stage in enumerate(stages) if any_saved(self.folder, self.stage(stage))]
        return max(found, default=None)

    def restore(self, stage: Stage, like: Any) -> tuple[Any, int]:
        """The newest whole states of a stage, in the structure of `like`, and their step."""
        return restore_newest(self.folder, like, self.stage(stage), going_on=True)

    def save(self, stage: Stage, step: int, states: Any) -> None:
        """A checkpoint of all states after a step of the stage."""
        with self.pause.over():
            checkpoints = Checkpoints(self.folder / "checkpoints", self.stage(stage))
            checkpoints.save(step, states)
            checkpoints.close()

    def write(self, index: int, entry: dict[str, Any]) -> None:
        """A line of one of the group's runs."""
        run_folder.append_metrics(self.folder, {"run": self.rows[index], **entry})

    def rewound(self, step: int) -> list[list[dict[str, Any]]]:
        """Each run's lines up to a step of all stages; those after it are dropped."""
        lines = run_folder.read_metrics(self.folder)
        lines = [line for line in lines if line.get("run") not in self.rows or line["step"] <= step]
        run_folder.write_lines(self.folder / "metrics.jsonl", lines)
        own = [[line for line in lines if line.get("run") == row] for row in self.rows]
        return [[{name: value for name, value in line.items() if name != "run"} for line in of] for of in own]
