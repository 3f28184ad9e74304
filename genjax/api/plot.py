"""The figures of a run: `run.plot.curves()` and the others give matplotlib Figures, shown inline by a notebook."""

import textwrap
from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from genjax import random
from genjax.api.trained import Start
from genjax.blocks import in_blocks
from genjax.data.places import Missing
from genjax.errors import UserError
from genjax.evaluation import latent as walks
from genjax.evaluation.latent import LatentSpace, spherical
from genjax.evaluation.reconstruction import missing_mask, region
from genjax.evaluation.samples import Measured
from genjax.plots import coverage, curves, latent, samples, weights
from genjax.plots.figure import Figure
from genjax.sampling import tempering
from genjax.typing import Batch, Kernel

TIMES = (1, 3, 10, 30, 100, 300, 1000)
SIDE, STEPS = 20, 9  # images along a side of the plane, and along a traversal
TRAVERSED = 10  # directions of a generator that are shown
PAIRS = 4  # of test images between which codes are interpolated
CODES = 10_000  # training images whose codes stand for all
ALONG = "along the principal directions of the generator's first layer"


def times_to(sweeps: int) -> tuple[int, ...]:
    """About eight numbers of sweeps, evenly spread in their logarithm, ending with `sweeps`."""
    return tuple(sorted({round(t) for t in np.geomspace(1, sweeps, 8)}))


