"""What every source becomes: a `Dataset`, with the splits, the scale and the classes that all sources share."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Float32, Int32, Integer, Shaped

from genjax.data import classes, given, shapes, splits, stored, values
from genjax.data.given import Given
from genjax.data.images import Images
from genjax.data.splits import Shares
from genjax.data.stored import Array2D, Examples
from genjax.errors import DataWarning, UserError

PARTS = ("train", "validation", "test")
Part = Literal["train", "validation", "test"]


class Labels(NamedTuple):
    """Class numbers from 0, int32, one an image; -1 throughout a split that the source does not label."""

    train: Int32[np.ndarray, " train"]
    validation: Int32[np.ndarray, " validation"]
    test: Int32[np.ndarray, " test"]


class Targets(NamedTuple):
    """What is to be predicted where it is no class: in each split the same pytree of arrays, a row an example."""

    train: Any
    validation: Any
    test: Any


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images as rows of intensities, mostly in [0, 1]; `shape` is (height, width, channels), pixels in that order.

    Where a value is a byte in the source, the splits are `Stored`: they keep the bytes, and read as float32.
    `source` says what was read and `licence` on what terms, for the record of a run.
    """

    name: str
    train: Float32[Array2D, "train pixels"]
    validation: Float32[Array2D, "validation pixels"]
    test: Float32[Array2D, "test pixels"]
    labels: Labels
    shape: tuple[int, int, int]
    licence: str
    source: str
    class_names: tuple[str, ...] = ()
    """What the source calls class 0, 1, ...; empty where nothing is labelled."""
    notes: tuple[str, ...] = ()
    """What a person should know of the data: what was left out, changed or looks wrong; one sentence each."""
    shuffled: bool = True
    """Whether training and validation images stand in random order; else in the source's, which may be by class."""
    example_shape: tuple[int, ...] = ()
    """The shape of one example as it was given: (30,), (8, 8), (28, 28, 1), ...; () for (height, width), with channels
    if there are several."""
    targets: Targets | None = None
    """What is to be predicted where it is no class; then all labels are -1."""

    def __post_init__(self) -> None:
        if not self.example_shape:
            object.__setattr__(self, "example_shape", shapes.usual(self.shape))

    @classmethod
    def from_arrays(
        cls, x: Any, y: Any = None, test: Any = 0.2, validation: Any = 0.1, seed: int = 0, *, name: str = "arrays"
    ) -> "Dataset":
        """Examples in memory, `(n, values)`, `(n, height, width)` or `(n, height, width, channels)`; copied, but for
        bytes mapped from a file (`numpy.load(path, mmap_mode="r")`), which stay there and are not to change.

        - `x`: uint8 whose maximum exceeds 1 is bytes and divided by 255; bool and {0, 1} stay; floats keep their
          values, also outside [0, 1].
        - `y`: integers are classes, whatever their numbers; floats or a pytree of arrays with n rows are a target as it
          stands.
        - `test`, `validation`: a share (of all examples; of those left), 0 for none, or the split itself: an array, a
          pair (x, y), or all examples of a `Dataset`. Shares are drawn with `seed`, by class where there are classes.

        Raises `UserError` that names the argument. Doubts about the data are in `notes`, and each a `DataWarning`.
        """
        if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32 - 1:
            raise UserError(f"`seed` {seed}: give a whole number from 0 to 4294967294.")
        parts = {
            argument: split_of(value, argument, usual)
            for argument, value, usual in (("test", test, 0.2), ("validation", validation, 0.1))
        }
        own = {argument: part if isinstance(part, Given) else None for argument, part in parts.items()}
        shares = {argument: 0.0 if isinstance(part, Given) else part for argument, part in parts.items()}
        images = given.collect(x, y, **own)
        data = assemble(name, images, "see source", shares=Shares(**shares, seed=int(seed)), place="`x`")
        aside = _set_aside("`x`", len(data.test), len(images.train))
        for note in data.notes:
            if note != aside:  # the signature says that
                warnings.warn(note, DataWarning, stacklevel=2)
        return data

    @property
    def classes(self) -> int:
        """How many classes there are in all splits; 0 without labels."""
        return 1 + max((int(labels.max()) for labels in self.labels if len(labels)), default=-1)

    def target(self, part: Part) -> Any:
        """What is to be predicted of a split: `targets` where there are any, else class numbers (-1 without)."""
        return getattr(self.labels if self.targets is None else self.targets, part)

    def split(self, part: Part) -> tuple[Examples, Any]:
        """Examples and target of a split. Raises `UserError` where it has no examples."""
        x = getattr(self, part)
        if not len(x):
            raise UserError(f"{self.name} has no {part} examples; give examples as `x`, or data with a `{part}` split.")
        return x, self.target(part)

    def flatten(self, x: Any, name: str = "`x`", finite: bool = True) -> Float32[np.ndarray, "examples values"]:
        """Examples, flat or shaped, as new float32 rows `(n, values)` (`shapes.flatten`). Raises `UserError`."""
        return shapes.flatten(x, self.shape, self.example_shape, name, finite)

    def shaped(self, x: Any) -> Shaped[np.ndarray, "..."]:
        """`(..., values)` as `(..., *example_shape)`."""
        return shapes.shaped(x, self.example_shape)

    def mixed(self) -> "Dataset":
        """The same data in random order (seed 0), for whoever takes the first few; as they are if they are shuffled."""
        if self.shuffled:
            return self
        first, second = (np.random.default_rng(0).permutation(len(x)) for x in (self.train, self.validation))
        labels, targets = self.labels, self.targets
        return replace(
            self,
            train=stored.take(self.train, first),
            validation=stored.take(self.validation, second),
            labels=Labels(labels.train[first], labels.validation[second], labels.test),
            targets=targets
            and Targets(_rows_of(targets.train, first), _rows_of(targets.validation, second), targets.test),
            shuffled=True,
        )

    def without_validation(self) -> "Dataset":
        """The same data with the validation images back at the end of `train`, where nothing selects on them."""
        labels, targets = self.labels, self.targets
        none = np.arange(0)
        return replace(
            self,
            train=stored.joined(self.train, self.validation),
            validation=stored.take(self.validation, slice(0)),
            labels=Labels(np.concatenate([labels.train, labels.validation]), labels.validation[:0], labels.test),
            targets=targets
            and Targets(
                given.joined(targets.train, targets.validation), _rows_of(targets.validation, none), targets.test
            ),
        )

    def whole(self) -> Given:
        """All examples, training, validation and test, as a split of other data."""
        x, labels = (np.concatenate([getattr(of, part) for part in PARTS]) for of in (self, self.labels))
        if self.targets is not None:
            return Given(x, given.joined(*self.targets), scaled=True)
        return Given(x, labels if (labels != classes.NONE).any() else None, self.class_names, scaled=True)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, part)):,} {part}" for part in PARTS)
        low, high = (f([f(x) for x in (self.train, self.validation, self.test) if x.size]) for f in (np.min, np.max))
        lines = [f"Dataset {self.name}: {counts}", f"  example {self.example_shape}, values {low:.4g} to {high:.4g}"]
        if self.targets is not None:
            arrays = (f"{leaf.dtype}{list(leaf.shape[1:])}" for leaf in jax.tree.leaves(self.targets.train))
            lines.append(f"  target {', '.join(arrays)}")
        elif self.classes:
            lines.append(f"  {self.classes} classes: {classes.few(self.class_names)}".removesuffix(": "))
        return "\n".join([*lines, f"  {self.source}, licence: {self.licence}"])


