"""The README's Python session runs as printed."""

import re
from pathlib import Path

import jax.numpy as jnp
import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.slow
def test_the_python_session_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (session,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in session.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 12
    names: dict = {}
    exec(session, names)
    assert names["images"].shape == (16, 8, 8)
    assert len(names["figure"].axes) >= 1
    assert names["run"].step == 25 * 12
    assert len(names["runs"]) == 6
    assert jnp.isfinite(names["metrics"]["weight_norm"])
    assert (tmp_path / "runs" / "mine" / "config.json").exists()
    assert "exact" in capsys.readouterr().out


def test_its_commands_are_the_ones_that_ci_extracts():
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    assert [b.strip() for b in blocks] == ["pip install -e . && genjax train rbm", 'pip install -e ".[test]" && pytest']
