"""What a run is besides its model: its data, its length, its chances. Kept in config.json; knows of no parser."""

from dataclasses import dataclass
from typing import Literal

from genjax.data.binarisation import Binarisation
from genjax.errors import UserError
from genjax.random import Generator, refuse_seed
from genjax.training.config import at_least, positive
from genjax.training.mesh import Devices

OF_SINGLE_RUNS = ("stop_gap", "keep", "patience", "log_every", "on_divergence")  # options that a grid does not have


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """On what, and for how long."""

    dataset: str | None = "digits"
    """A name from `genjax data`, a .npz or .npy file, or a folder of images."""
    data_dir: str | None = None
    """Where the files of the dataset lie (IDX, or prepared by TensorFlow Datasets)."""
    size: int | None = None
    """Side in pixels to which a folder's images are resized."""
    binarisation: Binarisation | None = None
    """How intensities become binary: a fresh draw each time an image is shown, a threshold at 1/2, or not at all (by
    default what the model takes)."""
    validation: bool | float | str = True
    """Validation images, for the learning curves: yes (a tenth, of MNIST the last 5,000, unless the dataset has
    validation images of its own), no (they are trained on, too; also --no-validation), a share, or a file that holds
    them; of ratings the same."""
    test: float | str | None = None
    """Test images, or ratings, in place of the data's own: a file that holds them, or a share (by default their own, or
    else a fifth of images, a tenth of ratings)."""
    epochs: int | None = None
    """Passes over the training images (by default as many as make about 18,000 steps)."""
    batch_size: int = 100
    """Batch size: images per step."""
    seed: int = 0
    """Random seed."""
    rng: Generator = "counter"
    """Where random bits come from: the fused counter-based generator, JAX's threefry, or the device's own."""
    stop_gap: float | None = None
    """Stop early once validation images are this many nats less likely than training images, beyond noise; the
    learning rate then falls to 0 over another tenth of the steps so far (by default never)."""
    keep: Literal["best", "last"] = "best"
    """Which parameters answer: the best on validation images where the last are worse beyond noise, or the last."""
    patience: int | None = None
    """Epochs without a better result on validation images after which a run stops early, as by stop_gap (by default
    never)."""
    log_every: int | None = None
    """Steps that one line of metrics.jsonl averages (1: every step; by default those of a chunk, and never more)."""
    checkpoint_seconds: float = 15.0
    """Minimum seconds between two checkpoints."""
    on_divergence: Literal["stop", "rollback"] = "stop"
    """What to do where training leaves the finite numbers: stop, or go back to the last good state and go on at half
    the learning rate (at most 20 times)."""
    steps: int | None = None
    """Steps in place of epochs."""
    devices: Devices = None
    """Devices of this machine that share each step: a number, or all (by default one, and all where several processes
    train the run; what is learned is the same)."""

    def check(self) -> None:
        """Raise `UserError` for numbers out of range."""
        if self.epochs is not None and self.steps is not None:
            raise UserError(f"`epochs` {self.epochs} and `steps` {self.steps} are both lengths of the run; give one.")
        refuse_seed(self.seed)
        positive(self, "epochs", "steps", "batch_size", "size", "stop_gap", "patience", "log_every")
        at_least(self, 0, "checkpoint_seconds")
