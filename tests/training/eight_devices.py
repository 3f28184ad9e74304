"""The program of `test_devices`: one step of each family on 8 forced devices, in a process of its own.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python -m tests.training.eight_devices rbm gan ...

prints a line for each of the cases named: `NAME: right`, or what was wrong.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from genjax.algorithms import autoencoder as of_autoencoder
from genjax.algorithms import greedy
from genjax.algorithms.autoencoder import AutoencoderConfig, autoencoder
from genjax.algorithms.autoregressive import AutoregressiveConfig, autoregressive
from genjax.algorithms.contrastive import DBMConfig, RBMConfig, contrastive
from genjax.algorithms.conv import ConvRBMConfig, conv
from genjax.algorithms.diffusion import DiffusionConfig, diffusion
from genjax.algorithms.discriminative import DiscriminativeConfig, discriminative
from genjax.algorithms.gan import gan
from genjax.algorithms.gan_game import GANConfig
from genjax.algorithms.recommender import RecommenderConfig, recommender
from genjax.algorithms.supervised import SupervisedConfig, supervised
from genjax.algorithms.updown import DBNConfig, updown
from genjax.algorithms.vae import VAEConfig, vae
from genjax.evaluation.classifier import ClassifierConfig, classifier
from genjax.training.config import split
from genjax.typing import Algorithm, Batch, Example
from tests.algorithms.configs import made
from tests.eight import DEVICES, main

EACH, PIXELS, CLASSES = 4, 12, 3
AXIS = "devices"
Step = Callable[[Any, Any, Any, Batch], tuple[Any, Any, Any]]


class Case(NamedTuple):
    """A factory and its config, and with what a step on 8 devices is compared.

    mean: with the mean of 8 steps on one device, each from one device's chains, images and key. As gradients are linear
    in the loss, and one step of SGD in the gradient, that holds for all of the state.
    optimiser, discriminator: the same, of this part of the state alone, as the rest is not linear in the gradient.
    whole: with one step on all images together; nothing is drawn.
    vmap: with the axis of `jax.vmap`, where no more is known.
    """

    factory: Callable[..., Algorithm]
    config: Any
    compared: str = "mean"


def second_layer(config: RBMConfig, axis_name: str | None = None) -> Algorithm:
    below = made(RBMConfig, hidden=5, chains=7)
    return greedy.on_top(config, (1, 2), ((split(below, 1)[0], (2, 1)),), axis_name)


SGD = {"optimiser": "sgd", "schedule": "constant", "learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.01}
RBM = SGD | {"hidden": 5, "chains": 3, "average": 0.9}
LATENT = SGD | {"layers": (6,), "between": (4,), "latents": (3, 2), "average": 0.9}
GAN = {"optimiser": "sgd", "discriminator_optimiser": "sgd", "learning_rate": 0.1, "discriminator_learning_rate": 0.1}
GAN |= {"latent": 3, "layers": (6, 5), "batch_norm": False, "penalty": "none", "weight_decay": 0.01}
adversarial = partial(gan, shape=(3, 4, 1), classes=CLASSES)

CASES = {
    "rbm": Case(contrastive, made(RBMConfig, **RBM)),
    "cd": Case(contrastive, made(RBMConfig, **{n: v for n, v in RBM.items() if n != "chains"}, negative="cd", k=3)),
    "tempered": Case(contrastive, made(RBMConfig, **RBM, negative="tempered", rungs=3, k=2)),
    "trajectory": Case(contrastive, made(RBMConfig, **RBM, negative="trajectory", rungs=3, swap_every=2)),
    "gaussian": Case(contrastive, made(RBMConfig, **RBM, visible_type="gaussian"), "optimiser"),
    "rectified": Case(contrastive, made(RBMConfig, **RBM, hidden_type="rectified")),
    "labels": Case(contrastive, made(RBMConfig, **RBM, visible_type="categorical", levels=3, classes=CLASSES)),
    "dbm": Case(
        contrastive, made(DBMConfig, **SGD, layers=(5, 4), chains=3, average=0.9, classes=CLASSES, damping=0.2)
    ),
    "convolutional": Case(
        partial(conv, shape=(3, 4, 1)), made(ConvRBMConfig, **SGD, filters=3, width=2, chains=3, average=0.9)
    ),
    "second layer": Case(second_layer, made(RBMConfig, **RBM | {"hidden": 8})),
    "dbn": Case(updown, made(DBNConfig, **SGD, layers=(5, 4), chains=3, average=0.9)),
    "vae": Case(partial(vae, shape=(3, 4, 1), classes=CLASSES), made(VAEConfig, **LATENT, channels=(4,), warm_up=0.5)),
    "iwae": Case(vae, made(VAEConfig, **LATENT, bound="iwae", gradient="doubly", draws=4)),
    "autoencoder": Case(autoencoder, made(AutoencoderConfig, **SGD, layers=(6, 4), average=0.9, corruption="gaussian")),
    "autoencoder, whole": Case(autoencoder, made(AutoencoderConfig, **SGD, layers=(6, 4), average=0.9), "whole"),
    "autoregressive": Case(autoregressive, made(AutoregressiveConfig, **SGD, hidden=5, average=0.9), "whole"),
    "diffusion": Case(
        partial(diffusion, shape=(3, 4, 1), limits=(0.0, 1.0)),
        made(DiffusionConfig, **SGD, layers=(6,), channels=(2,), average=0.9),
    ),
    "flow": Case(
        partial(diffusion, shape=(3, 4, 1), limits=(0.0, 1.0)),
        made(DiffusionConfig, **SGD, process="flow", layers=(6,), channels=(2,), average=0.9),
    ),
    "pair": Case(
        partial(autoencoder, pair=1, classes=CLASSES), made(AutoencoderConfig, **SGD, layers=(6, 4), average=0.9)
    ),
    "fine-tuning": Case(discriminative, made(DiscriminativeConfig, **SGD, layers=(5, 4), classes=CLASSES, average=0.9)),
    "recommender": Case(
        recommender, made(RecommenderConfig, **SGD, hidden=5, conditional="rated", average=0.9), "whole"
    ),
    "recommender, cd": Case(recommender, made(RecommenderConfig, **SGD, hidden=5, objective="cd", average=0.9), "vmap"),
    "gan": Case(
        adversarial,
        made(
            GANConfig,
            **GAN | {"penalty": "gradient"},
            loss="wasserstein",
            normalisation="layer",
            conditioning="projection",
        ),
        "discriminator",
    ),
    "gan, spectral": Case(adversarial, made(GANConfig, **GAN, normalisation="spectral"), "vmap"),
    "gan, batches": Case(
        adversarial,
        made(GANConfig, **GAN | {"batch_norm": True}, normalisation="batch", discriminator_steps=2),
        "vmap",
    ),
    "supervised": Case(
        partial(supervised, outputs=3), made(SupervisedConfig, **SGD, layers=(6,), dropout=0.3, l1=0.01, average=0.9)
    ),
    "supervised, normalised": Case(
        partial(supervised, outputs=3), made(SupervisedConfig, **SGD, layers=(6,), batch_norm=True), "vmap"
    ),
    "classifier": Case(classifier, ClassifierConfig(shape=(3, 4, 1), classes=CLASSES), "vmap"),
}


def images(seed: int) -> Batch:
    """A batch for each device, `(DEVICES, EACH, ...)`; for a recommender 0 is no rating and 1 the lowest."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (DEVICES, EACH, PIXELS)) * rng.random((DEVICES, 1, 1)).round()
    x[:, :, seed % PIXELS :: 5] = 1  # devices differ in brightness too
    return Batch(jnp.asarray(x, jnp.float32), jnp.asarray(rng.integers(0, CLASSES, (DEVICES, EACH)), jnp.int32))


