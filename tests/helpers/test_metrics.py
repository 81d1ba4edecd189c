"""How good is a model, and how sure are we?"""

import math

import numpy as np
import pytest
from scipy import stats

from mnist_helpers.metrics import (
    accuracy,
    accuracy_interval,
    mean_interval,
    paired_difference,
    spread_of_images,
    standard_error,
)


def accuracy_of_the_original(predictions, labels):
    """Copied from the original notebook."""
    return 100.0 * np.sum(np.argmax(predictions, 1) == np.argmax(labels, 1)) / predictions.shape[0]


@pytest.mark.parametrize("size", [1, 3, 9_000])
def test_accuracy_is_what_the_original_defines(size):
    rng = np.random.default_rng(size)
    predictions = rng.normal(size=(size, 10))
    labels = np.eye(10)[rng.integers(0, 10, size)]
    assert accuracy(predictions, labels) == accuracy_of_the_original(predictions, labels)


def test_accuracy_is_a_plain_float_in_percent():
    labels = np.eye(10, dtype=np.float32)
    for predictions, percent in ((labels, 100.0), (np.roll(labels, 1, 0), 0.0)):
        assert accuracy(predictions, labels) == percent
        assert type(accuracy(predictions, labels)) is float
    assert accuracy(np.eye(4), np.eye(4)[[0, 1, 2, 0]]) == 75.0


def test_accuracy_takes_lists_and_whole_numbers():
    assert accuracy([[1, 2], [5, 0]], [[0, 1], [0, 1]]) == 50.0


def test_accuracy_does_not_mind_infinite_logits():
    assert accuracy(np.array([[-np.inf, 0.0]]), np.array([[0, 1]])) == 100.0


@pytest.mark.parametrize(
    ("predictions", "labels"),
    [
        ((3, 10), (2, 10)),  # unequal lengths
        ((1, 10), (3, 10)),
        ((3, 10), (1, 10)),  # NumPy would stretch it
        ((3, 10), (3, 9)),
        ((10, 3), (3, 10)),
        ((0, 10), (0, 10)),  # empty
        ((3, 0), (3, 0)),
        ((3,), (3,)),  # wrong rank
        ((3, 10), (3,)),
        ((3, 10, 1), (3, 10, 1)),
        ((), ()),
    ],
)
def test_accuracy_refuses_shapes_that_make_no_sense(predictions, labels):
    with pytest.raises(ValueError, match=r"has shape|have the same") as refusal:
        accuracy(np.zeros(predictions), np.zeros(labels))
    assert str(predictions) in str(refusal.value) or str(labels) in str(refusal.value)


@pytest.mark.parametrize("name", ["predictions", "labels"])
def test_accuracy_refuses_nan_by_name(name):
    arrays = {"predictions": np.eye(10), "labels": np.eye(10)}
    arrays[name][4, 7] = np.nan
    with pytest.raises(ValueError, match=f"^{name} holds NaN"):
        accuracy(**arrays)


@pytest.mark.parametrize(("right", "size"), [(0, 10), (10, 10), (8_820, 9_000), (1, 3)])
def test_the_interval_is_wilsons(right, size):
    expected = stats.binomtest(right, size).proportion_ci(method="wilson")
    low, high = accuracy_interval(100 * right / size, size)
    assert low == pytest.approx(100 * expected.low, abs=1e-9)
    assert high == pytest.approx(100 * expected.high, abs=1e-9)
    assert low >= 0 and high <= 100


def test_the_interval_of_a_mean_of_runs_is_not_that_of_whole_images():
    """98.06 % of 1,000 images is between 980 and 981 of them."""
    fewer, mean, more = (accuracy_interval(percent, 1_000) for percent in (98.0, 98.06, 98.1))
    assert fewer < mean < more


def test_more_images_and_less_confidence_make_the_interval_narrower():
    def width(size, confidence):
        low, high = accuracy_interval(98.0, size, confidence)
        return high - low

    assert width(10_000, 0.95) < width(1_000, 0.95)
    assert width(1_000, 0.8) < width(1_000, 0.95)


@pytest.mark.parametrize(
    ("percent", "size", "words"),
    [
        (-0.1, 10, "percent is -0.1"),
        (100.1, 10, "percent is 100.1"),
        (math.nan, 10, "percent is nan"),
        (50.0, 0, "size is 0"),
        (50.0, -3, "size is -3"),
    ],
)
def test_an_interval_of_nonsense_is_refused(percent, size, words):
    with pytest.raises(ValueError, match=words):
        accuracy_interval(percent, size)


