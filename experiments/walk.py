"""What do the chains of a Boltzmann machine walk through? The moving picture at the top of README.md.

    python -m experiments.walk [--run dbm-mnist] [--sweeps 20] [--quick | --smoke] [--out DIR]

A hundred fresh chains, drawn from the biases alone and never from images; every frame is `--sweeps` Gibbs sweeps after
the one before, each tile p(v | h) of one chain. Expect digits that keep their class for many frames and now and then
turn into another. Writes walk.gif, 50 frames in 16 greys, 1.4 MB. Full: 2,000 sweeps before the first frame; two
minutes on two busy cores. --quick: 200. --smoke: 3 frames of a tiny machine.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import genjax
from experiments.common import options
from genjax.plots.images import square, tile

BURN_IN = {"full": 2000, "quick": 200, "smoke": 5}
CHAINS, FRAMES, GREYS, MILLISECONDS = 100, 50, 16, 200


def animate(frames: Sequence[np.ndarray], path: Path) -> Path:
    """Sheets in [0, 1], `(height, width)` each, as a GIF that goes there and back, so that it never jumps."""
    levels = [np.rint(np.clip(frame, 0, 1) * (GREYS - 1)).astype(np.uint8) for frame in frames]
    greys = np.repeat(np.rint(np.linspace(0, 255, GREYS)).astype(np.uint8), 3).tobytes()
    images = []
    for sheet in [*levels, *levels[-2:0:-1]]:
        image = Image.fromarray(sheet, mode="P")
        image.putpalette(greys)
        images.append(image)
    images[0].save(path, save_all=True, append_images=images[1:], duration=MILLISECONDS, loop=0, optimize=False)
    return path


def main() -> None:
    """The chains, and the picture."""
    more = {
        "--run": {"default": "dbm-mnist", "help": "a run of a Boltzmann machine, or one that comes with genjax"},
        "--sweeps": {"type": int, "default": 20, "help": "between two frames"},
    }
    chosen = options(__doc__, "walk", "a tenth of the sweeps before the first frame", more=more)
    smoke = chosen.scale == "smoke"
    run = genjax.fit(genjax.rbm(hidden=8), "digits", steps=5) if smoke else genjax.load(chosen.run)
    first, frames = BURN_IN[chosen.scale], 3 if smoke else FRAMES
    times = tuple(range(first, first + frames * chosen.sweeps, chosen.sweeps))
    path = run.draw(CHAINS, times)["path"]  # (chains, frames, pixels)
    sheets = [tile(path[:, i], run.image_shape, square(CHAINS), border=0.25) for i in range(frames)]
    written = animate(sheets, chosen.out / "walk.gif")
    print(f"{written}: {frames} frames, {written.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
