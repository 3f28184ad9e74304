"""TPUs, and GPUs of both makers: every learner, sampler and estimator is lowered for them, and none shortens a sum.

`jax.export` lowers without the devices. What is read is the text that their compilers get: where an operand is
float32, products of a Boltzmann machine, of a sampler and of a likelihood state HIGHEST, as `genjax.numerics` has it.
"""

import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from genjax.algorithms import updown
from genjax.boltzmann.hopfield import Hopfield
from genjax.likelihood import ais, exact, importance, pseudo
from genjax.likelihood.averaging import moments_of_samples
from genjax.models import autoregressive, dbn, recommender
from genjax.networks import conv, latent
from genjax.sampling import ancestral, diagnostics, fused, gibbs, retrieval, tempering
from genjax.sampling.fused import Fused
from genjax.sampling.inpainting import inpaint
from genjax.training import loop
from genjax.training.config import split
from genjax.typing import Batch
from tests.algorithms.configs import made
from tests.algorithms.test_contract import CASES, training_set
from tests.machines import random_machine

PLATFORMS = ("tpu", "cuda", "rocm")
LEARNERS = CASES | {"belief": (updown.updown, made(updown.DBNConfig, layers=(5, 4), chains=7))}
NETWORKS = ("fine-tuning", "vae", "iwae", "autoencoder", "autoregressive", "supervised", "second pair", "diffusion",
            "diffusion, flow", "gan", "gan, wasserstein", "classifier")  # fmt: skip
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def as_on_an_accelerator(monkeypatch):
    """What asks for the device while it is traced takes the way of these devices."""
    monkeypatch.setattr(conv, "written_out", lambda: False)


def lowered(function: Any, *arguments: Any, platforms: tuple[str, ...] = PLATFORMS) -> str:
    """The program for these platforms together; nothing is compiled."""
    kernels = [jax.export.DisabledSafetyCheck.custom_call(name) for name in ("triton_kernel_call", "mosaic_gpu_v2")]
    return jax.export.export(jax.jit(function), platforms=platforms, disabled_checks=kernels)(*arguments).mlir_module()


def products(text: str) -> list[str]:
    """Products of matrices and convolutions of a lowered program with a float32 operand, a line each."""
    found = re.findall(r"stablehlo\.(?:dot_general|convolution|dot)\b.*", text)
    return [line for line in found if re.search(r":\s*\(.*xf32>.*\)\s*->", line)]


