"""The benchmark: it times the chapters' own functions, and its page shows what it measured."""

import json

import numpy as np
import pytest

from bench import page
from bench.work import WORKS, dense


@pytest.fixture(scope="module")
def book():
    from bench.tensorflow_side import Book

    rng = np.random.default_rng(0)
    images = rng.random((256, 784), dtype=np.float32)
    return Book(images, np.eye(10, dtype=np.float32)[rng.integers(10, size=256)])


@pytest.mark.parametrize("work", WORKS)
def test_our_side_trains_the_chapters_networks(book, work):
    result = book.ours(work, num_steps=3)
    assert 0 < result["steps"] <= result["whole"]
    assert np.isfinite(result["loss"])


def test_keras_trains_the_same_number_of_weights(book):
    from bench.tensorflow_side import keras_model

    assert keras_model("mlp").count_params() == 814_090
    assert keras_model("simple_cnn").count_params() == 57_722
    assert keras_model("deeper_cnn").count_params() == 253_514


def test_the_limit_counts_forward_and_backward_but_no_gradient_of_the_images():
    assert dense(784, 1_024, first=True) == 2 * 784 * 1_024
    assert WORKS["mlp"].operations == 2 * 1_000 * 128 * (2 * 784 * 1_024 + 3 * 1_024 * 10)


def test_the_page_shows_the_results_that_are_kept():
    results = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert [row["work"] for row in results["rows"]] == list(WORKS)
    assert results["rounds"] >= 5
    assert (page.OUT / "speed.md").read_text(encoding="utf-8") == page.table(results)
    assert (page.OUT / "parts.md").read_text(encoding="utf-8") == page.parts_table(results)
    for row in results["rows"]:
        for way in page.WAYS:
            if way in row:
                assert len(row[way]["whole_rounds"]) == results["rounds"]
                assert row[way]["whole"] == np.median(row[way]["whole_rounds"])


def test_a_column_that_was_not_measured_is_a_dash():
    row = {"ours": {"whole": 1.0, "steps": 1.0}}
    assert page.cell(row, "tensors") == "–" and page.cell(row, "ours") == "1.00"


@pytest.mark.parametrize("work", ["mlp", "deeper_cnn"])
def test_a_step_is_taken_apart_into_operations_of_its_own_shapes(work):
    from bench.tensorflow_side import parts

    found = parts(work, repeats=1)["parts"]
    assert all(part["milliseconds"] > 0 for part in found.values())
    counted = sum(part["operations"] for part in found.values()) / WORKS[work].batch_size
    assert 0.9 < counted / (2 * WORKS[work].multiply_adds) <= 1.01


def test_bending_by_nothing_leaves_the_chapters_distortion(book):
    import tensorflow as tf

    from experiments.going_further import bend

    images = tf.reshape(book.images[:2], [2, 28, 28, 1])
    a_pixel_to_the_left = tf.constant([[1, 0, 1, 0, 1, 0, 0, 0]] * 2, tf.float32)
    moved = bend(0.0, lambda count: a_pixel_to_the_left, images)
    np.testing.assert_allclose(moved[:, :27, :26], images[:, :27, 1:27], atol=1e-4)
    bent = bend(1.0, lambda count: a_pixel_to_the_left, images)
    assert bent.shape == images.shape and not np.allclose(bent, moved, atol=0.1)
