"""TensorBoard's event files of a run, written as it learns: `genjax train MODEL --tensorboard`."""

import math
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genjax.errors import UserError

PLACES = ("step", "epoch", "seconds", "stage")  # of an entry; the rest is measured


def refuse_missing() -> None:
    """Raise `UserError` where there is nothing that writes event files."""
    if find_spec("tensorboardX") is None:
        raise UserError("`tensorboard` needs tensorboardX, which is not installed; pip install tensorboardX.")


def events(folder: Path, entries: Sequence[dict[str, Any]]) -> Callable[..., None]:
    """What writes new `entries` of metrics.jsonl, each metric a scalar, into `folder` whenever it is called.

    A folder that holds event files already has what was there before; another gets all. Metrics of earlier stages stand
    below the stage's name; what is no finite number is left out.
    """
    summary = import_module("tensorboardX.summary")  # an extra
    writers = import_module("tensorboardX.event_file_writer")
    event = import_module("tensorboardX.proto.event_pb2").Event

    written = len(entries) if any(folder.glob("events.out.tfevents.*")) else 0
    folder.mkdir(parents=True, exist_ok=True)
    writer = writers.EventsWriter(str(folder / "events"), f".{written}")  # a SummaryWriter would not wait

    def write(*_: Any) -> None:
        nonlocal written
        for entry in entries[written:]:
            below = f"{entry['stage']}/" if "stage" in entry else ""
            for name, value in entry.items():
                if name not in PLACES and isinstance(value, int | float) and math.isfinite(value):
                    scalar = summary.scalar(f"{below}{name}", value)
                    writer.write_event(event(wall_time=time.time(), step=entry["step"], summary=scalar))
        written = len(entries)
        writer.flush()

    return write
