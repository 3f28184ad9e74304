"""The run folder: what was asked (config.json), where it ran (environment.json), what happened (metrics.jsonl)."""

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax.data import record as records
from genjax.data.record import Record
from genjax.errors import DataWarning, UserError
from genjax.training import lock

FORMAT = 2
NUMBER = int | float
TEXTS = ("stage", "diverged")  # of the entries of a line of metrics
READ = (1, 2)  # before 2, the options of model and run stood flat beside each other
NAMES = "names.json"  # of users and items, where ratings have them
BEFORE_CONFIG = (lock.NAME, "environment.json", "environment.json.part", NAMES, records.MEAN, "config.json.part")


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz, written whole or not at all. Raises `OSError` where it cannot be written."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(temporary, path)


def free_name(folder: Path) -> Path:
    """The folder itself, or with -2, -3, ... where it exists."""
    number = 2
    candidate = folder
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate


def refuse_taken(folder: Path) -> None:
    """Raise `UserError` where a new run has no place: anything is there but what one left that was killed as it began,
    before it had a config."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or any(path.name not in BEFORE_CONFIG for path in folder.iterdir()):
        raise UserError(f"`out` {folder} exists; name another folder, or continue it with `resume` {folder}.")


def create(
    folder: Path,
    model: str,
    config: dict[str, Any],
    decided: dict[str, Any],
    licence: str,
    data: Record | None = None,
) -> Path:
    """Make a run's folder with its config and environment. Raises `UserError` where it cannot be written.

    `decided` holds what was chosen once for the run (plan, generator, dtype) and is kept on resume; `data` what the run
    keeps of its data, for which a folder without it needs these data whenever it is opened.
    """
    content = {"format": FORMAT, "model": model, **config, "decided": decided}
    refuse_taken(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "environment.json", environment(licence))
        if data is not None:
            content["data"] = records.to_json(data)
        if data is not None and data.names:
            (folder / NAMES).write_text(json.dumps(data.names) + "\n")
        if data is not None:
            records.write_mean(folder, data)
        write_json(folder / "config.json", content)
    except OSError as error:
        raise UserError(f"`out` {folder} cannot be written ({error.strerror}); name a folder that can.") from None
    return folder


def read_config(folder: Path) -> dict[str, Any]:
    """What `config.json` of a run says. Raises `UserError` where there is none, or not of a format known here."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        raise UserError(f"{folder} is not a run folder: it has no config.json; make one with genjax train.") from None
    except NotADirectoryError:
        raise UserError(f"{folder} is a file; name the folder of its run, {folder.parent}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); restore it from a copy.") from None
    if content.get("format") not in READ:
        readable = " and ".join(map(str, READ))
        raise UserError(f"{path} has format {content.get('format')}; this version of genjax reads formats {readable}.")
    return content


def read_evaluation(folder: Path) -> dict[str, Any]:
    """What `evaluation.json` of a run says; nothing where there is none, or where it is damaged, as a warning tells."""
    path = folder / "evaluation.json"
    try:
        content = json.loads(path.read_text())
        for estimate in content.get("log_likelihood", {}).values():
            float(estimate["mean"])
        return dict(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        warnings.warn(f"{path} is damaged and left out; evaluate the run again.", DataWarning, stacklevel=2)
        return {}


def read_record(folder: Path) -> Record | None:
    """What a run keeps of its data; None of a run that keeps nothing. Raises `UserError` where it is damaged."""
    saved, names = read_config(folder).get("data"), None
    if saved is None:
        return None
    try:
        if (folder / NAMES).exists():
            names = json.loads((folder / NAMES).read_text())
        return records.read_mean(folder, records.from_json(saved, names))
    except (OSError, ValueError) as error:
        files = f"{folder / 'config.json'} or {NAMES} beside it"
        raise UserError(f"{files} is damaged (data: {error}); restore it from a copy.") from None


def environment(licence: str) -> dict[str, Any]:
    """Versions, device, cores of the host that may be used, commit and the data's licence."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "genjax-models")
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    device = jax.local_devices()[0]
    return {
        "python": platform.python_version(),
        "versions": versions,
        "device": f"{device.platform}: {device.device_kind}",
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "machine": platform.machine(),
        "commit": commit(),
        "data_licence": licence,
    }


def in_a_line() -> str:
    """On which JAX, Python and device this runs."""
    found = environment("")
    device = f"{found['devices']} x {found['device']}, {found['cores']} cores"
    return f"JAX {found['versions']['jax']}, Python {found['python']}, on {device}"


def commit() -> str:
    """The commit of the checkout that the package runs from; "unknown" elsewhere."""
    here = Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def append_metrics(folder: Path, entry: dict[str, Any]) -> None:
    """One JSON object, one line."""
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps(entry) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All whole lines of metrics.jsonl (a killed run may have left half of one), told in a warning where others than
    the last are damaged."""
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    entries = [_entry(line) for line in lines]
    if damaged := sum(entry is None for entry in entries[:-1]):
        what = "a line is" if damaged == 1 else f"{damaged} lines are"
        warnings.warn(f"{path}: {what} damaged and left out.", DataWarning, stacklevel=2)
    return [entry for entry in entries if entry is not None]


def _entry(line: bytes) -> dict[str, Any] | None:
    """What a line of metrics.jsonl says; None where it is no entry."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and type(entry.get("step")) is int
    return entry if whole and all(isinstance(entry[name], str if name in TEXTS else NUMBER) for name in entry) else None


def rewind_metrics(folder: Path, step: int) -> None:
    """Drop what lies after `step`: a resumed run writes it again."""
    write_lines(folder / "metrics.jsonl", [entry for entry in read_metrics(folder) if entry["step"] <= step])


def write_lines(path: Path, entries: list[dict[str, Any]]) -> None:
    """A file of a JSON object a line, written whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    os.replace(temporary, path)
