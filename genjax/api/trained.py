"""What is known of a trained model: its parameters, its data, its classes and chains, its history."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from genjax import random
from genjax.api.prepared import FIXED_DRAW, Prepared, fixed, reread
from genjax.data import binarise_fixed
from genjax.data.record import Record
from genjax.errors import UserError
from genjax.training.best import Judgement, Kept, Tracker
from genjax.training.options import flat
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from genjax.typing import Batch, Estimate, Model

Start = Literal["fresh", "persistent"]
"""Where chains begin: fresh, or where training left its own."""


@dataclass(eq=False, repr=False)
class Trained:
    """A trained model with all that is known of it; `run.Run` adds the questions.

    - `config`, `settings`: the model's and the run's options. `step`: steps of the last stage that are done.
    - `folder`: where it is kept, or None; figures and evaluations of the command line go there.
    - `entries`: what was measured as it learned, one dict a line of metrics.jsonl.
    - `best`: the state that was best on held-out examples (`training.best`), which answers where the last is worse.
    - `state`: of its training, from which it goes on; None for a machine that comes with genjax, whose
      `kept_parameters` and `known_log_z` are given.
    """

    config: Any
    settings: RunConfig
    record: Record
    state: Any = None
    step: int = 0
    stage: str = LAST
    folder: Path | None = None
    loaded: Prepared | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)
    decided: dict[str, Any] = field(default_factory=dict)
    licence: str = "see source"
    kept_parameters: Any = None
    known_log_z: tuple[Estimate, Estimate | None] | None = None
    diverged: str | None = None
    best: Kept | None = None

    # What it is

    @property
    def model(self) -> Model:
        """The kind of model."""
        return self.config.model

    @property
    def name(self) -> str:
        """Of the run, for titles: its folder's name, or the model and its data."""
        return (
            self.folder.name if self.folder is not None else f"{self.model.name} on {self.settings.dataset or 'arrays'}"
        )

    @property
    def about(self) -> str:
        """Its settings in a line, for figures: model, what differs from its defaults, data, steps and seed."""
        settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in _changed(self.config).items())
        data = Path(self.settings.dataset or "arrays").name
        parts = [self.model.name, settings or "default settings", data, f"{self.step} steps"]
        return "; ".join([*parts, f"seed {self.settings.seed}"])

    @property
    def identity(self) -> str | None:
        """What tells this run from all others, also in another folder."""
        return self.decided.get("identity")

    @cached_property
    def parameters(self) -> Any:
        """The trained parameters, a pytree: the average over the end of the run where there is one; the best on
        held-out examples where the last are worse, unless the run keeps the last."""
        if self.state is None:
            return self.kept_parameters
        if self.stage != LAST:
            remedy = "go on with genjax.fit(run) or `resume`"
            raise UserError(f"{self.name} is still in {self.stage}, before its last stage; {remedy}.")
        return self.model.parameters(self.answering)

    @cached_property
    def judgement(self) -> Judgement | None:
        """How its last state compares with its best on held-out examples; None where too little is measured."""
        return Tracker(self.model.measures, self.config, self.entries).judgement()

    @property
    def keeps_best(self) -> bool:
        """Whether it answers with what was best on held-out examples, and not with the last state."""
        judged, best = self.judgement, self.best
        worse = judged is not None and judged.worse and best is not None and best.step == judged.step
        return worse and self.settings.keep == "best"

    @cached_property
    def answering(self) -> Any:
        """The state that answers."""
        return jax.tree.map(jnp.asarray, self.best.state) if self.keeps_best and self.best else self.state

    @property
    def over_fitting(self) -> str | None:
        """What happened and what to do, where the last state is worse on held-out examples than an earlier one."""
        judged = self.judgement
        if judged is None or not judged.worse:
            return None
        epochs = judged.step / self.decided.get("steps_per_epoch", 1)
        name = judged.metric.removeprefix("held_out_").replace("_", " ")
        which = "the best" if self.keeps_best else "the last"
        return (
            f"OVER-FITTING: validation {name} was best at step {judged.step} (epoch {epochs:.0f}), {judged.best:.4g}, "
            f"and is {judged.last:.4g} at the end; {which} parameters answer. A shorter run costs less; more weight "
            "decay, a smaller model or more data may do better."
        )

    @property
    def machine(self) -> Any:
        """The Boltzmann machine, of a belief network the one on top. Raises `UserError` for other models."""
        if self.model.machine is None:
            raise self._no("machine", "machine", "parameters")
        return self.model.machine(self.parameters)

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's shape as it was given."""
        return self.record.example

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an example, for pictures."""
        return self.record.shape  # type: ignore[return-value]

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the data call class 0, 1, ..., as far as they do."""
        return self.record.class_names

    @cached_property
    def prepared(self) -> Prepared:
        """The data, read now where that was not needed before. Raises `UserError` where they are gone, or others."""
        return self.loaded or reread(self.folder or Path(self.name), self.config, self.settings, self.record)

    @property
    def history(self) -> dict[str, np.ndarray]:
        """What was measured as it learned: arrays of one length by name, with `step` and `stage`; NaN where it was not
        measured."""
        names = list(dict.fromkeys(name for entry in self.entries for name in entry if name != "stage"))
        arrays = {name: np.array([entry.get(name, np.nan) for entry in self.entries], float) for name in names}
        return arrays | {"stage": np.array([entry.get("stage", LAST) for entry in self.entries], object)}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in _changed(self.config).items())
        data = f"{self.settings.dataset or 'arrays'}, {self.record.counts['train']} training examples"
        lines = [f"Run: {self.model.name}({settings})", f"  on {data}, {self.step} steps, seed {self.settings.seed}"]
        more = [f"  in {self.folder}"] if self.folder else []
        more += [f"  {self.decided['follows']}"] if "follows" in self.decided else []
        return "\n".join([*lines, *more, *([f"  {self.over_fitting}"] if self.over_fitting else [])])

    # Its data

    def fixed_train(self, most: int | None = None) -> Batch:
        """Training examples under the one fixed binarisation."""
        return self._fixed("train", FIXED_DRAW + 1, most)

    def fixed_test(self, most: int | None = None) -> Batch:
        """Test examples under the one fixed binarisation."""
        return self._fixed("test", FIXED_DRAW, most)

    def _fixed(self, split: str, seed: int, most: int | None) -> Batch:
        dataset = self.prepared.dataset
        x, labels = getattr(dataset, split), getattr(dataset, "labels", None)
        if not len(x):
            raise UserError(f"The data of {self.name} have no {split} split; give the examples.")
        target = None if labels is None else jax.tree.map(lambda leaf: leaf[:most], dataset.target(split))
        return fixed(x[:most], target, self.settings, seed)

    def _examples(self, x: Any, label: Any = None) -> Batch:
        if x is None:
            return self.fixed_test()
        target = None if label is None else jnp.asarray(label, jnp.int32)
        flat = self.flat(x)
        if not len(flat):
            raise UserError("`x` holds no examples; give at least one.")
        return Batch(jnp.asarray(binarise_fixed(flat, self.settings.binarisation or "none", FIXED_DRAW)), target)

    def flat(self, x: Any) -> np.ndarray:
        """Examples, flat or shaped, as `(n, values)`. Raises `UserError` where they are of another shape."""
        return self.record.flatten(x)

    def flat_mask(self, missing: Any, count: int) -> np.ndarray:
        """Which values are missing, of one example or of each."""
        mask = np.asarray(missing)
        if mask.dtype != bool:
            raise UserError(f"`missing` holds {mask.dtype}, not booleans; give True where a value is unknown.")
        values = int(np.prod(self.shape))
        if mask.size not in (values, values * count):
            raise UserError(f"`missing` has shape {mask.shape}; give one example's {self.shape}, or one for each.")
        return np.broadcast_to(mask.reshape(-1, values), (count, values))

    def _holed(self, x: Any, missing: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Flat examples with zeros where values are missing, whatever stood there, and where that is."""
        flat = self.record.flatten(x, name, finite=False)
        hole = self.flat_mask(missing, len(flat))
        known = np.where(hole, 0.0, flat).astype(np.float32)
        if not np.isfinite(known).all():
            raise UserError(f"{name} holds NaN or infinity where `missing` is False; give numbers there.")
        return known, hole

    def shaped(self, x: np.ndarray, like: Any = None) -> np.ndarray:
        """Flat examples in the shape of one as given; flat where `like` is."""
        if like is not None and np.ndim(like) == 2 and len(self.shape) != 1:
            return x
        return x.reshape(len(x), *self.shape)

    @property
    def mean(self) -> np.ndarray:
        """Of the training examples, `(values,)`."""
        return self.record.mean if self.record.mean is not None else self.prepared.dataset.train.mean(0)

    # Classes, chains, keys

    @property
    def classes(self) -> int:
        """How many labels it can be asked for."""
        return 0 if self.model.classes is None else self.model.classes(self.parameters)

    def class_number(self, label: int | str, besides: str = "") -> int:
        """The number of a class by its number or its name. Raises `UserError` where the model has no such class, which
        names what may be given `besides`."""
        names = self.label_names(self.classes)
        if not names:
            raise UserError(f"`label` {label}: this {self.model.name} has not learned labels; leave it out.")
        text = str(label)
        if text not in names and not (isinstance(label, int | np.integer) and 0 <= label < len(names)):
            plain = names == [str(number) for number in range(len(names))]
            those = f"a number from 0 to {len(names) - 1}" if plain else f"one of {', '.join(names)}"
            raise UserError(f"`label` {label} is none of them; give {those}{besides and f', or {besides}'}.")
        return names.index(text) if text in names else int(label)

    def _label(self, label: Any) -> Any:
        """One class's number, or those of an array, one for each sample."""
        return label if isinstance(label, np.ndarray) else self.class_number(label)

    def label_names(self, count: int) -> list[str]:
        """What the first `count` labels are called: as in the run's data, which may have fewer; else by number."""
        names = self.class_names[:count]
        return [*names, *(f"unused-{n}" if names else str(n) for n in range(len(names), count))]

    @property
    def has_chains(self) -> bool:
        """Whether it samples along chains."""
        return self.model.chains is not None

    def persistent_chains(self) -> Any:
        """The chains that training left, `(chains, units)` a layer, or None."""
        if self.model.chains is None or self.state is None:
            return None
        return self.model.chains(self.config, self.answering)

    def _persistent(self, n: int, label: Any) -> Any:
        chains = self.persistent_chains()
        if label is not None or chains is None:
            why = "are not of one label" if label is not None else f"of this {self.model.name} do not exist"
            raise UserError(f"`start` persistent: persistent chains {why}; leave it out.")
        return jax.tree.map(lambda x: x[:n], chains)

    def key(self, seed: int, start: Start = "fresh", label: int | None = None) -> Any:
        """Samples that may be compared share no random numbers: chains of other starts, and of other labels."""
        key = random.key(seed, self.settings.rng)
        key = key if start == "fresh" else random.subkey(key, start)
        return key if label is None else jax.random.fold_in(key, label)

    def _no(self, what: str, question: str, *others: str) -> UserError:
        remedy = f"; it answers {', '.join(others)}" if others else ""
        article = "An" if self.model.name[0] in "aeiou" or self.model.name == "rbm" else "A"
        return UserError(f"{article} {self.model.name} has no {what} ({question}){remedy}.")


def _changed(config: Any) -> dict[str, Any]:
    """The options in which a config differs from the model's defaults."""
    plain = flat(type(config)())
    return {name: value for name, value in flat(config).items() if plain.get(name) != value}
