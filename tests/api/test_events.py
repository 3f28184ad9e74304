"""TensorBoard's event files: what was measured, at its step, and no more."""

import struct

import pytest

from genjax.api import events
from genjax.cli.main import main
from genjax.errors import UserError

ENTRIES = [
    {"step": 10, "epoch": 1.0, "seconds": 0.1, "stage": "layer-1", "error": 0.5},
    {"step": 20, "epoch": 2.0, "seconds": 0.2, "error": 0.25, "gap": float("nan")},
]


def scalars(folder):
    """`(tag, step, value)` of all event files, in the order of their names, as TensorBoard's records hold them."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2", reason="tensorboardX is an extra")
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):  # length, its checksum, the record, its checksum
            (length,) = struct.unpack_from("<Q", content, at)
            event = proto.Event.FromString(content[at + 12 : at + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += 16 + length
    return found


def test_entries_are_scalars_once(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is an extra")
    entries = ENTRIES[:1]
    write = events.events(tmp_path, entries)
    write()
    entries.append(ENTRIES[1])
    write("what a hook is given")
    write()
    assert scalars(tmp_path) == [("layer-1/error", 10, 0.5), ("error", 20, 0.25)]


def test_a_run_that_goes_on_repeats_nothing(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is an extra")
    events.events(tmp_path, ENTRIES[:1])()
    events.events(tmp_path, ENTRIES[:1])()
    assert len(scalars(tmp_path)) == 1


def test_without_it_nothing_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install tensorboardX"):
        events.refuse_missing()
    assert main(["train", "rbm", "--tensorboard", "--out", str(tmp_path / "run")]) == 2
    assert "--tensorboard needs tensorboardX" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
