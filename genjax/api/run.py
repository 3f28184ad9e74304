"""A run: a trained model, and every question that may be asked of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from genjax import random
from genjax.api import folder as on_disk
from genjax.api.classifier import classifier_of
from genjax.api.compilation import forget_programs
from genjax.api.prepared import prepare, read, same
from genjax.api.trained import Start, Trained
from genjax.data.places import refuse_missing
from genjax.data.record import difference, of_images
from genjax.errors import UserError
from genjax.evaluation import samples as quality
from genjax.evaluation import sentences
from genjax.evaluation.classes import has_classes
from genjax.evaluation.classifier import Classifier
from genjax.evaluation.cost import peak_memory_mb
from genjax.evaluation.inception import inception as inception_network
from genjax.evaluation.inception import inception_distances
from genjax.evaluation.likelihood import report
from genjax.evaluation.references import without_structure
from genjax.likelihood.bidirectional import part
from genjax.likelihood.estimate import plain
from genjax.models.chains import fresh
from genjax.sampling import diagnostics as of_chains
from genjax.sampling.gibbs import Gibbs
from genjax.training.config import whole_number
from genjax.training.folder import read_evaluation, write_json
from genjax.training.mesh import Devices, mesh_of, on
from genjax.typing import Answer, Estimate, Kernel, Model, Progress

if TYPE_CHECKING:
    from genjax.api.plot import Plots
else:
    Plots = Any  # matplotlib is slow to import, and many a run draws nothing

CODES = 10_000  # training examples whose codes stand for all
diagnose = jax.jit(of_chains.diagnose, static_argnums=(3, 4))


@dataclass(eq=False, repr=False)
class Run(Trained):
    """A trained model that answers questions, is drawn by `plot` and kept by `save`."""

    @property
    def plot(self) -> Plots:
        """Its figures."""
        from genjax.api import plot

        return plot.Plots(self)

    def on_named_data(self) -> tuple["Run", str | None]:
        """This run, asked about the data that its settings name now, and what differs from its own; None where they
        are its own. Raises `UserError` where they are of another shape, or not there."""
        refuse_missing(self.settings, self.folder or Path(self.name))
        dataset = read(self.settings, self.model)
        other = difference(self.record, (self.model.describe or of_images)(dataset))
        if other is None:
            return self, None
        if self.model.read is not None:  # ratings are of the users and items that it has learned
            same(self.folder, self.config, self.settings, self.record, dataset)  # raises
        if tuple(dataset.shape) != tuple(self.record.shape):
            raise UserError(f"`dataset` {self.settings.dataset}: {other}; evaluate it on data of that shape.")
        return replace(self, loaded=prepare(self.config, self.settings, dataset)), other

    @property
    def evaluated(self) -> dict[str, Any] | None:
        """What its evaluation said, if it has been evaluated as it is now."""
        found = self.__dict__.get("_evaluated")
        if found is None and self.folder is not None:
            found = read_evaluation(self.folder)
        return found if found and found.get("step") == self.step else None

    @property
    def summary(self) -> str:
        """One line of its evaluation, for the foot of a figure."""
        numbers = self.evaluated
        if numbers is not None:
            return sentences.summary(numbers)
        before = self.folder is not None and (self.folder / "evaluation.json").exists()
        return "not evaluated" + (" since it was trained further" if before else "")

    def log_likelihood(
        self, x: Any = None, label: Any = None, *, seed: int = 0, devices: Devices = None, **effort: Any
    ) -> Estimate:
        """Mean log p of examples (the test split unless given), nats an example; `kind` says what it is of it.

        Binarised as trained, with the one fixed draw. `effort` are the estimator's options (of Boltzmann machines
        `temperatures`, `ais_chains`, `standard_error`, `minutes`; of autoencoders `draws`); log Z is
        estimated once and kept, its chains split over this machine's devices: all unless `devices` gives a number.
        Raises `UserError` for models without a likelihood.
        """
        answer = self.answer(seed, effort, devices=devices)
        return answer.estimate(answer.score(self._examples(x, label)))

    def score_samples(
        self, x: Any, label: Any = None, *, seed: int = 0, devices: Devices = None, **effort: Any
    ) -> np.ndarray:
        """Log p of each example, `(n,)` nats, by the estimator of `log_likelihood`."""
        return np.asarray(self.answer(seed, effort, devices=devices).score(self._examples(x, label)))

    def sample(
        self,
        n: int,
        label: int | str | None = None,
        sweeps: int = 1000,
        kernel: Kernel | None = None,
        start: Start = "fresh",
        given: Any = None,
        missing: Any = None,
        means: bool = False,
        diagnostics: bool = False,
        seed: int = 0,
        devices: Devices = None,
    ) -> Any:
        """`n` samples, `(n, *shape)`; the same call gives the same answer, on any number of `devices` (of this machine;
        all unless told otherwise).

        - `label`: draw this class, of models that know classes. `means`: expected values in place of drawn ones.
        - `sweeps`, `kernel`, `start` (fresh chains, or the persistent ones that training left): of models with chains.
        - `given`, `missing`: complete one example, drawing what is missing (boolean, True where unknown).
        - `diagnostics`: also give R-hat, effective sample size and autocorrelation time of the chains, and where there
          is a ladder swap rates and round trips: `(samples, numbers)`.
        """
        whole_number("n", n)
        whole_number("sweeps", sweeps, least=0)
        if kernel is not None and not hasattr(kernel, "step"):
            raise UserError(f"`kernel` {kernel!r} is no kernel; give one of genjax.sampling, such as gibbs.Gibbs().")
        if given is not None or missing is not None:
            return self._completed(n, given, missing, sweeps, seed, devices)
        arrays = self.draw(n, (sweeps,), label, kernel, start, seed, devices)
        if means and "means" not in arrays:
            raise UserError(f"`means`: a {self.model.name} draws without expected values; leave it out.")
        shaped = self.shaped(arrays["means" if means else "samples"])
        return (shaped, self.diagnostics(n, sweeps, label, kernel, start, seed, devices)) if diagnostics else shaped

    def draw(
        self,
        n: int,
        times: tuple[int, ...] = (1000,),
        label: Any = None,
        kernel: Kernel | None = None,
        start: Start = "fresh",
        seed: int = 0,
        devices: Devices = None,
    ) -> dict[str, Any]:
        """Samples as arrays by name, flat: what `sample` gives, and the pictures show (see `typing.Model.sample`)."""
        model = self.model
        if model.sample is None:
            raise self._no("samples", "sample", *self._answers())
        options: dict[str, Any] = {} if label is None else {"label": self._label(label)}
        if self.has_chains:
            options |= {"times": times} | ({} if kernel is None else {"kernel": kernel})
            if start == "persistent":
                options["start"] = self._persistent(n, label)
        elif kernel is not None or start != "fresh":
            what = "kernel" if kernel is not None else "start"
            raise UserError(f"`{what}`: a {model.name} has no chains; leave it out.")
        if model.sample_needs_data:
            options["train"] = np.asarray(self.fixed_train(CODES).x)
        own = options.get("label")
        key = self.key(seed, start, own if isinstance(own, int) else None)
        forget_programs()
        parameters = self.parameters
        with on(mesh_of(devices, "all")):
            return model.sample(key, parameters, n, **options)

    def draw_classes(
        self,
        n: int,
        sweeps: int = 1000,
        kernel: Kernel | None = None,
        start: Start = "fresh",
        seed: int = 0,
        devices: Devices = None,
    ) -> dict[str, Any]:
        """`n` samples of each class, with their `labels`; of models with chains the label is clamped."""
        if not self.classes:
            raise UserError(f"`label` all: this {self.model.name} has not learned labels; leave it out.")
        each = [self.draw(n, (sweeps,), label, kernel, start, seed, devices) for label in range(self.classes)]
        names = [name for name in ("samples", "means") if name in each[0]]
        whole = {name: np.concatenate([arrays[name] for arrays in each]) for name in names}
        return whole | {"labels": np.repeat(np.arange(self.classes), n)}

    def diagnostics(
        self,
        chains: int,
        sweeps: int = 1000,
        label: int | str | None = None,
        kernel: Kernel | None = None,
        start: Start = "fresh",
        seed: int = 0,
        devices: Devices = None,
    ) -> dict[str, Any]:
        """How well that many chains mix over so many sweeps: see `sampling.diagnostics.diagnose`."""
        if not self.has_chains:
            raise UserError(f"`diagnostics`: a {self.model.name} has no chains; leave it out.")
        machine: Any = self.machine
        states = self._persistent(chains, label) if start == "persistent" else None
        key = self.key(seed, start, None if label is None else self.class_number(label))
        if label is not None:
            assert self.model.clamped is not None
            machine = self.model.clamped(machine, self.class_number(label))
        with on(mesh_of(devices, "all")):
            if states is None:
                states = fresh(jax.random.fold_in(key, 0), machine, chains)
            numbers = diagnose(key, machine, states, sweeps, kernel or Gibbs())[1]
        return {name: np.asarray(value).tolist() for name, value in numbers.items()}

    def reconstruct(self, x: Any, missing: Any = None, *, sweeps: int = 400, seed: int = 0) -> np.ndarray:
        """Expected values where `missing` (boolean, True where unknown), what was given as it is; without it there and
        back: an example's code decoded."""
        if missing is None:
            if self.model.back is None:
                raise self._no("codes", "reconstruct without `missing`", *self._answers())
            return self.shaped(np.asarray(self.model.back(self.parameters, self.flat(x))), like=x)
        if self.model.reconstruct is None:
            raise self._no("way to fill in values", "reconstruct", *self._answers())
        flat_x, hole = self._holed(x, missing, "`x`")
        filled = self.model.reconstruct(self.key(seed), self.parameters, flat_x, hole, sweeps)
        return self.shaped(np.asarray(filled), like=x)

    def encode(self, x: Any, label: Any = None) -> np.ndarray:
        """Codes, `(n, units)`: of autoencoders; of Boltzmann machines the means of the highest hidden layer."""
        if self.model.encode is None:
            raise self._no("codes", "encode", *self._answers())
        return np.asarray(self.model.encode(self.parameters, self.flat(x), label))

    def decode(self, z: Any, label: Any = None) -> np.ndarray:
        """Expected values of codes or latents, `(n, *shape)`."""
        if self.model.decode is None:
            raise self._no("codes", "decode", *self._answers())
        return self.shaped(np.asarray(self.model.decode(self.parameters, np.asarray(z, np.float32), label)))

    def features(self, x: Any) -> np.ndarray:
        """`(n, features)` for a classifier."""
        if self.model.features is None:
            raise self._no("features", "features", *self._answers())
        return np.asarray(self.model.features(self.parameters, self.flat(x)))

    def predict(self, x: Any) -> Any:
        """What the network makes of examples, `(n, outputs)`, or a pytree of such arrays where it gives one."""
        if self.model.predict is None:
            raise self._no("outputs", "predict", *self._answers())
        return self.model.predict(self.parameters, self.flat(x))

    def classify(self, x: Any) -> np.ndarray:
        """Log-probabilities of the classes, `(n, classes)`."""
        if self.model.classify is None or (self.model.classes is not None and not self.classes):
            raise self._no("classes", "classify", *self._answers())
        return np.asarray(self.model.classify(self.parameters, self.flat(x)))

    def evaluation(
        self, *, seed: int = 0, progress: Callable[..., None] | None = None, devices: Devices = None, **effort: Any
    ) -> dict[str, Any]:
        """Everything that `genjax evaluate` prints, as plain numbers by name; the log-likelihoods are estimates, on
        all of this machine's devices unless `devices` gives a number. `progress(share, note="")` is told how much is
        done, from 0 to 1, and with what it goes on."""
        began, model = time.perf_counter(), self.model
        effort = _known(model, effort)
        if model.answer is None and model.evaluate is None and model.sample is None:
            raise self._no("likelihood, or anything else that is measured", "evaluate")
        train, test = self.fixed_train(getattr(model.effort, "training", None)), self.fixed_test()
        found, say = {}, progress or (lambda share, note="": None)
        answer = None if model.answer is None else self.answer(seed, effort, part(say, 0.0, 0.8), devices)
        if answer is not None:
            say(0.8, "log p of each image")
            found |= report(answer, train, test, self.refute)[0]
            if model.read is None and not self.classes:
                found["without_structure"] = without_structure(np.asarray(train.x), np.asarray(test.x))
        say(0.9 if answer is not None else 0.0, "what else is measured")
        if model.evaluate is not None:
            key = random.key(seed, self.settings.rng)
            found |= {
                n: v for n, v in model.evaluate(key, self.parameters, train, test, answer).items() if v is not None
            }
        elif answer is None:
            found |= self.measured_samples(seed=seed, progress=progress, devices=devices, **effort)[0].table
        say(1.0, "")
        found["over_fitting"] = self.over_fitting
        found = plain({n: v for n, v in found.items() if v is not None}) | {
            "model": model.name,
            "dataset": self.settings.dataset,
            "step": self.step,
            "binarisation": self.settings.binarisation,
            "users" if model.read else "images": {"train": len(train.x), "test": len(test.x)},
            "seconds": round(time.perf_counter() - began, 2),
            "peak_memory_mb": peak_memory_mb(),
        }
        self.__dict__["_evaluated"] = found
        return found

    def sample_quality(self, n: int | None = None, sweeps: int = 1000, **options: Any) -> dict[str, Any]:
        """The table of its samples beside real images, the same for every model that samples (`evaluation.samples`).

        As many samples as there are test images unless told otherwise; a classifier of the data's labels is trained
        once where there are labels. `options` are those of `measured_samples`.
        """
        return plain(self.measured_samples(n, sweeps, **options)[0].table)

    def measured_samples(
        self,
        n: int | None = None,
        sweeps: int = 1000,
        *,
        classifier: Classifier | None = None,
        inception: Any = None,
        seed: int = 0,
        progress: Progress | None = None,
        devices: Devices = None,
    ) -> tuple[quality.Measured, dict[str, Any]]:
        """The same with what pictures of it need, and the samples.

        `inception` is a file with that network's weights, for FID and KID.
        """
        network = None if inception is None else inception_network(inception)
        dataset, test, train = self.prepared.dataset, np.asarray(self.fixed_test().x), np.asarray(self.fixed_train().x)
        known = has_classes(dataset.labels.train)
        classifier = classifier or classifier_of(dataset)
        count = n or len(test)
        labels = None
        if self.classes and not self.has_chains and known:
            labels = quality.labels_like(dataset.labels.train, count)
        arrays = self.draw(count, (sweeps,), labels, seed=seed, devices=devices)
        means, grey = (arrays["means"], np.asarray(dataset.test)) if "means" in arrays else (None, None)
        of_test = dataset.labels.test if has_classes(dataset.labels.test) else None
        found = quality.measure(classifier, arrays["samples"], train, test, means, grey, of_test, self.class_names)
        if self.model.critic is not None:
            drawn = self.model.critic(self.parameters, arrays["samples"], arrays.get("labels", labels))
            if drawn is not None:
                real = self.model.critic(self.parameters, test, dataset.labels.test)
                learned = self.model.critic(self.parameters, train, dataset.labels.train)
                found.table["samples"]["critic_distance"] = float(real.mean() - drawn.mean())
                found.table["real"]["critic_distance"] = float(real.mean() - learned.mean())
        if network is not None:
            distances = inception_distances(
                network, arrays["samples"], train, test, dataset.shape, progress or (lambda share: None)
            )
            found.table["inception"] = distances
        return found, arrays

    def refute(self, answer: Answer, batches: Any, scores: Any) -> Answer:
        """The answer, its trust taken back where examples contradict it."""
        return answer if self.model.refute is None else self.model.refute(self.parameters, answer, batches, scores)

    def answer(
        self, seed: int, effort: dict[str, Any], progress: Progress | None = None, devices: Devices = None
    ) -> Answer:
        """What the likelihood is asked through: log Z is estimated once for the same seed and effort, and kept."""
        model = self.model
        if model.answer is None:
            raise self._no("likelihood", "log_likelihood", *self._answers())
        options = {} if model.effort is None else vars(within(model.effort(**_known(model, effort)), self.entries))
        mesh = mesh_of(devices, "all")
        asked = (mesh, seed, *sorted(effort.items()))
        kept = self.__dict__.setdefault("_answers_kept", {})
        if asked not in kept:
            forget_programs()
            if self.known_log_z is not None and not effort and seed == 0:
                options["known"] = self.known_log_z
            key, chains = random.key(seed, self.settings.rng), self.persistent_chains()
            mean = np.zeros(self.record.examples[1], np.float32) if "known" in options else self.mean  # is not read
            parameters = self.parameters  # made outside of the mesh, on which everything stays that is made there
            with on(mesh):
                kept[asked] = model.answer(key, parameters, mean, chains, progress=progress, **options)
        return kept[asked]

    def _completed(
        self, n: int, given: Any, missing: Any, sweeps: int, seed: int, devices: Devices = None
    ) -> np.ndarray:
        if given is None or missing is None:
            raise UserError("`given` and `missing` go together: an example, and where it is unknown.")
        if self.model.complete is None:
            raise self._no("way to complete examples", "sample with `given`", *self._answers())
        (example,), (hole,) = self._holed(np.asarray(given)[None], missing, "`given`")
        key, parameters = self.key(seed), self.parameters
        with on(mesh_of(devices, "all")):
            drawn = np.asarray(self.model.complete(key, parameters, example, hole, n, sweeps))
        return self.shaped(drawn)

    def _answers(self) -> list[str]:
        same = ("sample", "reconstruct", "encode", "decode", "features", "predict", "classify")
        questions = {"answer": "log_likelihood", **{name: name for name in same}}
        return [name for field_name, name in questions.items() if getattr(self.model, field_name) is not None]

    def save(self, folder: str | Path) -> "Run":
        """Write it as `genjax train` keeps a run; a folder that exists is replaced only if it holds this run."""
        on_disk.save(self, Path(folder))
        self.folder = Path(folder)
        return self

    def write_evaluation(self, numbers: dict[str, Any]) -> None:
        """Into the run's evaluation.json."""
        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "evaluation.json", numbers)


def within(effort: Any, entries: list[dict[str, Any]]) -> Any:
    """The effort of an estimate, which by default goes on no longer than training took."""
    minutes = entries[-1].get("seconds", 0.0) / 60 if entries else 0.0
    return effort.within(minutes) if hasattr(effort, "within") else effort


def _known(model: Model, effort: dict[str, Any]) -> dict[str, Any]:
    names = set() if model.effort is None else set(model.effort.__dataclass_fields__)
    for name in effort:
        if name not in names:
            those = f"it takes {', '.join(sorted(names))}" if names else "it takes none"
            raise UserError(f"`{name}` is no option by which a {model.name} is evaluated; {those}.")
    if model.effort is not None:
        model.effort(**effort).check()
    return effort
