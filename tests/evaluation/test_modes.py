"""Modes counted where the truth is known; the classifier score at its ends; the alarm on real and collapsed samples."""

import jax.numpy as jnp
import numpy as np
import pytest
from genjax.evaluation.quality import classifier_score, judged

from genjax import data
from genjax.data import binarise_fixed
from genjax.data.dataset import Labels
from genjax.errors import UserError
from genjax.evaluation.classifier import judge
from genjax.evaluation.collapse import ALARMS, SAMPLES, Ear, alarms, learn_levels, look, missing
from genjax.evaluation.modes import divergence, grid, ring, stacked, stacked_modes


@pytest.fixture(scope="module", name="digits")
def digits_fixture():
    return data.load("digits")


@pytest.fixture(scope="module", name="eye")
def eye_fixture(digits):
    return judge(digits, cache=False)


@pytest.mark.slow
def test_a_judge_knows_digits(digits, eye):
    label = digits.labels.test
    assert eye.accuracy(digits.test, label) >= 0.97
    assert eye.accuracy(binarise_fixed(digits.test, "threshold", 0), label) >= 0.93
    assert eye.accuracy(digits.test, np.roll(label, 1)) < 0.2


def test_mixtures_know_their_own_draws_and_what_is_missing():
    for mixture, count in ((ring(), 8), (grid(), 25)):
        found = mixture.judge(mixture.draw(4000, 0))
        assert found.caught == count
        assert found.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.01)  # three deviations in the plane
        assert found.divergence < 0.02
        one = mixture.judge(np.repeat(mixture.centres[:1], 50, 0))
        assert (one.caught, one.high_quality) == (1, 1.0)
        assert one.divergence == pytest.approx(np.log(count))
        assert mixture.judge(np.full((9, 2), 0.5)) == (0, 0.0, np.inf)
    assert np.abs(grid().centres).max() == 4
    assert divergence(np.array([3, 1]), np.array([0.5, 0.5])) == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))


def test_stacked_digits_have_their_labels_and_their_modes(digits):
    pairs = stacked(digits, channels=2, count=600)
    assert pairs.shape == (8, 8, 2)
    assert len(pairs.train) == 600
    channels = pairs.test.reshape(100, 64, 2)
    known = {row.tobytes(): label for row, label in zip(digits.test, digits.labels.test)}
    for image, label in zip(channels, pairs.labels.test):
        tens, ones = (known[np.ascontiguousarray(image[:, c]).tobytes()] for c in (0, 1))
        assert label == 10 * tens + ones

    def oracle(x):  # the class from the labels themselves
        every = np.concatenate([digits.train, digits.validation, digits.test])
        labels = np.concatenate(digits.labels)
        table = {row.tobytes(): label for row, label in zip(every, labels)}
        return jnp.eye(10)[np.array([table[np.ascontiguousarray(row).tobytes()] for row in np.asarray(x)])]

    found = stacked_modes(oracle, pairs.train, 2)
    counts = np.bincount(pairs.labels.train, minlength=100)
    assert found.caught == np.sum(counts > 0) > 95
    assert found.divergence == pytest.approx(divergence(counts, np.full(100, 0.01)))
    nameless = digits.labels._replace(train=np.full(len(digits.train), -1, np.int32))
    with pytest.raises(UserError, match="stacked"):
        stacked(data.Dataset(**{**vars(digits), "labels": Labels(*nameless)}))


def test_classifier_score_at_its_ends():
    sure = 50 * np.eye(10)
    assert classifier_score(lambda x: sure, np.zeros((10, 1))) == pytest.approx(10)
    assert classifier_score(lambda x: np.repeat(sure[:1], 10, 0), np.zeros((10, 1))) == pytest.approx(1)
    assert classifier_score(lambda x: np.zeros((10, 10)), np.zeros((10, 1))) == pytest.approx(1)
    half = np.log(np.array([[0.75, 0.25], [0.25, 0.75]]))
    by_hand = np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert classifier_score(lambda x: half, np.zeros((2, 1))) == pytest.approx(by_hand)


