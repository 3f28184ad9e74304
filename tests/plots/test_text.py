"""Names of runs, classes and settings are drawn word for word, whatever they hold."""

import io

import numpy as np
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from genjax.plots import coverage, curves, grids, images, latent
from genjax.plots.text import plain

SHAPE = (2, 2, 1)
SOME = np.random.default_rng(0).random((2, 4)).astype(np.float32)
NAMES = ["a$^$b", "1 %{x}_\\alpha$ $\N{PILE OF POO}\udcff"]


def sampled(name):
    return coverage.Sampled(name, name, SOME, np.array([0, 1]), {name: np.array([0.5, 0.5])}, (name, name))


def entries(name):
    return [{"epoch": n, "x": 1.0, "stage": name} for n in range(2)] + [{"epoch": 3, "x": 1.0}]


FIGURES = {
    "chain": lambda name: images.chain(SOME[None], [1, 2], SHAPE, name),
    "filters": lambda name: images.filters(SOME.T, SHAPE, name),
    "label_weights": lambda name: images.label_weights(SOME.T, [name, "b"], SHAPE, name),
    "named": lambda name: images.named(SOME, [name, "b"], SHAPE, name, name),
    "sheet": lambda name: images.sheet(SOME, SHAPE, name, name),
    "side_by_side": lambda name: images.side_by_side({name: SOME}, SHAPE, name),
    "bands": lambda name: grids.bands({name: [[(1.0, 2.0)]]}, name, name),
    "rows_of_images": lambda name: grids.rows_of_images({name: SOME}, SHAPE, name),
    "learning_curves": lambda name: curves.learning_curves(
        entries(name), (curves.Panel(name, {"x": name}),), name, name
    ),
    "coverage": lambda name: coverage.coverage(sampled(name), (SOME, SOME), SHAPE, name),
    "compared": lambda name: coverage.compared([sampled(name)], SHAPE, name),
    "plane": lambda name: latent.plane(SOME[None], ((1.0, 2.0), (1.0,)), (name, name), SHAPE, name),
    "traversals": lambda name: latent.traversals(SOME[None], [name], (1.0, 2.0), name, SHAPE, name),
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
