"""scikit-learn's `BernoulliRBM`, trained by genjax: the same arguments, methods and attributes.

    from genjax.sklearn import BernoulliRBM      # in place of sklearn.neural_network

What it is asked (`transform`, `gibbs`, `score_samples`) is scikit-learn's own code on the same attributes; what learns
them is genjax's training loop. Values between 0 and 1 count as probabilities, and any finite numbers are taken, as
scikit-learn does.
"""

import copy
import time
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import scipy.sparse
from sklearn import neural_network
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from genjax import random
from genjax.algorithms.contrastive import trained_machine
from genjax.algorithms.negative import PCD
from genjax.api.compilation import keep_compiled_programs
from genjax.boltzmann.machine import Machine
from genjax.models.rbm import RBM
from genjax.training import loop
from genjax.training.optimisers import Constant, Linear
from genjax.typing import Algorithm

SCHEDULES = {"constant": Constant(), "linear": Linear()}
LEARNED = ("components_", "intercept_hidden_", "intercept_visible_")


class BernoulliRBM(neural_network.BernoulliRBM):
    """A restricted Boltzmann machine with binary units, trained by persistent contrastive divergence (Tieleman 2008).

    Arguments and attributes are those of `sklearn.neural_network.BernoulliRBM`; further ones by keyword:

    - `n_chains`: persistent chains, rows of `h_samples_` (None: as many as a batch has examples).
    - `n_sweeps`: Gibbs sweeps of the chains a step.
    - `centred`: centre the gradient by the units' means (Melchior, Fischer and Wiskott 2016): better likelihoods in the
      end, and slower at the rates and lengths that scikit-learn's users have.
    - `schedule`: of `fit`'s learning rate, constant or linear, falling to 0.
    - `average`: share of `fit`'s steps, at their end, over which the parameters are averaged (0: none).
    - `weight_decay`: decay of the weights at each step, times the learning rate.

    `fit` shuffles the examples in each iteration and takes whole batches, begins at the data's base rates, and computes
    in float32, of sparse examples on a dense copy; attributes have the type of the data, as in scikit-learn.
    `partial_fit` is one step of a constant rate, without an average. Raises `genjax.Diverged` where a parameter exceeds
    10^4 in magnitude.
    """

    _parameter_constraints: ClassVar[dict] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        **neural_network.BernoulliRBM._parameter_constraints,
        "n_chains": [Interval(Integral, 1, None, closed="left"), None],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "centred": ["boolean"],
        "schedule": [StrOptions(set(SCHEDULES))],
        "average": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(  # takes anything: scikit-learn wants `fit` to look at arguments
        self,
        n_components: Any = 256,
        *,
        learning_rate: Any = 0.1,
        batch_size: Any = 10,
        n_iter: Any = 10,
        verbose: Any = 0,
        random_state: Any = None,
        n_chains: Any = None,
        n_sweeps: Any = 1,
        centred: Any = False,
        schedule: Any = "constant",
        average: Any = 0.0,
        weight_decay: Any = 0.0,
    ):
        super().__init__(
            n_components,
            learning_rate=learning_rate,
            batch_size=batch_size,
            n_iter=n_iter,
            verbose=verbose,
            random_state=random_state,
        )
        self.n_chains = n_chains
        self.n_sweeps = n_sweeps
        self.centred = centred
        self.schedule = schedule
        self.average = average
        self.weight_decay = weight_decay

    def fit(self, X: Any, y: Any = None) -> "BernoulliRBM":
        """Learn from all examples, `(n_samples, n_features)`, dense or sparse, in `n_iter` passes."""
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32))
        data, rng = on_device(X), check_random_state(self.random_state)
        plan = loop.plan(len(data.x), self.batch_size, "means")
        if self.verbose:
            plan = plan._replace(chunk=plan.steps_per_epoch)
        steps = self.n_iter * plan.steps_per_epoch
        config = self._config(schedule=SCHEDULES[self.schedule], average=float(self.average))
        algorithm, key, state = initialised(config, data, plan, steps, rng)
        shown = [self._telling(X)] if self.verbose else []
        self._keep(loop.train(key, algorithm, data, plan, state, steps, on_chunk=shown), X.dtype)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "BernoulliRBM":  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of learning from these examples, all of them one batch."""
        first = not hasattr(self, "components_")
        if first:
            self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=first)
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        data = on_device(X)
        plan = loop.plan(len(data.x), len(data.x), "means", longest_chunk=1)
        algorithm, key, state = initialised(self._config(), data, plan, 1, self.random_state_)
        if not first:
            hidden = jnp.asarray(self.h_samples_, jnp.float32)
            blank = jnp.zeros((len(hidden), X.shape[1]), jnp.float32)  # a sweep begins at the hidden units
            offsets = getattr(self, "_offsets", state.offsets)
            state = state._replace(machine=self.machine_, chains=(blank, hidden))
            state = state._replace(offsets=tuple(map(jnp.asarray, offsets)))
        self._keep(loop.train(key, algorithm, data, plan, state, 1), X.dtype)
        return self

    @property
    def machine_(self) -> Machine:
        """The machine as genjax has it, which all of `genjax.boltzmann`, `likelihood` and `sampling` take."""
        check_is_fitted(self)
        weights, hidden, visible = (jnp.asarray(getattr(self, name), jnp.float32) for name in LEARNED)
        return Machine((weights.T,), (visible, hidden))

    @classmethod
    def from_sklearn(cls, estimator: neural_network.BernoulliRBM, **options: Any) -> "BernoulliRBM":
        """One with the parameters and all that was learned of scikit-learn's; `options` are further parameters."""
        return with_parameters_of(estimator, cls(**estimator.get_params(), **options))

    def to_sklearn(self) -> neural_network.BernoulliRBM:
        """scikit-learn's, with the parameters that it knows and all that was learned."""
        other = neural_network.BernoulliRBM()
        known = {name: value for name, value in self.get_params().items() if name in other.get_params()}
        return with_parameters_of(self, other.set_params(**known))

    def _config(self, **of_a_run: Any) -> RBM:
        """The learner; without options that of a step."""
        plain = {"schedule": Constant(), "average": 0.0} | of_a_run
        return RBM(
            hidden=int(self.n_components),
            negative=PCD(k=int(self.n_sweeps), chains=int(self.n_chains or self.batch_size)),
            centred=bool(self.centred),
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            **plain,
        )

    def _keep(self, state: Any, dtype: Any) -> None:
        """What was learned as scikit-learn's attributes: new arrays, those of features in columns."""
        machine = trained_machine(state)
        self.components_ = np.array(machine.weights[0], dtype).T
        self.intercept_visible_, self.intercept_hidden_ = (np.array(bias, dtype) for bias in machine.biases)
        self.h_samples_ = np.array(state.chains[1], dtype)
        self._offsets = tuple(map(np.asarray, state.offsets))
        self._n_features_out = self.components_.shape[0]

    def _telling(self, X: Any) -> Callable[[loop.Chunk], None]:
        """Prints a line an iteration, as scikit-learn does."""
        before = time.perf_counter()

        def tell(chunk: loop.Chunk) -> None:
            nonlocal before
            self._keep(chunk.state, X.dtype)
            score, now = self.score_samples(X).mean(), time.perf_counter()
            line = f"[{type(self).__name__}] Iteration {chunk.epoch:.0f}, pseudo-likelihood = {score:.2f}"
            print(f"{line}, time = {now - before:.2f}s")
            before = now

        return tell


