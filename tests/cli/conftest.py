"""One small trained run that the tests of the other commands share, and how they call the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genjax.api.plot import Plots
from genjax.cli.main import main

SMALL = ["--epochs", "4", "--hidden", "12", "--temperatures", "50", "--ais-chains", "20"]


def no_figures(self: Plots, *_: object, **__: object) -> dict[str, object]:
    """In place of `Plots.all`."""
    return {}


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run of a machine small enough to enumerate; its figures are drawn by a slow test alone."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plots, "all", no_figures)
        assert main(["train", "rbm", "--out", str(folder), *SMALL]) == 0
    return folder


@pytest.fixture
def no_pictures(monkeypatch) -> None:
    """Training draws nothing at its end, which would take longer to compile than the training."""
    monkeypatch.setattr(Plots, "all", no_figures)


@pytest.fixture
def genjax(capsys):
    """Call the command in this process: `(status, standard output as JSON or text, standard error)`."""

    def call(*arguments: str):
        capsys.readouterr()
        status = main([str(a) for a in arguments])
        out, error = capsys.readouterr()
        return status, json.loads(out) if "--json" in arguments and status == 0 else out, error

    return call


def start(*arguments: str, cwd: Path) -> subprocess.Popen:
    """The command in a process of its own, without the tests' instrumentation."""
    command = [sys.executable, "-m", "genjax.cli.main", *[str(a) for a in arguments]]
    return subprocess.Popen(command, cwd=cwd, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
