"""Every notebook runs from its first cell to its last, with smaller numbers in the place of its parameters."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import genjax

FOLDER = Path(__file__).parent.parent / "experiments" / "notebooks"
SMOKE: dict[str, dict[str, object]] = {
    "rbm": {"epochs": 2, "hidden": 8, "chains": 4, "temperatures": 20},
    "estimates": {"epochs": 2, "hidden": 4, "temperatures": [3, 10], "chains": 20},
    "families": {
        "models": {
            "RBM": (genjax.rbm(hidden=8), 1),
            "DBM": (genjax.dbm(layers=(8, 4), pretraining=0), 1),
            "VAE": (genjax.vae(latents=2, layers=(8,)), 1),
            "GAN": (genjax.gan(latent=2), 1),
        },
        "shown": 4,
        "effort": {},
    },
    "sampler": {"sizes": (6, 4), "chains": [1, 4], "sweeps": 2, "rounds": 1},
    "extend": {"epochs": 1, "chains": 4},
}


def cells(name: str) -> list[dict]:
    """The code cells of a notebook."""
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_all_are_known_and_small():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SMOKE)
    for path in FOLDER.glob("*.ipynb"):
        assert path.stat().st_size < 300_000
        (parameters,) = [cell for cell in cells(path.stem) if "parameters" in cell["metadata"].get("tags", [])]
        for name in SMOKE[path.stem]:
            assert f"\n{name} = " in "\n" + "".join(parameters["source"]), name
        for cell in cells(path.stem):
            assert all(output["output_type"] != "error" for output in cell["outputs"])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOKE)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "notebook"}
    for number, cell in enumerate(cells(name)):
        exec(compile("".join(cell["source"]), f"<{name}, cell {number}>", "exec"), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names |= SMOKE[name]
    plt.close("all")