def on_device(X: Any) -> loop.TrainingSet:
    """Examples as the loop reads them. Raises `ValueError` for numbers that float32 cannot hold."""
    with np.errstate(over="ignore"):
        x = X.astype(np.float32).toarray() if scipy.sparse.issparse(X) else np.asarray(X, np.float32)
    if not np.isfinite(x).all():
        raise ValueError("X holds numbers that float32 cannot hold; rescale them.")
    return loop.TrainingSet(jnp.asarray(x))


def nothing_observed(*_: Any) -> dict[str, Any]:
    """Chunks are measured by the steps' own metrics alone."""
    return {}


def initialised(
    config: RBM, data: loop.TrainingSet, plan: loop.Plan, steps: int, rng: Any
) -> tuple[Algorithm, Any, Any]:
    """The learner, a key, and the state before the first step."""
    keep_compiled_programs()
    algorithm, hyper = config.algorithm(steps, loop.example(data, plan))
    key = random.key(int(rng.randint(np.iinfo(np.int32).max)))
    return algorithm._replace(observe=nothing_observed), key, loop.initial(key, algorithm, data, plan, hyper)


def with_parameters_of(one: Any, other: Any) -> Any:
    """The other estimator with a copy of what the one has learned."""
    learned = {name: value for name, value in vars(one).items() if name not in one.get_params()}
    for name, value in learned.items():
        setattr(other, name, copy.deepcopy(value))
    return other
