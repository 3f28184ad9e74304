"""What does a Hopfield net remember? Small nets, digits under noise, and the capacity.

    python -m experiments.hopfield [--data-dir DIR] [--quick | --smoke] [--out DIR]

1. The nets of two and three neurons as the course's toolbox makes them, linear systems in a saturated mode: every
   equilibrium by enumeration, trajectories and their energy. Expect the fourth corner of the first to be an attractor
   that nobody asked for, and of the second the three targets alone.
2. One digit of each class of MNIST, stored by five rules, under Gaussian noise of 1, 5 and 10 standard deviations (of
   spins -1 and 1, as the course adds it) and with 10 to 40 % of the pixels turned over: the share retrieved without a
   wrong pixel, and sweeps until nothing changes.
3. The share of random patterns that stay (overlap of at least 0.9 after asynchronous updates that begin at them)
   against the load, patterns / spins, by Hebb's rule, for up to 2,000 spins; the load at which half of them stay,
   beside the 0.138 of Amit, Gutfreund and Sompolinsky (1985) for infinitely many. All loads of a seed are one vmapped
   program. Beside it, from patterns with a tenth of the spins turned over, other rules at 100 spins: projection,
   Storkey, an energy of third order and the modern net, whose limit is exponential, 2^(spins / 2), so that it shows for
   very few spins alone (Demircigil et al. 2017).

Writes results.jsonl, small_nets.png, digits.png, capacity.png and the table. Full: a quarter of an hour on one core;
--quick: 3 minutes. A run that is interrupted goes on.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import beta as beta_distribution

import genjax
from experiments.common import append, interval, lines, mnist, options
from experiments.hopfield_figures import draw_capacity, draw_digits, draw_small
from genjax import random
from genjax.algorithms.hopfield import Dense, Hebbian, Modern, Projection, Storkey, flipped, same
from genjax.evaluation.attractors import equilibria, kinds
from genjax.plots.images import save
from genjax.sampling.retrieval import Asynchronous, retrieve

TARGETS = {
    "two neurons": np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]),
    "three neurons": np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, -1.0, -1.0]]),
}
RULES: dict[str, dict[str, Any]] = {
    "saturated": {"rule": "saturated", "dynamics": "saturating"},
    "projection": {"rule": "projection"},
    "Storkey": {"rule": "storkey"},
    "Hebb": {"rule": "hebbian"},
    "modern": {"rule": "modern"},
}
NOISE = {f"{level} s.d.": ("gaussian", float(level)) for level in (1, 5, 10)}
NOISE |= {f"{share} % flipped": ("flipped", share / 100) for share in (10, 20, 30, 40)}
THEORY = 0.138
RETRIEVED = 0.9  # overlap: at the transition it falls from 0.97 to 0.35
LIMIT = 0.5 * np.log(2)  # patterns of the modern net: exp(limit spins)
MOST_SWEEPS = 100


class Scale(NamedTuple):
    probes: int  # of each digit and level
    seeds: dict[int, int]  # of capacity curves by Hebb's rule, by the number of spins
    few: tuple[int, ...]  # spins at which the modern net's own limit shows
    most: int  # patterns of dense and modern nets, at most


SCALES = {
    "full": Scale(20, {1000: 10, 250: 20, 500: 20, 2000: 5}, (10, 14, 18, 22), 4096),
    "quick": Scale(10, {1000: 8, 250: 8, 500: 8}, (10, 14, 18), 1024),
    "smoke": Scale(2, {40: 3, 80: 3}, (8,), 64),
}
LOADS = np.array([0.06, 0.1, 0.12, 0.13, 0.135, 0.14, 0.145, 0.15, 0.16, 0.18])
FURTHER = np.array([0.2, 0.22, 0.25, 0.3])  # of fewer than 1,000 spins, whose transition is wider
FLIPS = 0.1  # of the spins, where rules are compared: without, a net that does nothing at all would keep everything
PROBED = 40  # stored patterns that are tried of each net


# 1. Small nets


def small_nets() -> list[dict[str, Any]]:
    """Every equilibrium of both."""
    rows = []
    for name, targets in TARGETS.items():
        run = stored(targets)
        found = equilibria(run.parameters.net)
        for one, kind in zip(found, kinds(np.array([one.x for one in found]), targets)):
            row = {"x": one.x.tolist(), "energy": one.energy, "kind": one.kind, "unstable": one.unstable}
            what = kind if one.kind == "attractor" else "-"
            rows.append({"net": name, "what": what} | row)
    return rows


def stored(targets: np.ndarray) -> genjax.Run:
    """The course's net of these targets."""
    model = genjax.hopfield(rule="saturated", dynamics="saturating")
    return genjax.fit(model, targets, binarisation="none", progress=False)


# 2. Digits


