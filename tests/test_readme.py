"""What the READMEs say: their Python sessions run as printed, their links lead somewhere, their pictures are drawn."""

import json
import re
import sys
from pathlib import Path

import jax.numpy as jnp
import pytest
from PIL import Image

import genjax
from experiments import minutes, ship, walk
from genjax import pretrained

TOP = Path(__file__).parent.parent
README = (TOP / "README.md").read_text()
GUIDE = (TOP / "genjax" / "README.md").read_text()
PAGES = [TOP / "README.md", *(path for folder in ("genjax", "experiments", "benchmarks")
                              for path in sorted((TOP / folder).glob("**/README.md")))]  # fmt: skip


def session(page: str) -> list[str]:
    """The lines of a page's only Python block."""
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return [line for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_the_python_sessions_run(tmp_path, monkeypatch, capsys):
    """The guide's is README's, and goes on below the front door."""
    monkeypatch.chdir(tmp_path)
    short, long = session(README), session(GUIDE)
    assert len(short) <= 10
    assert [line for line in long if line in short] == short
    names: dict = {}
    exec("\n".join(long), names)
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
    part = README[README.index("## Two commands") : README.index("## From Python")]
    assert all(block in part for block in blocks)


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def anchors(page: str) -> set[str]:
    """What its headings are called in links."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_links_and_scripts_are_there(path):
    page = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", page):
        place, _, anchor = "".join(target).partition("#")
        there = path if not place else path.parent / place
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text()), target
    for package, name in re.findall(r"python -m (experiments|benchmarks|tests)\.([a-z_]+)", page):
        assert (TOP / package / f"{name}.py").exists() or (TOP / package / name / "__main__.py").exists(), name


def test_likelihoods_are_drawn_as_they_stand_in_the_table(tmp_path, monkeypatch):
    rows = minutes.rows(minutes.TABLE.read_text())
    assert len(rows) >= 20
    assert {row.model for row in rows} == set(minutes.NAMES)
    first = rows[0]
    assert first == ("RBM", -85.49, (-85.60, -85.40), (2.0, 2.0), ("RBM, CD-25", -86.34))
    monkeypatch.setattr(sys, "argv", ["minutes", "--smoke", "--out", str(tmp_path)])
    minutes.main()
    assert (tmp_path / "minutes.png").stat().st_size > 20_000


@pytest.mark.slow
def test_chains_walk(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["walk", "--smoke", "--out", str(tmp_path)])
    walk.main()
    with Image.open(tmp_path / "walk.gif") as picture:
        assert (picture.n_frames, picture.size) == (4, (91, 91))  # there and back


def test_the_moving_picture_is_small():
    assert (TOP / "experiments" / "results" / "walk.gif").stat().st_size < 2e6


@pytest.mark.parametrize("name", ["rbm-mnist", "dbm-mnist"])
def test_a_card_says_what_its_files_say(name):
    folder = pretrained.folder(name)
    about = json.loads((folder / "config.json").read_text())["shipped"]
    evaluated = json.loads((folder / "evaluation.json").read_text())
    assert (folder / "README.md").read_text() == ship.card(genjax.load(name), name, about, evaluated)
