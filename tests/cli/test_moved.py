"""Runs whose data are gone, have moved, or are others than the run saw."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genjax import load
from genjax.api import folder as on_disk
from genjax.api.prepared import begin, completed, describe, prepare, read, stages_of
from genjax.data.places import with_absolute_paths
from genjax.data.record import LATER
from genjax.errors import DataWarning
from genjax.models.table import MODELS
from genjax.training.checkpoint import Checkpoints
from genjax.training.options import build
from genjax.training.settings import RunConfig
from genjax.training.stages import LAST
from tests.cli.test_commands import one_sentence

VAE = {"layers": (5,), "latents": (2,)}
SMALL = {
    "rbm": {"hidden": 3, "chains": 7},
    "dbm": {"layers": (4, 3), "pretraining": 0, "classes": 4},
    "dbn": {"layers": (4, 3)},
    "diffusion": {"layers": (5,), "channels": ()},
    "conv_rbm": {"filters": 2, "width": 3, "chains": 7},
    "gan": {"layers": (5,), "latent": 3, "conditioning": "concatenation"},
    "recommender": {"hidden": 3},
    "vae": VAE,
    "iwae": VAE,
    "cvae": VAE,
    "ae": {"layers": (5, 2)},
    "dae": {"layers": (5, 2)},
    "sae": {"layers": (5, 2)},
    "autoregressive": {"hidden": 3},
    "supervised": {"layers": (3,)},
}
RATINGS = [(f"u{u}", f"film {i}", 1 + (3 * u + i * i) % 5) for u in range(12) for i in range(7) if (u + 2 * i) % 3]


def arrays(count: int = 40, side: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 2, (count, side, side)).astype(np.uint8), np.arange(count) % 4
    return {"x_train": x, "y_train": y, "x_test": x[::3], "y_test": y[::3]}


def write_ratings(path: Path, rows: list[tuple[str, str, int]]) -> Path:
    path.write_text("".join(f"{user}\t{item}\t{rating}\n" for user, item, rating in rows))
    return path


def untrained(model: str, folder: Path, dataset: Path, **fields) -> Path:
    """A run of the model as it is before its first step."""
    config = build(MODELS[model].config, SMALL.get(model, {}) | fields)
    length = {} if model == "hopfield" else {"epochs": 2, "batch_size": 5}  # a net stores all patterns in one step
    run = RunConfig(**MODELS[model].defaults | {"dataset": str(dataset)} | length)
    run = completed(config, with_absolute_paths(run))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        prepared = prepare(config, run, read(run, config.model))
    on_disk.create(folder, config, run, on_disk.decided(prepared.plan), "mine", describe(prepared, config.model))
    last = stages_of(config, run, prepared)[-1]._replace(handover=None)
    checkpoints = Checkpoints(folder / "checkpoints", LAST)
    checkpoints.save(0, begin(prepared, last, run))
    checkpoints.close()
    return folder


@pytest.fixture(name="place")
def place_fixture(tmp_path, monkeypatch) -> Path:
    """An empty working folder with own.npz and u.data in it."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "own.npz", **arrays())
    write_ratings(tmp_path / "u.data", RATINGS)
    return tmp_path


QUICK = ("rbm", "gan", "recommender")


