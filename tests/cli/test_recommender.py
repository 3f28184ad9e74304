"""The recommender from a file to recommendations, as a person types it."""

import dataclasses
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax as library
from genjax.boltzmann.rating import predict
from genjax.data import rating_splits, ratings, tastes
from genjax.data.record import of_ratings
from genjax.models.recommender import evaluate, expected, parameters, prepare
from genjax.training.settings import RunConfig
from genjax.typing import Batch, Example


@pytest.fixture(scope="module", name="file")
def file_fixture(tmp_path_factory):
    """A u.data of 60 users and 12 items with names of their own."""
    made, _ = tastes.generate(0, users=60, items=12, density=0.5)
    path = tmp_path_factory.mktemp("ratings") / "u.data"
    rows = zip(made.users, made.items, made.levels)
    path.write_text("".join(f"u{user}\tfilm {item}\t{level}\t88125\n" for user, item, level in rows))
    return path


@pytest.fixture(scope="module", name="run")
def run_fixture(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "films"
    model = library.recommender(hidden=4, conditional="rated")
    library.fit(model, file, epochs=6, batch_size=20, out=folder, progress=False)
    return folder


def test_evaluate_stands_beside_the_baselines(genjax, run):
    status, answer, _ = genjax("evaluate", run, "--json")
    assert status == 0
    assert set(answer["rmse"]) == set(answer["mae"]) == {"test", "biases", "item_means"}
    for name, rmse in answer["rmse"].items():
        assert 0.3 < answer["mae"][name]["mean"] <= rmse["mean"] < 2
        assert rmse["low"] < rmse["mean"] < rmse["high"]
    assert answer["users"] == {"train": 60, "test": 60}
    assert answer["ratings"]["test"] == round(0.1 * sum(answer["ratings"].values()) / 0.9)
    status, text, _ = genjax("evaluate", run)
    assert re.search(r"RBM of ratings: RMSE \d\.\d+ \[.*\], MAE", text)
    assert "item means" in text
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"rmse", "held_out_rmse", "mae", "held_out_mae"} <= set(lines[-1])
    assert list(library.load(run).plot.all()) == ["curves"]


def test_predictions_of_the_biases_stay_on_the_scale():
    """A user and an item above the mean in all that is known: together beyond the best rating that there is."""
    x = np.full((10, 10), 5.0, np.float32)
    x[5:, :9] = 1.0
    x[0, 9] = -5.0  # to be predicted
    batch = Batch(jnp.asarray(x))
    algorithm, hyper = library.recommender(hidden=2).algorithm(10, Example(batch, batch.x.mean(0), batch.x.var(0)))
    state = algorithm.init(jax.random.key(0), Example(batch, batch.x.mean(0), batch.x.var(0)), hyper)
    answer = evaluate(jax.random.key(0), parameters(state), batch, batch, None)
    assert answer["rmse"]["biases"].mean == 0
    assert answer["ratings"] == {"train": 99, "test": 1}


def test_recommendations_are_unrated_items_in_order(genjax, run, file):
    rated = {line.split("\t")[1] for line in file.read_text().splitlines() if line.startswith("u7\t")}
    status, answer, _ = genjax("recommend", run, "--user", "u7", "--top", 3, "--json")
    assert status == 0
    assert answer["user"] == "u7"
    expected = [entry["rating"] for entry in answer["items"]]
    assert len(expected) == min(3, 12 - len(rated))
    assert expected == sorted(expected, reverse=True)
    assert all(1 <= value <= 5 for value in expected)
    assert not rated & {entry["item"] for entry in answer["items"]}
    everything = genjax("recommend", run, "--user", "u7", "--top", 99, "--json")[1]["items"]
    assert {entry["item"] for entry in everything} | rated == {f"film {n}" for n in range(12)}
    assert "film" in genjax("recommend", run, "--user", "u7")[1]


