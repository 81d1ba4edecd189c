"""Random masks: the right share, independent, anew at each draw, from the seed."""

import numpy as np
import pytest

from mnist_helpers.device import set_seed
from mnist_helpers.training import random_mask

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.8, 0.9, 0.999])
def test_the_share_that_is_kept_is_right_on_average(keep_prob):
    set_seed(0)
    draw = tf.function(lambda: random_mask([1_000, 100], keep_prob))
    shares = [draw().numpy().mean() for _ in range(300)]
    # A mask's own threshold is off by up to 1/256; the mean of 300 masks is not.
    assert np.mean(shares) == pytest.approx(keep_prob, abs=0.0006)
    assert np.ptp(shares) < 0.02


def test_entries_are_independent_of_their_neighbours_and_of_the_mask_before():
    set_seed(0)
    first, second = (random_mask([500, 400], 0.5).numpy() for _ in range(2))
    for other in (np.roll(first, 1, 1), np.roll(first, 4, 1), np.roll(first, 1, 0), second):
        assert np.mean(first == other) == pytest.approx(0.5, abs=0.006)  # five deviations


@pytest.mark.parametrize("shape", [[1], [3], [7, 5], [2, 3, 5], [784, 1_024]])
def test_has_the_shape_that_was_asked_for(shape):
    assert random_mask(shape, 0.7).shape == shape
    assert random_mask(tf.constant(shape), 0.7).shape == shape


def test_the_same_seed_gives_the_same_masks_and_another_seed_others():
    def masks(seed):
        set_seed(seed)
        draw = tf.function(lambda: random_mask([40, 40], 0.5))
        return np.stack([draw().numpy() for _ in range(3)])

    assert np.array_equal(masks(1), masks(1))
    assert not np.array_equal(masks(1), masks(2))