def shortened(text: str) -> list[str]:
    """Those that an accelerator may compute in fewer digits."""
    return [line for line in products(text) if len(re.findall(r"HIGHEST", line)) != 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_is_lowered_and_its_statistics_are_exact(name):
    """From the first state, through a step, to what is observed."""
    factory, config = LEARNERS[name]
    static, hyper = split(config, 10)
    algorithm, data = factory(static), training_set()
    seen = loop.example(data, loop.plan(43, 10, "sampled"))

    def whole(key, example, hyper, held_out):
        state, metrics = algorithm.step(key, algorithm.init(key, example, hyper), example.batch)
        return state, metrics, algorithm.observe(key, state, example.batch, held_out)

    text = lowered(whole, KEY, seen, hyper, data.held_out)
    assert products(text)
    if name not in NETWORKS:
        assert shortened(text) == []


MACHINE = random_machine((5, 4, 3))
STATES = gibbs.initial_states(KEY, MACHINE, 6)
BYTES = jax.tree.map(lambda x: x.astype(jnp.int8), STATES)
X = jnp.zeros((6, 5), jnp.float32)
NET = Hopfield(jnp.zeros(5), jnp.zeros((5, 5)))
LADDER = tempering.path_ladder(MACHINE.uncoupled(), MACHINE, jnp.linspace(0, 1, 3))
SPINS = (jnp.ones((6, 5)),)


def moved(kernel: Any, states: Any = STATES) -> Any:
    return lambda key, machine: gibbs.sample(key, machine, states, 3, kernel=kernel).states


PROGRAMS = {
    "gibbs": (moved(gibbs.Gibbs()), MACHINE),
    "gibbs of bytes": (moved(gibbs.Gibbs(), BYTES), MACHINE),
    "gibbs, fast": (moved(gibbs.Gibbs("fast")), MACHINE),
    "tempered": (moved(tempering.Tempered(rungs=3)), MACHINE),
    "parallel tempering": (lambda key, ladder: tempering.run(key, ladder, tempering.init(key, ladder, 7), 3), LADDER),
    "tuned temperatures": (
        lambda key, m: tempering.tuned(key, m.uncoupled(), m, jnp.linspace(0, 1, 3), 7, 2, 2),
        MACHINE,
    ),
    "AIS": (lambda key, m: ais._anneal(key, m, m.uncoupled(), STATES, jnp.linspace(0, 1, 4), jnp.int32(0), 1), MACHINE),
    "AIS by a kernel": (
        lambda key, m: ais._anneal(
            key, m, m.uncoupled(), STATES, jnp.linspace(0, 1, 4), jnp.int32(0), 1, gibbs.Gibbs("fast")
        ),
        MACHINE,
    ),
    "the base of AIS": (lambda key, m: ais._start(key, m.uncoupled(X), 7), MACHINE),
    "exact log Z": (lambda key, m: exact._block_moments(m, jnp.int32(0), jnp.int32(16), 16), MACHINE),
    "moments of samples": (lambda key, m: moments_of_samples(m, STATES), MACHINE),
    "pseudo-likelihood": (lambda key, m: pseudo.pseudo_log_likelihood(m, (X, None, STATES[2])), MACHINE),
    "one pixel of it": (lambda key, m: pseudo.one_pixel_pseudo_log_likelihood(key, m, (X, None, STATES[2])), MACHINE),
    "diagnostics": (lambda key, m: diagnostics.diagnose(key, m, STATES, 8), MACHINE),
    "inpainting": (lambda key, m: inpaint(key, m, X, X == 0, 3, 1), MACHINE),
    "retrieval": (lambda key, net: retrieval.retrieve(key, net, SPINS[0], retrieval.Asynchronous()), NET),
    "retrieval, all at once": (lambda key, net: retrieval.retrieve(key, net, SPINS[0], retrieval.Synchronous()), NET),
    "Hopfield": (lambda key, net: gibbs.sample(key, net, SPINS, 3).states, NET),
}


@pytest.mark.parametrize("name", [n if n == "gibbs" else pytest.param(n, marks=pytest.mark.slow) for n in PROGRAMS])
def test_every_sampler_and_estimator_is_lowered_and_exact(name):
    function, of = PROGRAMS[name]
    text = lowered(function, KEY, of)
    assert shortened(text) == []


@pytest.mark.slow
@pytest.mark.skipif(not fused.available(), reason="this JAX has no Pallas")
@pytest.mark.parametrize("numbers", ["exact", "fast"])
def test_the_fused_kernel_is_lowered_where_it_is_none(numbers):
    """Of the GPUs that have it `tests/sampling/test_fused.py` tells."""
    machine = random_machine((5, 4))
    text = lowered(
        moved(Fused(numbers), gibbs.initial_states(KEY, machine, 6)), KEY, machine, platforms=("tpu", "rocm")
    )
    assert products(text) or numbers == "fast"
    assert shortened(text) == []


def begun(name: str) -> Any:
    """Shapes of the first state of a learner of the table, and of its examples."""
    factory, config = LEARNERS[name]
    seen = loop.example(training_set(), loop.plan(43, 10, "sampled"))
    return jax.eval_shape(factory(config).init, KEY, seen, split(config, 10)[1]), seen.batch.x


@pytest.mark.slow
def test_what_networks_sample_and_their_likelihoods_are_exact():
    """Though in training their products have the device's own precision."""
    state, x = begun("autoregressive")
    missing = jnp.zeros(x.shape, bool).at[:, ::2].set(True)
    assert shortened(lowered(lambda key, of: ancestral.expected(key, of, x, missing, 8), KEY, state.model)) == []
    assert shortened(lowered(autoregressive._log_probability, state.model, x)) == []
    state, x = begun("vae")
    data = Batch(x, jnp.zeros(len(x), jnp.int32))
    text = lowered(lambda key, of: importance._block(key, of, data, latent.log_weight, 4, 2), KEY, state.model)
    assert products(text)
    assert shortened(text) == []


@pytest.mark.slow
def test_what_is_expected_of_a_stack_and_of_ratings_is_exact():
    state, x = begun("belief")
    network = updown.trained_network(state)
    assert shortened(lowered(dbn._decoded, network, jnp.zeros((3, 4)))) == []
    state, x = begun("recommender")
    of, index = recommender.trained_machine(state), jnp.zeros(3, jnp.int32)
    text = lowered(recommender._expected, of, jnp.arange(5.0), x, index, index)
    assert products(text)
    assert shortened(text) == []


def test_the_text_tells_a_shortened_product_from_an_exact_one():
    x = jnp.zeros((3, 3))
    one = lowered(lambda x: x @ x, x)
    assert len(products(one)) == len(shortened(one)) > 0
    other = lowered(lambda x: jnp.matmul(x, x, precision="highest"), x)
    assert products(other)
    assert shortened(other) == []
    assert products(lowered(lambda x: x @ x, x.astype(jnp.bfloat16))) == []
