"""Runs side by side as one page."""

import base64
from types import SimpleNamespace

import numpy as np

from genjax.api.page import curve, page


def run(name, folder, values):
    history = {"step": np.arange(3.0), "epoch": np.arange(3.0), "elbo": np.array(values)}
    return SimpleNamespace(name=name, folder=folder, history=history)


def test_a_page_holds_table_curves_and_pictures_and_refers_to_nothing(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "samples.png").write_bytes(b"picture")
    runs = [run("<first>", tmp_path, [1, 2, 4.0]), run("second", None, [1, np.nan, 3.0])]
    text = page("<table></table>", runs)
    assert base64.b64encode(b"picture").decode() in text
    assert "&lt;first&gt;: 4 at epoch 2" in text
    assert "<first>" not in text
    assert "http" not in text
    assert text.count("<polyline") == 2
    assert text.count("<circle") == 5  # what was not measured is not drawn
    assert curve("rmse", runs) == ""