@pytest.mark.parametrize("model", [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in MODELS])
@pytest.mark.slow
def test_weights_and_samples_need_no_data_and_the_rest_says_what_it_misses(genjax, place, model):
    file = place / ("u.data" if model == "recommender" else "own.npz")
    run, kind = untrained(model, place / "run", file), MODELS[model]
    before = load(run)
    file.rename(place / f"{file.name}.bak")
    assert genjax("export", run, "w.npz")[0] == 0
    with np.load("w.npz", allow_pickle=False) as written:
        for name, expected in kind.arrays(before.parameters).items():
            np.testing.assert_array_equal(written[name], expected)
    if kind.sample and not kind.sample_needs_data:
        status, answer, error = genjax("sample", run, "--chains", 3, "--sweeps", 2, "--out", "s.npz", "--json")
        assert status == 0, error
        assert np.load("s.npz")["samples"].shape == (3, 16)
        assert (place / answer["figure"]).exists()
    if kind.filters:
        assert genjax("filters", run)[0] == 0
    if kind.decoder:
        status, answer, error = genjax("latent", run, "--json")
        assert status == 0, error
        assert len(answer["figures"]) == 4
        assert ("Without them" in error) == (kind.space is not None)
    if kind.recommend:
        said = one_sentence(*genjax("recommend", run, "--user", "u1")[::2])
        assert "what user u1 has rated" in said
    else:
        said = one_sentence(*genjax("evaluate", run)[::2])
    assert f"{file}: nothing is there" in said
    assert "give --dataset or --data-dir" in said


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("evaluate", ["--temperatures", 5, "--ais-chains", 4]),
        pytest.param("reconstruct", ["--sweeps", 4, "--remove", "top:1"], marks=pytest.mark.slow),
        pytest.param("features", ["--overwrite", "--out", "f.npz"], marks=pytest.mark.slow),
        ("sample", ["--sweeps", 2]),
        pytest.param("filters", [], marks=pytest.mark.slow),
        pytest.param("export", ["--overwrite", "e.npz"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_every_command_takes_the_new_place(genjax, place, command, options):
    run = untrained("rbm", place / "run", Path("own.npz"))
    (place / "new").mkdir()
    (place / "own.npz").rename(place / "new" / "own.npz")
    copy = shutil.copytree(run, place / "elsewhere" / "run")
    shutil.rmtree(run)
    for where in (["--data-dir", "new"], ["--dataset", "new/own.npz"]):
        status, _, error = genjax(command, copy, *options, *where)
        assert status == 0, error
    if command not in ("sample", "filters", "export"):
        assert "--data-dir .: own.npz" in one_sentence(*genjax(command, copy, *options, "--data-dir", ".")[::2])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["coverage", "latent", "recommend"])
def test_other_commands_take_the_new_place_too(genjax, place, command):
    models = {"coverage": ("rbm", "own.npz"), "latent": ("vae", "own.npz"), "recommend": ("recommender", "u.data")}
    model, file = models[command]
    run, user = untrained(model, place / "run", place / file), ["--user", "u1"] * (command == "recommend")
    np.savez(place / "other.npz", **arrays(seed=1))
    assert "no.npz" in one_sentence(*genjax(command, run, "--dataset", "no.npz", *user)[::2])
    if command != "recommend":
        assert "not the same ones" in one_sentence(*genjax(command, run, "--dataset", "other.npz")[::2])


def changed(kind: str) -> dict[str, np.ndarray]:
    data = arrays()
    match kind:
        case "one more":
            return data | {name: np.concatenate([data[name], data[name][:1]]) for name in ("x_train", "y_train")}
        case "reversed":
            return {name: values[::-1] for name, values in data.items()}
        case "others":
            return arrays(seed=1)
        case "shape":
            return {name: values.reshape(-1, 2, 8) if name[0] == "x" else values for name, values in data.items()}
        case "labels":
            return data | {"y_test": data["y_test"][::-1]}  # those to train on decide the split
    raise ValueError(kind)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("one more", "54 images"),
        ("reversed", "the same images in another order"),
        pytest.param("others", "as many images, but not the same ones", marks=pytest.mark.slow),
        pytest.param("shape", "images of 2 x 8 x 1 where the run had 4 x 4 x 1", marks=pytest.mark.slow),
        pytest.param("labels", "the same images with other labels", marks=pytest.mark.slow),
    ],
)
def test_other_data_are_refused_by_what_needs_them(genjax, place, kind, said):
    run = untrained("rbm", place / "run", place / "own.npz")
    before = (run / "config.json").read_text()
    np.savez(place / "own.npz", **changed(kind))
    for arguments in (["evaluate", run], ["reconstruct", run], ["train", "rbm", "--resume", run], ["coverage", run]):
        line = one_sentence(*genjax(*arguments)[::2])
        assert said in line
        assert "not the data of" in line
    assert (run / "config.json").read_text() == before
    assert genjax("export", run, "w.npz")[0] == 0


