"""`genjax sample RUN`: draw from a trained model, along chains if it has them, of one label if it learned them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from genjax import random
from genjax.cli.blocks import in_blocks
from genjax.cli.options import OpenOptions, parse, positive
from genjax.cli.run import Run, fixed_batches, opened
from genjax.cli.writing import in_any_case, refuse_file, refuse_run_folder, write_arrays
from genjax.errors import UserError
from genjax.plots import grids, images

TRAINING = 10_000  # images whose codes are looked at
Start = Literal["fresh", "persistent"]


@dataclass(frozen=True, kw_only=True)
class Options(OpenOptions):
    """Draw samples along independent chains, and picture them."""

    sweeps: int = 1000
    """Gibbs sweeps from the starting points (of models that have chains)."""
    chains: int = 10
    """Independent chains, or images of a model that draws at once; of each label where all are drawn."""
    start: Start = "fresh"
    """Fresh starting points, or where training has left its persistent chains."""
    label: str | None = None
    """Draw this label of a model that has learned them, or each of them in turn: all."""
    seed: int = 0
    """Of the chains."""
    out: str | None = None
    """An .npz for the last states (`samples`, chains x pixels) and their expected pixels (`means`)."""
    overwrite: bool = False
    """Replace --out where it exists."""


def times(sweeps: int) -> list[int]:
    """About eight numbers of sweeps, evenly spread in their logarithm, ending with `sweeps`."""
    return sorted({round(t) for t in np.geomspace(1, sweeps, 8)})


def command(arguments: list[str]) -> tuple[dict[str, Any], str]:
    """Run `genjax sample`."""
    options = parse(Options, arguments, "genjax sample")
    positive(options, "sweeps", "chains")
    if options.out is not None:
        refuse_file(Path(options.out), "--out", ".npz", options.overwrite)
    run = opened(options)
    refuse_run_folder(run.folder)
    at_once = drawing(run)
    if run.family.sample is None and at_once is None:
        raise UserError(f"A {run.model} does not sample.")
    if options.start == "persistent" and (options.label or persistent(run, 1) is None):
        why = "are not of one label" if options.label else f"of this {run.model} do not exist"
        raise UserError(f"--start persistent: persistent chains {why}; leave it out.")
    label = chosen_label(run, options.label)
    name = "samples" + ("-persistent" if options.start == "persistent" else "")
    name += f"-label-{options.label}" if options.label else ""
    path = run.folder / "figures" / f"{name}-{options.chains if at_once else options.sweeps}.png"
    if label == "all":
        path, arrays = draw_classes(run, options.sweeps, options.chains, options.seed, path)
    elif at_once:
        path, arrays = draw_at_once(run, options.chains, options.seed, path, label)
    else:
        how: dict[str, Any] = {"start": options.start, "label": label}
        path, arrays = draw(run, times(options.sweeps), options.chains, options.seed, path, **how)
    count = len(arrays["samples"])
    result = {"images": count} if at_once else {"chains": count, "sweeps": options.sweeps}
    result |= {"figure": str(path)}
    said = f"{count} images" if at_once else f"{count} chains, {options.sweeps} sweeps"
    text = f"{said}: {path}"
    if options.out is not None:
        with in_any_case(result, text):
            result["out"] = str(write_arrays(Path(options.out), arrays, "--out", options.overwrite))
        text += f"\n{options.out}"
    return result, text


def classes(run: Run) -> int:
    """How many labels the model can be asked for."""
    return 0 if run.family.classes is None else run.family.classes(run.state)


def class_names(run: Run, count: int) -> list[str]:
    """What the first `count` labels are called: as in the run's data, which may have fewer; else by number."""
    names = run.class_names[:count]
    return [*names, *(f"unused-{n}" if names else str(n) for n in range(len(names), count))]


def of_label(run: Run, label: int | None) -> str:
    """For the title of samples of one label."""
    return "" if label is None else f" of label {class_names(run, label + 1)[label]}"


def key_of(run: Run, seed: int, start: Start = "fresh", label: int | None = None) -> Key[Array, ""]:
    """Samples that may be compared share no random numbers: chains of other starts, and of other labels."""
    key = random.key(seed, run.config.rng)
    key = key if start == "fresh" else random.subkey(key, start)
    return key if label is None else jax.random.fold_in(key, label)


