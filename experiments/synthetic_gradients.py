"""Can a predicted gradient carry credit further back than truncated backpropagation through time does?

    python -m experiments.synthetic_gradients [--quick | --smoke] [--out DIR]

An LSTM reads 24 random bits and says at every step which bit came `delay` steps before. Its gradient through time is
cut every three steps, so that a delay of 3 needs credit from beyond one cut, of 6 from beyond two. Three ways on common
seeds: the whole gradient (full backpropagation through time), nothing from beyond a cut (truncated), and a prediction
of that gradient by a small network, which learns from what arrives at the cut (decoupled neural interfaces; Jaderberg
et al. 2017). The same network, rate and number of steps for all. Measured: the share of test bits that are said
wrongly (chance: 0.5), paired differences to truncation with 95 % intervals over seeds, the cosine of each way's
gradient with the whole one at the trained parameters, and the CPU milliseconds of a gradient. What decoupling is for,
segments that need not wait for each other, shows on many devices alone: here it costs time. Expect the prediction to
solve a delay of 3 as the whole gradient does, and to lie between the other two at 6 and 9. Writes results.jsonl,
errors.png and the table. Full: about 12 minutes of one core, --quick: one and a half. A run that is interrupted goes
on.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from matplotlib.figure import Figure

import genjax
from experiments.common import append, interval, lines, options
from genjax.data import Dataset
from genjax.networks.decoupled import Cut, DecoupledLSTM
from genjax.plots.images import save

WAYS: dict[Cut, str] = {"zero": "truncated", "synthetic": "predicted", "none": "full"}
STEPS, SEGMENT = 24, 3


class Scale(NamedTuple):
    delays: tuple[int, ...]
    updates: int
    seeds: int
    sequences: int
    units: int = 24


SCALES = {
    "full": Scale((3, 6, 9), 2500, 5, 5000),
    "quick": Scale((3,), 400, 3, 2000),
    "smoke": Scale((3,), 30, 2, 200, 4),
}


@dataclass(frozen=True)
class Recall:
    """Cross-entropy of the bits that came `delay` steps before, nats; the first `delay` steps are not asked."""

    delay: int
    kind: ClassVar[str] = "recall"

    def losses(self, outputs: Float[Array, "batch steps"], target: Float[Array, "batch steps"]) -> Array:
        """Of each sequence, a mean over its steps."""
        return jnp.mean(optax.sigmoid_binary_cross_entropy(outputs, target)[:, self.delay :], axis=-1)

    def metrics(self, outputs: Float[Array, "batch steps"], target: Float[Array, "batch steps"]) -> dict[str, Array]:
        """The share of bits that are said wrongly."""
        return {"error": jnp.mean(((outputs > 0) != (target > 0.5))[:, self.delay :])}

    def outputs(self, target: Float[Array, "batch steps"]) -> int:
        """One a step."""
        return target.shape[1]

    def check_targets(self, target: Any) -> None:
        """They are made here."""


def task(delay: int, count: int) -> Dataset:
    """Sequences of -1 and 1, and as targets the bits, 0 or 1, of `delay` steps before."""
    bits = np.random.default_rng(delay).integers(0, 2, (count, STEPS)).astype(np.float32)
    late = np.concatenate([np.zeros((count, delay), np.float32), bits[:, : STEPS - delay]], axis=1)
    return Dataset.from_arrays(2 * bits - 1, late, test=0.2, validation=0.1, name="bits")


def gradient(model: Any, cut: str, x: Array, target: Array) -> Array:
    """A way's gradient of the loss at these parameters, flat, without the predictor's own."""
    network = model.network.clone(cut=cut)
    loss = lambda p: jnp.mean(model.loss.losses(network.apply({"params": p}, x), target))  # noqa: E731
    slopes = jax.grad(loss)(model.parameters)
    return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves({**slopes, "guess": ()})])


def measured(delay: int, way: Cut, scale: Scale) -> list[dict[str, Any]]:
    """A row for each seed."""
    of, network = task(delay, scale.sequences), DecoupledLSTM(scale.units, SEGMENT, way)
    model = genjax.supervised(network=network, loss=Recall(delay), learning_rate=1e-2)
    runs = genjax.grid(model, of, seeds=scale.seeds, steps=scale.updates, batch_size=32, progress=False)
    x, y, target, rows = of.train[:500], of.target("train")[:500], of.target("test"), []
    slope = jax.jit(gradient, static_argnames="cut")
    for seed, run in enumerate(runs):
        own, whole = (slope(run.parameters, cut, x, y) for cut in (way, "none"))
        row = {"delay": delay, "way": way, "seed": seed, "steps": run.history["step"].tolist()}
        row |= {"curve": run.history["held_out_error"].tolist()}
        row["error"] = float(np.mean(((run.predict(of.test) > 0) != (target > 0.5))[:, delay:]))
        row["cosine"] = float(own @ whole / (jnp.linalg.norm(own) * jnp.linalg.norm(whole) + 1e-12))
        rows.append(row)
    began = time.process_time()
    for _ in range(20):
        slope(runs[0].parameters, way, x, y).block_until_ready()
    milliseconds = 50 * (time.process_time() - began)
    return [row | {"milliseconds": milliseconds} for row in rows]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """What a person reads."""
    said = []
    for delay in dict.fromkeys(row["delay"] for row in rows):
        values: dict[str, np.ndarray] = {way: of(rows, delay, way, "error") for way in WAYS}
        for way, name in WAYS.items():
            shown = "{:.3f} [{:.3f}, {:.3f}]".format(values[way].mean(), *interval(values[way]))
            cosine, cost = (of(rows, delay, way, what).mean() for what in ("cosine", "milliseconds"))
            less = values[way] - values["zero"]
            line = f"delay {delay}, {name:9}: wrong {shown}, cosine {cosine:+.2f}, {cost:.1f} ms of CPU a gradient"
            said.append(line + ", less truncated {:+.3f} [{:+.3f}, {:+.3f}]".format(less.mean(), *interval(less)))
    return said


def of(rows: list[dict[str, Any]], delay: int, way: str, name: str) -> np.ndarray:
    """What was measured of each seed."""
    return np.array([row[name] for row in rows if (row["delay"], row["way"]) == (delay, way)])


def main() -> None:
    """What is missing is trained; table and figure are made of the rows."""
    chosen = options(__doc__, "synthetic-gradients", "one delay, fewer updates and seeds")
    scale, path = SCALES[chosen.scale], chosen.out / "results.jsonl"
    rows = lines(path)
    for delay, way in itertools.product(scale.delays, WAYS):
        for row in [] if len(of(rows, delay, way, "error")) else measured(delay, way, scale):
            rows.append(row)
            append(path, row)
    print("\n".join(table(rows)))
    print(save(figure(rows, scale.delays), chosen.out / "errors.png"))


def figure(rows: list[dict[str, Any]], delays: tuple[int, ...]) -> Figure:
    """Validation errors by updates: means over seeds, and each seed."""
    drawn = Figure(figsize=(1 + 3.4 * len(delays), 3.4), layout="constrained")
    for axes, delay in zip(drawn.subplots(1, len(delays), sharey=True, squeeze=False)[0], delays):
        for number, (way, name) in enumerate(WAYS.items()):
            curves, steps = of(rows, delay, way, "curve"), of(rows, delay, way, "steps")[0]
            axes.plot(steps, curves.T, color=f"C{number}", alpha=0.25, linewidth=0.7)
            axes.plot(steps, curves.mean(0), color=f"C{number}", label=name)
        axes.axhline(0.5, color="0.6", linestyle=":", label="chance")
        cuts = delay // SEGMENT
        axes.set(
            title=f"a bit of {delay} steps ago, beyond {cuts} cut{'s' * (cuts > 1)}", xlabel="updates", ylim=(0, 0.55)
        )
    drawn.axes[0].set_ylabel("share of validation bits said wrongly")
    drawn.axes[0].legend(fontsize=8)
    return drawn


if __name__ == "__main__":
    main()
