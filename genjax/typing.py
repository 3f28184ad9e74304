"""The contract: what learns, what samples, what is asked of a model and how it is answered. Imports nothing of genjax.

- `Algorithm`: three pure functions of a state. `Stage`: one of them for some steps.
- `Kernel`: what moves chains. `Energy`: what a machine of any connections answers, so that kernels, annealed importance
  sampling and learning take it.
- `Model`: a kind of model with the questions that it answers. `Estimate`: the one type of an answer.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Key, PyTree

State = PyTree
"""What an algorithm carries from step to step; `state.hyper` holds every number that a grid may vary."""

Metrics = dict[str, Array]
"""Scalars by name."""

Hyper = dict[str, Float[Array, ""]]
"""Traced rates (learning rate, momentum, total steps, ...): float32 scalars, so that a new value never compiles."""

Progress = Callable[[float], None]
"""Called with the share of the work that is done, from 0 to 1."""


class Batch(NamedTuple):
    """Examples as an algorithm takes them: flat, already binarised by the loop.

    `target` is any pytree of arrays with the examples along its leading axes (class numbers, -1 where there are none),
    or None.
    """

    x: Float[Array, "batch values"]
    target: PyTree = None


class Example(NamedTuple):
    """What `init` may look at: one batch, and the moments of the whole training set."""

    batch: Batch
    mean: Float[Array, " values"]
    variance: Float[Array, " values"]


def accept(batch: Batch) -> None:
    """Take any examples."""


class Algorithm(NamedTuple):
    """A learner, as an optax `GradientTransformation` is an optimiser.

    - `init(key, example, hyper) -> state`
    - `step(key, state, batch) -> (state, metrics)`; metrics include `parameter_max`, the largest magnitude
      among the parameters, by which the loop knows a run that has exploded.
    - `observe(key, state, train_batch, held_out) -> metrics`, once a chunk; `held_out` may be None.
    - `check(batch)`, on the host before any work: raises `UserError` where these examples are none that it can learn.

    Factories take an `axis_name`, with which `step` averages over devices, under `jax.pmap` or `jax.shard_map` (with
    `check_vma` or without). Each device has its own part of the batch and, of a Boltzmann machine, its own
    `state.chains`; the key is the same on all devices, and so are metrics and all else of the state, before and after.
    """

    init: Callable[[Key[Array, ""], Example, Hyper], Any]
    step: Callable[[Key[Array, ""], Any, Batch], tuple[Any, Metrics]]
    observe: Callable[[Key[Array, ""], Any, Batch, Batch | None], Metrics]
    check: Callable[[Batch], None] = accept


class Stage(NamedTuple):
    """One part of a run.

    - `name`: of its checkpoints; that of the last one is `training.stages.LAST`.
    - `steps`: how many.
    - `handover(key, state, example, hyper)`: the stage's first state from the last state of the one before; None for
      the first stage, which begins with `algorithm.init`.
    """

    name: str
    algorithm: Algorithm
    hyper: Hyper
    steps: int
    handover: Callable[[Key[Array, ""], Any, Example, Hyper], Any] | None = None


@runtime_checkable
class Kernel(Protocol):
    """What moves chains of an `Energy`: a frozen, hashable value with three pure functions.

    Sweep i of a step draws from `fold_in(key, first + i)`, so that several steps under one key, each with its `first`,
    are one long step. An info is a pytree of sums, empty where there is nothing to count, so that it adds up under
    `lax.scan`. What a kernel cannot serve (`beta`, `base`, `clamp`) it refuses with a `UserError` when it is traced.

    A kernel may have `summary(state, info)`, a dict of arrays: what `sampling.diagnostics.diagnose` says of it.
    """

    def init(self, key: Key[Array, ""], machine: Any, states: PyTree) -> Any:
        """The kernel's state, whose chains begin at `states`: an array a layer, `(chains, units)`."""
        ...

    def step(
        self,
        key: Key[Array, ""],
        machine: Any,
        state: Any,
        sweeps: int = 1,
        beta: Any = 1.0,
        base: Any = None,
        clamp: Any = None,
        first: Any = 0,
    ) -> tuple[Any, PyTree]:
        """The state after so many (static) sweeps, the first of them number `first` of the key, and what happened."""
        ...

    def states(self, state: Any) -> PyTree:
        """The machine's own chains: an array a layer, `(chains, units)`."""
        ...