def drawing(run: Run) -> Callable[[Key[Array, ""], int, int | None], dict[str, np.ndarray]] | None:
    """How a model without chains draws, `(key, images, label)` to arrays by name; None of other models.

    An autoencoder, which has no prior, is given codes from a Gaussian with the mean and covariance of the training
    images' codes (Ghosh, Sajjadi, Vergari, Black and Schoelkopf 2020).
    """
    draw, latent = run.family.draw, run.family.latent
    if draw is not None:
        return lambda key, count, label: draw(key, run.state, count, label)
    if latent is None:
        return None

    def from_codes(key: Key[Array, ""], count: int, label: int | None) -> dict[str, np.ndarray]:
        train = jax.tree.map(lambda leaf: leaf[:TRAINING], fixed_batches(run)[0])
        space = latent(run.state, train)
        assert space.encode is not None
        codes = in_blocks(space.encode, train.x, space.condition(train.label))
        covariance = np.atleast_2d(np.cov(codes, rowvar=False))
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        noise = np.asarray(random.normal(key, (count, codes.shape[1])))
        new = (codes.mean(0) + noise @ root.T).astype(np.float32)
        pixels = in_blocks(space.decode, new, np.asarray(space.condition(jnp.zeros(count, jnp.int32))))
        return {"samples": np.clip(pixels, 0, 1)}

    return from_codes


def persistent(run: Run, chains: int) -> Any:
    """That many of the chains which training has left, or None."""
    return None if run.family.persistent is None else run.family.persistent(run.state, run.config, chains)


def chosen_label(run: Run, text: str | None) -> int | Literal["all"] | None:
    """What --label says. Raises `UserError` where the model has no such label."""
    if text is None:
        return None
    if not classes(run):
        raise UserError(f"--label {text}: this {run.model} has not learned labels; see genjax train MODEL --help.")
    if text == "all":
        return "all"
    names = class_names(run, classes(run))
    if text not in names:
        plain = names == [str(number) for number in range(len(names))]
        those = f"a number from 0 to {len(names) - 1}" if plain else f"one of {', '.join(names)}"
        raise UserError(f"--label {text} is none of them; give {those}, or all.")
    return names.index(text)


def draw(
    run: Run, when: list[int], chains: int, seed: int, path: Path, start: Start = "fresh", label: int | None = None
) -> tuple[Path, dict[str, np.ndarray]]:
    """Chains as rows, time as columns; the picture, and the last states with their expected pixels."""
    assert run.family.sample is not None
    options: dict[str, Any] = {} if label is None else {"label": label}
    options |= {"start": persistent(run, chains)} if start == "persistent" else {}
    pixels, last = run.family.sample(key_of(run, seed, start, label), run.state, chains, when, **options)
    title = f"{run.folder.name}: p(v | h) along {start} chains" + of_label(run, label)
    images.save(images.chain(pixels[:20], when, run.shape, title), path)
    return path, {"samples": last.astype(np.float32), "means": pixels[:, -1]}


def draw_at_once(
    run: Run, count: int, seed: int, path: Path, label: int | None = None
) -> tuple[Path, dict[str, np.ndarray]]:
    """Independent images of a model without chains; the picture, and the arrays."""
    made = drawing(run)
    assert made is not None
    arrays = made(key_of(run, seed, label=label), count, label)
    shown = arrays.get("means", arrays["samples"])[:400]
    caption = "expected pixels" if "means" in arrays else "as the model makes them"
    if run.family.draw is None:
        caption = "codes drawn from a Gaussian with the mean and covariance of the training images'"
    title = f"{run.folder.name}: {len(shown)} draws" + of_label(run, label)
    return images.save(images.sheet(shown, run.shape, title, caption), path), arrays


def draw_classes(run: Run, sweeps: int, chains: int, seed: int, path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A row of images for each label; the picture, and the arrays with their labels.

    Of models with chains the label is clamped, and the chains are fresh.
    """
    found, sample = [], run.family.sample
    for label in range(classes(run)):
        own = key_of(run, seed, label=label)
        if run.family.draw is not None:
            found.append(run.family.draw(own, run.state, chains, label))
        elif sample is not None:
            pixels, last = sample(own, run.state, chains, [sweeps], label=label)
            found.append({"samples": last.astype(np.float32), "means": pixels[:, -1]})
    after = "" if sample is None else f", p(v | h) after {sweeps} sweeps of fresh chains"
    shown = [arrays.get("means", arrays["samples"])[:20] for arrays in found]
    rows = dict(zip(class_names(run, len(found)), shown))
    images.save(grids.rows_of_images(rows, run.shape, f"{run.folder.name}: a label a row{after}"), path)
    whole = {name: np.concatenate([arrays[name] for arrays in found]) for name in found[0]}
    return path, whole | {"labels": np.repeat(np.arange(len(found)), chains)}