def digits(chosen: Any, probes: int, name: str) -> list[dict[str, Any]]:
    """Of one rule a row for each level of noise."""
    memory, rows = genjax.fit(genjax.hopfield(**RULES[name]), mnist(chosen), progress=False).parameters, []
    patterns = jnp.repeat(memory.patterns, probes, axis=0)
    for level in NOISE:
        found = retrieve(jax.random.key(1), memory.net, noisy(level, patterns), memory.dynamics, MOST_SWEEPS)
        hits, sweeps = np.asarray(same(found.states, patterns)) > 0, np.asarray(found.sweeps)
        row = {"retrieved": float(hits.mean()), "interval": proportion(int(hits.sum()), len(hits))}
        row |= {"each": hits.reshape(10, -1).mean(1).tolist(), "probes": len(hits)}
        row |= {"sweeps": float(np.median(sweeps)), "most_sweeps": int(sweeps.max())}
        row |= {"settled": float(np.asarray(found.settled).mean()), "overlap": overlap(found.states, patterns)}
        rows.append({"rule": name, "noise": level} | row)
    return rows


def noisy(level: str, patterns: jax.Array) -> jax.Array:
    """Probes of patterns: the same for every rule."""
    kind, amount = NOISE[level]
    key = random.subkey(jax.random.key(0), level)
    return (
        flipped(key, patterns, amount) if kind == "flipped" else patterns + amount * random.normal(key, patterns.shape)
    )


def overlap(states: jax.Array, patterns: jax.Array) -> float:
    """The mean share of spins that agree, less those that do not."""
    return float(jnp.mean(jnp.sign(states) * patterns))


def proportion(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson 1934)."""
    low = beta_distribution.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    high = beta_distribution.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    return float(low), float(high)


# 3. Capacity


def random_patterns(key: jax.Array, count: int, spins: int) -> jax.Array:
    """Independent spins."""
    return flipped(key, jnp.ones((count, spins)), 0.5)


@partial(jax.jit, static_argnames=("rule", "spins", "most", "probed"))
def kept(
    key: jax.Array, counts: jax.Array, rule: Any, spins: int, most: int, probed: int, flips: float = 0.0
) -> tuple[jax.Array, ...]:
    """Of one seed the share of patterns that stay, and their mean overlap, for each number of patterns `(loads,)`.

    Retrieval begins at patterns of which a share `flips` of the spins is turned over. Nets of all loads are vmapped:
    each has the first so many of the seed's patterns, the others are zeros.
    """
    patterns = random_patterns(random.subkey(key, "patterns"), most, spins)
    probes = flipped(random.subkey(key, "flips"), patterns[:probed], flips)

    def one(count: jax.Array) -> tuple[jax.Array, jax.Array]:
        here = jnp.where(jnp.arange(most)[:, None] < count, patterns, 0.0)
        tried = jnp.arange(probed)
        found = retrieve(random.subkey(key, "orders"), rule.store(here), probes, Asynchronous(), MOST_SWEEPS)
        m = jnp.mean(found.states * patterns[:probed], axis=-1)
        among = tried < count
        stay = jnp.sum(jnp.where(among, m >= RETRIEVED, False)) / jnp.sum(among)
        return stay, jnp.sum(jnp.where(among, m, 0.0)) / jnp.sum(among)

    return jax.vmap(one)(counts)


def capacity(spins: int, seed: int) -> list[dict[str, Any]]:
    """Hebb's rule, one seed; its energy by the patterns themselves, which are fewer than the spins."""
    loads = LOADS if spins >= 1000 else np.concatenate([LOADS, FURTHER])
    counts = np.maximum(1, np.round(loads * spins)).astype(int)
    key, most = random.subkey(jax.random.key(seed), f"{spins} spins"), int(counts.max())
    stay, m = kept(key, jnp.asarray(counts), Dense(2), spins, most, min(PROBED, most))
    row = {"spins": spins, "seed": seed, "loads": (counts / spins).tolist()}
    return [row | {"stay": np.asarray(stay).tolist(), "overlap": np.asarray(m).tolist()}]


def half_point(row: dict[str, Any]) -> float:
    """The load at which half of a seed's patterns stay: the last crossing of 1/2, by linear interpolation."""
    loads, stay = np.array(row["loads"]), np.array(row["stay"])
    above = np.flatnonzero(stay >= 0.5)
    if not len(above):
        return float(loads[0])
    last = int(above[-1])
    if last == len(loads) - 1:
        return float(loads[-1])
    share = (stay[last] - 0.5) / (stay[last] - stay[last + 1])
    return float(loads[last] + share * (loads[last + 1] - loads[last]))


