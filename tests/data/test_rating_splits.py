"""Ratings with splits of their own: what is learned, what is asked, and what is refused by which sentence."""

import re

import numpy as np
import pytest

import genjax
from genjax.data import rating_splits, ratings, tastes
from genjax.data.record import difference, of_ratings
from genjax.errors import DataWarning, UserError
from genjax.training.settings import RunConfig

HEAD = "userId,movieId,rating\n"


def files(tmp_path, **texts):
    """Files of ratings in one folder, by name; a line of each is user, item, rating."""
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(HEAD + "".join(f"{line}\n" for line in text.split()))
    return str(tmp_path)


def asked(data, part):
    """(user, item, rating) of all that a part asks, by name."""
    x = getattr(data, part)
    return {(data.user_ids[u], data.item_ids[i], data.values[int(-x[u, i]) - 1]) for u, i in zip(*np.nonzero(x <= -1))}


BASE = "a,1,1 a,2,2 a,3,3 b,1,2 b,2,5 c,1,4 c,3,3"


def test_a_test_file_is_asked_whole_and_never_learned(tmp_path):
    """Also of a user and of an item that occur there alone; what is drawn for validation is of the main file."""
    place = files(tmp_path, base=BASE, test="a,9,4 b,3,1 d,1,5")
    with pytest.warns(DataWarning, match=re.escape("`test`: 1 users (d) and 1 items (9) are in it alone")):
        data = rating_splits.load("base.csv", place, validation=0.2, test="test.csv")
    assert (data.user_ids, data.item_ids) == (("a", "b", "c", "d"), ("1", "2", "3", "9"))
    assert asked(data, "test") == {("a", "9", 4.0), ("b", "3", 1.0), ("d", "1", 5.0)}
    assert (data.train >= 1).sum() == 6
    assert len(asked(data, "validation")) == 1
    assert np.all(data.train[data.test <= -1] == ratings.WITHHELD)
    assert np.all(data.validation[data.test <= -1] == ratings.WITHHELD)


def test_both_splits_may_be_given_and_lines_may_be_shuffled(tmp_path):
    texts = {"base": BASE, "val": "b,3,5", "test": "c,2,1"}
    place = files(tmp_path, **texts)
    first = rating_splits.load("base.csv", place, "val.csv", test="test.csv")
    assert (asked(first, "validation"), asked(first, "test")) == ({("b", "3", 5.0)}, {("c", "2", 1.0)})
    assert (first.train >= 1).sum() == 7
    files(tmp_path, **{name: " ".join(reversed(text.split())) for name, text in texts.items()})
    again = rating_splits.load("base.csv", place, "val.csv", test="test.csv")
    assert difference(of_ratings(first), of_ratings(again)) is None
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(first, part), getattr(again, part))


def test_the_same_ratings_split_otherwise_are_other_data(tmp_path):
    place = files(tmp_path, base=BASE, val="b,3,5", test="c,2,1")
    first = rating_splits.load("base.csv", place, "val.csv", test="test.csv")
    other = rating_splits.load("base.csv", place, "test.csv", test="val.csv")
    assert "others are held out" in str(difference(of_ratings(first), of_ratings(other)))


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("a,1,4", "`test`: user a has rated item 1 there and in `dataset` base.csv; leave it out of one of them"),
        (
            "b,3,1 c,2,6",
            "user c has rated item 2 with 6, and the ratings of `dataset` base.csv go from 1 to 5 in steps",
        ),
        ("b,3,1.5 b,9,2", "user b has rated item 3 with 1.5"),
        ("x,1,4 y,2,2", "`test`: none of its 2 users (such as x) is in `dataset` base.csv (such as a)"),
        ("a,7,4", "`test`: none of its 1 items (such as 7)"),
        ("a,9,good", "test.csv, line 2: the rating 'good' is not a number"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(tmp_path, test, said):
    place = files(tmp_path, base=BASE, test=test)
    with pytest.raises(UserError, match=re.escape(said)):
        rating_splits.load("base.csv", place, test="test.csv")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("none.csv", "`validation` none.csv: there is no such file of ratings"),
        (1.5, "`validation` 1.5: a share is"),
        (np.ones(3), "`validation` [1. 1. 1.]: of ratings it is a share, a file of ratings, or `Ratings`"),
    ],
)
def test_what_is_no_split_is_refused(tmp_path, value, said):
    place = files(tmp_path, base=BASE)
    with pytest.raises(UserError, match=re.escape(said)):
        rating_splits.load("base.csv", place, value)


def test_what_validates_is_not_asked_at_the_end(tmp_path):
    place = files(tmp_path, base=BASE, held="b,3,5")
    with pytest.raises(UserError, match=re.escape("item 3 there and in `validation`")):
        rating_splits.load("base.csv", place, "held.csv", test="held.csv")


def test_shares_are_the_runs(tmp_path):
    """Of generated ratings, too; a share is no longer taken for a tenth."""
    read = genjax.recommender().model.read
    for share in (0.1, 0.3):
        run = RunConfig(dataset="generated", validation=share, test=share)
        data = read(run)
        total = (data.all_known() >= 1).sum()
        assert len(asked(data, "validation")) == len(asked(data, "test")) == round(share * total)


def test_a_run_asks_the_same_again_from_anywhere(tmp_path, monkeypatch):
    """Of a folder of its own, with files named from where it was started; moved, it finds them beside the new place."""
    made, _ = tastes.generate(0, users=40, items=10, density=0.6)
    rows = [f"u{u},i{i},{level}" for u, i, level in zip(made.users, made.items, made.levels)]
    (tmp_path / "data").mkdir()
    files(tmp_path / "data", base=" ".join(rows[::2]), test=" ".join(rows[1::2]))
    monkeypatch.chdir(tmp_path / "data")
    options = {"test": "test.csv", "steps": 2, "out": tmp_path / "run", "progress": False}
    run = genjax.fit(genjax.recommender(hidden=2), "base.csv", **options)
    assert run.settings.test == str(tmp_path / "data" / "test.csv")
    assert run.record.counts["test"] == len(rows) // 2
    monkeypatch.chdir(tmp_path)
    assert genjax.load("run").evaluation()["ratings"]["test"] == len(rows) // 2
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(UserError, match="nothing is there"):
        genjax.load("run").evaluation()
    moved = genjax.load("run", data_dir=str(tmp_path / "moved"))
    assert moved.settings.test == str(tmp_path / "moved" / "test.csv")
    assert moved.evaluation()["ratings"]["test"] == len(rows) // 2


def test_ratings_in_memory_are_split_as_files_are():
    made, _ = tastes.generate(0, users=30, items=10, density=0.6)
    base, rest = (made._replace(**{n: getattr(made, n)[k::2] for n in ("users", "items", "levels")}) for k in (0, 1))
    run = genjax.fit(genjax.recommender(hidden=2), base, test=rest, validation=0.2, steps=1, progress=False)
    counts = run.record.counts
    assert counts["test"] == len(rest.levels)
    assert counts["validation"] == round(0.2 * len(base.levels))
    with pytest.raises(UserError, match="have their own test split"):
        genjax.fit(genjax.recommender(hidden=2), ratings.split(made), test=0.2, steps=1)
