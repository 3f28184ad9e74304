"""The figures of `experiments.hopfield`."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import genjax
from genjax.sampling.retrieval import Saturating, way

MARKS = {"attractor": ("o", "C3"), "saddle": ("x", "C1"), "repeller": ("s", "C4")}
SWEEPS = 40
Rows = list[dict[str, Any]]


def trajectories(net: Any, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States `(sweeps + 1, starts, spins)` and energies of saturating dynamics."""
    path = way(jax.random.key(0), net, jnp.asarray(start, jnp.float32), Saturating(), SWEEPS)
    return np.asarray(path.states), np.asarray(path.energies)


def draw_small(rows: Rows, nets: Mapping[str, Any], targets: Mapping[str, np.ndarray]) -> Figure:
    """State space of both small nets with trajectories and equilibria, and the energy along each trajectory."""
    figure, rng = Figure(figsize=(11, 9), layout="constrained"), np.random.default_rng(0)
    for line, (name, net) in enumerate(nets.items()):
        spins = targets[name].shape[1]
        states, energies = trajectories(net, rng.uniform(-1, 1, (40 if spins == 2 else 30, spins)))
        found = [row for row in rows if row["part"] == "small nets" and row["net"] == name]
        plane = {} if spins == 2 else {"projection": "3d"}
        space: Any = figure.add_subplot(2, 2, 2 * line + 1, **plane)
        if spins == 2:
            contours(space, net)
        else:
            for a, b in itertools.combinations(np.array(list(itertools.product((-1, 1), repeat=3))), 2):
                if np.abs(a - b).sum() == 2:
                    space.plot(*np.stack([a, b]).T, color="lightgrey", linewidth=0.8)
        for way_of_one in states.transpose(1, 0, 2):
            space.plot(*way_of_one.T, color="C0", linewidth=0.7, alpha=0.8)
            space.plot(*way_of_one[:1].T, ".", color="C0", markersize=3)
        for kind, (mark, colour) in MARKS.items():
            at = np.array([row["x"] for row in found if row["kind"] == kind])
            if len(at):
                space.plot(*at.T, mark, color=colour, markersize=8, label=f"{kind} ({len(at)})")
        spurious = np.array([r["x"] for r in found if r["kind"] == "attractor" and r["what"] != "stored"])
        if len(spurious):
            space.plot(*spurious.T, "o", color="none", markeredgecolor="black", markersize=14, label="not a target")
        labels = [f"neuron {n + 1}" for n in range(spins)]
        space.set(**dict(zip(("xlabel", "ylabel", "zlabel"), labels)), title=f"{name}: {len(targets[name])} targets")
        space.set(**{f"{axis}ticks": (-1, 0, 1) for axis in "xyz"[:spins]})
        space.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0) if spins == 2 else None)
        axes = figure.add_subplot(2, 2, 2 * line + 2)
        axes.plot(energies, color="C0", linewidth=0.7)
        axes.set(xlabel="sweep", ylabel="E + x x / 2 (nats)", title=f"{name}: energy along the same trajectories")
        axes.grid(alpha=0.3)
    return figure


def contours(axes: Any, net: Any) -> None:
    """The energy over the square."""
    side = np.linspace(-1, 1, 41)
    x, y = np.meshgrid(side, side)
    points = jnp.asarray(np.stack([x.ravel(), y.ravel()], -1), jnp.float32)
    axes.contour(
        x, y, np.asarray(Saturating().lyapunov(net, points)).reshape(x.shape), 12, cmap="Greys", linewidths=0.6
    )
    axes.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")


