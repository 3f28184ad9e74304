"""What the command line makes of data: notes are said, the first few stand for all, labels go by their names."""

import ast
import dataclasses
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax import data
from genjax.api.prepared import prepare
from genjax.api.run import Run
from genjax.cli import datasets
from genjax.cli.main import main
from genjax.data.record import of_images
from genjax.errors import DataWarning, UserError
from genjax.evaluation.cost import peak_memory_mb
from genjax.evaluation.sentences import cost
from genjax.models.gan import GAN
from genjax.models.rbm import RBM
from genjax.training.settings import RunConfig

PIXELS = np.random.default_rng(0).integers(0, 2, (60, 4, 4), np.uint8)
LABELS = np.repeat([1, 2, 3], 20)


def written(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return str(tmp_path / "mine.npz")


def test_notes_are_lines_on_standard_error(tmp_path, capsys, monkeypatch):
    """Each time that the data are read, and whatever is done with warnings otherwise."""
    mine = written(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS, x_val=PIXELS)
    noted = []

    def command(_):
        noted.append(data.load(mine).notes)
        data.load()
        return {}, "done"

    monkeypatch.setattr(datasets, "command", command)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert main(["data"]) == 0
        out, error = capsys.readouterr()
        assert out == "done\n"
        assert error.splitlines() == list(noted[-1])
        assert [word in error for word in ("x_val is not used", "1, 2, 3 are classes 0 to 2")] == [True, True]


def test_the_first_images_of_a_run_are_not_one_class(tmp_path):
    splits = {f"{kind}_{split}": x for split in ("train", "validation") for kind, x in (("x", PIXELS), ("y", LABELS))}
    with pytest.warns(DataWarning, match="classes 0 to 2"):
        dataset = data.load(written(tmp_path, **splits))
    prepared = prepare(RBM(), RunConfig(binarisation="sampled"), dataset)
    training = prepared.training
    assert set(np.asarray(training.target[:10])) == {0, 1, 2}
    assert set(np.asarray(training.held_out.target[:10])) == {0, 1, 2}
    rows = prepared.dataset.train[np.lexsort(prepared.dataset.train.T)]
    np.testing.assert_array_equal(np.asarray(training.x)[np.lexsort(training.x.T)], rows)


@pytest.fixture(scope="module", name="record")
def record_fixture():
    return of_images(data.load())


def run_on(record, names, classes, monkeypatch):
    """A run that has learned so many labels of data with these names."""
    monkeypatch.setattr(GAN, "model", GAN.model._replace(classes=lambda parameters: classes))
    return Run(GAN(), RunConfig(), dataclasses.replace(record, class_names=names), kept_parameters=())


@pytest.mark.parametrize(
    ("names", "classes", "text", "number"),
    [
        (("1", "2", "3"), 3, "3", 2),
        (("ant", "bee"), 2, "bee", 1),
        (("5", "7"), 4, "unused-3", 3),
        (tuple("0123456789"), 10, "7", 7),
        ((), 3, "2", 2),
        (("1", "2", "3"), 3, 0, 0),
    ],
)
def test_a_label_is_asked_for_as_the_data_call_it(record, monkeypatch, names, classes, text, number):
    run = run_on(record, names, classes, monkeypatch)
    assert run.class_number(text) == number
    assert len(run.label_names(classes)) == classes


@pytest.mark.parametrize(
    ("names", "text", "words"),
    [(("1", "2", "3"), "0", "one of 1, 2, 3, or all"), (("0", "1"), "2", "a number from 0 to 1, or all")],
)
def test_a_label_that_is_not_there(record, monkeypatch, names, text, words):
    run = run_on(record, names, len(names), monkeypatch)
    with pytest.raises(UserError, match=f"`label` {text} is none of them; give {words.removesuffix(', or all')}"):
        run.class_number(text)
    with pytest.raises(UserError, match=f"`label` {text} is none of them; give {words}"):
        run.class_number(text, "all")


def test_nothing_needs_a_module_that_windows_lacks(monkeypatch):
    for path in Path(genjax.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {"resource", "fcntl", "pwd", "grp", "termios", "posix", "tty", "pty"} & set(names), path
    assert (peak_memory_mb() or 0) > 10
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory_mb() is None
    assert cost({"seconds": 3.4, "peak_memory_mb": None}) == "3 s"
    assert cost({"seconds": 3.4, "peak_memory_mb": 5}) == "3 s, 5 MB"
