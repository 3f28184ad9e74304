"""The command as a process: pipes that are cut, devices that are not there, names that cannot be printed."""

import contextlib
import io
import json
import os
import subprocess
import sys

import jax
import pytest

from genjax.cli import datasets, main
from tests.cli.conftest import start
from tests.cli.test_commands import one_sentence

ANSWERS = [["--help"], ["--version"], ["data"], ["data", "--json"], ["train", "--help"], ["train", "rbm", "--help"]]


@contextlib.contextmanager
def cut_pipe():
    """Standard output is a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream, contextlib.redirect_stdout(stream):
        yield
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # what is left in the buffer has to go somewhere


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_who_no_longer_reads_is_no_error(arguments, capsys):
    with cut_pipe():
        assert main.main(arguments) == 141
    assert capsys.readouterr().err == ""


def test_an_answer_larger_than_the_buffer_is_cut_as_well(capsys, monkeypatch):
    monkeypatch.setattr(datasets, "command", lambda _: ({"numbers": [0.5] * 100_000}, ""))
    with cut_pipe():
        assert main.main(["data", "--json"]) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_real_pipes(arguments, reader):
    command = f"{sys.executable} -m genjax.cli.main {' '.join(arguments)} | {reader}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in ((141,) if reader == "true" else (0, 141))  # a short answer may be read in full


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_is_named(capsys):
    with open("/dev/full", "w") as full, contextlib.redirect_stdout(full):
        status = main.main(["data"])
        assert "No space left" in one_sentence(status, capsys.readouterr().err)
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (AssertionError(), "no such device"),
        (RuntimeError("Unable to initialize backend 'cuda': none.\nmore (set JAX_PLATFORMS='')"), "backend 'cuda'"),
    ],
)
def test_a_device_that_is_not_there_is_named(fault, named, monkeypatch, capsys):
    """JAX tells it by assertions, in whatever comes first."""

    def fails(*_):
        raise fault

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setattr(datasets, "command", fails)
    with pytest.raises(type(fault)):  # JAX works: the fault is another one, and ours
        main.main(["data"])
    monkeypatch.setattr(jax, "devices", fails)
    sentence = one_sentence(main.main(["data"]), capsys.readouterr().err)
    assert "JAX_PLATFORMS=cuda" in sentence
    assert named in sentence
    monkeypatch.delenv("JAX_PLATFORMS")
    assert "JAX cannot start" in one_sentence(main.main(["data"]), capsys.readouterr().err)


def run(monkeypatch, arguments):
    """The console's standard output in ASCII, and the status that it left with."""
    out, left = io.BytesIO(), []
    monkeypatch.setattr(sys, "argv", ["genjax", *arguments])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), "ascii"))
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setenv("MPLBACKEND", "module://of.a.notebook")
    main.console()
    assert os.environ["MPLBACKEND"] == "Agg"
    sys.stderr.flush()
    return out.getvalue().decode("ascii"), sys.stderr.buffer.getvalue().decode("ascii"), left


def test_names_that_cannot_be_printed_are_escaped(monkeypatch):
    name = "r\N{LATIN SMALL LETTER E WITH ACUTE}\udcff \N{DIGIT ONE}\N{PILE OF POO}"
    monkeypatch.setattr(datasets, "command", lambda _: ({"run": name}, name))
    assert run(monkeypatch, ["data"]) == ("r\\xe9\\udcff 1\\U0001f4a9\n", "", [])
    out, _, _ = run(monkeypatch, ["data", "--json"])
    assert json.loads(out) == {"run": name}
    out, error, left = run(monkeypatch, [name])
    assert error.startswith("genjax: r\\xe9\\udcff 1")
    assert left == [2]


def test_a_run_whose_name_is_not_utf8_is_refused_before_it_is_trained(capsys, tmp_path):
    for where in (tmp_path / "b\udcff", tmp_path / "a\udcffb" / "run"):
        sentence = one_sentence(main.main(["train", "rbm", "--out", str(where)]), capsys.readouterr().err)
        assert "not UTF-8" in sentence
    assert not list(tmp_path.iterdir())


def test_closed_streams_are_no_error(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["genjax", "data"])
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    main.console()


@pytest.mark.slow
def test_a_notebook_backend_and_a_missing_device(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://no.such.backend")
    process = start("data", cwd=tmp_path)
    _, error = process.communicate()
    assert (process.returncode, error) == (0, "")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    process = start("train", "rbm", "--epochs", 1, cwd=tmp_path)
    _, error = process.communicate()
    assert "JAX_PLATFORMS=cuda" in one_sentence(process.returncode, error) or jax.default_backend() == "gpu"
    assert not list(tmp_path.iterdir()) or jax.default_backend() == "gpu"
