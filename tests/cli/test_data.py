"""What the command line makes of data: notes are said, the first few stand for all, labels go by their names."""

import ast
import dataclasses
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from genjax.cli.families import FAMILIES
from genjax.cli.run import Prepared, Run, prepare, read_images

import genjax
from genjax import data
from genjax.cli import evaluate
from genjax.cli.options import RunConfig, cost
from genjax.cli.sample import chosen_label, class_names
from genjax.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 2, (60, 4, 4), np.uint8)
LABELS = np.repeat([1, 2, 3], 20)


def config(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return FAMILIES["rbm"].config(dataset=str(tmp_path / "mine.npz"))


def test_notes_are_lines_on_standard_error(tmp_path, capsys):
    chosen = config(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS, x_val=PIXELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = read_images(chosen)
    out, error = capsys.readouterr()
    assert out == ""
    assert error.splitlines() == list(dataset.notes)
    assert [word in error for word in ("x_val is not used", "1, 2, 3 are classes 0 to 2")] == [True, True]
    read_images(RunConfig())
    assert capsys.readouterr() == ("", "")


def test_the_first_images_of_a_run_are_not_one_class(tmp_path):
    splits = {f"{kind}_{split}": x for split in ("train", "validation") for kind, x in (("x", PIXELS), ("y", LABELS))}
    prepared = prepare(config(tmp_path, **splits), FAMILIES["rbm"])
    training = prepared.training
    assert set(np.asarray(training.labels[:10])) == {0, 1, 2}
    assert set(np.asarray(training.held_out.label[:10])) == {0, 1, 2}
    rows = prepared.dataset.train[np.lexsort(prepared.dataset.train.T)]
    np.testing.assert_array_equal(np.asarray(training.images)[np.lexsort(training.images.T)], rows)


def run_on(names, classes):
    """A run that has learned so many labels of data with these names."""
    dataset = dataclasses.replace(data.load(), class_names=names)
    family = FAMILIES["gan"]._replace(classes=lambda state: classes)
    return Run(Path("r"), "gan", family, family.config(), None, 0, Prepared(dataset, None, None, {}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "classes", "text", "number"),
    [
        (("1", "2", "3"), 3, "3", 2),
        (("ant", "bee"), 2, "bee", 1),
        (("5", "7"), 4, "unused-3", 3),
        (tuple("0123456789"), 10, "7", 7),
        ((), 3, "2", 2),
        (("all", "b"), 2, "all", "all"),
    ],
)
def test_a_label_is_asked_for_as_the_data_call_it(names, classes, text, number):
    run = run_on(names, classes)
    assert chosen_label(run, text) == number
    assert len(class_names(run, classes)) == classes


@pytest.mark.parametrize(
    ("names", "text", "words"),
    [(("1", "2", "3"), "0", "one of 1, 2, 3, or all"), (("0", "1"), "2", "a number from 0 to 1, or all")],
)
def test_a_label_that_is_not_there(names, text, words):
    with pytest.raises(UserError, match=f"--label {text} is none of them; give {words}"):
        chosen_label(run_on(names, len(names)), text)


def test_nothing_needs_a_module_that_windows_lacks(monkeypatch):
    for path in Path(genjax.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {"resource", "fcntl", "pwd", "grp", "termios", "posix", "tty", "pty"} & set(names), path
    assert (evaluate.peak_memory_mb() or 0) > 10
    monkeypatch.setitem(sys.modules, "resource", None)
    assert evaluate.peak_memory_mb() is None
    assert cost({"seconds": 3.4, "peak_memory_mb": None}) == "3 s"
    assert cost({"seconds": 3.4, "peak_memory_mb": 5}) == "3 s, 5 MB"
