"""A run's files: damage is told, and what a killed process left is not in the way."""

import json

import pytest

from genjax.errors import DataWarning, UserError
from genjax.training import folder


def test_damaged_lines_are_left_out_and_told_and_half_a_last_one_is_not_worth_a_word(tmp_path, recwarn):
    for step in (1, 2, 3):
        folder.append_metrics(tmp_path, {"step": step, "seconds": 0.5, "stage": "train"})
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [entry["step"] for entry in folder.read_metrics(tmp_path)] == [1, 2]
    assert not recwarn
    first, second, third = whole.splitlines(keepends=True)
    for damaged in (
        b"\xff" + second[1:],
        b"[3]\n",
        b'{"step": "2"}\n',
        b'{"step": 2, "x": {}}\n',
        b"[" * 10_000 + b"\n",
    ):
        path.write_bytes(first + damaged + third)
        with pytest.warns(DataWarning, match="metrics.jsonl: a line is damaged and left out"):
            assert [entry["step"] for entry in folder.read_metrics(tmp_path)] == [1, 3]


def test_a_place_where_a_run_was_killed_before_it_had_a_config_is_free(tmp_path):
    folder.refuse_taken(tmp_path / "none")
    for name in folder.BEFORE_CONFIG:
        (tmp_path / name).touch()
    folder.refuse_taken(tmp_path)
    folder.create(tmp_path, "rbm", {"config": {}, "run": {}}, {}, "see source")
    assert json.loads((tmp_path / "config.json").read_text())["model"] == "rbm"
    with pytest.raises(UserError, match="exists"):
        folder.refuse_taken(tmp_path)
    with pytest.raises(UserError, match="exists"):
        folder.refuse_taken(tmp_path / "config.json")


def test_a_file_of_a_run_is_no_run(tmp_path):
    """Its folder is named."""
    folder.create(tmp_path, "rbm", {"config": {}, "run": {}}, {}, "see source")
    with pytest.raises(UserError, match=f"is a file; name the folder of its run, {tmp_path}"):
        folder.read_config(tmp_path / "config.json")