class Rows(NamedTuple):
    """Which of the images that come for training are what; `test` is empty where the source brings test images."""

    train: Integer[np.ndarray, " train"]
    validation: Integer[np.ndarray, " validation"]
    test: Integer[np.ndarray, " test"]


def split_of(value: Any, argument: str, usual: float) -> float | Given:
    """What a caller asks of a split: a share (True: the `usual` one), or the split itself. Raises `UserError`."""
    if value is None or isinstance(value, bool | int | float | np.bool_ | np.number):
        return splits.share(value, argument, usual)
    return value.whole() if isinstance(value, Dataset) else given.pair(value, argument)


def assemble(
    name: str,
    images: Images,
    licence: str,
    custom: int | None = None,
    shares: Shares = Shares(),  # noqa: B008 (immutable)
    place: str | None = None,
) -> Dataset:
    """Splits, scales and numbers what a reader hands over.

    Without a split of its own a source gives `shares` of its training images for testing (`splits.for_testing`) and
    validation (`splits.for_validation`, where `custom` is how many last ones are so by custom). Sentences begin with
    `place`. Raises `UserError` where the images are too few to split, or labelled in part.
    """
    place, x = place or f"`dataset` {name}", images.train
    labels, test_labels, names, notes = classes.numbered(
        images.train_labels, images.test_labels, images.validation or 0, images.class_names, place, images.chosen
    )
    rows = _rows(images, labels, custom, shares, place)
    white = images.white or values.white(x, x[:0] if images.test is None else images.test)
    examples = values.rows_of(x, white)
    test = stored.take(examples, rows.test) if images.test is None else values.rows_of(images.test, white)
    parts = [stored.take(examples, rows.train), stored.take(examples, rows.validation), test]
    every = Labels(
        labels[rows.train], labels[rows.validation], labels[rows.test] if test_labels is None else test_labels
    )
    if images.test is None and custom is None and len(test):
        notes.append(_set_aside(place, len(test), len(x)))
    notes += classes.gaps(*every, names, place)
    pictures = len(images.example_shape) != 1 or images.source != "arrays"
    for which, part in (("training", parts[0]), ("test", parts[2])):
        notes += [f"{place}: {doubt}" for doubt in values.doubts(part, which, pictures)]
    height, width, channels = x.shape[1:]
    return Dataset(
        name,
        *parts,
        labels=every,
        shape=(height, width, channels),
        licence=licence,
        source=images.source,
        class_names=names,
        notes=(*images.notes, *notes),
        shuffled=images.shuffled or _drawn(images, custom, shares),
        example_shape=images.example_shape,
        targets=_targets(images, rows),
    )