def start(case: Case) -> tuple[Any, Any]:
    """The state before the first step in two parts: what the devices share, and their chains, `(DEVICES, ...)`."""
    static, hyper = split(case.config, 2)
    batch = jax.tree.map(lambda x: x[0], images(0))
    example = Example(batch, jnp.full(PIXELS, 0.4), jnp.full(PIXELS, 0.2))
    state = jax.jit(case.factory(static).init)(jax.random.key(0), example, hyper)
    return parted(state, lambda x: jnp.stack([x] * DEVICES))


def parted(state: Any, stacked: Callable[[Any], Any] = lambda x: x) -> tuple[Any, Any]:
    """What the devices share, and what each has for itself."""
    if not hasattr(state, "chains"):
        return state, ()
    return state._replace(chains=()), jax.tree.map(stacked, state.chains)


def joined(shared: Any, chains: Any) -> Any:
    return shared._replace(chains=chains) if hasattr(shared, "chains") else shared


def step_of(case: Case, axis_name: str | None) -> Step:
    """`(key, shared, chains, batch) -> (shared, chains, metrics)` of one device."""
    algorithm = case.factory(split(case.config, 2)[0], axis_name=axis_name)

    def step(key: Any, shared: Any, chains: Any, batch: Batch) -> tuple[Any, Any, Any]:
        state, metrics = algorithm.step(key, joined(shared, chains), batch)
        return *parted(state), metrics

    return step


def by_pmap(case: Case) -> Step:
    return jax.pmap(step_of(case, AXIS), AXIS, in_axes=(None, None, 0, 0))


def by_vmap(case: Case) -> Step:
    return jax.jit(jax.vmap(step_of(case, AXIS), (None, None, 0, 0), axis_name=AXIS))