@pytest.mark.slow
def test_real_images_are_judged_better_than_noisy_ones(digits, eye):
    rng = np.random.default_rng(0)
    noisy = np.clip(digits.train[:360] + rng.normal(0, 0.35, (360, 64)), 0, 1).astype(np.float32)
    answer = judged(eye, noisy, digits.train, digits.test)
    bad, real = answer["samples"], answer["real"]
    assert real["classifier_score"] > 9
    assert real["classifier_score"] > bad["classifier_score"]
    for name in ("frechet_distance", "kernel_distance"):
        assert real[name] < 0.5 * bad[name], name
    for name in ("precision", "coverage", "density"):
        assert real[name] > bad[name], name
    copied = judged(eye, digits.train[:300], digits.train, digits.test)["samples"]
    assert copied["copies"] == 1.0


@pytest.mark.slow
def test_the_alarm_never_sounds_for_real_images_and_does_for_collapsed_ones(digits, eye):
    levels, rng = learn_levels(digits.train, eye.logits), np.random.default_rng(1)
    real = np.asarray(eye.logits(digits.test))
    for _ in range(1000):
        rows = rng.integers(0, len(digits.test), SAMPLES)
        assert alarms(look(digits.test[rows], lambda _, rows=rows: real[rows]), levels, accuracy=0.9) == []
    constant = np.repeat(digits.test[:1], SAMPLES, 0)
    assert alarms(look(constant, eye.logits), levels) == ["classes missing", "samples alike"]
    three = digits.train[np.isin(digits.labels.train, (0, 1, 2))][:SAMPLES]
    assert alarms(look(three, eye.logits), levels) == ["classes missing"]
    assert alarms(look(digits.test[:SAMPLES], eye.logits), levels, accuracy=0.999) == ["discriminator saturated"]
    blind = learn_levels(digits.train)
    assert alarms(look(constant), blind) == ["samples alike"]
    assert alarms(look(digits.test[:SAMPLES]), blind) == []


def told(labels, classes):
    """Images that say their class, and the judge that reads it."""
    return np.eye(classes, dtype=np.float32)[labels], lambda x: 20 * np.asarray(x)


@pytest.mark.parametrize("rare", [0.1, 0.02])
def test_one_class_below_a_fifth_of_its_share_is_missing(rare):
    """Whatever the entropy, and where one class is rarer than the others: the levels take samples enough."""
    rng = np.random.default_rng(0)
    shares = np.append(np.full(9, (1 - rare) / 9), rare)
    images, judge = told(rng.choice(10, 5000, p=shares), 10)
    levels = learn_levels(images, judge)
    assert levels.samples * rare >= 40
    for part, sounds in ((0.0, True), (0.05, True), (0.6, False), (1.0, False)):
        ours = np.append(shares[:9] * (1 - part * rare) / (1 - rare), part * rare)
        seen = look(told(rng.choice(10, levels.samples, p=ours), 10)[0], judge)
        assert seen.entropy > levels.entropy
        assert alarms(seen, levels) == (["classes missing"] if sounds else [])
        assert missing(seen, levels) == ([9] if sounds else [])


@pytest.mark.parametrize("classes", [2, 10, 60])
def test_no_class_of_real_images_is_called_missing(classes):
    """Even, uneven, and with classes so rare that a look has none of them: never in 2,000 looks."""
    rng = np.random.default_rng(1)
    for shares in (np.full(classes, 1 / classes), rng.dirichlet(np.full(classes, 0.5)), 0.7 ** np.arange(classes)):
        images, judge = told(rng.choice(classes, 2000, p=shares / shares.sum()), classes)
        levels, seen = learn_levels(images, judge), look(images[:2], judge)
        for size in (levels.samples, 30):
            for counts in rng.multinomial(size, levels.shares, 1000):
                assert missing(seen._replace(samples=size, shares=counts / size), levels) == []


def test_an_ear_waits_for_samples_that_are_well_but_not_for_ever():
    alike, gone = ALARMS[1], ALARMS[0]
    ear = Ear()
    assert ear.hear([alike, gone], 240, 18_000) == []
    assert ear.hear([alike], 480, 18_000) == []  # now the classes are there
    assert ear.hear([alike, gone], 720, 18_000) == [gone]
    assert ear.hear([alike], 1799, 18_000) == []
    assert ear.hear([alike], 1800, 18_000) == [alike]
    for total in (100, 1500):  # a short run that never gets there ends with the alarm
        ear = Ear()
        assert ear.hear([alike], min(total - 1, 999), total) == []
        assert ear.hear([alike], total, total) == [alike]
