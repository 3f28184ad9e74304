"""`genjax transfer A B`: what it writes and says, and what it refuses before it begins."""

import numpy as np
import pytest
from PIL import Image

from genjax.cli import transfer
from tests.cli.test_commands import one_sentence


@pytest.fixture(name="pictures")
def pictures_fixture(tmp_path, monkeypatch):
    """A grey one with transparency, and a red one of another size."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30), np.uint8)).save("grey.png")
    Image.fromarray((rng.random((12, 9, 3)) * [255, 40, 20]).astype(np.uint8)).save("red.bmp")
    return tmp_path


def test_it_gives_a_picture_the_colours_of_another(genjax, pictures):
    status, answer, error = genjax("transfer", "grey.png", "red.bmp", "--samples", 100, "--json")
    assert status == 0, error
    assert answer["out"] == "grey-as-red.png"
    assert answer["distance_after"] < 0.5 * answer["distance"]
    made = np.asarray(Image.open("grey-as-red.png"))
    assert made.shape == (20, 30, 3)
    assert made[..., 0].mean() > 5 * made[..., 2].mean()
    assert "exists; name another file" in one_sentence(*genjax("transfer", "grey.png", "red.bmp")[::2])
    options = ("--samples", 100, "--regularisation", 0.05, "--extension", "linear", "--overwrite")
    status, text, error = genjax("transfer", "grey.png", "red.bmp", *options)
    assert status == 0, error
    assert text.startswith("plan regularised by 0.05 of 100 pixels: cost ")
    assert text.strip().endswith("grey-as-red.png")


def test_what_it_cannot_do_is_said_first(genjax, pictures, monkeypatch):
    (pictures / "text.png").write_text("no picture")
    monkeypatch.setattr(transfer, "fit_colours", None)
    cases = [
        (("nowhere.png", "red.bmp"), "A nowhere.png: there is no such file; name a picture, or one of china, flower."),
        (("grey.png", "text.png"), "B: text.png cannot be read (it is not an image)"),
        (("grey.png", "red.bmp", "--samples", 1), "--samples 1 is out of range"),
        (("grey.png", "red.bmp", "--regularisation", 0), "--regularisation 0.0 is not positive"),
        (("grey.png", "red.bmp", "--out", "x.jpg"), "--out x.jpg is not a .png"),
    ]
    for arguments, said in cases:
        assert said in one_sentence(*genjax("transfer", *arguments)[::2])