def by_shard_map(case: Case, check_vma: bool) -> Step:
    """What is shared comes back from every device, to be compared; JAX itself sees to it where `check_vma` is on."""
    step = step_of(case, AXIS)
    mesh = jax.sharding.Mesh(np.array(jax.devices()), (AXIS,))

    def one(key: Any, shared: Any, chains: Any, batch: Batch) -> tuple[Any, Any, Any]:
        chains, batch = jax.tree.map(lambda x: x[0], (chains, batch))
        shared, chains, metrics = step(key, shared, chains, batch)
        rows = jax.tree.map(lambda x: x[None], chains)
        if check_vma:
            return shared, rows, metrics
        return *jax.tree.map(lambda x: x[None], (shared, chains)), jax.tree.map(lambda x: x[None], metrics)

    out = (P(), P(AXIS), P()) if check_vma else P(AXIS)
    whole = jax.shard_map(one, mesh=mesh, in_specs=(P(), P(), P(AXIS), P(AXIS)), out_specs=out, check_vma=check_vma)
    if not check_vma:
        return jax.jit(whole)

    def from_each(*inputs: Any) -> tuple[Any, Any, Any]:
        shared, chains, metrics = jitted(*inputs)
        shared, metrics = jax.tree.map(
            lambda x: np.stack([np.asarray(piece.data) for piece in x.addressable_shards]), (shared, metrics)
        )
        return shared, chains, metrics

    jitted = jax.jit(whole)
    return from_each


def expected(case: Case, alone: Step, key: Any, shared: Any, chains: Any, batch: Batch) -> Any:
    """The shared state after a step of all devices, computed on one."""
    if case.compared == "whole":
        return alone(key, shared, chains, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch))[0]
    each = [
        alone(jax.random.fold_in(key, i), shared, *jax.tree.map(lambda x, i=i: x[i], (chains, batch)))[0]
        for i in range(DEVICES)
    ]
    return jax.tree.map(lambda *xs: np.mean(np.stack(xs), 0, dtype=np.float64), *each)


def close(got: Any, want: Any, before: Any, what: str) -> None:
    """Raise where a leaf is further off than a thousandth of what the step changed in it."""
    leaves = (jax.tree_util.tree_leaves_with_path(x) for x in (got, want, before))
    for (path, a), (_, b), (_, old) in zip(*leaves, strict=True):
        a, b, old = (np.asarray(x, np.float64) for x in (a, b, old))
        bound = 1e-3 * np.abs(b - old).max(initial=0) + 3e-6 * (1 + np.abs(b).max(initial=0))
        error = np.abs(a - b).max(initial=0)
        assert error <= bound, f"{what}: {jax.tree_util.keystr(path)} is off by {error:.3g}"


def same_everywhere(tree: Any, what: str) -> Any:
    """One device's values; raise where another has others, be it by a bit."""
    for path, x in jax.tree_util.tree_leaves_with_path(tree):
        x = np.asarray(x)
        assert (x == x[:1]).all(), f"{what}: {jax.tree_util.keystr(path)} differs between devices"
    return jax.tree.map(lambda x: np.asarray(x)[0], tree)


WAYS = {
    "pmap": by_pmap,
    "shard_map, check_vma=False": partial(by_shard_map, check_vma=False),
    "shard_map": partial(by_shard_map, check_vma=True),
    "vmap": by_vmap,
}


def check(case: Case, ways: tuple[str, ...] = ("pmap", "shard_map, check_vma=False", "shard_map")) -> None:
    """Two steps each way: the right mean, one model on all devices, noise of their own."""
    alone = jax.jit(step_of(case, None))
    compiled = {way: WAYS[way](case) for way in (*ways, *["vmap"][case.compared != "vmap" :])}
    shared, chains = start(case)
    for number in (1, 2):
        key, batch = jax.random.key(number), images(number)
        inputs = (key, shared, chains, batch)
        results = {way: step(*inputs) for way, step in compiled.items()}
        first, *_ = results
        ours = {way: same_everywhere((x, metrics), way) for way, (x, _, metrics) in results.items()}
        if case.compared != "vmap":
            want = expected(case, alone, *inputs)
            for way, (got, _) in ours.items():
                part = "optimiser" if case.compared == "optimiser" else "discriminator"
                pick = (lambda x: x) if case.compared in ("mean", "whole") else (lambda x, n=part: getattr(x, n))
                close(pick(got), pick(want), pick(shared), f"{way}, step {number}")
        for way, got in ours.items():
            close(got, ours[first], (shared, ours[first][1]), f"{way} and {first}, step {number}")
        after = results[first][1]
        if jax.tree.leaves(after):
            assert any(len(np.unique(np.asarray(x), axis=0)) > 1 for x in jax.tree.leaves(after)), "chains are alike"
        shared, chains = ours[first][0], jax.tree.map(np.asarray, after)


def check_mistakes() -> None:
    """Raise unless a sum in the place of the mean, and gradients that JAX has summed already, are caught."""
    case = CASES["autoencoder"]
    no_copy = mock.patch.object(of_autoencoder, "own_copy", lambda parameters, axis_name: parameters)
    for way, mistake in (("pmap", mock.patch.object(jax.lax, "pmean", jax.lax.psum)), ("shard_map", no_copy)):
        seen = ""
        with mistake:
            try:
                check(case, (way,))
            except AssertionError as error:
                seen = str(error)
        if f"{way}, step 1: .model" not in seen:
            raise AssertionError(f"a wrong mean of {way} was not seen, but: {seen}")


def trial(name: str) -> None:
    check_mistakes() if name == "mistakes" else check(CASES[name])


if __name__ == "__main__":
    main(trial)