@runtime_checkable
class Energy(Protocol):
    """A Boltzmann machine of any connections, as a pytree of its natural parameters.

    A path between two of them is a `tree.map` (`boltzmann.path.interpolate`), a gradient is `jax.grad` of `energy`.
    States are tuples of arrays, one a layer, each `(*batch, units)`; layers of one parity (0: even, 1: odd) are updated
    together given the others. The odd ones can be summed out, and an update of them never reads their old values.

    Optional, where a machine can do better: `larger_parity()`, which parity annealed importance sampling sums out
    (otherwise 1); `log_ratio(base, states, parity, now, before)`, log f_now - log f_before on the path from a base in
    nats, more precise than the difference of two marginals; `offsets(means)`, by what its gradient may be centred,
    given the units' means (otherwise those), where parameters are shared. To be the lower one of a stack:
    `upwards(key, x)`, what the next machine sees of its visible states x, with `sizes` and `units` (types) of both.
    """

    def energy(self, states: PyTree) -> Float[Array, "*batch"]:
        """E in nats."""
        ...

    def update(
        self, key: Key[Array, ""], states: PyTree, parity: int, beta: Any = 1.0, base: Any = None, clamp: Any = None
    ) -> PyTree:
        """All layers of one parity drawn given the others; leaves the density at `beta` between `base` and self."""
        ...

    def marginal(self, states: PyTree, parity: int) -> Float[Array, "*batch"]:
        """Log of the unnormalised probability of the layers kept, those of `parity` summed out and not read; nats."""
        ...

    def expected(self, states: PyTree, parity: int = 1) -> PyTree:
        """The states with their layers of `parity` at their expected values given the others; the old are not read."""
        ...

    def uncoupled(self, x: Float[Array, "examples visible"] | None = None) -> Any:
        """The same machine without couplings (None), near the examples' base rates: where a path begins.

        Without examples its biases are the machine's. It is an `Energy` that has `log_z()` in nats, exactly, and
        `draw(key, chains)`, independent states.
        """
        ...


Kind = Literal["exact", "estimate", "lower_bound", "upper_bound"]


