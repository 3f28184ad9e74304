"""Modes counted where the truth is known; the classifier score at its ends; alarms on real and collapsed samples."""

import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.data import binarise_fixed
from genjax.data.dataset import Labels
from genjax.errors import UserError
from genjax.evaluation.classes import accuracy
from genjax.evaluation.classifier import train_classifier
from genjax.evaluation.collapse import ALARMS, SAMPLES, AlarmFilter, alarms, learn_levels, missing, summarise
from genjax.evaluation.coverage import classifier_score
from genjax.evaluation.modes import divergence, grid, ring, stacked, stacked_modes
from genjax.evaluation.samples import quality


@pytest.fixture(scope="module", name="digits")
def digits_fixture():
    return data.load("digits")


@pytest.fixture(scope="module", name="trained")
def trained_fixture(digits):
    return train_classifier(digits, cache=False)


@pytest.mark.slow
def test_digits_are_classified(digits, trained):
    label = digits.labels.test
    assert accuracy(trained.logits, digits.test, label).mean >= 0.97
    assert accuracy(trained.logits, binarise_fixed(digits.test, "threshold", 0), label).mean >= 0.93
    assert accuracy(trained.logits, digits.test, np.roll(label, 1)).mean < 0.2


def test_mixtures_know_their_own_draws_and_what_is_missing():
    for mixture, count in ((ring(), 8), (grid(), 25)):
        found = mixture.tally(mixture.draw(4000, 0))
        assert found.caught == count
        assert found.high_quality == pytest.approx(1 - np.exp(-4.5), abs=0.01)  # three deviations in the plane
        assert found.divergence < 0.02
        one = mixture.tally(np.repeat(mixture.centres[:1], 50, 0))
        assert (one.caught, one.high_quality) == (1, 1.0)
        assert one.divergence == pytest.approx(np.log(count))
        assert mixture.tally(np.full((9, 2), 0.5)) == (0, 0.0, np.inf)
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
def test_real_images_are_of_better_quality_than_noisy_ones(digits, trained):
    rng = np.random.default_rng(0)
    noisy = np.clip(digits.train[:360] + rng.normal(0, 0.35, (360, 64)), 0, 1).astype(np.float32)
    answer = quality(trained, noisy, digits.train, digits.test, labels=digits.labels.test)
    bad, real = answer["samples"], answer["real"]
    assert real["classifier_score"] > 9
    assert real["classifier_score"] > bad["classifier_score"]
    assert real["frechet_distance"] < 0.5 * bad["frechet_distance"]
    assert real["kernel_distance"].mean < 0.5 * bad["kernel_distance"].mean
    assert answer["accuracy"]["samples"].mean > 0.97
    for name in ("precision", "coverage", "density"):
        assert real[name] > bad[name], name
    copied = quality(trained, digits.train[:300], digits.train, digits.test)["samples"]
    assert copied["copies"] == 1.0


@pytest.mark.slow
def test_no_alarm_is_raised_for_real_images_and_some_are_for_collapsed_ones(digits, trained):
    levels, rng = learn_levels(digits.train, trained.logits), np.random.default_rng(1)
    real = np.asarray(trained.logits(digits.test))
    for _ in range(1000):
        rows = rng.integers(0, len(digits.test), SAMPLES)
        assert alarms(summarise(digits.test[rows], lambda _, rows=rows: real[rows]), levels, accuracy=0.9) == []
    constant = np.repeat(digits.test[:1], SAMPLES, 0)
    assert alarms(summarise(constant, trained.logits), levels) == ["classes missing", "samples alike"]
    three = digits.train[np.isin(digits.labels.train, (0, 1, 2))][:SAMPLES]
    assert alarms(summarise(three, trained.logits), levels) == ["classes missing"]
    assert alarms(summarise(digits.test[:SAMPLES], trained.logits), levels, accuracy=0.999) == [
        "discriminator saturated"
    ]
    unlabelled = learn_levels(digits.train)
    assert alarms(summarise(constant), unlabelled) == ["samples alike"]
    assert alarms(summarise(digits.test[:SAMPLES]), unlabelled) == []


def encoded(labels, classes):
    """Images that say their class, and the classifier that reads it."""
    return np.eye(classes, dtype=np.float32)[labels], lambda x: 20 * np.asarray(x)


@pytest.mark.parametrize("rare", [0.1, 0.02])
def test_one_class_below_a_fifth_of_its_share_is_missing(rare):
    """Whatever the entropy, and where one class is rarer than the others: the levels take samples enough."""
    rng = np.random.default_rng(0)
    shares = np.append(np.full(9, (1 - rare) / 9), rare)
    images, logits = encoded(rng.choice(10, 5000, p=shares), 10)
    levels = learn_levels(images, logits)
    assert levels.samples * rare >= 40
    for part, raised in ((0.0, True), (0.05, True), (0.6, False), (1.0, False)):
        ours = np.append(shares[:9] * (1 - part * rare) / (1 - rare), part * rare)
        summary = summarise(encoded(rng.choice(10, levels.samples, p=ours), 10)[0], logits)
        assert summary.entropy > levels.entropy
        assert alarms(summary, levels) == (["classes missing"] if raised else [])
        assert missing(summary, levels) == ([9] if raised else [])


@pytest.mark.parametrize("classes", [2, 10, 60])
@pytest.mark.slow
def test_no_class_of_real_images_is_called_missing(classes):
    """Even, uneven, and with classes so rare that a summary has none of them: never in 2,000 summaries."""
    rng = np.random.default_rng(1)
    for shares in (np.full(classes, 1 / classes), rng.dirichlet(np.full(classes, 0.5)), 0.7 ** np.arange(classes)):
        images, logits = encoded(rng.choice(classes, 2000, p=shares / shares.sum()), classes)
        levels, summary = learn_levels(images, logits), summarise(images[:2], logits)
        for size in (levels.samples, 30):
            for counts in rng.multinomial(size, levels.shares, 1000):
                assert missing(summary._replace(samples=size, shares=counts / size), levels) == []


def test_alarms_wait_for_samples_that_are_well_but_not_for_ever():
    alike, gone = ALARMS[1], ALARMS[0]
    filtered = AlarmFilter()
    assert filtered.update([alike, gone], 240, 18_000) == []
    assert filtered.update([alike], 480, 18_000) == []  # now the classes are there
    assert filtered.update([alike, gone], 720, 18_000) == [gone]
    assert filtered.update([alike], 1799, 18_000) == []
    assert filtered.update([alike], 1800, 18_000) == [alike]
    for total in (100, 1500):  # a short run that never gets there ends with the alarm
        filtered = AlarmFilter()
        assert filtered.update([alike], min(total - 1, 999), total) == []
        assert filtered.update([alike], total, total) == [alike]
