"""Every sampler that is measured, each set up as its own users would: `make(problem, chains, seed) -> run`.

All of them draw from the same machine (the tests compare them with enumeration) in float32, chains in parallel, with
the library's fast path, compiled where it compiles, and no copy that it does not need. A library that is not
installed, or that does not do such a machine, raises `Skip` with the reason. To add one, write `make` and a row.
"""

import importlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import floor
from benchmarks.harness import Run, Skip
from benchmarks.problem import Problem
from genjax import Machine
from genjax.numerics import dtype_of_states
from genjax.sampling.gibbs import GIBBS, sample
from genjax.typing import Kernel


class Peer(NamedTuple):
    """A row of the table: how it is made, whose version counts, and in which numbers it works."""

    make: Callable[[Problem, int, int], Run]
    package: str
    dtype: str = "float32"


def library(name: str, package: str, hint: str = "") -> Any:
    """An optional module, or `Skip`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == name.split(".")[0]:
            raise Skip(f"not installed: pip install {package}{hint}") from None
        raise Skip(f"installed but not importable: {error}") from None


def restricted(problem: Problem, package: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights `(visible, hidden)`, visible and hidden biases; `Skip` for a deeper machine."""
    if len(problem.sizes) != 2:
        raise Skip(f"{package} has machines of two layers only")
    visible_bias, hidden_bias = problem.biases
    return problem.weights[0], visible_bias, hidden_bias


def to_machine(problem: Problem) -> Machine:
    """The same machine as a genjax value, on the device."""
    weights, biases = jax.device_put((problem.weights, problem.biases))
    return Machine(weights, biases)


_sample = jax.jit(sample, static_argnames=("sweeps", "kernel"), donate_argnames="states")


def genjax(problem: Problem, chains: int, seed: int, kernel: Kernel = GIBBS) -> Run:
    """`jax.jit(genjax.sampling.gibbs.sample)` with the states donated, carried in what is best for the device."""
    dtype = dtype_of_states(binary=True)
    machine, state = to_machine(problem), jax.device_put(tuple(x.astype(dtype) for x in problem.start(chains, seed)))
    key = jax.random.key(seed)

    def run(sweeps: int) -> jax.Array:
        nonlocal state, key
        key, subkey = jax.random.split(key)
        state = jax.block_until_ready(_sample(subkey, machine, state, sweeps, kernel=kernel).states)
        return state[0]

    return run


def scikit_learn(problem: Problem, chains: int, seed: int) -> Run:
    """`BernoulliRBM.gibbs`, its attributes set to float32 arrays as fitting on float32 images leaves them."""
    network = library("sklearn.neural_network", "scikit-learn")
    weights, visible_bias, hidden_bias = restricted(problem, "scikit-learn")
    rbm = network.BernoulliRBM(weights.shape[1], random_state=seed)
    rbm.components_ = np.asfortranarray(weights.T)  # (hidden, visible), in the order that its fit leaves
    rbm.intercept_visible_, rbm.intercept_hidden_ = visible_bias, hidden_bias
    v = problem.start(chains, seed)[0]

    def run(sweeps: int) -> np.ndarray:
        nonlocal v
        for _ in range(sweeps):
            v = rbm.gibbs(v)
        return v

    return run


def pytorch(problem: Problem, chains: int, seed: int, compiled: bool) -> Run:
    """A loop in Python over one sweep: `addmm`, `sigmoid`, and a draw; on the GPU where JAX is."""
    torch = library("torch", "torch")
    device = "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    weights, biases = ([torch.as_tensor(x, device=device) for x in xs] for xs in (problem.weights, problem.biases))
    state = [torch.as_tensor(x, device=device) for x in problem.start(chains, seed)]

    def one(weights: list, biases: list, state: list) -> list:
        new = list(state)
        for parity in (1, 0):
            for layer in range(parity, len(biases), 2):
                field = biases[layer]
                if layer > 0:
                    field = torch.addmm(field, new[layer - 1], weights[layer - 1])
                if layer + 1 < len(biases):
                    field = torch.addmm(field, new[layer + 1], weights[layer].t())
                p = torch.sigmoid(field)
                # Eager: the fastest draw that torch has. Compiled: one that its compiler fuses with the sigmoid.
                new[layer] = (torch.rand_like(p) < p).to(p.dtype) if compiled else torch.bernoulli(p)
        return new

    if compiled:
        torch._dynamo.reset()  # its limit of recompilations counts over all machines so far
        one = torch.compile(one, dynamic=False)

    @torch.inference_mode()
    def run(sweeps: int) -> Any:
        nonlocal state
        for _ in range(sweeps):
            state = one(weights, biases, state)
        if device == "cuda":
            torch.cuda.synchronize()
        return state[0].cpu() if device == "cuda" else state[0]

    return run


