"""Runs in a table, in a page, and in a list."""

import pytest

from tests.cli.test_commands import one_sentence


@pytest.mark.slow
def test_runs_are_compared_on_a_page_and_listed(genjax, trained, tmp_path):
    page = tmp_path / "page.html"
    status, answer, error = genjax("compare", trained, trained, "--out", page, "--json")
    assert status == 0, error
    (row,) = answer["rows"]  # the same settings twice
    assert row["seeds"] == 2
    assert row["log_likelihood"]["half_interval"] == 0
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "small: " in text
    assert "<polyline" in text
    (listed,) = genjax("runs", trained.parent, "--json")[1]["runs"]
    assert (listed["model"], listed["length"], listed["seed"]) == ("rbm", "4 epochs", 0)
    assert listed["test"].endswith(" nats")


def test_what_cannot_be_compared_is_named(genjax, tmp_path):
    assert "name the folders" in one_sentence(*genjax("compare")[::2])
    assert "there is no such folder" in one_sentence(*genjax("runs", tmp_path / "nothing")[::2])
    assert "--out page.pdf is not an .html" in one_sentence(*genjax("compare", "a", "--out", "page.pdf")[::2])
