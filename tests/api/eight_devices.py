"""The program of `test_devices`: runs on 8 forced devices, in a process of its own.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python -m tests.api.eight_devices NAME ...

prints a line for each of the trials and the cases of `tests.algorithms.test_contract` named: `NAME: right`, or what was
wrong. A case is a model that `fit` trains for some steps on one device and on eight, with batches that do not divide.
"""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import genjax
from genjax.likelihood import ais
from genjax.sampling import gibbs
from genjax.sampling.tempering import Tempered
from genjax.training.config import split
from genjax.training.mesh import mesh_of, on, placed, sharded
from genjax.training.stages import LAST
from genjax.typing import Model, Stage
from tests.algorithms.test_contract import CASES, training_set
from tests.eight import DEVICES, main
from tests.machines import random_machine

STEPS, BATCH = 3, 10


@dataclass(frozen=True)
class Own:
    """A case of the contract's table as a model."""

    case: str = "pcd"

    @property
    def model(self) -> Model:
        return Model("case", Own, stages, lambda state: state, defaults={"batch_size": BATCH})


def stages(config: Own, steps: int, steps_per_epoch: int) -> tuple[Stage, ...]:
    factory, options = CASES[config.case]
    static, hyper = split(options, steps)
    return (Stage(LAST, factory(static), hyper, steps),)


def examples() -> tuple[np.ndarray, np.ndarray]:
    data = training_set()
    return np.asarray(data.x), np.asarray(data.target)


def largest(got: Any, want: Any, of_array: bool = False) -> tuple[float, str]:
    """The largest difference, counted from 1 in the size of a value, or of its array's largest one, and where it is."""

    def apart(a: Any, b: Any) -> float:
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinite ones too
        size = np.abs(np.where(same, 0, b))
        size = np.maximum(1, size.max(initial=0) if of_array else size)
        difference = np.abs(np.where(same, 0, a) - np.where(same, 0, b)) / size
        return float(np.nan_to_num(difference, nan=np.inf).max(initial=0))

    return max(
        (d, jax.tree_util.keystr(p)) for p, d in jax.tree_util.tree_leaves_with_path(jax.tree.map(apart, got, want))
    )


def parameters(state: Any) -> Any:
    return state.parameters if hasattr(state, "parameters") else state.machine


def check_case(name: str) -> None:
    """`fit` on eight devices and on one: states and metrics, to rounding."""
    one, eight = (
        genjax.fit(Own(name), examples(), steps=STEPS, binarisation="sampled", devices=count, progress=False, seed=3)
        for count in (1, DEVICES)
    )
    error, place = largest(*(parameters(run.state) for run in (eight, one)))
    assert error <= 1e-6, f"{place} is off by {error:.3g}"
    error, place = largest(eight.state, one.state, of_array=True)  # with gradients, of which a small one is a sum of
    # large terms, rounded as they are, and not scaled by a rate
    assert error <= 1e-5, f"{place} is off by {error:.3g}"
    error, place = largest(
        *({n: v for n, v in r.history.items() if n != "stage" and n != "seconds"} for r in (eight, one))
    )
    assert error <= 1e-5, f"{place} is off by {error:.3g}"


def bits(count: int = 43, values: int = 12) -> np.ndarray:
    """Zeros and ones in two clusters."""
    rng = np.random.default_rng(0)
    return (rng.random((count, values)) < np.where(rng.random((count, 1)) < 0.5, 0.2, 0.7)).astype(np.float32)


def short(model: Any, data: Any = None, **options: Any) -> genjax.Run:
    return genjax.fit(model, bits() if data is None else data, steps=2, batch_size=BATCH, progress=False, **options)


def check_samples() -> None:
    """Draws are those of one device bit for bit, also of counts that do not divide; all devices are the default."""
    machine = jax.tree.map(lambda x: jnp.round(x * 256) / 256, random_machine((12, 6), 0.5))  # whose sums are exact
    run = short(genjax.rbm(hidden=6))
    run.__dict__["parameters"] = machine
    for kernel in (None, Tempered(rungs=3, burn_in=2)):
        for count in (3, 16):
            want = run.sample(count, sweeps=7, kernel=kernel, devices=1)
            for devices in (None, 4):
                np.testing.assert_array_equal(run.sample(count, sweeps=7, kernel=kernel, devices=devices), want)
    hole = np.arange(12) > 5
    want = run.sample(5, given=bits()[0], missing=hole, sweeps=7, devices=1)
    np.testing.assert_array_equal(run.sample(5, given=bits()[0], missing=hole, sweeps=7), want)
    r_hats = [run.diagnostics(6, sweeps=40, devices=devices)["r_hat"] for devices in (1, None)]
    np.testing.assert_allclose(*r_hats, rtol=1e-5)


def check_other_samples() -> None:
    """Those of models without chains, to rounding."""
    images = bits().reshape(-1, 3, 4)
    models = [genjax.vae(layers=(6,), latents=3), genjax.gan(layers=(6,), latent=3, optimiser="sgd")]
    models += [genjax.autoregressive(hidden=5), genjax.diffusion(layers=(6,), channels=())]
    for model in models:
        run = short(model, images)
        for count in (5, 16):
            want = run.sample(count, devices=1)
            np.testing.assert_allclose(run.sample(count), want, atol=1e-5, err_msg=str(model))


