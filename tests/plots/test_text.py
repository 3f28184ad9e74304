"""Names of runs, classes and settings are drawn word for word, whatever they hold."""

import io

import numpy as np
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from genjax.plots import coverage, curves, grids, images, latent, panels, samples, weights
from genjax.plots.text import plain

SHAPE = (2, 2, 1)
SOME = np.random.default_rng(0).random((2, 4)).astype(np.float32)
NAMES = ["a$^$b", "1 %{x}_\\alpha$ $\N{PILE OF POO}\udcff"]


def sampled(name):
    return coverage.Sampled(name, name, SOME, np.array([0, 1]), {name: np.array([0.5, 0.5])}, (name, name))


def history(name):
    return {"step": np.arange(3), "x": np.ones(3), "stage": np.array([name, name, "train"])}


PAIR = (SOME, SOME)
VALUES = ((1.0, 2.0), (1.0,))
FIGURES = {
    "chains": lambda name: samples.chains(SOME[None], [1, 2], SHAPE, name),
    "by_label": lambda name: samples.by_label(SOME, np.array([0, 1]), [name, "b"], SHAPE, name),
    "ladder": lambda name: samples.ladder(np.ones(2), 0.1, name),
    "filters": lambda name: weights.filters(SOME.T, SHAPE, name),
    "label_weights": lambda name: weights.label_weights(SOME.T, [name, "b"], SHAPE, name),
    "maxima": lambda name: weights.maxima(SOME, SHAPE, name, name, [name, "b"]),
    "sheet": lambda name: images.sheet(SOME, SHAPE, name, name),
    "side_by_side": lambda name: images.side_by_side({name: SOME}, SHAPE, name),
    "rows_of_images": lambda name: images.rows_of_images({name: SOME}, SHAPE, name, [name, name], (name, name), name),
    "heat_map": lambda name: images.rows_of_images({name: SOME}, (1, 4, 1), name, [name, name], (name, name), name),
    "bands": lambda name: grids.bands({name: grids.Curves(np.ones(2), np.ones((1, 2)))}, name, name),
    "learning_curves": lambda name: curves.learning_curves(
        history(name), (panels.Panel(name, name, {"x": name}),), name, name
    ),
    "coverage": lambda name: coverage.coverage(sampled(name), PAIR, SHAPE, name),
    "coverage of rows": lambda name: coverage.coverage(sampled(name), PAIR, (1, 4, 1), name),
    "compared": lambda name: coverage.compared([sampled(name)], SHAPE, name),
    "plane": lambda name: latent.plane(SOME[None], VALUES, (name, name), SHAPE, name),
    "traversals": lambda name: latent.traversals(SOME[None], [name], VALUES[0], name, SHAPE, name),
    "interpolations": lambda name: latent.interpolations(SOME[None], {name: SOME[None]}, SHAPE, name),
    "code_map": lambda name: latent.code_map(SOME[:, :2], np.array([0, 1]), (name, name), name, [name, name]),
}


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("figure", FIGURES)
def test_names_are_no_formulas(figure, name):
    drawn = FIGURES[figure](name)
    drawn.savefig(io.BytesIO(), dpi=20)
    words = [text.get_text() for text in drawn.findobj(Text)]
    assert sum(plain(name) in text for text in words) >= 1
    assert not any(is_math_text(text) for text in words)


def test_other_text_stays_as_it_is():
    assert plain("rbm-digits: p(v | h), 100 %_{}") == "rbm-digits: p(v | h), 100 %_{}"
