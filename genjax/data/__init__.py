"""Data: a name, a file or a folder in; images, flat and with intensities in [0, 1], out.

    data = load("mnist", data_dir="somewhere")
    data.train, data.labels.train, data.shape

`load` knows the sets of `genjax.data.catalog`, TFDS sets that lie prepared on disk, IDX files, `.npz`, `.npy` and
folders of images. `binarise` draws or thresholds, inside jit; `binarise_fixed` does so once, with a seed, on the host.
"""

from genjax.data import catalog
from genjax.data.binarisation import Binarisation, binarise, binarise_fixed
from genjax.data.dataset import Dataset, Labels
from genjax.data.loading import load

__all__ = ["Binarisation", "Dataset", "Labels", "binarise", "binarise_fixed", "catalog", "load"]