class Plots:
    """Figures of one run; each is drawn when it is asked for."""

    def __init__(self, run: Any):
        self.run = run  # a `Run`, which stands above this file

    def curves(self, summary: str = "") -> Figure:
        """What was measured as it learned, against epochs."""
        run = self.run
        best = run.judgement.step if run.over_fitting else None
        title = f"{run.name}: learning curves\n{textwrap.shorten(run.about, 120, placeholder=' ...')}"
        return curves.learning_curves(run.history, run.model.panels, title, summary, best)

    def samples(
        self,
        n: int | None = None,
        label: int | str | None = None,
        sweeps: int = 1000,
        kernel: Kernel | None = None,
        start: Start = "fresh",
        seed: int = 0,
    ) -> Figure:
        """Samples: of models with chains one chain a row (10), time running to the right; of others a sheet (100)."""
        run = self.run
        count, times = n or (10 if run.has_chains else 100), times_to(sweeps)
        return self.of_samples(run.draw(count, times, label, kernel, start, seed), times, label, start)

    def of_samples(
        self, arrays: dict[str, Any], times: tuple[int, ...], label: int | str | None = None, start: Start = "fresh"
    ) -> Figure:
        """The same of samples that are drawn already (`Run.draw`)."""
        run = self.run
        of_label = "" if label is None else f" of label {run.label_names(run.classes)[run.class_number(label)]}"
        if run.has_chains:
            title = f"{run.name}: {run.model.along} along {start} chains{of_label}"
            return samples.chains(arrays["path"], times, run.image_shape, title)
        shown = arrays.get("means", arrays["samples"])[: samples.MOST_IMAGES]
        caption = "expected pixels" if "means" in arrays else "as generated"
        if run.model.sample_needs_data:
            caption = "decoded from a Gaussian with the mean and covariance of the training images' codes"
        return samples.sheet(shown, run.image_shape, f"{run.name}: {len(shown)} draws{of_label}", caption)

    def classes(self, n: int = 10, sweeps: int = 1000, seed: int = 0) -> Figure:
        """A row of samples for each label that the model knows."""
        return self.of_classes(self.run.draw_classes(n, sweeps, seed=seed), sweeps)

    def of_classes(self, arrays: dict[str, Any], sweeps: int) -> Figure:
        """The same of samples that are drawn already (`Run.draw_classes`)."""
        run = self.run
        after = f", {run.model.along} after {sweeps} sweeps of fresh chains" if run.has_chains else ""
        shown, names = arrays.get("means", arrays["samples"]), run.label_names(run.classes)
        return samples.by_label(shown, arrays["labels"], names, run.image_shape, f"{run.name}: samples by label{after}")

    def ladder(self, n: int = 100, sweeps: int = 1000, kernel: Kernel | None = None, seed: int = 0) -> Figure:
        """How replicas of a tempered kernel travel: swap rates and round trips."""
        run = self.run
        info = run.draw(n, (sweeps,), kernel=kernel or tempering.Tempered(), seed=seed)["info"]
        return self.of_ladder(info)

    def of_ladder(self, info: Any) -> Figure:
        """The same of what a tempered kernel has counted."""
        report = tempering.report(info)
        title = f"{self.run.name}: parallel tempering"
        return samples.ladder(np.asarray(report.swap_rate), float(report.round_trip_rate), title)

    def filters(self, units: int = 64, seed: int = 0) -> dict[str, Figure]:
        """The weights of every layer and, from the second on, the images that activate its units most."""
        run = self.run
        if run.model.filters is None:
            raise UserError(f"No weights to picture: {run.model.name} has none.")
        layers = run.model.filters(run.parameters)
        names = run.label_names(run.classes) if run.model.classify is not None and run.model.maxima is not None else []
        activating: dict[int, np.ndarray] = {}
        spread = None if run.model.features is None else self.spread(seed)  # without features: patterns, in their order
        if run.model.maxima is not None and len(layers) > 1:
            norm, key = self.brightness(seed), random.key(seed, run.settings.rng)
            for layer, values in enumerate(layers[1:], 2):
                labels = names if layer == len(layers) else []
                chosen = np.arange(len(labels)) if labels else weights.strongest(values, units, spread)
                found = run.model.maxima(key, run.parameters, layer, chosen, norm)
                if found is not None:
                    activating[layer] = found
        return weights.layers(layers, run.image_shape, run.name, units, names, activating, spread)

    def spread(self, seed: int = 0) -> np.ndarray | None:
        """The standard deviation of each value over the training data, as their means say of binary ones; of a machine
        that comes without them over its own samples. None where neither is known."""
        run = self.run
        mean = None if run.record is None else run.record.mean
        if mean is None and run.has_chains:
            mean = run.draw(100, (100,), seed=seed)["means"].mean(0)
        return None if mean is None or mean.min() < 0 or mean.max() > 1 else np.sqrt(mean * (1 - mean))

    def brightness(self, seed: int = 0) -> float:
        """The mean euclidean norm of the model's own expected images, which no image that drives a unit may exceed."""
        means = self.run.draw(100, (100,), seed=seed)["means"]
        return float(np.linalg.norm(means, axis=-1).mean())

    def reconstructions(
        self, n: int = 16, missing: np.ndarray | None = None, sweeps: int = 400, seed: int = 0
    ) -> Figure:
        """Test images, what was left of them, and what the model fills in (the lower half unless told otherwise)."""
        truth, missing = self.damaged(n, missing, seed)
        filled = self.run.reconstruct(truth, missing, sweeps=sweeps, seed=seed).reshape(len(truth), -1)
        return self.of_reconstructions(truth, missing, filled)

    def damaged(self, n: int, missing: np.ndarray | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Test images and which of their values are missing: the lower half of images, half of all in examples of one
        row, unless told otherwise."""
        shape, truth = self.run.image_shape, np.asarray(self.run.fixed_test(n).x)
        if missing is None:
            where = f"bottom:{shape[0] // 2}" if shape[0] > 1 else "random:0.5"
            missing = missing_mask(region(where), shape, len(truth), seed)
        return truth, missing

    def of_reconstructions(self, truth: np.ndarray, missing: np.ndarray, filled: np.ndarray) -> Figure:
        """The same of images that are filled in already."""
        damaged = np.where(missing, np.nan, truth)
        title = f"{self.run.name}: missing pixels and what the model fills in"
        return latent.reconstructions(truth, filled, self.run.image_shape, title, damaged)

    def film(self) -> Figure:
        """What the same latents became as a generator learned."""
        run = self.run
        if run.model.film is None:
            raise UserError(f"No film of the training: {run.model.name} keeps none.")
        rows = run.model.film(run.parameters)
        title = f"{run.name}: samples during training, of the same latents"
        return samples.film(np.stack(list(rows.values())), [int(step) for step in rows], run.image_shape, title)

    def latent(
        self,
        label: int | str | None = None,
        images: int = 2000,
        projection: Literal["tsne", "pca"] = "tsne",
        axes: tuple[int, int] | None = None,
        seed: int = 0,
    ) -> dict[str, Figure]:
        """Pictures of the latent space: plane, traversals and interpolations; of a generator neighbourhoods, of an
        autoencoder a map of test images' codes and reconstructions."""
        space, test = self.space()
        number = 0 if label is None else self.run.class_number(label)
        given = np.asarray(space.condition(jnp.full(1, number)))
        if test is None or space.encode is None:
            if axes is not None:
                raise UserError("`axes` are of images' codes, and here there are none; leave them out.")
            return self._walks(space, given, seed)
        if axes is not None:
            refuse_axes(axes, len(space.centre))
        some = Batch(test.x[:images], None if test.target is None else test.target[:images])
        return self._codes(space, some, given, projection, axes, seed)

    def space(self) -> tuple[LatentSpace, Batch | None]:
        """The latent space and test images; of a generator, and of what is one without its data, the space alone."""
        run, model = self.run, self.run.model
        if model.space is None and model.decoder is None:
            raise UserError(f"No latent space to picture: {model.name} has none; autoencoders and GANs have one.")
        if model.space is None:
            assert model.decoder is not None
            return model.decoder(run.parameters), None
        try:
            return model.space(run.parameters, run.fixed_train(CODES)), run.fixed_test()
        except Missing:
            if model.decoder is None:
                raise
            return model.decoder(run.parameters), None

    def codes(self, images: int) -> dict[str, np.ndarray]:
        """Codes `(images, units)` and labels, -1 where there are none, of the first test images: what the map shows."""
        test = self.run.fixed_test()
        x = np.asarray(test.x[:images])
        labels = np.full(len(x), -1) if test.target is None else np.asarray(test.target[:images])
        return {"codes": self.run.encode(x, labels), "labels": labels}

    def _walks(self, space: LatentSpace, given: np.ndarray, seed: int) -> dict[str, Figure]:
        """Pictures of a space from which images are only made."""
        units, name, shape = len(space.centre), self.run.name, self.run.image_shape
        directions, along = (
            (np.eye(units), "along its coordinates") if space.directions is None else (space.directions, ALONG)
        )
        axes = (
            ("latent 0", "latent 1")
            if space.directions is None
            else ("along the strongest direction", "along the second")
        )

        def rng() -> np.random.Generator:
            return np.random.default_rng(seed)

        def made(z: np.ndarray) -> np.ndarray:
            flat = z.reshape(-1, units)
            return in_blocks(space.decode, flat, np.repeat(given, len(flat), 0)).reshape(*z.shape[:2], -1)

        walk, title = walks.interpolation(rng(), units), f"{name}: from one latent to another"
        figures = {"interpolation": latent.latent_interpolations(made(walk.z), shape, title)}
        strongest, values = directions[:TRAVERSED], walks.coordinates(units)
        pixels, names = made(walks.traversals(rng(), strongest, values)), [str(n + 1) for n in range(len(strongest))]
        unit, title = "coordinate along the direction", f"{name}: one latent {along}"
        figures["traversals"] = latent.traversals(pixels, names, tuple(values), unit, shape, title)
        if units > 1:
            values = walks.coordinates(units, ways=2)
            pixels, values = made(walks.plane(rng(), directions[:2], values)), tuple(values)
            figures["plane"] = latent.plane(pixels, (values, values), axes, shape, f"{name}: a plane {along}")
        walk, title = (
            walks.neighbourhoods(rng(), units),
            f"{name}: neighbours of one sample, more noise downwards",
        )
        radii = tuple(float(radius) for radius in walk.names)
        return figures | {"neighbourhoods": latent.neighbourhoods(made(walk.z), radii, shape, title)}

    def _codes(
        self,
        space: LatentSpace,
        test: Batch,
        given: np.ndarray,
        projection: Literal["tsne", "pca"],
        axes: tuple[int, int] | None,
        seed: int,
    ) -> dict[str, Figure]:
        """Pictures of a space into which images go, and from which they come."""
        assert space.encode is not None
        assert space.reconstruct is not None
        name, shape = self.run.name, self.run.image_shape
        labels = np.full(len(test.x), -1) if test.target is None else np.asarray(test.target)
        known = space.condition(jnp.asarray(np.maximum(labels, 0)))
        codes = in_blocks(space.encode, test.x, known)
        again = np.asarray(space.reconstruct(test.x[:32], known[:32]))
        points, plane_names = latent.project(codes, projection, seed)
        classes = self.run.label_names(int(labels.max(initial=-1)) + 1)
        title = f"{name}: codes of {len(codes)} test images"
        figures = {
            "reconstructions": latent.reconstructions(
                np.asarray(test.x[:32]), again, shape, f"{name}: test images and their reconstructions"
            ),
            "map": latent.code_map(points, labels, plane_names, title, classes),
            "interpolations": self._interpolations(space, test, codes, known),
            "traversals": self._traversals(space, given, name),
        }
        for number, lower in enumerate(space.below, 1):
            figures[f"traversals-{number}"] = self._traversals(lower, given, f"{name}, layer {number}")
        if len(space.centre) > 1:
            figures["plane"] = self._plane(space, given, axes)
        return figures

    def _interpolations(self, space: LatentSpace, test: Batch, codes: np.ndarray, known: Any) -> Figure:
        """Between test images of neighbouring numbers, codes between them on lines and on circles."""
        pairs, shares, given = min(PAIRS, len(codes) // 2), np.linspace(0, 1, STEPS), np.asarray(known)
        x, centre = np.asarray(test.x), space.centre
        paths: dict[str, list[np.ndarray]] = {"linear": [], "spherical": []}
        for a, b in zip(range(0, 2 * pairs, 2), range(1, 2 * pairs, 2)):
            label = np.stack([(1 - s) * given[a] + s * given[b] for s in shares])
            ways = {
                "linear": np.stack([(1 - s) * codes[a] + s * codes[b] for s in shares]),
                "spherical": centre + np.stack([spherical(codes[a] - centre, codes[b] - centre, s) for s in shares]),
            }
            for way, z in ways.items():
                between = space.decode(jnp.asarray(z, jnp.float32), jnp.asarray(label))
                paths[way].append(np.clip(np.asarray(between), 0, 1))
        ends = np.stack([x[: 2 * pairs : 2], x[1 : 2 * pairs : 2]], axis=1)
        title = f"{self.run.name}: between two test images"
        return latent.interpolations(
            ends, {way: np.stack(rows) for way, rows in paths.items() if rows}, self.run.image_shape, title
        )

    def _traversals(self, space: LatentSpace, given: np.ndarray, name: str) -> Figure:
        """Every latent from its 2.5 % to its 97.5 % quantile, the others at their centre, the most active first."""
        order, steps = np.argsort(-space.activity), ndtri(np.linspace(0.025, 0.975, STEPS))
        codes = np.repeat(np.tile(space.centre, (len(order), 1))[:, None], STEPS, 1).astype(np.float32)
        for row, unit in enumerate(order):
            codes[row, :, unit] += space.spread[unit] * steps
        flat = codes.reshape(-1, codes.shape[-1])
        pixels = in_blocks(space.decode, flat, np.repeat(given, len(flat), 0)).reshape(len(order), STEPS, -1)
        names = [f"{unit} ({space.activity[unit]:.2g})" for unit in order]
        title = f"{name}: each latent from its 2.5 to its 97.5 % quantile; in brackets its activity, most active first"
        unit = "standard deviations from the centre"
        return latent.traversals(pixels, names, tuple(steps), unit, self.run.image_shape, title)

    def _plane(self, space: LatentSpace, given: np.ndarray, axes: tuple[int, int] | None) -> Figure:
        """Two latents at values of equal probability, all others at their centre."""
        first, second = axes or np.argsort(-space.activity)[:2]
        steps = ndtri((np.arange(SIDE) + 0.5) / SIDE)
        codes = np.tile(space.centre, (SIDE * SIDE, 1)).astype(np.float32)
        across, up = np.meshgrid(steps, steps)
        codes[:, first] += space.spread[first] * across.ravel()
        codes[:, second] += space.spread[second] * up.ravel()
        pixels = in_blocks(space.decode, codes, np.repeat(given, len(codes), 0)).reshape(SIDE, SIDE, -1)
        values = tuple(tuple(space.centre[u] + space.spread[u] * steps) for u in (first, second))
        title = f"{self.run.name}: two latents, at values of equal probability"
        names = (f"latent {first}", f"latent {second}")
        return latent.plane(pixels, (values[0], values[1]), names, self.run.image_shape, title)

    def of_coverage(self, found: Measured, drawn: dict[str, np.ndarray], summary: str = "") -> Figure:
        """Samples by class, and those most like a training image (`run.measured_samples`)."""
        run, classes, copies = self.run, found.classes, found.copies
        if classes is None or copies is None:
            raise UserError(f"{run.name} has no labels, or too few test images: there are no classes to show.")
        what, shown, of = "samples", drawn["samples"], classes
        if found.means is not None:
            what, shown, of = "expected pixels", drawn["means"], found.means
        shares = {"samples": classes.samples.shares, "test images": classes.data.shares}
        names = tuple(run.label_names(len(classes.samples.shares)))
        sampled = coverage.Sampled(run.name, what, shown, of.samples.classes, shares, names)
        closest = np.argsort(copies.closeness)[: coverage.PAIRS]
        pairs = (drawn["samples"][closest], run.prepared.dataset.train[copies.row[closest]])
        return coverage.coverage(sampled, pairs, run.image_shape, summary)

    def all(self, seed: int = 0, quick: bool = False, progress: Callable[..., None] | None = None) -> dict[str, Figure]:
        """Every figure that `genjax train` draws at its end, by the names of their files; `quick`: curves, weights,
        samples and film alone. `progress(share, name)` is told before each."""
        run, model, figures = self.run, self.run.model, {}
        parts: dict[str, Callable[[], Any]] = {"curves": lambda: self.curves(run.summary)}
        if model.filters is not None:
            parts["filters"] = lambda: self.filters(seed=seed)
        if model.film is not None:
            parts["film"] = self.film
        if model.sample is not None:
            parts["samples"] = lambda: self._chains("fresh", seed)
        if run.has_chains and run.persistent_chains() is not None and not quick:
            parts["samples-persistent"] = lambda: self._chains("persistent", seed)
        if run.classes and not quick:
            parts["classes"] = lambda: self.classes(seed=seed)
        if model.reconstruct is not None and not quick:
            parts["reconstructions"] = lambda: self.reconstructions(seed=seed)
        if (model.space is not None or model.decoder is not None) and not quick:
            parts["latent"] = lambda: {f"latent-{name}": drawn for name, drawn in self.latent(seed=seed).items()}
        for number, (name, draw) in enumerate(parts.items()):
            if progress is not None:
                progress(number / len(parts), name)
            drawn = draw()
            figures |= drawn if isinstance(drawn, dict) else {name: drawn}
        return figures

    def _chains(self, start: Start, seed: int) -> Figure:
        """Samples at the usual times."""
        arrays = self.run.draw(10 if self.run.has_chains else 100, TIMES, start=start, seed=seed)
        return self.of_samples(arrays, TIMES, start=start)


def refuse_axes(axes: tuple[int, int], units: int) -> None:
    """Raise `UserError` where these are not two of the latents."""
    first, second = axes
    if not (0 <= first < units and 0 <= second < units and first != second):
        raise UserError(f"`axes` {first} {second}: name two different latents from 0 to {units - 1}.")
