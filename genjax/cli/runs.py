"""`genjax runs`: the runs in a folder, with their settings, dates and results."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from genjax.api.compare import lines_of
from genjax.cli.parsing import parse
from genjax.errors import UserError

SHOWN = ("hidden", "layers", "latents", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the runs in a folder: model, data, length, sizes, when they were last trained, and what they reached."""

    folder: Annotated[str, tyro.conf.Positional] = "runs"
    """Where the runs are."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax runs`."""
    folder = Path(parse(Options, arguments, "genjax runs").folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name the one that holds the runs.")
    found = sorted(folder.glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    rows = [row for path in found if (row := row_of(path)) is not None]
    return {"runs": rows}, "\n".join(lines_of(rows)) if rows else f"{folder} holds no runs yet: genjax train rbm"


def row_of(path: Path) -> dict[str, Any] | None:
    """What a run's folder says, None where its config.json cannot be read."""
    try:
        saved = json.loads(path.read_text())
        found = path.parent / "evaluation.json"
        evaluation = json.loads(found.read_text()) if found.exists() else {}
    except (OSError, ValueError):
        return None
    run, config = saved.get("run", {}), saved.get("config", {})
    length = f"{run['steps']} steps" if run.get("steps") else f"{run.get('epochs')} epochs"
    sizes = ", ".join(f"{name} {config[name]}" for name in SHOWN if name in config)
    when = datetime.datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    test = evaluation.get("log_likelihood", {}).get("test", {})
    result = f"{test['mean']:.2f} nats" if "mean" in test else ""
    row = {"run": str(path.parent), "model": saved.get("model"), "data": Path(str(run.get("dataset"))).name}
    return row | {"length": length, "seed": run.get("seed"), "settings": sizes, "trained": when, "test": result}
