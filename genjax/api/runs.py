"""The runs in a folder, a row each."""

import datetime
import json
from pathlib import Path
from typing import Any

from genjax.errors import UserError
from genjax.training.folder import read_evaluation

SHOWN = ("hidden", "layers", "latents", "learning_rate")


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """A row for each run in a folder that can be read, the one trained last at the end. Raises `UserError` where there
    is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name the one that holds the runs.")
    found = sorted(folder.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    return [row for path in found if (row := row_of(path)) is not None]


def row_of(path: Path) -> dict[str, Any] | None:
    """What a run's folder says, None where its config.json cannot be read."""
    try:
        saved = json.loads(path.read_text())
        run, config = dict(saved.get("run", {})), dict(saved.get("config", {}))
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    evaluation = read_evaluation(path.parent)
    length = f"{run['steps']} steps" if run.get("steps") else f"{run.get('epochs')} epochs"
    sizes = ", ".join(f"{name} {config[name]}" for name in SHOWN if name in config)
    when = datetime.datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    test = evaluation.get("log_likelihood", {}).get("test", {})
    result = f"{test['mean']:.2f} nats" if "mean" in test else ""
    row = {"run": str(path.parent), "model": saved.get("model"), "data": Path(str(run.get("dataset"))).name}
    return row | {"length": length, "seed": run.get("seed"), "settings": sizes, "trained": when, "test": result}
