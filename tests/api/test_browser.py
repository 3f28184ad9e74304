"""The page of `compare` in a browser, as a person opens it: laid out, drawn, and no wider than a phone."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import genjax

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"none of the browsers {', '.join(NAMES)} is installed"),
]


def opened(page, folder, *what, width=412, height=2400):
    """What headless Chromium writes of a page in a window of this size."""
    safe = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'user'}",
    ]
    size = f"--window-size={width},{height}"
    done = subprocess.run([BROWSER, *safe, size, *what, page.as_uri()], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Of two runs, with a script that says how wide it has become: the page itself has none."""
    folder = tmp_path_factory.mktemp("runs")
    runs = []
    for seed in (0, 1):
        run = genjax.fit(genjax.rbm(hidden=4 + seed), "digits", epochs=40, seed=seed, progress=False)
        run = run.save(folder / f"run-{seed}")
        (run.folder / "figures").mkdir()
        run.plot.samples(sweeps=10).savefig(run.folder / "figures" / "samples.png")
        runs.append(run)
    place = folder / "page.html"
    said = "document.body.dataset.wide = document.documentElement.scrollWidth;"
    said += "document.body.dataset.images = [...document.images].every(one => one.complete && one.naturalWidth > 99);"
    text = genjax.compare(runs).html()
    assert "<script" not in text
    place.write_text(text.replace("</body>", f"<script>{said}</script></body>"))
    return place


def test_it_fits_a_phone_and_its_pictures_are_there(page, tmp_path):
    document = opened(page, tmp_path, "--dump-dom")
    wide, images = (re.search(rf'data-{name}="(\w+)"', document) for name in ("wide", "images"))
    assert wide is not None
    assert int(wide[1]) <= 500  # the least window that Chromium opens
    assert images is not None
    assert images[1] == "true"


def test_something_is_drawn(page, tmp_path):
    shot = tmp_path / "page.png"
    opened(page, tmp_path, f"--screenshot={shot}", width=1200)
    pixels = np.asarray(Image.open(shot).convert("RGB")).reshape(-1, 3)
    of_runs = [tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5)) for colour in ("#0072B2", "#D55E00")]
    assert all((np.abs(pixels.astype(int) - colour).sum(1) < 30).sum() > 200 for colour in of_runs)
