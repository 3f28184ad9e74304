"""Do spikes do for digits? A network of leaky integrate-and-fire units on MNIST, by surrogate gradients.

    python -m experiments.spiking --data-dir DIR [--quick | --smoke] [--out DIR]

A spike is a step function of the membrane's voltage, whose slope is zero; in its place goes a smooth one backwards
(Neftci, Mostafa and Zenke 2019). Units, surrogate and the loop over time are jaxpike's (it comes with the `test` extra;
spyx asks for a dozen more packages). Pixels are constant currents; two layers of 256 units fire for 12 time steps; the
class is the output whose voltage, which leaks and never fires, is highest on the mean over time. Beside it a perceptron
of as many units (relu). Each one's learning rate is chosen on validation images; then test accuracy over common seeds,
paired, accuracy when the network is read out earlier, and the additions that spikes ask for beside the perceptron's
multiplications.

Writes results.jsonl, spikes.png and the table. Five epochs gave 97.9 %, the perceptron 98.4 %; units fired in 0.32 to
0.43 of the time steps, so that 12 steps ask for four times the perceptron's multiplications in additions. Full: about 7
minutes of one core. A call that is interrupted goes on.
"""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxpike import LIF, ATan, LeakyIntegrator, lif_gain, unroll
from matplotlib.figure import Figure

import genjax
from experiments.common import Rows, accuracy_table, best_rate, mnist, options, seed_lines
from experiments.cost import costs, sentence
from genjax.blocks import in_blocks
from genjax.networks.perceptron import Perceptron
from genjax.plots.images import save

BATCH, TAU = 100, 4.0  # examples; the membrane's time constant, in time steps
RASTER = 60  # units of each layer in the picture


class Spiking(nn.Module):
    """Layers of leaky integrate-and-fire units; outputs are mean voltages."""

    layers: tuple[int, ...]
    outputs: int = 10
    times: int = 12

    @nn.compact
    def over_time(self, x: jax.Array) -> tuple[list[jax.Array], jax.Array]:
        """Spikes of each layer `(times, batch, units)`, and the outputs' voltages."""
        with jax.ensure_compile_time_eval():  # jaxpike checks time constants by their values
            unit, output = LIF(TAU, surrogate=ATan()), LeakyIntegrator(TAU)
        strong = nn.initializers.variance_scaling(lif_gain(TAU) ** 2, "fan_in", "truncated_normal")
        spikes: list[jax.Array] = []
        for size in self.layers:
            current = nn.Dense(size, kernel_init=strong)(spikes[-1] if spikes else x)
            constant = current if spikes else jnp.broadcast_to(current, (self.times, *current.shape))
            spikes.append(unroll(unit, constant)[0])
        return spikes, unroll(output, nn.Dense(self.outputs)(spikes[-1]))[0]

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.over_time(x)[1].mean(0)


class Scale(NamedTuple):
    layers: tuple[int, ...]
    rates: tuple[float, ...]
    search: int  # steps of a run by which a rate is chosen
    steps: int
    seeds: int


SCALES = {
    "full": Scale((256, 256), (1e-3, 3e-3), 550, 2750, 5),
    "quick": Scale((128, 128), (3e-3,), 0, 1100, 2),
    "smoke": Scale((32, 32), (3e-3, 1e-2), 60, 240, 2),
}


def networks(scale: Scale) -> dict[str, nn.Module]:
    """The plain one first."""
    return {"perceptron": Perceptron(scale.layers, 10), "spiking": Spiking(scale.layers)}


def learned(setting: str, rate: float, seed: int, steps: int, scale: Scale, dataset: Any) -> genjax.Run:
    """One run."""
    model = genjax.supervised(network=networks(scale)[setting], learning_rate=rate)
    return genjax.fit(model, dataset, steps=steps, seed=seed, batch_size=BATCH, progress=False)