def draw_digits(rows: Rows, run: genjax.Run, probes: Mapping[str, np.ndarray]) -> Figure:
    """Probes of every digit and what the course's net makes of them; below, how often each rule is right."""
    figure = Figure(figsize=(13, 13), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(2.2, 1))
    height, width, _ = run.image_shape
    strips = [("stored", np.asarray(run.parameters.values(run.parameters.patterns)))]
    for level, probe in probes.items():
        values = np.asarray(run.parameters.values(jnp.asarray(probe)))
        strips += [(level, np.clip(values, 0, 1)), ("retrieved", run.reconstruct(values.reshape(-1, *run.shape)))]
    for axes, (name, images) in zip(parts[0].subplots(len(strips), 1), strips):
        axes.imshow(np.hstack([*images.reshape(-1, height, width)]), cmap="gray", vmin=0, vmax=1, aspect="auto")
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    parts[0].suptitle("rule saturated, saturating dynamics: probes (shown cut off at -1 and 1) and what they become")
    shares, sweeps = parts[1].subplots(1, 2)
    of_digits = [row for row in rows if "noise" in row]
    levels, rules = ([*dict.fromkeys(row[key] for row in of_digits)] for key in ("noise", "rule"))
    for number, rule in enumerate(rules):
        mine = [row for row in of_digits if row["rule"] == rule]
        at = np.arange(len(levels)) + 0.12 * (number - 2)
        mean = np.array([row["retrieved"] for row in mine])
        ends = np.array([row["interval"] for row in mine]).T
        shares.errorbar(at, mean, np.abs(ends - mean), fmt="o", markersize=4, capsize=2, label=rule)
        sweeps.plot(at, [row["sweeps"] for row in mine], "o", color=f"C{number}", label=rule)
        sweeps.plot(at, [row["most_sweeps"] for row in mine], "_", color=f"C{number}", markersize=9)
    for axes, label in ((shares, "share retrieved exactly"), (sweeps, "sweeps until nothing changes (-: most)")):
        axes.set_xticks(range(len(levels)), levels, rotation=20)
        axes.set(ylabel=label)
        axes.grid(alpha=0.3)
    sweeps.set_yscale("symlog", linthresh=1)
    sweeps.set_ylim(bottom=0)
    shares.legend(fontsize=8)
    return figure


def draw_capacity(rows: Rows, half: Mapping[int, Any], theory: float, limit: float) -> Figure:
    """Hebb's rule by the number of spins; other rules at as many spins; the modern net's own limit."""
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    hebb, rules, modern = figure.subplots(1, 3)
    for number, (spins, (mean, (low, high))) in enumerate(half.items()):
        mine = [row for row in rows if "loads" in row and row["spins"] == spins]
        stay = np.array([row["stay"] for row in mine])
        error = 1.96 * stay.std(0, ddof=1) / np.sqrt(len(mine)) if len(mine) > 1 else None
        label = f"{spins} spins: {mean:.4f} [{low:.4f}, {high:.4f}]"
        hebb.errorbar(mine[0]["loads"], stay.mean(0), error, marker=".", capsize=2, color=f"C{number}", label=label)
    hebb.axvline(theory, color="black", linestyle="--", linewidth=1, label=f"{theory}: infinitely many")
    hebb.axhline(0.5, color="grey", linewidth=0.6)
    hebb.set(xlabel="load: patterns / spins", ylabel="share of patterns that stay", title="Hebb's rule")
    hebb.legend(fontsize=7, loc="upper right", title="half of them stay at", title_fontsize=7)
    of_rules = [row for row in rows if "patterns" in row]
    widest = max(row["spins"] for row in of_rules)
    for name in dict.fromkeys(row["rule"] for row in of_rules):
        mine = [row for row in of_rules if (row["rule"], row["spins"]) == (name, widest)]
        rules.plot(mine[0]["patterns"], np.mean([row["stay"] for row in mine], axis=0), ".-", label=name)
    title = f"{widest} spins, a tenth turned over, by rule"
    rules.set(xscale="log", xlabel="patterns", ylabel="share retrieved", title=title)
    for spins in sorted({row["spins"] for row in of_rules} - {widest}):
        mine = [row for row in of_rules if row["spins"] == spins]
        stay = np.mean([row["stay"] for row in mine], axis=0)
        modern.plot(np.log(mine[0]["patterns"]) / spins, stay, ".-", label=f"{spins} spins")
    modern.axvline(limit, color="black", linestyle="--", linewidth=1, label="log(2) / 2")
    modern.set(xlabel="log(patterns) / spins", ylabel="share that stay", title="the modern net, very few spins")
    for axes in (rules, modern):
        axes.legend(fontsize=8)
    for axes in (hebb, rules, modern):
        axes.set_ylim(-0.03, 1.03)
        axes.grid(alpha=0.3)
    return figure
