"""One process trains a run's folder at a time; who has died is not in the way."""

import subprocess
import sys

import pytest

from genjax.errors import UserError
from genjax.training.lock import NAME, hold, released_on_failure


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path):
    lock = hold(tmp_path)
    with pytest.raises(UserError, match=f"{tmp_path} is being trained by another process"):
        hold(tmp_path)
    lock.release()
    hold(tmp_path).release()


def test_a_failure_gives_it_back(tmp_path):
    lock = hold(tmp_path)
    with pytest.raises(ZeroDivisionError), released_on_failure(lock):
        _ = 1 / 0
    hold(tmp_path).release()


def test_a_dead_process_is_not_in_the_way(tmp_path):
    """It is killed while it holds the lock; its file stays."""
    code = f"""
from filelock import FileLock
lock = FileLock({str(tmp_path / NAME)!r})
lock.acquire()
import os, signal
print("held", flush=True)
signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="another process"):
        hold(tmp_path)
    process.kill()
    process.wait()
    process.stdout.close()
    assert (tmp_path / NAME).exists()
    hold(tmp_path).release()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        hold(tmp_path)