def measured(setting: str, rate: float, seed: int, scale: Scale, dataset: Any, out: Any) -> dict[str, Any]:
    """What a run says of test images; of the first spiking one also the arrays of the picture."""
    run, labels = learned(setting, rate, seed, scale.steps, scale, dataset), dataset.labels.test
    row = {"rate": rate, "test": float(np.mean(run.classify(dataset.test).argmax(1) == labels))}
    if setting == "perceptron":
        return row
    model = run.parameters
    over_time = jax.jit(partial(model.network.apply, {"params": model.parameters}, method="over_time"))

    def seen(x: jax.Array) -> Any:
        spikes, voltages = over_time(x)
        return [layer.mean((0, 2)) for layer in spikes], jnp.swapaxes(voltages, 0, 1)

    rates, voltages = in_blocks(seen, dataset.test)
    if not seed:
        spikes, voltage = over_time(dataset.test[:1])
        arrays: dict[str, Any] = {f"layer_{n}": layer[:, 0] for n, layer in enumerate(spikes)}
        np.savez(out / "picture.npz", voltage=np.asarray(voltage[:, 0]), **arrays)
    early = (voltages.cumsum(1).argmax(2) == labels[:, None]).mean(0).tolist()  # sums have the means' order
    return row | {"early": early, "fired": [float(layer.mean()) for layer in rates]}


def main() -> None:
    """Rates, runs, costs; print the table, write results and the figure."""
    chosen = options(__doc__, "spiking", "smaller networks, 2 epochs, 2 seeds", mnist=True)
    scale, dataset, runs = SCALES[chosen.scale], mnist(chosen), []
    results = Rows(chosen.out / "results.jsonl", "part", "setting", "seed")
    for setting in networks(scale):
        short = partial(learned, setting, seed=100, steps=scale.search, scale=scale, dataset=dataset)
        rate = results.once(partial(best_rate, scale.rates, short), part="rate", setting=setting)["rate"]
        for seed in range(scale.seeds):
            make = partial(measured, setting, rate, seed, scale, dataset, chosen.out)
            runs.append(results.once(make, part="run", setting=setting, seed=seed))
    models = {name: genjax.supervised(network=network) for name, network in networks(scale).items()}
    cost = results.once(lambda: {"rows": costs(models, dataset, BATCH)}, part="cost")["rows"]
    said = [*accuracy_table(runs, "setting"), operations(runs, scale, dataset.test.shape[1]), sentence(cost)]
    print("\n".join(said), flush=True)
    print(save(figure(runs, dict(np.load(chosen.out / "picture.npz"))), chosen.out / "spikes.png"))


def operations(runs: list[dict[str, Any]], scale: Scale, pixels: int) -> str:
    """What classifying one image asks for above the first layer, whose currents both networks compute once."""
    fired = np.mean([row["fired"] for row in runs if row["setting"] == "spiking"], axis=0)
    above = np.array([*scale.layers[1:], 10])
    additions = Spiking(scale.layers).times * np.sum(fired * np.array(scale.layers) * above)
    return (
        f"a unit fires in a share of {np.round(fired, 3).tolist()} of the time steps, by layer; above the first layer "
        f"({pixels} x {scale.layers[0]} multiplications in both) an image takes {additions:,.0f} additions by spikes, "
        f"and {np.sum(np.array(scale.layers) * above):,} multiplications in the perceptron"
    )


def figure(runs: list[dict[str, Any]], picture: dict[str, np.ndarray]) -> Figure:
    """Spikes and voltages for one test image, and accuracy by the time at which the network is read out."""
    drawn = Figure(figsize=(15, 4.2), layout="constrained")
    (raster, voltage, accuracy), units = drawn.subplots(1, 3), 0
    for number, name in enumerate(sorted(key for key in picture if key.startswith("layer"))):
        time, unit = np.nonzero(picture[name][:, :RASTER])
        raster.plot(time + 1, unit + units, "|", color=f"C{number}", label=f"layer {number + 1}")
        units += min(RASTER, picture[name].shape[1])
    raster.set(xlabel="time step", ylabel="unit", title="spikes for the first test image")
    for number, line in enumerate(picture["voltage"].T):
        voltage.plot(np.arange(len(line)) + 1, line, color=f"C{number}", label=str(number))
    voltage.set(xlabel="time step", ylabel="voltage, thresholds", title="voltages of the outputs")
    early = 100 * np.array([row["early"] for row in runs if row["setting"] == "spiking"])
    plain = 100 * np.mean([row["test"] for row in runs if row["setting"] == "perceptron"])
    seed_lines(accuracy, np.arange(early.shape[1]) + 1, early, "C0", "spiking")
    accuracy.axhline(plain, color="black", linestyle="--", linewidth=1, label="perceptron")
    accuracy.set(xlabel="time steps until it is read out", ylabel="test accuracy, %", title="accuracy over time")
    for axes in (raster, voltage, accuracy):
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return drawn


if __name__ == "__main__":
    main()