@pytest.mark.slow
def test_resume_goes_on_and_export_has_the_arrays(genjax, run, tmp_path, no_pictures):
    status, answer, error = genjax("train", "recommender", "--resume", run, "--epochs", 8, "--json")
    assert status == 0, error
    assert answer["steps"] == 24
    assert genjax("export", run, tmp_path / "w.npz")[0] == 0
    arrays = np.load(tmp_path / "w.npz")
    assert {name: arrays[name].shape for name in arrays} == {
        "weights_0": (12, 5, 4), "bias_0": (12, 5), "bias_1": (4,), "values": (5,), "implicit": (12, 4),
        "means": (12,), "loadings": (12,), "spacing": (),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recommend", "RUN", "--user", "nobody"], "--user nobody is not among the 60 users"),
        (["recommend", "RUN", "--user", "u7", "--top", "0"], "--top 0 is not positive"),
        (["sample", "RUN"], "has no samples"),
        (["reconstruct", "RUN"], "does not reconstruct"),
        (["train", "recommender", "--dataset", "nowhere.csv"], "there is no such file of ratings"),
        (["train", "recommender", "--dataset", "BAD"], "line 2: the rating 'x' is not a number"),
        (["train", "recommender", "--objective", "cd", "--k", "3", "--k-end", "2"], "--k-end 2 is less than --k 3"),
        (["train", "recommender", "--objective", "cd", "--k-end", "0"], "--k-end 0 is not positive"),
        (["train", "recommender", "--binarisation", "sampled"], "--binarisation"),
        (["train", "recommender", "--temperatures", "100"], "--temperatures"),
    ],
)
def test_mistakes_get_one_sentence(genjax, run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("1,1,3\n1,2,x\n")
    named = [{"RUN": str(run), "BAD": "bad.csv"}.get(a, a) for a in arguments]
    status, _, error = genjax(*named)
    assert status == 2
    assert "Traceback" not in error
    assert said in error.strip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_ready_splits_are_given_as_files(genjax, file, tmp_path, no_pictures):
    """What was asked at the end is asked again; the summary says what the test file alone knows."""
    lines, folder = lines_of(file), tmp_path / "run"
    for name, some in (("base", lines[::2]), ("val", lines[1::4]), ("test", lines[3::4])):
        (tmp_path / name).write_text("".join(some))
    (tmp_path / "test").write_text((tmp_path / "test").read_text() + "u900\tfilm 1\t3\t1\n")
    options = ["--dataset", "base", "--validation", "val", "--test", "test", "--data-dir", tmp_path, "--hidden", 2]
    status, answer, said = genjax("train", "recommender", *options, "--steps", 2, "--out", folder, "--json")
    assert status == 0, said
    assert "`test`: 1 users (u900) are in it alone" in said
    assert answer["evaluation"]["ratings"]["test"] == len(lines[3::4]) + 1
    assert genjax("evaluate", folder, "--json")[1]["rmse"] == answer["evaluation"]["rmse"]
    (tmp_path / "test").write_text("u1\tfilm 3\t5\t1\n")
    assert genjax("evaluate", folder)[0] == 2
    assert genjax("recommend", folder, "--user", "u7")[0] == 0
    status, _, error = genjax("train", "recommender", *options[:-2], "--test", "base", "--steps", 1)
    assert status == 2
    assert "leave it out of one of them" in error


@pytest.mark.slow
def test_an_image_model_does_not_recommend(genjax, trained):
    status, _, error = genjax("recommend", trained, "--user", "1")
    assert status == 2
    assert "does not recommend" in error


def lines_of(file) -> list[str]:
    return file.read_text().splitlines(keepends=True)


@pytest.mark.slow
def test_the_order_of_lines_changes_nothing(genjax, run, file, tmp_path):
    """Same run, same figures, same recommendations; and a run on the other file is the same run."""
    other = tmp_path / "u.data"
    other.write_text("".join(np.random.default_rng(1).permutation(lines_of(file))))
    place = ["--data-dir", tmp_path, "--json"]
    ours, theirs = (genjax("evaluate", run, *options)[1] for options in (["--json"], place))
    assert (ours["rmse"], ours["mae"]) == (theirs["rmse"], theirs["mae"])
    for options in (["--json"], place):
        answer = genjax("recommend", run, "--user", "u7", "--top", 9, *options)[1]
        assert answer == genjax("recommend", run, "--user", "u7", "--top", 9, "--json")[1]
    again, first = tmp_path / "again", tmp_path / "first"
    for folder, ratings_file in ((again, other), (first, file)):
        library.fit(library.recommender(hidden=3), ratings_file, steps=1, batch_size=20, out=folder, progress=False)
    for folder in (again, first):
        assert genjax("export", folder, folder / "w.npz")[0] == 0
    ours, theirs = np.load(first / "w.npz"), np.load(again / "w.npz")
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert (
        json.loads((first / "config.json").read_text())["data"]
        == json.loads((again / "config.json").read_text())["data"]
    )


def test_new_users_and_items_are_named(genjax, run, file, tmp_path):
    other = tmp_path / "u.data"
    other.write_text("u99\tfilm 3\t5\t1\nu99\tfilm 99\t5\t1\nu7\tfilm 98\t1\t1\n" + "".join(lines_of(file)))
    place = ["--dataset", other]
    for arguments in (["evaluate", run, *place], ["train", "recommender", "--resume", run, *place]):
        status, _, error = genjax(*arguments)
        assert status == 2
        assert "1 new users (u99), 2 new items (film 98, film 99)" in error
    before = genjax("recommend", run, "--user", "u7", "--json")
    status, answer, said = genjax("recommend", run, "--user", "u7", *place, "--json")
    assert (status, answer) == (0, before[1])
    assert "2 items that are new since training (film 98, film 99)" in said
    status, answer, said = genjax("recommend", run, "--user", "u99", "--top", 99, *place, "--json")
    assert status == 0
    assert "user u99 is new since training" in said
    assert {entry["item"] for entry in answer["items"]} == {f"film {n}" for n in range(12)} - {"film 3"}


def test_another_rating_is_another_file(genjax, run, file, tmp_path):
    first, *rest = lines_of(file)
    user, item, rating, time = first.split("\t")
    for change, said in (
        ("", "where the run had 3"),
        (f"{user}\t{item}\t{5 - int(rating) // 2}\t{time}", "as many ratings, but not the same ones"),
    ):
        (tmp_path / "u.data").write_text(change + "".join(rest))
        status, _, error = genjax("evaluate", run, "--data-dir", tmp_path)
        assert status == 2
        assert said in error
    (tmp_path / "u.data").write_text(f"{user}\t{item}\t9\t{time}" + "".join(rest))
    status, _, error = genjax("recommend", run, "--user", user, "--data-dir", tmp_path)
    assert status == 2
    assert f"user {user} has rated item {item} with 9, and the run knows ratings from 1 to 5 in steps of 1" in error


def test_damaged_names_are_one_sentence(genjax, run):
    names = (run / "names.json").read_text()
    for content in ("", "{", json.dumps({"users": [], "items": []}), names.replace("film 3", "film 4"), "[1]"):
        (run / "names.json").write_text(content)
        status, _, error = genjax("recommend", run, "--user", "u7")
        assert status == 2
        assert "names.json beside it is damaged" in error
    (run / "names.json").unlink()
    assert "there are no names" in genjax("recommend", run, "--user", "u7")[2]
    (run / "names.json").write_text(names)


def test_a_run_of_an_older_version_splits_by_line(genjax, run, file, tmp_path):
    """Without a record of its data, whose names it had in the order of the file."""
    made = rating_splits.load(str(file), by_line=True)
    assert made.item_ids != rating_splits.load(str(file)).item_ids
    config = json.loads((run / "config.json").read_text())
    old = shutil.copytree(run, tmp_path / "old")
    (old / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "data"}))
    (old / "names.json").unlink()
    opened = library.load(old)
    np.testing.assert_array_equal(opened.prepared.dataset.test, made.test)
    status, answer, _ = genjax("recommend", old, "--user", "u7", "--top", 2, "--json")
    row = made.all_known()[[made.user_ids.index("u7")]]
    items = np.flatnonzero(row[0] == 0)
    best = np.argsort(-expected(opened.parameters, row, np.zeros(len(items), np.int32), items), kind="stable")[:2]
    assert (status, [entry["item"] for entry in answer["items"]]) == (0, [made.item_ids[items[n]] for n in best])


