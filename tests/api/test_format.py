"""Runs of formats gone by are read for ever: `format_2` was written when 2 was the newest, and is never made anew."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax.errors import UserError

RUN = Path(__file__).parent / "format_2" / "run"
EXAMPLES = (np.arange(60).reshape(20, 3) * 7 % 5 > 2).astype(np.float32)
WEIGHTS = [
    [-0.012412074021995068, 0.0027607204392552376],
    [0.0164028350263834, 0.006435294635593891],
    [-0.007671718951314688, 0.008031805045902729],
]


def test_a_run_of_format_2_is_opened(tmp_path):
    run = genjax.load(shutil.copytree(RUN, tmp_path / "run"))
    np.testing.assert_array_equal(run.machine.weights[0], np.asarray(WEIGHTS, np.float32))
    assert (run.step, run.config.hidden, run.settings.batch_size) == (3, 2, 5)
    assert run.history["step"].tolist() == [3]


@pytest.mark.slow
def test_a_run_of_format_2_goes_on(tmp_path):
    place = shutil.copytree(RUN, tmp_path / "run")
    run = genjax.fit(genjax.load(place), EXAMPLES, steps=5, progress=False)
    assert run.step == 5
    assert run.history["step"].tolist() == [3, 5]


@pytest.mark.parametrize("number", [0, 3, None, "2", [2]])
def test_other_formats_are_refused_in_a_sentence(tmp_path, number):
    place = shutil.copytree(RUN, tmp_path / "run")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"format": number}))
    with pytest.raises(UserError, match="this version of genjax reads formats 1 and 2"):
        genjax.load(place)