def rbms(problem: Problem, chains: int, seed: int) -> Run:
    """`BBRBM` on `init_chains`; `sample_state`'s own loop, without the hidden draw that it adds once a call."""
    torch = library("torch", "torch")
    package = library("rbms", "rbms", " (0.6 wants Python 3.12)")
    weights, visible_bias, hidden_bias = restricted(problem, "rbms")
    device = "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    w, b, c = (torch.as_tensor(x, device=device) for x in (weights, visible_bias, hidden_bias))
    rbm = package.BBRBM(weight_matrix=w, vbias=b, hbias=c, device=torch.device(device), dtype=torch.float32)
    state = rbm.init_chains(num_samples=chains)

    @torch.inference_mode()
    def run(sweeps: int) -> Any:
        nonlocal state
        for _ in range(sweeps):
            state = rbm.sample_visibles(rbm.sample_hiddens(state))
        if device == "cuda":
            torch.cuda.synchronize()
        return state["visible"].cpu() if device == "cuda" else state["visible"]

    return run


def spins(problem: Problem, chains: int, seed: int, package: str, largest: int = 4096) -> Run:
    """thrml, and hamon, which began as its copy: a complete bipartite `IsingEBM`, two blocks, chains by `vmap`.

    A 0/1 unit is a spin (1 + s) / 2: couplings W / 4, fields b / 2 + W / 4 summed. The sweeps are the schedule's
    warm-up, after which one state is observed, so nothing is stored on the way.
    """
    weights, *biases = restricted(problem, package)
    if weights.size > largest:
        raise Skip(
            f"{package} gathers a neighbour an edge: {weights.size} edges are not what it is for (at most {largest})"
        )
    library(package, package)
    p, models = importlib.import_module(package), importlib.import_module(f"{package}.models")
    layers = [[p.SpinNode() for _ in b] for b in biases]
    edges = [(v, h) for v in layers[0] for h in layers[1]]
    fields = np.concatenate([biases[0] / 2 + weights.sum(1) / 4, biases[1] / 2 + weights.sum(0) / 4])
    model = models.IsingEBM(
        [*layers[0], *layers[1]], edges, jnp.asarray(fields), jnp.asarray(weights.ravel() / 4), jnp.array(1.0)
    )
    blocks = [p.Block(layers[1]), p.Block(layers[0])]  # hidden given visible, then visible given hidden
    program = models.IsingSamplingProgram(model, blocks, clamped_blocks=[])
    key, subkey = jax.random.split(jax.random.key(seed))
    state = models.hinton_init(subkey, model, blocks, (chains,))

    @cache
    def compiled(sweeps: int) -> Callable[..., list[jax.Array]]:
        schedule = p.SamplingSchedule(n_warmup=sweeps, n_samples=1, steps_per_sample=1)
        return jax.jit(jax.vmap(lambda key, state: p.sample_states(key, program, schedule, state, [], blocks)))

    def run(sweeps: int) -> jax.Array:
        nonlocal state, key
        key, subkey = jax.random.split(key)
        state = jax.block_until_ready(compiled(sweeps)(jax.random.split(subkey, chains), state))
        state = [layer[:, 0] for layer in state]  # the axis of observations, one long
        return state[1]

    return run


def jaxbm(problem: Problem, chains: int, seed: int) -> Run:
    """`jit(vmap(RBM_chain))` that keeps the last state only. Its 0/1 units flip with sigmoid(2 field): half of all."""
    package = library("jaxbm", "jaxbm")
    weights, *biases = (jnp.asarray(x / 2) for x in restricted(problem, "jaxbm"))
    state = jax.device_put(tuple(problem.start(chains, seed)))
    key = jax.random.key(seed)

    @cache
    def compiled(sweeps: int) -> Callable[..., tuple[jax.Array, jax.Array]]:
        chain = partial(package.RBM_chain, n_samples=None, steps=sweeps, spin=False, in_jit=True)
        return jax.jit(jax.vmap(chain, (0, 0, 0, None, None, None)), donate_argnums=(1, 2))

    def run(sweeps: int) -> jax.Array:
        nonlocal state, key
        key, subkey = jax.random.split(key)
        state = compiled(sweeps)(jax.random.split(subkey, chains), *state, weights, *biases)
        return jax.block_until_ready(state)[0]

    return run


PEERS = {
    "floor": Peer(floor.floor, "jax"),
    "genjax": Peer(genjax, "genjax-models"),
    "bernoulli": Peer(floor.bernoulli, "jax"),
    "scikit-learn": Peer(scikit_learn, "scikit-learn", "float32, uniforms in float64"),
    "torch": Peer(partial(pytorch, compiled=False), "torch"),
    "torch.compile": Peer(partial(pytorch, compiled=True), "torch"),
    "rbms": Peer(rbms, "rbms"),
    "thrml": Peer(partial(spins, package="thrml"), "thrml", "bool states, float32 weights"),
    "hamon": Peer(partial(spins, package="hamon"), "hamon", "bool states, float32 weights"),
    "jaxbm": Peer(jaxbm, "jaxbm"),
}
