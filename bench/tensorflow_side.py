"""Our loop and Keras `fit`, timed.

Our side runs the functions that stand in the chapters, not copies of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np

from bench.serve import MATRIX, peak_of, serve
from bench.work import NUM_STEPS, WORKS, convolution
from mnist_helpers.data import load_data
from mnist_helpers.device import set_seed, use_device
from mnist_helpers.training import shuffled_batches, train
from pipeline.notebooks import definitions

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)


class Book:
    """The networks of the chapters and the loop that trains them.

    Parameters
    ----------
    images, labels : numpy.ndarray
        float32, shapes (N, 784) and (N, 10): the training images.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        self.images, self.labels = images, labels
        self.mlp = definitions("04-regularized-mlp")
        self.simple = definitions("05-simple-cnn")
        self.deeper = definitions("06-deeper-cnn")

    def new_step(self, work: str):
        """The training step of a chapter, on new weights."""
        set_seed(0)
        settings = WORKS[work]
        if work.startswith("mlp"):
            return self.mlp["make_train_step"](
                self.mlp["new_variables"](0),
                keep_prob=settings.keep_prob,
                rate=settings.learning_rate,
            )
        if work == "simple_cnn":
            variables = [tf.Variable(value) for value in self.simple["initial_values"](0)]
            its_names = {  # by which the chapter's layers know them
                f"layer{position // 2 + 1}_{('weights', 'biases')[position % 2]}": variable
                for position, variable in enumerate(variables)
            }
            return definitions("05-simple-cnn", variables=variables, **its_names)["train_step"]
        variables = self.deeper["new_variables"]()
        update, _ = self.deeper["make_adam"](variables, settings.learning_rate)
        loss = self.deeper["fused_loss"]
        return self.deeper["make_step"](variables, update, loss, settings.keep_prob)

    def images_for(self, work: str) -> np.ndarray:
        """The images in the shape that the network wants."""
        return self.images if work.startswith("mlp") else self.images.reshape(-1, 28, 28, 1)

    def ours(self, work: str, num_steps: int = NUM_STEPS) -> dict:
        """Train with the book's loop."""
        batches = shuffled_batches(len(self.images), WORKS[work].batch_size, num_steps, seed=0)
        began = time.perf_counter()
        curve = train(
            self.new_step(work),
            self.images_for(work),
            self.labels,
            batches,
            evaluate_every=num_steps + 1,
        )
        whole = time.perf_counter() - began
        return {"whole": whole, "steps": curve.seconds, "loss": float(curve.loss[-20:].mean())}

    def keras(self, work: str, num_steps: int = NUM_STEPS) -> dict:
        """Train with Keras' `fit` on a `tf.data` pipeline; then fit again, warmed up."""
        began = time.perf_counter()
        model = keras_model(work)
        data = (
            tf.data.Dataset.from_tensor_slices((self.images_for(work), self.labels))
            .shuffle(10_000)
            .repeat()
            .batch(WORKS[work].batch_size)
            .prefetch(tf.data.AUTOTUNE)
        )
        history = model.fit(data, steps_per_epoch=num_steps, verbose=0)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        model.fit(data, steps_per_epoch=num_steps, verbose=0)
        steps = time.perf_counter() - began
        return {"whole": whole, "steps": steps, "loss": history.history["loss"][-1]}


