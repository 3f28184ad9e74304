"""Files of ratings: what is read, what is refused and by which sentence; the split; the generated ratings."""

import re

import numpy as np
import pytest

from genjax.data import rating_splits, ratings, tastes
from genjax.errors import UserError

U_DATA = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t377\t1\t878887116\n"


def write(tmp_path, text, name="u.data"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_u_data(tmp_path):
    read = ratings.read(write(tmp_path, U_DATA))
    assert read.user_ids == ("196", "186")
    assert read.item_ids == ("242", "302", "377")
    assert read.values == (1.0, 2.0, 3.0)
    rows = list(zip(read.users.tolist(), read.items.tolist(), read.levels.tolist()))
    assert rows == [(0, 0, 3), (1, 1, 3), (0, 2, 1)]


@pytest.mark.parametrize(
    "text",
    [
        "userId,movieId,rating,timestamp\nann,1,0.5,9\nbob,2,4.0,9\n",
        "rating,item,user\n0.5,1,ann\n4,2,bob",
        "ann,1,0.5,9\r\nbob,2,4,9.5\r\n\r\n",
        '\ufeffUser_ID,Item,Rating\n"ann", 1 ,0.5\nbob,2,4\n',
        "user\titem\trating\ttimestamp\nann\t1\t0.5\t9\nbob\t2\t4\t9\n",
    ],
)
def test_csv_with_or_without_heading_in_half_steps(tmp_path, text):
    read = ratings.read(write(tmp_path, text, "ratings.csv"))
    assert (read.user_ids, read.item_ids) == (("ann", "bob"), ("1", "2"))
    assert read.values == tuple(np.arange(0.5, 4.5, 0.5))
    assert read.levels.tolist() == [1, 8]


def test_zero_and_negative_ratings_are_levels(tmp_path):
    read = ratings.read(write(tmp_path, "a,1,-2\na,2,0\na,3,1\n"))
    assert read.values == (-2.0, -1.0, 0.0, 1.0)
    assert read.levels.tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no ratings"),
        ("\n\n", "holds no ratings"),
        ("user,item,rating\n", "holds no ratings"),
        (U_DATA + "22\t37", "line 4: 2 column(s) where the first line has 4 ('22\\t37'); the file may be cut short"),
        (U_DATA + "22\t37\t", "line 4: 3 column(s)"),
        (U_DATA + "22\t37\t\t88", "line 4: the rating '' is not a number"),
        (U_DATA + "22\t37\tgood\t88", "line 4: the rating 'good' is not a number"),
        (U_DATA + "22\t37\tnan\t88", "line 4: the rating 'nan' is not a number"),
        (U_DATA + "22\t37\tinf\t88", "line 4: the rating 'inf' is not a number"),
        (U_DATA + "22\t37\t3\tnoon", "line 4: the timestamp 'noon' is not a number"),
        (U_DATA + "22\t37\t3.3\t88", "line 4: the rating 3.3 is not a multiple of 1/2"),
        (U_DATA + "22\t37\t8812\t3", "line 4: with a rating of 8812 there would be 8812 levels"),
        (U_DATA + "\t37\t3\t88", "line 4: the user is empty"),
        (U_DATA + "22\t\t3\t88", "line 4: the item is empty"),
        (U_DATA + "196\t242\t5\t88", "line 4: user 196 has rated item 242 already, in line 1"),
        ("a,1,1\na,2,1\n", "every rating is 1"),
        ("user,rating\na,1\n", "line 1: the heading 'user,rating' names no item"),
        ("hello\n", "line 1: 1 column(s) ('hello') where 3 or 4 are needed"),
        ("user,item,stars\na,1,1\n", "line 1: the rating 'stars' is not a number"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "line 1: 1 column(s)"),
    ],
)
def test_a_bad_file_names_its_line(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        ratings.read(path)
    assert str(caught.value).startswith(f"`dataset` {path}")
    assert str(caught.value).endswith(".")


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        ratings.read(tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        rating_splits.load("u.data", str(tmp_path))
    write(tmp_path, "".join(f"{u},{i},{1 + (u + i) % 3}\n" for u in range(9) for i in range(9)))
    assert rating_splits.load("u.data", str(tmp_path)).shape == (9, 9)


def test_the_split_keeps_every_rating_once_and_every_user_and_item_known():
    made, _ = tastes.generate(3, users=80, items=30, density=0.2)
    parts = ratings.split(made, seed=5)
    known, asked = parts.train >= 1, {"validation": parts.validation <= -1, "test": parts.test <= -1}
    whole = np.zeros((80, 30))
    whole[made.users, made.items] = made.levels
    np.testing.assert_array_equal(parts.all_known(), whole)
    np.testing.assert_array_equal(parts.train != 0, whole != 0)
    np.testing.assert_array_equal(known.astype(int) + asked["validation"] + asked["test"], whole != 0)
    for name, where in asked.items():
        matrix = getattr(parts, name)
        np.testing.assert_array_equal(matrix[known], parts.train[known])
        np.testing.assert_array_equal(-matrix[where], whole[where])
        assert abs(where.sum() / len(made.levels) - 0.1) < 0.001
        assert np.all(matrix[(whole != 0) & ~known & ~where] == ratings.WITHHELD)
    assert np.all(parts.train[~known & (whole != 0)] == ratings.WITHHELD)  # nothing of a held-out value is told
    assert np.all(known.any(0) == (whole != 0).any(0))
    assert np.all(known.any(1) == (whole != 0).any(1))
    np.testing.assert_array_equal(ratings.split(made, seed=5).test, parts.test)
    assert not np.array_equal(ratings.split(made, seed=6).test, parts.test)
    alone = ratings.split(made, seed=5, validation=0.0)
    np.testing.assert_array_equal(alone.test <= -1, asked["test"])
    assert not (alone.validation <= -1).any()
    assert (alone.train >= 1).sum() == known.sum() + asked["validation"].sum()


def test_too_few_or_too_many_are_refused(tmp_path):
    with pytest.raises(UserError, match=re.escape("of 1 rating(s) none can be held out")):
        ratings.split(ratings.read(write(tmp_path, "a,1,3\n")))
    index = np.arange(40_000)
    names = tuple(map(str, index))
    with pytest.raises(UserError, match="40000 users times 40000 items"):
        ratings.split(ratings.Ratings(index, index, np.ones(40_000, int), names, names, (1.0, 2.0)))


def test_generated_ratings_have_the_noise_that_they_say():
    made, truth = tastes.generate(0, users=500, items=100, density=0.3)
    best, floor = truth.oracle(made.users, made.items)
    errors = made.levels - best
    count = len(errors)
    assert abs(count / 50_000 - 0.3) < 0.02
    assert abs(np.mean(errors)) < 5 * floor / np.sqrt(count)
    assert abs(np.mean(errors**2) / floor**2 - 1) < 5 * np.std(errors**2) / floor**2 / np.sqrt(count)
    assert np.abs(errors).max() < 5
    p = truth.probabilities(made.users[:3], made.items[:3])
    np.testing.assert_allclose(p.sum(1), 1)
    score = truth.appeal[made.items[0]] + truth.loadings[made.items[0]] @ (truth.tastes[made.users[0]] - 0.5)
    expected = np.exp(-((np.arange(1, 6) - score) ** 2) / (2 * truth.noise**2))
    np.testing.assert_allclose(p[0], expected / expected.sum(), rtol=1e-9)
    liked, _ = tastes.generate(0, users=500, items=100, density=0.3, informative=1.0)
    assert liked.levels.mean() > made.levels.mean() + 0.2


def test_lines_in_another_order_are_the_same_ratings(tmp_path):
    rng = np.random.default_rng(2)
    rows = [
        f"{user},{item},{1 + (user * item) % 5}\n" for user in range(30) for item in range(15) if rng.random() < 0.6
    ]
    first = rating_splits.load(str(write(tmp_path, "".join(rows), "a.csv")))
    assert first.item_ids == tuple(str(item) for item in range(15))
    for shuffled in (rows[::-1], list(rng.permutation(rows))):
        other = rating_splits.load(str(write(tmp_path, "".join(shuffled), "b.csv")))
        assert (other.user_ids, other.item_ids, other.values) == (first.user_ids, first.item_ids, first.values)
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(other, part), getattr(first, part))
    assert not np.array_equal(rating_splits.load(str(tmp_path / "b.csv"), by_line=True).test, first.test)


def test_ordered_ratings_are_the_same_ratings():
    names = ("b", "10", "a", "9"), ("2", "10", "1")
    made = ratings.Ratings(
        np.array([0, 1, 2, 3]), np.array([2, 1, 0, 2]), np.array([1, 2, 3, 1]), *names, (1.0, 2.0, 3.0)
    )

    def spelled(some):
        return {(some.user_ids[u], some.item_ids[i], v) for u, i, v in zip(some.users, some.items, some.levels)}

    found = ratings.ordered(made)
    assert (found.user_ids, found.item_ids) == (("10", "9", "a", "b"), ("1", "2", "10"))
    assert spelled(found) == spelled(made)
    assert found.users.tolist() == sorted(found.users)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_names_that_differ_in_one_letter_stay_apart(tmp_path, encoding):
    text = "J\xfcrgen,1,5\nJ\xf6rgen,1,3\nJ\xf6rgen\xa0,1,2\nann,caf\xe9,1\n"
    read = ratings.read(write(tmp_path, text.encode(encoding)))
    assert read.user_ids == ("J\xfcrgen", "J\xf6rgen", "J\xf6rgen\xa0", "ann")
    assert read.item_ids == ("1", "caf\xe9")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.csv", 'movieId,title,genres\n1,"Am\xe9lie, or so (2001)",Comedy\n'.encode()),
        ("u.item", "1|Am\xe9lie, or so (2001)|01-Jan-1995||http://x|0|0\n".encode("latin-1")),
    ],
)
def test_titles_beside_the_ratings(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert ratings.titles(tmp_path / "ratings.csv")["1"] == "Am\xe9lie, or so (2001)"
    assert ratings.titles(tmp_path / "elsewhere" / "ratings.csv") == {}
