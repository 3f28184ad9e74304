"""Data: a name, a file, a folder or arrays in; flat rows of values, mostly intensities in [0, 1], out.

    data = load("mnist", data_dir="somewhere")
    data.train, data.labels.train, data.shape
    data = Dataset.from_arrays(x, y, test=0.2, validation=0.1)

`load` knows the sets of `genjax.data.catalog`, TFDS sets that lie prepared on disk, IDX files, `.npz`, `.npy` and
folders of images. `binarise` draws or thresholds, inside jit; `binarise_fixed` does so once, with a seed, on the host.
"""

from genjax.data import catalog
from genjax.data.binarisation import Binarisation, binarise, binarise_fixed
from genjax.data.dataset import Dataset, Labels, Targets
from genjax.data.loading import load

__all__ = ["Binarisation", "Dataset", "Labels", "Targets", "binarise", "binarise_fixed", "catalog", "load"]
