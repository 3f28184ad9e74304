"""The sets that are known by name: what each holds, on what terms, and whom to cite."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One known set. `images` counts training and test together; `bytes` is what a first use downloads."""

    name: str
    images: int
    shape: tuple[int, int, int]
    bytes: int
    licence: str
    citation: str
    tfds: str | None = None
    """What TensorFlow Datasets calls it, with its configuration."""
    idx: tuple[str, str] | None = None
    """Set where its authors publish IDX files: how the names of the training and of the test files begin."""
    transposed: bool = False
    """Whether the files hold the images transposed."""
    validation: int | None = None
    """Set where it is the custom that so many last training images are for validation."""


_PLAIN = ("train", "t10k")
_LAST = 5_000  # of MNIST, and of the sets that take its place
_SEE_SOURCE = "see source"
_EMNIST = (
    "G. Cohen, S. Afshar, J. Tapson, A. van Schaik (2017). EMNIST: extending MNIST to handwritten letters. "
    "IJCNN, doi:10.1109/IJCNN.2017.7966217"
)
_CIFAR = "A. Krizhevsky (2009). Learning multiple layers of features from tiny images. University of Toronto."


def _emnist(variant: str, images: int, validation: int | None = None) -> Entry:
    # One archive holds all variants, and TFDS leaves its images lying on their sides.
    name, tfds = f"emnist_{variant}", f"emnist/{variant}"
    idx = (f"emnist-{variant}-train", f"emnist-{variant}-test")
    return Entry(name, images, (28, 28, 1), 561_753_746, _SEE_SOURCE, _EMNIST, tfds, idx, True, validation)


CATALOG: tuple[Entry, ...] = (
    Entry(
        "digits", 1_797, (8, 8, 1), 0, "CC BY 4.0",
        "E. Alpaydin, C. Kaynak (1998). Optical recognition of handwritten digits. UCI Machine Learning Repository, "
        "doi:10.24432/C50P49 (the test part, bundled with scikit-learn)",
        validation=143,
    ),
    Entry(
        "mnist", 70_000, (28, 28, 1), 11_594_722, "CC BY-SA 3.0",
        "Y. LeCun, C. Cortes, C. J. C. Burges (2010). MNIST handwritten digit database. "
        "http://yann.lecun.com/exdb/mnist",
        "mnist", _PLAIN, validation=_LAST,
    ),
    Entry(
        "fashion_mnist", 70_000, (28, 28, 1), 30_878_645, "MIT",
        "H. Xiao, K. Rasul, R. Vollgraf (2017). Fashion-MNIST: a novel image dataset for benchmarking machine "
        "learning algorithms. arXiv:1708.07747",
        "fashion_mnist", _PLAIN, validation=_LAST,
    ),
    Entry(
        "kmnist", 70_000, (28, 28, 1), 21_240_888, "CC BY-SA 4.0",
        "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha (2018). Deep learning for "
        "classical Japanese literature. arXiv:1812.01718",
        "kmnist", _PLAIN, validation=_LAST,
    ),
    _emnist("balanced", 131_600),
    _emnist("letters", 145_600),
    _emnist("digits", 280_000),
    _emnist("mnist", 70_000, _LAST),
    Entry("cifar10", 60_000, (32, 32, 3), 170_052_171, _SEE_SOURCE, _CIFAR, "cifar10"),
    Entry("cifar100", 60_000, (32, 32, 3), 168_513_733, _SEE_SOURCE, _CIFAR, "cifar100"),
    Entry(
        "svhn_cropped", 99_289, (32, 32, 3), 1_575_594_780, "see source (its page: for non-commercial use only)",
        "Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng (2011). Reading digits in natural images with "
        "unsupervised feature learning. NIPS workshop on deep learning and unsupervised feature learning",
        "svhn_cropped",
    ),
)  # fmt: skip


def find(name: str) -> Entry | None:
    """The known set of this name, or None."""
    return next((entry for entry in CATALOG if entry.name == name), None)


def table() -> str:
    """All known sets, a line each, and below them whom to cite."""
    head = ("name", "images", "size", "download", "comes", "licence")
    rows = [head, *(_cells(entry) for entry in CATALOG)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    right = ("images", "download")  # numbers
    lines = [
        "  ".join(f"{cell:{'>' if name in right else '<'}{width}}" for cell, width, name in zip(row, widths, head))
        for row in rows
    ]
    cited: dict[str, list[str]] = {}
    for entry in CATALOG:
        cited.setdefault(entry.citation, []).append(entry.name)
    citations = [f"{', '.join(names)}: {citation}" for citation, names in cited.items()]
    return "\n".join([*(line.rstrip() for line in lines), "", "cite", *citations])


def _cells(entry: Entry) -> tuple[str, ...]:
    height, width, channels = entry.shape
    size = f"{height} x {width}{' grey' if channels == 1 else ' colour'}"
    download = f"{entry.bytes / 1e6:,.0f} MB" if entry.bytes else ""
    comes = "with genjax" if not entry.bytes else "fetched, or IDX files" if entry.idx else "fetched"
    return entry.name, f"{entry.images:,}", size, download, comes, entry.licence