def keras_model(work: str) -> tf.keras.Model:
    """The same network in Keras."""
    layers = tf.keras.layers
    body = {
        "mlp": [tf.keras.Input((784,)), layers.Dense(1_024, "relu")],
        "simple_cnn": [
            tf.keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, 2, "same", activation="relu"),
            layers.Conv2D(16, 5, 2, "same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, "relu"),
        ],
        "deeper_cnn": [
            tf.keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, "relu"),
            layers.Dropout(1 - WORKS["deeper_cnn"].keep_prob),
        ],
    }[work]
    model = tf.keras.Sequential([*body, layers.Dense(10)])
    rate = WORKS[work].learning_rate
    model.compile(
        tf.keras.optimizers.Adam(rate) if work == "deeper_cnn" else tf.keras.optimizers.SGD(rate),
        tf.keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def matmul_peak(_: str) -> dict:
    """What TensorFlow's matrix product reaches."""
    a = tf.random.normal([MATRIX, MATRIX])
    product = tf.function(lambda: tf.reduce_sum(a @ a))
    return peak_of(lambda: product().numpy())


def parts(work: str, repeats: int = 200) -> dict:
    """Milliseconds of the large operations of one training step, each alone.

    Returns
    -------
    dict
        ``parts``: from the name of an operation to its time and its arithmetic,
        in milliseconds and in operations.
    """
    pieces = (_mlp_parts if work.startswith("mlp") else _deeper_cnn_parts)(WORKS[work].batch_size)
    found = {}
    for name, (operations, piece) in pieces.items():
        piece()  # a first call may choose an algorithm
        began = time.perf_counter()
        for _ in range(repeats):
            piece()
        milliseconds = 1_000 * (time.perf_counter() - began) / repeats
        found[name] = {"milliseconds": milliseconds, "operations": operations}
    return {"parts": found}


def _mlp_parts(batch_size: int) -> dict[str, tuple[int, Callable[[], object]]]:
    images, slopes = tf.random.normal([batch_size, 784]), tf.random.normal([batch_size, 1_024])
    weights, by_weights = (tf.Variable(tf.random.normal([784, 1_024])) for _ in range(2))
    product = 2 * batch_size * 784 * 1_024
    return {
        "hidden layer, forward": (product, lambda: images @ weights),
        "its weights' derivatives": (
            product,
            lambda: tf.matmul(images, slopes, transpose_a=True),
        ),
        "update of its weights": (
            2 * 784 * 1_024,
            lambda: weights.assign_sub(0.5 * by_weights),
        ),
    }


def _deeper_cnn_parts(batch_size: int) -> dict[str, tuple[int, Callable[[], object]]]:
    images = tf.random.normal([batch_size, 28, 28, 1])
    maps1 = tf.random.normal([batch_size, 28, 28, 32])
    pooled = tf.random.normal([batch_size, 14, 14, 32])
    maps2 = tf.random.normal([batch_size, 14, 14, 64])
    kernels1, kernels2 = tf.random.normal([5, 5, 1, 32]), tf.random.normal([5, 5, 32, 64])
    first = 2 * batch_size * convolution(28 * 28, 1, 32) // 3
    second = 2 * batch_size * convolution(14 * 14, 32, 64) // 3
    one = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    two = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}

    def by_kernels(images: tf.Tensor, kernels: tf.Tensor, slopes: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=images, filter_sizes=kernels.shape, out_backprop=slopes, **one
        )

    return {
        "first convolution, forward": (first, lambda: tf.nn.conv2d(images, kernels1, **one)),
        "the first's kernels' derivatives": (first, lambda: by_kernels(images, kernels1, maps1)),
        "first pools, both ways": (
            0,
            lambda: (
                tf.nn.max_pool2d(maps1, 2, 2, "SAME"),
                tf.raw_ops.MaxPoolGrad(orig_input=maps1, orig_output=pooled, grad=pooled, **two),
            ),
        ),
        "second convolution, forward": (second, lambda: tf.nn.conv2d(pooled, kernels2, **one)),
        "the second's kernels' derivatives": (second, lambda: by_kernels(pooled, kernels2, maps2)),
        "the second's inputs' derivatives": (
            second,
            lambda: tf.raw_ops.Conv2DBackpropInput(
                input_sizes=[batch_size, 14, 14, 32], filter=kernels2, out_backprop=maps2, **one
            ),
        ),
    }


if __name__ == "__main__":
    device = use_device("cpu")
    os.environ["TQDM_DISABLE"] = "1"
    mnist = load_data("mnist")
    book = Book(mnist.train.images, mnist.train.labels)
    serve(
        {"ours": book.ours, "keras": book.keras, "peak": matmul_peak, "parts": parts},
        {"device": device, "tensorflow": tf.__version__, "python": sys.version.split()[0]},
    )
