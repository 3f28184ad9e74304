"""What stands beside a result: models without structure, and what it means in one line."""

import itertools

import numpy as np

from genjax.evaluation.references import in_short, without_structure


def test_pixels_without_structure_are_a_distribution():
    train = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1.0]])
    every = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    found = [without_structure(train, image[None]) for image in every]
    assert np.isclose(sum(np.exp(one["independent_pixels"]) for one in found), 1)
    assert np.isclose(sum(np.exp(one["fair_coins"]) for one in found), 1)
    assert found[1]["independent_pixels"] == max(one["independent_pixels"] for one in found)  # 0 0 1, the commonest
    assert without_structure(train / 2, every) is None


def test_a_result_says_which_way_is_better_and_beside_what():
    estimate = {"test": {"mean": -84.5, "kind": "lower_bound"}}
    beside = {"fair_coins": -543.4, "independent_pixels": -206.6}
    numbers = {"log_likelihood": estimate, "without_structure": beside, "dataset": "mnist", "model": "dbm"}
    line, published = in_short(numbers | {"binarisation": "sampled"})
    assert "at least -84.50 nats (higher is better; independent pixels: -206.60, fair coins: -543.40)" in line
    assert published.startswith("published: -84.62")
    assert len(in_short(numbers | {"binarisation": "threshold"})) == 1  # that would be another table
    ratings = {"rmse": {"test": {"mean": 0.91}, "biases": {"mean": 0.95}}}
    assert "off by 0.910 (lower is better; user and item averages alone: 0.950)" in in_short(ratings)[0]
    of = {"frechet_distance": 10.0, "classes": 9, "occurring": 10}
    assert in_short({"samples": of, "real": of | {"frechet_distance": 1.0}})[1] == "they show 9 of 10 classes"
    assert "wrongly" in in_short({"test": {"error": {"mean": 0.1}}})[0]
    assert "off by 0.100" in in_short({"test": {"reconstruction_error": {"mean": 0.01}}})[0]
    assert in_short({}) == []
