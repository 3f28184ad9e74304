"""What stands beside a bar: how far it is and how long it takes, before everything else, on any terminal."""

import io
import math
import time

import jax
import pytest
from rich.console import Console

from genjax.api.compilation import compiling
from genjax.api.progress import Bar, clock
from genjax.api.waiting import Waiting

NOTE = "epoch 100  56 steps/s  pseudo_likelihood -21.99  reconstruction_error 0.1043  free_energy_gap 0.25"


class Clock:
    """Seconds that pass when they are told to."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def reported(capsys, total, reports, start=0):
    """The lines of a log after reports of (seconds since the one before, what is done)."""
    now = Clock()
    with Bar("training", total, start, now) as bar:
        for seconds, done in reports:
            now.seconds += seconds
            bar.update(done, "a note")
    return capsys.readouterr().err.splitlines()


def test_what_is_compiled_for_is_said_until_the_first_report(capsys):
    device = jax.local_devices()[0].device_kind
    with Bar("training", 10, 5, Clock(), note=compiling()) as bar:
        bar.update(6, "a note")
    assert capsys.readouterr().err.splitlines() == [
        f"training  50 %  -:--:-- left  compiling for {device} ...",
        "training  60 %  -:--:-- left  a note",
    ]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None, legacy_windows=False)
    with Bar("training", 10, console=console, note=compiling()):
        pass
    assert f"-:--:-- left compiling for {device} ..." in out.getvalue()


def test_compilation_is_not_taken_for_work(capsys):
    first, second, third = reported(capsys, 1000, [(300, 10), (20, 110), (20, 210)])
    assert first == "training   1 %  -:--:-- left  a note"
    assert second == "training  11 %  0:02:58 left  a note"
    assert third == "training  21 %  0:02:38 left  a note"


def test_a_resumed_run_is_measured_by_its_own_steps(capsys):
    lines = reported(capsys, 10_000, [(30, 9010), (20, 9110), (20, 9210)], start=9000)
    assert [line.split("left")[0] for line in lines[1:]] == ["training  91 %  0:02:58 ", "training  92 %  0:02:38 "]


def test_the_last_minute_tells_the_speed(capsys):
    slow, fast = [(20, 10 * n) for n in range(1, 11)], [(20, 100 + 100 * n) for n in range(1, 6)]
    assert "0:02:00 left" in reported(capsys, 1200, slow + fast)[-1]  # 600 to go at 5 a second, not at 4
    assert "0:10:00 left" in reported(capsys, 4, [(100, 1), (600, 2), (600, 3)])[-1]  # two reports at least


def test_what_is_done_has_nothing_left(capsys):
    assert reported(capsys, 10, [(5, 10)]) == ["training 100 %  0:00:00 left  a note"]
    assert "-:--:-- left" in reported(capsys, 10, [(5, 3), (60, 3)])[-1]  # nothing moves: nothing is known


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (59.7, "0:01:00"), (3725.0, "1:02:05"), (math.nan, "-:--:--")]
)
def test_time_in_hours_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("title", ["training", "training layer 1"])
def test_a_terminal_shows_bar_share_and_time_first(width, title):
    now, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    with Bar(title, 1000, now=now, console=console) as bar:
        bar.update(100, NOTE)
        now.seconds += 10
        bar.update(500, "[/] " + NOTE)
    last = [line for line in out.getvalue().replace("\r", "\n").splitlines() if title in line][-1]
    assert len(last.split("\x1b")[0]) <= width
    before, note = last.split(" left ")
    assert before.endswith(" 50 % 0:00:12")
    assert "━" * 8 + " " * 8 in before  # half of the bar
    assert note.startswith("[/] epoch" if width > 60 else "[/]")
    assert ("0.25" in note) == (width == 200)


def test_a_log_says_what_takes_long_and_nothing_of_what_does_not(capsys):
    with Waiting("drawing filters", "two minutes", patience=0.01):
        time.sleep(0.1)
    with Waiting("drawing samples", patience=60.0):
        pass
    assert capsys.readouterr().err == "drawing filters (two minutes) ...\n"


def test_a_terminal_shows_what_goes_on():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60, color_system=None, legacy_windows=False)
    with Waiting("drawing filters", "two minutes", console):
        pass
    assert "drawing filters (two minutes) 0:00:00" in out.getvalue()
