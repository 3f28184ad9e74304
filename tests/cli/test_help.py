"""What a person asks before the first run: help in groups, the version with its device, and the shell's completion."""

import shutil
import subprocess
import sys

import pytest

from genjax.cli.completion import command
from genjax.cli.main import COMMANDS
from genjax.models.table import MODELS

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@pytest.fixture(scope="module")
def completion() -> str:
    return command(["bash"])[1]


def completed(completion: str, *words: str) -> list[str]:
    """What the shell offers for the last of these words."""
    line = f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}; _genjax"
    code = f'{completion}\n{line}; echo "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split()


@bash
@pytest.mark.slow
def test_a_shell_completes_commands_models_options_and_choices(completion):
    assert completed(completion, "genjax", "") == [*COMMANDS]
    assert completed(completion, "genjax", "tra") == ["train", "transfer"]
    assert completed(completion, "genjax", "train", "") == [*MODELS]
    assert {"--hidden", "--hidden-type"} < {*completed(completion, "genjax", "train", "rbm", "--hid")}
    assert completed(completion, "genjax", "train", "gan", "--loss", "hi") == ["hinge"]
    assert "--no-evaluate" in completed(completion, "genjax", "train", "vae", "--epochs", "3", "--no")
    assert completed(completion, "genjax", "sample", "rbm") == ["rbm-mnist"]
    assert completed(completion, "genjax", "evaluate", "runs/x", "--temp") == ["--temperatures"]


def test_help_begins_with_what_most_people_give(genjax, capsys):
    with pytest.raises(SystemExit):
        genjax("train", "rbm", "--help")
    text = capsys.readouterr().out
    places = [text.index(part) for part in ("main options", "--dataset", "--epochs", "--hidden INT", "model options")]
    assert places == sorted(places)
    assert text.index("--momentum") < text.index("run options") < text.index("--log-every")
    assert text.index("evaluation options") < text.index("--temperatures")


def test_the_version_names_jax_and_the_device(genjax):
    status, text, _ = genjax("--version")
    assert status == 0
    assert "JAX" in text
    assert "cores" in text


def test_commands_and_models_are_taken_in_any_case(genjax):
    assert "--steps -1" in genjax("TRAIN", "RBM", "--steps", "-1")[2]
    assert genjax("help")[1] == genjax("--help")[1]


@pytest.mark.slow
def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "genjax", "data"], capture_output=True, text=True, check=True)
    assert "mnist" in done.stdout
