"""Several processes: how they find each other, and that one alone asks nobody. See also `tests.cli.test_processes`."""

import jax
import pytest

from genjax.errors import UserError
from genjax.training import processes


@pytest.fixture
def asked(monkeypatch) -> list[dict]:
    """With what `jax.distributed.initialize` is called, in place of doing it."""
    calls: list[dict] = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **options: calls.append(options))
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    monkeypatch.setattr(processes, "has_tpu", lambda: False)
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_TASKS_PER_NODE", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    return calls


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("here:1", None, None), "`coordinator` here:1 alone"),
        ((None, 2, 1), "`processes` 2 and `process_id` 1 alone"),
        (("here", 2, 0), "`coordinator` here is no address"),
        (("here:1", 2, 2), "`process_id` 2 of `processes` 2"),
        (("here:1", 0, 0), "`process_id` 0 of `processes` 0"),
    ],
)
def test_arguments_that_name_no_processes_are_refused(asked, given, words):
    with pytest.raises(UserError, match=words):
        processes.join(*given)
    assert not asked


def test_processes_that_are_named_meet_at_the_coordinator(asked):
    processes.join("here:12", 3, 2)
    assert asked[0]["coordinator_address"] == "here:12"
    assert (asked[0]["num_processes"], asked[0]["process_id"]) == (3, 2)
    assert asked[0]["cluster_detection_method"] == "deactivate"  # also within SLURM


def test_one_process_meets_nobody(asked, monkeypatch):
    assert not processes.join(None, None, None)
    assert not processes.join("here:12", 1, 0)
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert not processes.join(None, None, None)
    assert not asked
    with processes.together(None, None, None):
        assert processes.writes()
        assert processes.most(7) == 7
        processes.refuse_others(options=object())


@pytest.mark.parametrize(
    ("visible", "tasks", "own"),
    [
        (None, "4(x2)", None),
        ("0,1,2,3", "4(x2)", None),  # JAX gives each its own
        ("0,1,2,3", "1(x12)", [0, 1, 2, 3]),  # a task a node has all of its devices
        ("0,1", "1", [0, 1]),
        ("3", "4", [0]),  # SLURM has shared them out
        ("0,1,2,3", "12,1", None),
    ],
)
def test_tasks_of_slurm_meet_by_themselves_and_use_their_devices(asked, monkeypatch, visible, tasks, own):
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", tasks)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    processes.join(None, None, None)
    assert "coordinator_address" not in asked[0]
    assert asked[0]["local_device_ids"] == own


def test_hosts_of_a_pod_meet_by_themselves_and_a_tpu_of_none_is_alone(asked, monkeypatch):
    monkeypatch.setattr(processes, "has_tpu", lambda: True)
    processes.join(None, None, None)
    assert asked

    def fails(**_: object) -> None:
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", fails)
    assert not processes.join(None, None, None)
    with pytest.raises(
        UserError, match="`coordinator` here:1: the processes do not meet \\(coordinator_address should"
    ):
        processes.join("here:1", 2, 0)