def others(scale: Scale) -> list[dict[str, Any]]:
    """Other rules at as many spins, and the modern net of very few spins."""
    spins, seeds = (100, 5) if scale.most > 100 else (20, 2)
    few = np.unique(np.round(np.geomspace(2, 2 * spins, 18)).astype(int))
    many = np.unique(np.round(np.geomspace(2, scale.most, 18)).astype(int))
    rules = {"Hebb": (Hebbian(), few), "Storkey": (Storkey(), few), "projection": (Projection(), few)}
    rules |= {"degree 3": (Dense(3), many), "modern": (Modern(), many)}
    rows = []
    for name, (rule, counts) in rules.items():
        rows += curve(name, rule, spins, counts, range(seeds), FLIPS)
    for size in scale.few:
        most = min(int(np.exp(LIMIT * size) * 8), scale.most)
        counts = np.unique(np.round(np.geomspace(2, most, 16)).astype(int))
        rows += curve("modern", Modern(), size, counts, range(seeds))
    return rows


def curve(
    name: str, rule: Any, spins: int, counts: np.ndarray, seeds: range, flips: float = 0.0
) -> list[dict[str, Any]]:
    """A row for each seed. Numbers of patterns that are padded to the same power of 4 share a program."""
    padded = 4 ** np.ceil(np.log(np.maximum(counts, 16)) / np.log(4) - 1e-9).astype(int)
    rows = []
    for seed in seeds:
        key, stay = random.subkey(jax.random.key(seed), f"{name} {spins}"), []
        for most in np.unique(padded).tolist():
            share, _ = kept(key, jnp.asarray(counts[padded == most]), rule, spins, most, min(PROBED, most), flips)
            stay += np.asarray(share).tolist()
        rows.append({"rule": name, "spins": spins, "seed": seed, "patterns": counts.tolist(), "stay": stay})
    return rows


def half_points(rows: list[dict[str, Any]]) -> dict[int, tuple[float, tuple[float, float]]]:
    """By the number of spins: the mean over seeds of the load at which half of the patterns stay, and its interval."""
    each: dict[int, list[float]] = {}
    for row in rows:
        if "loads" in row:
            each.setdefault(row["spins"], []).append(half_point(row))
    return {spins: (float(np.mean(each[spins])), interval(np.array(each[spins]))) for spins in sorted(each)}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """What a person reads."""
    said = []
    for name in TARGETS:
        mine = [row for row in rows if row["part"] == "small nets" and row["net"] == name]
        for row in mine:
            at = ", ".join(f"{x:+.2f}" for x in row["x"])
            said.append(f"{name:14} {row['kind']:9} ({at}), energy {row['energy']:+.3f}, {row['what']}")
    said.append(f"{'rule':12}" + "".join(f"{level:>26}" for level in NOISE))
    for name in RULES:
        mine = {row["noise"]: row for row in rows if row["part"] == f"digits, {name}"}
        cells = [
            "{:.2f} [{:.2f}, {:.2f}] {:.0f}/{}".format(r["retrieved"], *r["interval"], r["sweeps"], r["most_sweeps"])
            for r in mine.values()
        ]
        said.append(f"{name:12}" + "".join(f"{cell:>26}" for cell in cells))
    said.append("share of probes retrieved without a wrong pixel, its interval, sweeps (median / most)")
    for spins, (mean, (low, high)) in half_points(rows).items():
        said.append(f"{spins:5} spins: half of the patterns stay at a load of {mean:.4f} [{low:.4f}, {high:.4f}]")
    return [*said, f"infinitely many spins (Amit, Gutfreund and Sompolinsky 1985): {THEORY}"]


def main() -> None:
    """What is missing is computed; table and figures are made of the rows."""
    chosen = options(__doc__, "hopfield", "fewer seeds, at most 1,000 spins", mnist=True)
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "small nets": small_nets,
        **{f"digits, {name}": partial(digits, chosen, scale.probes, name) for name in RULES},
        **{
            f"capacity, {n} spins, {seed}": partial(capacity, n, seed)
            for n, s in scale.seeds.items()
            for seed in range(s)
        },
        "rules": partial(others, scale),
    }
    done = {row["part"] for row in lines(path)}
    for name, make in parts.items():
        for row in [] if name in done else make():
            append(path, {"part": name} | row)
    rows = lines(path)
    for line in table(rows):
        print(line)
    nets = {name: stored(targets).parameters.net for name, targets in TARGETS.items()}
    print(save(draw_small(rows, nets, TARGETS), chosen.out / "small_nets.png"))
    run = genjax.fit(genjax.hopfield(**RULES["saturated"]), mnist(chosen), progress=False)
    probes = {level: np.asarray(noisy(level, run.parameters.patterns)) for level in NOISE}
    print(save(draw_digits(rows, run, probes), chosen.out / "digits.png"))
    print(save(draw_capacity(rows, half_points(rows), THEORY, LIMIT), chosen.out / "capacity.png"))


if __name__ == "__main__":
    main()
