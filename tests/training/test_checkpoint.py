"""Checkpoints: what goes in comes out, and damage is told from a whole file."""

import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.errors import DataWarning, UserError
from genjax.training.checkpoint import Checkpoints, Pause, digest, restore_newest
from tests.machines import random_machine


class State(NamedTuple):
    machine: object
    average: object
    step: jax.Array
    hyper: dict


def state(seed: int = 0, sizes=(30, 20)) -> State:
    return State(random_machine(sizes, seed=seed), None, jnp.asarray(7 + seed), {"learning_rate": jnp.asarray(0.1)})


def test_what_goes_in_comes_out(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() is None
    for step in (1, 2, 3, 5):
        checkpoints.save(step, state(step))
    checkpoints.close()
    again = Checkpoints(tmp_path)
    assert again.latest() == 5
    restored = again.restore(5, jax.eval_shape(state))
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state(5)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert isinstance(restored, State)


def big_files(folder: Path) -> list[Path]:
    return sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)[-6:]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_damage_is_noticed_wherever_it_is(tmp_path, damage):
    for number in range(6):
        folder = tmp_path / str(number)
        checkpoints = Checkpoints(folder)
        checkpoints.save(4, state())
        checkpoints.close()
        victim = big_files(folder)[number]
        content = victim.read_bytes()
        if damage == "remove":
            victim.unlink()
        elif damage == "truncate":
            victim.write_bytes(content[: len(content) // 2])
        else:
            middle = len(content) // 2
            victim.write_bytes(content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :])
        try:
            restored = Checkpoints(folder).restore(4, state())
        except UserError as error:
            assert "damaged" in str(error)  # noqa: PT017
        else:  # a file that restoring does not need
            for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state())):
                np.testing.assert_array_equal(a, b)


def test_another_models_state_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(4, state())
    with pytest.raises(UserError, match="another model"):
        checkpoints.restore(4, state(sizes=(30, 21)))


def test_the_digest_is_of_names_and_bytes():
    """Arrays of one shape that have changed places, and one bit of one of them."""
    a, b = np.arange(4.0), np.arange(4.0) + 1
    right = digest({"a": a, "b": b})
    assert right == digest({"b": b, "a": a})
    assert right != digest({"a": b, "b": a})
    assert right != digest({"a": a, "c": b})
    assert right != digest({"a": a, "b": np.nextafter(b, 9)})


def damage(checkpoint: Path) -> None:
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_last_whole_checkpoint_is_used_and_damaged_ones_are_set_aside(tmp_path):
    """Where a run goes on: the step of a damaged one is written again."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (1, 2, 3):
        checkpoints.save(step, state(step))
    checkpoints.close()
    damage(tmp_path / "checkpoints" / "train" / "3")
    for aside in (False, True):
        with pytest.warns(DataWarning, match="3 is damaged; the one before it, 2, is used"):
            restored, step = restore_newest(tmp_path, jax.eval_shape(state), "train", aside)
        assert step == int(restored.step) - 7 == 2
    assert (tmp_path / "checkpoints" / "damaged" / "train-3").is_dir()
    again = Checkpoints(tmp_path / "checkpoints")
    again.save(3, state(3))
    again.close()
    assert restore_newest(tmp_path, jax.eval_shape(state), "train")[1] == 3
    for step in (1, 2, 3):
        damage(tmp_path / "checkpoints" / "train" / str(step))
    with pytest.raises(UserError, match="train/3 is damaged"):
        restore_newest(tmp_path, jax.eval_shape(state), "train", True)


def test_a_state_that_has_learned_nothing_stands_for_none_that_has(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (0, 4):
        checkpoints.save(step, state(step))
    checkpoints.close()
    damage(tmp_path / "checkpoints" / "train" / "4")
    with pytest.raises(UserError, match="train/4 is damaged"):
        restore_newest(tmp_path, jax.eval_shape(state), "train")
    with pytest.warns(DataWarning):
        assert restore_newest(tmp_path, jax.eval_shape(state), "train", True)[1] == 0


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_others_stay(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(1, state(1))

    def full(*_, **__):
        raise ValueError("INTERNAL: Error writing local file: No space left on device [os_error_code=28]")

    monkeypatch.setattr(checkpoints.manager, "save", full)
    with pytest.raises(UserError, match=r"train/2 cannot be written \(No space left on device\); make room"):
        checkpoints.save(2, state(2))
    assert restore_newest(tmp_path, jax.eval_shape(state), "train")[1] == 1


def test_writing_takes_at_most_a_fiftieth_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    pause = Pause(15.0)
    for seconds, least in ((0.1, 15), (2.0, 100), (0.1, 15)):
        assert not pause.due
        now[0] += 15 if least == 100 else 100
        with pause.over():
            now[0] += seconds
        now[0] += least - 0.01
        assert not pause.due
        now[0] += 0.02
        assert pause.due
        pause.began = now[0]
    assert Pause(0.0).due