def test_what_there_is_more_of_are_rows():
    made, _ = tastes.generate(0, users=12, items=40, density=0.5)
    prepared = prepare(library.recommender(hidden=2), RunConfig(), data := ratings.split(made))
    assert prepared[0].x.shape == (40, 12)
    assert prepared[2]["rows"] == 40
    np.testing.assert_array_equal(prepared[0].x, data.train.T)
    assert dataclasses.replace(of_ratings(data), settled=prepared[2]).examples == (40, 12)
    made, _ = tastes.generate(0, users=12, items=12, density=0.8)
    prepared = prepare(library.recommender(hidden=2), RunConfig(), data := ratings.split(made))
    np.testing.assert_array_equal(prepared[0].x, data.train)


@pytest.mark.slow
def test_users_who_are_columns(genjax, tmp_path):
    """More items than users: saved, opened without its data, evaluated; a user whom it has not learned is refused."""
    made, _ = tastes.generate(0, users=20, items=50, density=0.5)
    path, folder = tmp_path / "u.data", tmp_path / "films"
    rows = "".join(f"u{u}\tfilm {i}\t{level}\t1\n" for u, i, level in zip(made.users, made.items, made.levels))
    path.write_text(rows)
    library.fit(library.recommender(hidden=2), path, epochs=4, batch_size=25, out=folder, progress=False)
    status, answer, _ = genjax("evaluate", folder, "--json")
    assert (status, answer["rmse_difference"]["biases"]["kind"]) == (0, "estimate")
    run = library.load(folder)
    assert run.machine.biases.shape == (20, 5)
    known = run.prepared.dataset.all_known()
    user = run.record.names["users"].index("u7")
    unrated = np.flatnonzero(known[user] == 0)
    guess = expected(run.parameters, known, np.full(len(unrated), user), unrated)
    rows_of = predict(run.machine, jnp.asarray(known.T), jnp.asarray(unrated), jnp.full(len(unrated), user))
    np.testing.assert_allclose(guess, np.exp(rows_of) @ np.arange(1, 6), rtol=1e-5)
    status, answer, _ = genjax("recommend", folder, "--user", "u7", "--top", 1, "--json")
    assert answer["items"][0]["item"] == run.record.names["items"][unrated[guess.argmax()]]
    path.write_text(rows + "u99\tfilm 3\t5\t1\n")
    status, _, error = genjax("recommend", folder, "--user", "u99")
    assert status == 2
    assert "u99 is new since training" in error