def test_the_same_data_are_known_again_in_another_file(genjax, place):
    """Bytes, booleans and floats of the same images are the same images."""
    run = untrained("rbm", place / "run", place / "own.npz")
    data = arrays()
    np.savez(place / "floats.npz", **{k: v.astype(np.float64) if k[0] == "x" else v for k, v in data.items()})
    status, _, error = genjax("evaluate", run, "--dataset", "floats.npz")
    assert status == 0, error


@pytest.mark.slow
def test_resume_finds_data_that_have_moved_and_keeps_the_place(genjax, place, no_pictures):
    run = untrained("rbm", place / "run", place / "own.npz")
    (place / "new").mkdir()
    (place / "own.npz").rename(place / "new" / "own.npz")
    assert "nothing is there" in one_sentence(*genjax("train", "rbm", "--resume", run)[::2])
    status, _, error = genjax("train", "rbm", "--resume", run, "--data-dir", "new")
    assert status == 0, error
    saved = json.loads((run / "config.json").read_text())
    assert (saved["run"]["dataset"], saved["run"]["data_dir"]) == (str(place / "new" / "own.npz"), str(place / "new"))
    said = one_sentence(*genjax("train", "rbm", "--resume", run, "--hidden", 4)[::2])
    assert "--hidden 4 differs from 3" in said


@pytest.mark.slow
def test_a_run_without_a_record_opens_with_its_data(genjax, place):
    run = untrained("rbm", place / "run", place / "own.npz")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "data"}))
    assert genjax("sample", run, "--sweeps", 2)[0] == 0
    np.savez(place / "own.npz", **arrays(count=80))
    assert "an epoch of theirs has 14 steps" in one_sentence(*genjax("evaluate", run)[::2])
    (place / "own.npz").rename(place / "new.npz")
    assert "own.npz: nothing is there" in one_sentence(*genjax("sample", run)[::2])


FIRST = {  # what the first format kept of a run, flat; of its data it knew no shape as given and no mean
    "size": None, "binarisation": "sampled", "validation": True, "batch_size": 5, "seed": 0, "rng": "counter",
    "stop_gap": None, "checkpoint_seconds": 15.0, "evaluate": False, "temperatures": 40, "ais_chains": 30,
    "precision": None, "visible_type": "bernoulli", "hidden_type": "bernoulli", "levels": 8, "classes": 0,
    "negative": "pcd", "k": 1, "chains": 7, "rungs": 10, "swap_every": 10, "centred": True, "optimiser": "sgd",
    "schedule": "linear", "learning_rate": 0.2, "momentum": 0.0, "weight_decay": 1e-05, "average": 0.1, "hidden": 3,
}  # fmt: skip


@pytest.mark.slow
def test_a_run_of_the_first_format_is_read_and_goes_on_in_the_new_one(genjax, place, no_pictures):
    run = untrained("rbm", place / "run", place / "own.npz")
    new = load(run)
    config = json.loads((run / "config.json").read_text())
    record = {name: value for name, value in config["data"].items() if name not in LATER}
    kept = {"format": 1, "model": "rbm", "dataset": str(place / "own.npz"), "data_dir": None, "epochs": 2, **FIRST}
    (run / "config.json").write_text(json.dumps(kept | {"decided": config["decided"], "data": record}))
    (run / "mean.npy").unlink()
    old = load(run)
    assert (old.config, old.settings) == (new.config, new.settings)
    np.testing.assert_array_equal(old.parameters.weights[0], new.parameters.weights[0])
    assert on_disk.at_end(run) == {
        "evaluate": False, "temperatures": 40, "ais_chains": 30, "standard_error": None
    }  # fmt: skip
    status, answer, error = genjax("train", "rbm", "--resume", run, "--epochs", 3, "--json")
    assert (status, answer["steps"]) == (0, 21), error
    assert "evaluation" not in answer
    saved = json.loads((run / "config.json").read_text())
    assert (saved["format"], saved["run"]["epochs"], saved["at_end"]["temperatures"]) == (2, 3, 40)
    assert load(run).step == 21


