"""How does attention work, step by step, and what do width, depth, heads and hidden units of a vision transformer do?

    python -m experiments.attention --data-dir DIR [--parts test ...] [--quick | --smoke] [--out DIR]

1. A vision transformer of 16 tokens (patches of 10x10 pixels, 6 apart), width 64, 3 blocks, 4 heads, 128 hidden units;
   images are moved by up to two pixels in training, the rate falls along a cosine, parameters are averaged over the
   last tenth. It learns from all 60,000 images; the test images are shown once.
2. One test image in its first block of attention: shapes of queries, keys, values and scores are printed, and the
   matrices drawn: Q, K and V of one head, the attention matrix of every head, and where two tokens attend.
3. Width, depth, heads, hidden units and patches, one changed at a time, for one epoch, errors on the last 5,000
   training images.

Three seeds each. Writes results.jsonl, attention.png, settings.png and the table; an interrupted run goes on. Expect
98.9 %, of the test images after 25 epochs. Full: about 50 minutes of CPU time; --quick: one seed, two
settings, a tenth of the steps.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from experiments.common import options
from experiments.vision import SHAPE, Scale, Setting, all_rows, draw_settings, images, learned_run, parts_option, table
from genjax.networks.shifts import Shifted
from genjax.networks.transformer import STEPS, VisionTransformer, attend, attention_steps
from genjax.plots.images import save

SCALES = {"full": Scale(3, 550, 15000), "quick": Scale(1, 40, 40, settings=2), "smoke": Scale(2, 3, 6, settings=2)}
BASE: dict[str, Any] = {"patch": 10, "stride": 6}
IMAGE, TOKENS = 18, (5, 9)  # of the pictures


def changed(**fields: Any) -> Setting:
    """The transformer with something else in one place."""
    network = VisionTransformer(SHAPE, 10, **BASE | fields)
    learning = {"optimiser": "adamw", "weight_decay": 0.05, "learning_rate": 2e-3, "schedule": "cosine"}
    return Setting(Shifted(network, SHAPE), learning | {"average": 0.1})


PARTS = {
    "test": {"16 tokens": changed()},
    "changed": {
        "the base": changed(),
        "width 32": changed(width=32),
        "width 96": changed(width=96),
        "depth 1": changed(depth=1),
        "depth 2": changed(depth=2),
        "depth 4": changed(depth=4),
        "1 head": changed(heads=1),
        "2 heads": changed(heads=2),
        "8 heads": changed(heads=8),
        "hidden 32": changed(hidden=32),
        "hidden 256": changed(hidden=256),
        "patches side by side": changed(patch=7, stride=7),
    },
}


def main() -> None:
    """What is missing is trained; tables and figures are made of the rows."""
    chosen = options(
        __doc__, "attention", "two settings, a tenth of the steps", mnist=True, more=parts_option(tuple(PARTS))
    )
    dataset, scale = images(chosen), SCALES[chosen.scale]
    rows = all_rows(chosen, dataset, PARTS, scale)
    for line in table(rows):
        print(line)
    if "test" in chosen.parts:
        run, x = learned_run(chosen, dataset, PARTS["test"]["16 tokens"], scale, 0), dataset.test[IMAGE]
        for line in step_by_step(run, x):
            print(line)
        print(save(draw_steps(run, x), chosen.out / "attention.png"))
    if "changed" in chosen.parts:
        figure = Figure(figsize=(7, 6), layout="constrained")
        draw_settings(figure.subplots(), rows, "changed", f"{dataset.name}: a small vision transformer")
        print(save(figure, chosen.out / "settings.png"))


def of_image(run: genjax.Run, x: np.ndarray) -> dict[str, np.ndarray]:
    """The steps of the first block's attention for one image, `(heads, tokens, size)`."""
    model = run.parameters
    first = attention_steps(model.network, {"params": model.parameters, **model.variables}, jnp.asarray(x[None]))[0]
    return {name: np.asarray(first[name][0]) for name in STEPS}


def step_by_step(run: genjax.Run, x: np.ndarray) -> list[str]:
    """Shapes along the way, and that the formula gives the matrix that the network used."""
    steps = of_image(run, x)
    heads, tokens, size = steps["queries"].shape
    values, matrix = attend(*(jnp.asarray(steps[name]) for name in STEPS[:3]))
    apart = float(np.abs(np.asarray(matrix) - steps["attention"]).max())
    off = float(np.abs(np.asarray(matrix).sum(-1) - 1).max())
    return [
        f"one image, {x.shape[0]} pixels: {tokens} tokens of width {heads * size}, divided among {heads} heads",
        *(f"{name} of each head: {steps[name].shape[1:]}" for name in STEPS[:3]),
        f"scores Q K^T / sqrt({size}) and, by a softmax of each row, the attention matrix: {matrix.shape[1:]}",
        f"rows sum to 1 within {off:.0e}; the matrix that the network used is {apart:.0e} away",
        f"attention matrix times values: {values.shape[1:]}, of all heads side by side {(tokens, heads * size)}",
    ]


def draw_steps(run: genjax.Run, x: np.ndarray) -> Figure:
    """The image, Q, K and V of the first head; below the matrix of every head; below where two tokens attend."""
    steps = of_image(run, x)
    heads, tokens, size = steps["queries"].shape
    side = round(tokens**0.5)
    figure = Figure(figsize=(3 * heads + 1, 10), layout="constrained")
    grid = figure.subplots(3, max(heads, 4), squeeze=False)
    grid[0, 0].imshow(x.reshape(SHAPE[:2]), cmap="gray")
    grid[0, 0].set(title=f"the image; tokens {TOKENS[0]} and {TOKENS[1]}", xlabel="pixel", ylabel="pixel")
    patch, stride = (getattr(run.parameters.network.network, name) for name in ("patch", "stride"))
    for number, token in enumerate(TOKENS):
        top, left = token // side * stride, token % side * stride
        corners = np.array([[left, top], [left + patch, top], [left + patch, top + patch], [left, top + patch]]) - 0.5
        grid[0, 0].fill(*corners.T, fill=False, edgecolor=f"C{number + 1}", linewidth=2)
    most = max(np.abs(steps[name][0]).max() for name in STEPS[:3])
    for axes, name in zip(grid[0, 1:], STEPS):
        axes.imshow(steps[name][0], cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
        axes.set(title=f"{name} of head 1, {(tokens, size)}", xlabel="feature", ylabel="token")
    for head in range(heads):
        shown = grid[1, head].imshow(steps["attention"][head], cmap="viridis", vmin=0)
        grid[1, head].set(title=f"attention of head {head + 1}", xlabel="key: token", ylabel="query: token")
        grid[1, head].set(xticks=range(0, tokens, 5), yticks=range(0, tokens, 5))
        figure.colorbar(shown, ax=grid[1, head], shrink=0.7)
    for axes, (token, head) in zip(grid[2], [(token, head) for token in TOKENS for head in (0, 1)]):
        axes.imshow(steps["attention"][head, token].reshape(side, side), cmap="viridis", vmin=0)
        axes.set(title=f"where token {token} attends, head {head + 1}", xlabel="column of tokens", ylabel="row")
    formula = "attention matrix = softmax(Q K^T / sqrt(size)), output = attention matrix times V"
    figure.suptitle(f"self-attention, first block: {formula}; Q, K, V red above zero, blue below", fontsize=11)
    return figure


if __name__ == "__main__":
    main()
