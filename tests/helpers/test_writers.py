"""The list of writers is QMNIST's, and says of MNIST what its authors found."""

import hashlib
from dataclasses import replace

import numpy as np

from mnist_helpers.data import WRITERS, published_writers, writers_of

FIRST_STUDENT = 2_100  # NIST's numbers below are members of the Census staff


def test_the_list_is_the_published_one():
    writers = np.loadtxt(WRITERS, dtype=">i4").ravel()
    assert writers.shape == (10_000,)
    assert hashlib.sha256(writers.tobytes()).hexdigest() == (
        "cd7ab6b87106c5a4c5f3b575b1c1c630649c48730f9041b4ce24c8ab74c96b1f"
    )


def test_images_0_to_5000_are_by_249_students_and_the_rest_by_48_of_the_staff(full_mnist):
    """As Yadav and Bottou (2019) say, and chapter 1 with them."""
    writers = published_writers(full_mnist)
    student = writers >= FIRST_STUDENT
    assert student[:5_001].all() and not student[5_001:].any()
    assert len(np.unique(writers[student])) == 249
    assert len(np.unique(writers[~student])) == 48


def test_of_the_original_s_test_images_fewer_than_half_are_by_students(full_mnist):
    """As chapters 1 and 5 say: nearly all of them wrote validation images as well."""
    writers = published_writers(full_mnist)
    validation, test = writers[:1_000], writers[1_000:]
    assert np.mean(test >= FIRST_STUDENT) < 0.5
    in_both = np.intersect1d(validation, test)
    assert len(in_both) == 247 and in_both.min() >= FIRST_STUDENT
    assert 0.4 < np.mean(np.isin(test, in_both)) < 0.5


def test_the_sample_has_every_tenth_writer_and_clothes_have_none(full_mnist):
    writers = published_writers(full_mnist)
    sample = published_writers(replace(full_mnist, is_sample=True))
    assert np.array_equal(sample, writers[::10])
    assert published_writers(replace(full_mnist, data_set="fashion_mnist")) is None


def test_the_test_images_are_the_last_of_the_published_ones(full_mnist, full_loads):
    writers = published_writers(full_mnist)
    assert np.array_equal(writers_of(full_mnist), writers[1_000:])
    assert np.array_equal(writers_of(full_loads(split="official")), writers)
    assert writers_of(replace(full_mnist, data_set="fashion_mnist")) is None