@pytest.mark.parametrize(
    "lie",
    [
        lambda data: 3,
        lambda data: {},
        lambda data: data | {"shape": [4, 4]},
        lambda data: data | {"shape": [4, 5, 1]},
        lambda data: data | {"shape": [0, 4, 1]},
        lambda data: data | {"shape": "4x4"},
        lambda data: data | {"shape": [2**30, 2**30, 3]},
        lambda data: data | {"counts": {"train": 3}},
        lambda data: data | {"counts": {"train": -3, "validation": 0, "test": 1}},
        lambda data: data | {"counts": [1, 2, 3]},
        lambda data: data | {"what": "songs"},
        lambda data: data | {"what": "ratings", "shape": [4, 4]},
        lambda data: data | {"ordered": 3},
        lambda data: data | {"class_names": [1]},
        lambda data: data | {"settled": {"shape": [5, 5, 1], "classes": 4}},
        lambda data: data | {"settled": {"shape": [4, 4], "classes": 4}},
        lambda data: data | {"settled": {"shape": "x", "classes": 4}},
        lambda data: data | {"settled": {"shape": [4, 4, 1], "classes": True}},
        lambda data: data | {"settled": {"shape": [4, 4, 1]}},
        lambda data: data | {"settled": {"colour": 3}},
        lambda data: data | {"settled": None},
    ],
)
def test_a_lying_record_is_one_sentence(genjax, gan, lie):
    config = json.loads((gan / "config.json").read_text())
    (gan / "config.json").write_text(json.dumps(config | {"data": lie(config["data"])}))
    try:
        line = one_sentence(*genjax("export", gan, gan.parent / "w.npz")[::2])
    finally:
        (gan / "config.json").write_text(json.dumps(config))
    assert "config.json" in line


@pytest.fixture(scope="module", name="gan")
def gan_fixture(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("gan")
    np.savez(place / "own.npz", **arrays())
    return untrained("gan", place / "run", place / "own.npz")


@pytest.mark.slow
def test_a_folder_with_one_more_image_or_another_name_is_refused(genjax, place):
    folder = place / "pictures"
    folder.mkdir()
    for number, image in enumerate(arrays()["x_train"]):
        Image.fromarray(255 * image).save(folder / f"{number:02}.png")
    run = untrained("rbm", place / "run", folder)
    Image.fromarray(255 * arrays(seed=1)["x_train"][0]).save(folder / "99.png")
    assert "41 images" in one_sentence(*genjax("evaluate", run)[::2])
    (folder / "99.png").unlink()
    (folder / "00.png").rename(folder / "98.png")
    assert "the same images in another order" in one_sentence(*genjax("evaluate", run)[::2])
    folder.rename(place / "elsewhere")
    assert "another order" in one_sentence(*genjax("reconstruct", run, "--dataset", "elsewhere")[::2])


def test_evaluate_takes_other_data_where_they_are_named_and_says_so(genjax, place):
    run = untrained("rbm", place / "run", place / "own.npz")
    np.savez(place / "other.npz", **arrays(seed=1))
    status, text, error = genjax("evaluate", run, "--dataset", "other.npz")
    assert status == 0, error
    assert text.startswith(f"on {place / 'other.npz'}, other data than the run's (as many images, but not the same")
    assert not (run / "evaluation.json").exists()
    assert genjax("evaluate", run, "--dataset", "own.npz")[0] == 0
    assert (run / "evaluation.json").exists()
    np.savez(place / "other.npz", **changed("shape"))
    assert "2 x 8" in one_sentence(*genjax("evaluate", run, "--dataset", "other.npz")[::2])