def check_ais() -> None:
    """Log weights of chains that do not divide, and both sides of log Z, to rounding; the estimate is asked of all."""
    machine, betas = random_machine((12, 6), 0.5), ais.temperatures(40)
    path = (machine.uncoupled(), machine)
    one = ais.upward(jax.random.key(1), path, betas, 13)
    with on(mesh_of(DEVICES)):
        eight = ais.upward(jax.random.key(1), path, betas, 13)
    for a, b in zip(jax.tree.leaves(eight), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    run = short(genjax.rbm(hidden=24), bits(values=25))
    effort = {"temperatures": 20, "ais_chains": 13}
    want = run.log_likelihood(devices=1, **effort)
    assert "AIS" in want.estimator
    got = run.log_likelihood(**effort)
    np.testing.assert_allclose([*got[:5]], [*want[:5]], rtol=1e-5)


def check_grid() -> None:
    """Runs are those of one device; three of them over all devices, two, and eight that split batches besides."""
    how = {"seeds": 3, "steps": 4, "batch_size": BATCH, "progress": False}
    want = genjax.grid(genjax.rbm(hidden=5, chains=7), bits(), devices=1, **how)
    for devices in (None, 2, DEVICES):
        got = genjax.grid(genjax.rbm(hidden=5, chains=7), bits(), devices=devices, **how)
        for a, b in zip(got, want, strict=True):
            error, place = largest(a.state, b.state)
            assert error <= 1e-6, f"{devices} devices: {place} is off by {error:.3g}"
            assert len(jax.tree.leaves(a.state)[0].devices()) == 1


def check_resume() -> None:
    """What eight devices have saved two go on with, and one, to the run of one alone."""
    how = {"batch_size": BATCH, "progress": False}
    model = genjax.rbm(hidden=5, chains=7, schedule="constant", average=0.0)
    whole = genjax.fit(model, bits(), steps=6, **how)
    with tempfile.TemporaryDirectory() as place:
        genjax.fit(model, bits(), steps=2, devices="all", out=f"{place}/run", **how)
        genjax.fit(model, bits(), steps=4, devices=2, out=f"{place}/run", **how)
        assert json.loads(Path(f"{place}/run/config.json").read_text())["run"]["devices"] == 2
        last = genjax.fit(genjax.load(f"{place}/run"), bits(), steps=6, devices=1)
    error, where = largest(last.state._replace(hyper={}), whole.state._replace(hyper={}))
    assert error <= 1e-6, f"{where} is off by {error:.3g}"


class Cost(NamedTuple):
    """Of a compiled program on one of its devices."""

    flops: float
    collectives: dict[str, int]
    outputs: Any


def cost(function: Callable[..., Any], count: int, *arguments: Any) -> Cost:
    mesh = mesh_of(count)
    with on(mesh):
        compiled = jax.jit(function).lower(*placed(arguments, mesh)).compile()
    found, text = compiled.cost_analysis(), compiled.as_text()
    names = ("all-reduce", "all-gather", "all-to-all", "collective-permute")
    return Cost(
        found["flops"], {n: len(re.findall(rf" {n}(-start)?\(", text)) for n in names}, compiled.output_shardings
    )


def step_of(model: Any, batch: int, **settled: Any) -> tuple[Any, ...]:
    """A step of the loop, its key, first state and batch."""
    example = genjax.example(bits(batch, 64).reshape(batch, 8, 8), batch_size=batch)
    algorithm, hyper = model.algorithm(100, example, **settled)
    state = algorithm.init(jax.random.key(0), example, hyper)

    def step(key: Any, state: Any, batch: Any) -> Any:
        return algorithm.step(key, state, sharded(batch))

    return step, jax.random.key(1), state, example.batch


def check_work() -> None:
    """Each device does its share of a step and of a sweep, and nothing is gathered that another device can keep."""
    rbm = step_of(genjax.rbm(hidden=32, chains=256), 256)
    gan = step_of(genjax.gan(layers=(32, 32), latent=16, penalty="none", batch_norm=False), 1024, shape=(8, 8, 1))
    machine = random_machine((64, 32))
    states = jax.tree.map(jnp.asarray, machine.uncoupled().draw(jax.random.key(0), 256))
    sampler = (lambda *inputs: gibbs.sample(*inputs, 10).states, jax.random.key(0), machine, states)
    for name, program in {"rbm": rbm, "gan": gan, "sampler": sampler}.items():
        one, eight = (cost(program[0], count, *program[1:]) for count in (1, DEVICES))
        share = eight.flops / one.flops
        most = 0.25 if name == "gan" else 0.18  # its latents are drawn by all, and so is its film
        assert share < most, f"{name}: a device does {share:.2f} of the work"
        assert not eight.collectives["all-gather"] + eight.collectives["all-to-all"], f"{name}: {eight.collectives}"
        if name == "sampler":
            assert sum(eight.collectives.values()) == 0, eight.collectives
        if name != "gan":
            chains = eight.outputs if name == "sampler" else eight.outputs[0].chains
            assert all(x.spec[0] == "data" for x in jax.tree.leaves(chains)), chains


TRIALS: dict[str, Callable[[], None]] = {
    "samples": check_samples,
    "other samples": check_other_samples,
    "ais": check_ais,
    "grid": check_grid,
    "resume": check_resume,
    "work": check_work,
}


def trial(name: str) -> None:
    TRIALS[name]() if name in TRIALS else check_case(name)


if __name__ == "__main__":
    main(trial)