def test_the_mean_interval_is_students():
    values = [92.0, 93.5, 94.0, 91.5]
    mean, half_width = mean_interval(values)
    assert mean == pytest.approx(92.75)
    # t(0.975, 3 degrees of freedom) from the table
    expected = 3.182446 * np.std(values, ddof=1) / math.sqrt(4)
    assert half_width == pytest.approx(expected, rel=1e-6)
    assert mean_interval([5.0, 5.0]) == (5.0, 0.0)
    assert mean_interval(values, confidence=0.5)[1] < half_width


@pytest.mark.parametrize("values", [[], [92.0], [[92.0, 93.0]]])
def test_one_run_has_no_interval(values):
    with pytest.raises(ValueError, match="two runs or more"):
        mean_interval(values)


def test_the_standard_error_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(0).normal(size=50)
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert standard_error(values, writers=np.arange(50)) == pytest.approx(stats.sem(values))


def test_images_that_each_writer_reads_alike_count_as_one_each():
    of_writers = np.random.default_rng(0).normal(size=30)
    images = np.repeat(of_writers, 20)
    by_writer = standard_error(images, np.repeat(np.arange(30), 20))
    assert by_writer == pytest.approx(stats.sem(of_writers))
    assert standard_error(images) < by_writer / 4


def test_the_standard_error_by_writer_is_how_much_other_writers_move_the_accuracy():
    """A simulation whose truth is known: writers differ, and each wrote about 20 images."""
    rng = np.random.default_rng(0)
    writers = np.repeat(np.arange(200), rng.integers(10, 31, 200))
    accuracies, claimed = [], []
    for _ in range(400):
        skill = rng.beta(9, 1, size=200)  # of each writer: how legible
        right = rng.random(len(writers)) < skill[writers]
        accuracies.append(right.mean())
        claimed.append(standard_error(right, writers))
    assert np.mean(claimed) == pytest.approx(np.std(accuracies), rel=0.08)


def test_a_paired_difference_knows_that_what_both_read_alike_cancels():
    rng = np.random.default_rng(0)
    hard = rng.random(9_000) < 0.05
    ours, theirs = ~hard, ~hard
    theirs[rng.permutation(9_000)[:30]] = False
    difference, half_width = paired_difference(ours, theirs)
    assert difference == pytest.approx(100 * (ours.mean() - theirs.mean()))
    low, high = accuracy_interval(100 * ours.mean(), 9_000)
    assert half_width < (high - low) / 4
    assert difference > half_width


def test_a_paired_difference_of_several_runs_is_that_of_their_means():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 5, 400)) < 0.9
    difference, half_width = paired_difference(ours, theirs)
    assert difference == pytest.approx(100 * (ours.mean() - theirs.mean()))
    of_images = 100 * (ours.mean(0) - theirs.mean(0))
    assert half_width == pytest.approx(1.959964 * stats.sem(of_images), rel=1e-6)
    assert paired_difference(ours, ours) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (np.ones(3), np.ones(4), "must be the same"),
        (np.ones((2, 3, 4)), np.ones(4), "must be the same"),
        (np.ones(3), np.array([1, 0, math.nan]), "NaN"),
        (np.ones(1), np.ones(1), "1 writer"),
    ],
)
def test_a_difference_of_other_images_or_of_one_is_refused(ours, theirs, words):
    with pytest.raises(ValueError, match=words):
        paired_difference(ours, theirs)


def test_writers_of_other_images_are_refused():
    with pytest.raises(ValueError, match=r"writers \(3,\)"):
        standard_error(np.ones(4), writers=np.arange(3))


def scatter_of(right: np.ndarray) -> float:
    return float(100 * right.mean(axis=1).std(ddof=1))


def test_runs_of_equal_merit_scatter_as_the_finite_set_of_images_says():
    rng = np.random.default_rng(0)
    difficulty = rng.random(2_000)  # the same for all runs, and no luck of theirs
    right = rng.random((400, 2_000)) < difficulty
    assert spread_of_images(right) == pytest.approx(scatter_of(right), rel=0.1)
    assert spread_of_images(right) == pytest.approx(
        100 * math.sqrt(np.mean(difficulty * (1 - difficulty)) / 2_000), rel=0.02
    )


def test_a_difference_in_merit_is_not_counted_as_the_images():
    rng = np.random.default_rng(0)
    merit = np.linspace(0.8, 0.9, 20)[:, None]
    right = rng.random((20, 5_000)) < merit
    assert spread_of_images(right) < 0.2 * scatter_of(right)
    assert spread_of_images(np.repeat(right[:1], 3, axis=0)) == 0  # all read the same