def _rows(images: Images, labels: Int32[np.ndarray, " images"], custom: int | None, shares: Shares, place: str) -> Rows:
    count = len(labels) - (images.validation or 0)
    drawn = {"test": images.test is None and shares.test > 0, "validation": _validates(images, shares)}
    needed = 1 + sum(drawn.values())
    if count < needed:
        raise UserError(
            f"{place}: {count} image(s) cannot be split into training, validation and test; give at least "
            f"{('one', 'two', 'three')[needed - 1]}."
        )
    train, validation, test = np.arange(count), np.arange(count, len(labels)), np.arange(0)
    if drawn["test"]:
        seed = shares.seed if custom is None else 0  # the test images of a known set are always the same
        train, test = splits.for_testing(labels[:count], shares.test, seed, left=needed - 1)
    if drawn["validation"]:
        kept, aside = splits.for_validation(labels[train], custom, shares.validation, shares.seed)
        train, validation = train[kept], train[aside]
    return Rows(train, validation, test)


def _validates(images: Images, shares: Shares) -> bool:
    """Whether validation images are drawn."""
    return not images.validation and shares.validation != 0


def _drawn(images: Images, custom: int | None, shares: Shares) -> bool:
    """Whether training and validation images are in random order by being drawn, or by the custom of a known set."""
    tested = images.test is None and shares.test > 0
    return _validates(images, shares) or (not images.validation and (tested or custom is not None))


def _targets(images: Images, rows: Rows) -> Targets | None:
    if images.targets is None:
        return None
    test = _rows_of(images.targets, rows.test) if images.test is None else images.test_targets
    return Targets(_rows_of(images.targets, rows.train), _rows_of(images.targets, rows.validation), test)


def _rows_of(target: Any, rows: Integer[np.ndarray, " rows"]) -> Any:
    return jax.tree.map(lambda leaf: leaf[rows], target)


def _set_aside(place: str, count: int, total: int) -> str:
    return f"{place}: no test split; {count} of {total} examples are set aside for testing."