class Estimate(NamedTuple):
    """A number in nats (or as its name says) with the 95 % interval of its estimator.

    - `standard_error`: of the estimator; 0 where it is exact.
    - `examples_se`: the standard error over the examples, which the interval does not cover; NaN where there are none.
    - `kind`: what it is of the number asked for; `estimator`: how it was got.
    - `trusted`, and the `reason` why or why not.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    examples_se: float
    kind: Kind
    estimator: str
    trusted: bool
    reason: str

    def __repr__(self) -> str:
        kind = self.kind.replace("_", " ")
        article = "an" if kind[0] in "aeu" else "a"
        interval = "" if self.low == self.mean == self.high else f" [{self.low:.6g}, {self.high:.6g}]"
        trust = "trusted" if self.trusted else "not trusted"
        return f"{self.mean:.6g}{interval}, {article} {kind} by {self.estimator}\n  {trust}: {self.reason}"


class Answer(NamedTuple):
    """A likelihood that is ready to be asked about examples.

    - `score(batch)`: of each example, float64 `(examples,)` nats: log p, or what `kind` says.
    - `estimate(scores)`: the mean of scores as an `Estimate`.
    - `log_z`: both sides of the partition function where there is one: `(Estimate, Estimate | None)`.
    """

    score: Callable[[Batch], np.ndarray]
    estimate: Callable[[np.ndarray], Estimate]
    log_z: tuple[Estimate, Estimate | None] | None = None


def nothing(*_: Any) -> None:
    """Refuse nothing."""


def nothing_settled(*_: Any) -> dict[str, Any]:
    """The data decide nothing."""
    return {}


def as_they_are(config: Any) -> str:
    """Examples are shown as they are."""
    return "none"


class Measure(NamedTuple):
    """By what is held out a model is judged as it learns: a metric, and whether more of it is better.

    Where `observe` does not report it, `take(config, state, metrics)` gives it, and what else it finds, by name;
    `needs` is the observed metric without which it cannot. It is then taken every 1,000 steps, as it costs some tens.
    """

    metric: str
    higher: bool = True
    take: Callable[[Any, Any, Mapping[str, float]], dict[str, float]] | None = None
    needs: str = ""


class Padding(NamedTuple):
    """How runs of several sizes (`hidden`) are held in arrays of one.

    - `possible(config)`: whether they can be, with this config.
    - `pad(state, hidden)`: the state before the first step in larger arrays; `unpad(state, hidden)`: taken out again.
    """

    possible: Callable[[Any], bool]
    pad: Callable[[Any, int], Any]
    unpad: Callable[[Any, int], Any]


class Model(NamedTuple):
    """A kind of model: how it is trained, and the questions that it answers as functions of its parameters.

    A question that makes no sense for it is None. `p` are the parameters, any pytree; examples are `(examples, values)`
    arrays, labels `(examples,)` class numbers; `key` comes first where chance plays a part.

    Of training:

    - `config`: a frozen dataclass of its sizes and its learning, whose instances have this as `.model`.
    - `stages(config, steps, steps_per_epoch, **settled)`: what a run does, the last stage for `steps`.
    - `parameters(state)`: what is evaluated and sampled, of the last stage's state: the average where there is one.
    - `begin(state, p)`: a fresh state of the last stage that begins at these parameters.
    - `check(config, run, dataset)`: raises `UserError` where the three do not go together.
    - `follow(config, dataset)`: the config with defaults that follow the data, and a sentence that says so or None.
    - `settle(config, dataset)`: keyword arguments of `stages` that depend on the data, of JSON's types.
    - `binarisation(config)`: how it is shown intensities unless a run says otherwise.
    - `defaults`: options of a run (`training.settings.RunConfig`) that are other ones for this model.
    - `whole`: whether of examples given as an array none are set aside unless that is asked for: it remembers them.
    - `watch(config, run, dataset, classifier)`: gives what is called with each chunk and answers with numbers and
      alarms.
    - `measures`: the first of them that a run reports judges which of its states was best on held-out examples.
    - `padding`: how a grid holds several sizes of it in one program; without it each size costs one.

    Questions:

    - `answer(key, p, mean, chains, progress=, **effort)`: log p as an `Answer`; `mean` is that of the training
      examples, `chains` those that training left, `effort` the fields of the dataclass `effort`.
    - `refute(p, answer, batches, scores)`: the answer, its trust taken back where examples contradict it.
    - `sample(key, p, count, label=)`: arrays by name: `samples` `(count, values)`, `means` where expected values are
      known, `labels` where classes were drawn in turn. Models with chains also take `times` (numbers of sweeps),
      `kernel` and `start`, and give `path` `(count, times, values)` and the kernel's `info`; `along` is what the path
      shows. Where `sample_needs_data`, it takes training examples as `train`.
    - `machine(p)`: the Boltzmann machine, whose chains sample it where it has chains.
    - `chains(config, state)`: those that training left, `(chains, units)` a layer, or None.
    - `classes(p)`: how many labels it can be asked for; `clamped(p, label)`: of models with chains, what remains with
      the label clamped.
    - `reconstruct(key, p, x, missing, sweeps)`: expected values where `missing`, the others as they are.
    - `complete(key, p, given, missing, count, sweeps)`: draws of what is missing of one example.
    - `encode(p, x, label)`, `decode(p, z, label)`: codes `(examples, units)`, expected values; `back(p, x)`: both.
    - `features(p, x)`: `(examples, features)`; `predict(p, x)`: what it makes of them, `(examples, outputs)`;
      `classify(p, x)`: log-probabilities `(examples, classes)`.
    - `critic(p, x, label)`: scores whose means over real and over drawn examples differ by its own estimate of their
      Wasserstein distance, or None where its scores are not of that kind.
    - `filters(p)`: for each layer above the values, `(values, units)`; `maxima(key, p, layer, units, norm)`: examples
      of at most this norm that drive these units of a layer (from 2) most.
    - `space(p, batch)`: its latent space, given examples (`evaluation.latent`); `decoder(p)`: without them.
    - `evaluate(key, p, train, test, answer)`: what else is measured of it, as plain numbers by name.
    - `arrays(p)`: plain arrays by name. `film(p)`: rows of samples by the number of steps, as it learned.
      `panels`: groups of metrics that its learning curves show (`plots.panels.Panel`).

    Of models whose examples are no images: `read(run, old)`, `prepare(config, run, data)`, `describe(data)`, and
    `recommend(run, p, record, user, top)`.
    """

    name: str
    config: type
    stages: Callable[..., tuple[Stage, ...]]
    parameters: Callable[[Any], Any]
    begin: Callable[[Any, Any], Any] | None = None
    check: Callable[..., None] = nothing
    follow: Callable[..., tuple[Any, str | None]] | None = None
    settle: Callable[..., dict[str, Any]] = nothing_settled
    binarisation: Callable[[Any], str] = as_they_are
    defaults: Mapping[str, Any] = MappingProxyType({})
    whole: bool = False
    watch: Callable[..., Any] | None = None
    measures: tuple[Measure, ...] = ()
    padding: Padding | None = None
    answer: Callable[..., Answer] | None = None
    effort: type | None = None
    refute: Callable[..., Answer] | None = None
    sample: Callable[..., dict[str, Any]] | None = None
    along: str = "p(v | h)"
    sample_needs_data: bool = False
    machine: Callable[[Any], Any] | None = None
    chains: Callable[..., Any] | None = None
    classes: Callable[[Any], int] | None = None
    clamped: Callable[[Any, int], Any] | None = None
    reconstruct: Callable[..., Any] | None = None
    complete: Callable[..., Any] | None = None
    encode: Callable[..., Any] | None = None
    decode: Callable[..., Any] | None = None
    back: Callable[..., Any] | None = None
    features: Callable[..., Any] | None = None
    predict: Callable[..., Any] | None = None
    classify: Callable[..., Any] | None = None
    critic: Callable[..., Any] | None = None
    filters: Callable[[Any], list[Any]] | None = None
    maxima: Callable[..., Any] | None = None
    space: Callable[..., Any] | None = None
    decoder: Callable[[Any], Any] | None = None
    evaluate: Callable[..., dict[str, Any]] | None = None
    arrays: Callable[[Any], dict[str, Any]] | None = None
    film: Callable[[Any], dict[str, Any]] | None = None
    panels: tuple[Any, ...] = ()
    read: Callable[..., Any] | None = None
    prepare: Callable[..., Any] | None = None
    describe: Callable[..., Any] | None = None
    recommend: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        answers = [name for name in QUESTIONS if getattr(self, name) is not None]
        return f"Model {self.name}: answers {', '.join(answers) or 'nothing'}"


QUESTIONS = (
    "answer",
    "sample",
    "reconstruct",
    "encode",
    "decode",
    "features",
    "predict",
    "classify",
    "filters",
    "arrays",
)
"""Fields of a `Model` that a person asks for; `answer` is its likelihood."""
