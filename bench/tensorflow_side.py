"""Our loop and Keras `fit`, timed.

Our side runs the functions that stand in the chapters, not copies of them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import cached_property, partial

import numpy as np

from bench.serve import MATRIX, rate_of, serve
from bench.work import NUM_STEPS, STEPS_PER_CALL, WORKS, convolution, found
from mnist_helpers.data import load_data
from mnist_helpers.device import set_seed, use_device
from mnist_helpers.training import ink, shuffled_batches, train
from pipeline.notebooks import definitions

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)


class Book:
    """The networks of the chapters and the loop that trains them.

    Args:
        images, labels: The training images, shape (N, 784), as bytes, which is how the chapters
            hold them, or float32; and float32, shape (N, 10).
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
            return self.simple["make_train_step"](
                self.simple["model"], variables, settings.learning_rate
            )
        variables = self.deeper["new_variables"]()
        update, _ = self.deeper["make_adam"](variables, settings.learning_rate)
        loss = self.deeper["fused_loss"]
        return self.deeper["make_step"](variables, update, loss, settings.keep_prob)

    @cached_property
    def as_numbers(self) -> np.ndarray:
        """The images as float32, 0.0 to 1.0, which Keras' examples make before they train."""
        return np.asarray(ink(self.images))

    def ours(self, work: str, num_steps: int = NUM_STEPS) -> dict:
        """Train with the book's loop."""
        batches = shuffled_batches(
            len(self.images), WORKS[work].batch_size, 2 * num_steps + 1, seed=0
        )
        times = [time.process_time()]

        def read_the_clock() -> float:  # called after step 0 and after every num_steps
            times.append(time.process_time())
            return 0.0

        curve = train(
            self.new_step(work),
            shaped(self.images, work),
            self.labels,
            batches,
            evaluate=read_the_clock,
            evaluate_every=num_steps,
        )
        began, _, first, second = times
        return found([began, first, second], float(curve.loss[-20:].mean()))

    def keras(self, work: str, num_steps: int = NUM_STEPS, tuned: bool = False) -> dict:
        """Train with Keras' `fit`: on a `tf.data` pipeline, or on bytes, many steps a call."""
        batch_size = WORKS[work].batch_size
        images = shaped(self.images if tuned else self.as_numbers, work)
        times = [time.process_time()]
        model = keras_model(work, tuned)
        if tuned:
            chosen = np.arange(num_steps * batch_size) % len(images)
            fit = partial(model.fit, images[chosen], self.labels[chosen], batch_size=batch_size)
        else:
            data = (
                tf.data.Dataset.from_tensor_slices((images, self.labels))
                .shuffle(10_000)
                .repeat()
                .batch(batch_size)
                .prefetch(tf.data.AUTOTUNE)
            )
            fit = partial(model.fit, data, steps_per_epoch=num_steps)
        for _ in range(2):
            history = fit(verbose=0)
            times.append(time.process_time())
        return found(times, history.history["loss"][-1])


def shaped(images: np.ndarray, work: str) -> np.ndarray:
    """The images in the shape that the network wants."""
    return images if work.startswith("mlp") else images.reshape(-1, 28, 28, 1)


def keras_model(work: str, tuned: bool = False) -> tf.keras.Model:
    """The same network in Keras; all else as Keras has it.

    Tuned, one call runs many steps, and a layer makes numbers of bytes: a step of the MLP took 0.9
    times as long as on float32 images, and the first came sooner.
    """
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
    if tuned:
        pixels, *rest = body
        body = [tf.keras.Input(pixels.shape[1:], dtype="uint8"), layers.Rescaling(1 / 255), *rest]
    model = tf.keras.Sequential([*body, layers.Dense(10)])
    rate = WORKS[work].learning_rate
    model.compile(
        tf.keras.optimizers.Adam(rate) if work == "deeper_cnn" else tf.keras.optimizers.SGD(rate),
        tf.keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_CALL if tuned else 1,
    )
    return model


def square_product(_: str) -> dict:
    """What TensorFlow's matrix product reaches."""
    a = tf.random.normal([MATRIX, MATRIX])
    product = tf.function(lambda: tf.reduce_sum(a @ a))
    return rate_of(lambda: product().numpy())


Part = tuple[int, Callable[[], object]]  # operations of its products, and what does them


def parts(book: Book, work: str, repeats: int = 100) -> dict:
    """Milliseconds of the large parts of one training step, each as it runs in the graph.

    A part is repeated by a loop inside a compiled function, as our steps are. It leaves its
    results in variables, so that no repetition can be left out.

    Returns: ``parts``: from the name of a part to its time and its arithmetic, in milliseconds and
        in operations.
    """
    pieces = (_mlp_parts if work.startswith("mlp") else _deeper_cnn_parts)(book)
    measured = {}
    for name, (operations, piece) in pieces.items():
        run = repeated(piece)
        run(1)
        began = time.process_time()
        run(repeats)
        milliseconds = 1_000 * (time.process_time() - began) / repeats
        measured[name] = {"milliseconds": milliseconds, "operations": operations}
    return {"parts": measured}


def repeated(piece: Callable[[], object]) -> Callable[[int], None]:
    """A compiled function that does a piece as often as it is told."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def run(times):
        for _ in tf.range(times):
            piece()

    return lambda times: run(tf.constant(times))


def _mlp_parts(book: Book) -> dict[str, Part]:
    size = WORKS["mlp"].batch_size
    images, hidden = tf.random.normal([size, 784]), _kept([size, 1_024])
    weights, by_weights = _kept([784, 1_024]), _kept([784, 1_024])
    product = 2 * size * 784 * 1_024
    return {
        "hidden layer, forward": (product, lambda: hidden.assign(images @ weights)),
        "its weights' derivatives": (
            product,
            lambda: by_weights.assign(tf.matmul(images, hidden, transpose_a=True)),
        ),
        "update of its weights": (0, lambda: weights.assign_sub(1e-9 * by_weights)),
    }


def _deeper_cnn_parts(book: Book) -> dict[str, Part]:
    size = WORKS["deeper_cnn"].batch_size
    images = tf.random.normal([size, 28, 28, 1])
    maps1, pooled1 = _kept([size, 28, 28, 32]), _kept([size, 14, 14, 32])
    maps2, pooled2 = _kept([size, 14, 14, 64]), _kept([size, 7, 7, 64])
    kernels1, kernels2 = _kept([5, 5, 1, 32]), _kept([5, 5, 32, 64])
    by_kernels1, by_kernels2 = _kept([5, 5, 1, 32]), _kept([5, 5, 32, 64])
    first = 2 * size * convolution(28, 1, 32) // 3
    second = 2 * size * convolution(14, 32, 64) // 3
    one = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    two = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}
    variables = book.deeper["new_variables"]()
    update, _ = book.deeper["make_adam"](variables, WORKS["deeper_cnn"].learning_rate)
    gradients = [tf.random.normal(w.shape) for w in variables]

    def derivatives(images: tf.Tensor, kernels: tf.Variable, slopes: tf.Tensor) -> None:
        kernels.assign(
            tf.raw_ops.Conv2DBackpropFilter(
                input=images, filter_sizes=kernels.shape, out_backprop=slopes, **one
            )
        )

    def pool(maps: tf.Variable, pooled: tf.Variable) -> None:
        """Forward, and back to where the largest numbers stood."""
        largest = tf.nn.max_pool2d(maps, 2, 2, "SAME")
        back = tf.raw_ops.MaxPoolGrad(orig_input=maps, orig_output=largest, grad=pooled, **two)
        maps.assign(back)

    return {
        "first convolution, forward": (
            first,
            lambda: maps1.assign(tf.nn.conv2d(images, kernels1, **one)),
        ),
        "the first's kernels' derivatives": (
            first,
            lambda: derivatives(images, by_kernels1, maps1),
        ),
        "first pool, both ways": (0, lambda: pool(maps1, pooled1)),
        "second convolution, forward": (
            second,
            lambda: maps2.assign(tf.nn.conv2d(pooled1, kernels2, **one)),
        ),
        "the second's kernels' derivatives": (
            second,
            lambda: derivatives(pooled1, by_kernels2, maps2),
        ),
        "the second's inputs' derivatives": (
            second,
            lambda: pooled1.assign(
                tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=pooled1.shape, filter=kernels2, out_backprop=maps2, **one
                )
            ),
        ),
        "second pool, both ways": (0, lambda: pool(maps2, pooled2)),
        "Adam's update": (0, lambda: update(gradients)),
    }


def _kept(shape: list[int]) -> tf.Variable:
    return tf.Variable(tf.random.normal(shape))


if __name__ == "__main__":
    device = use_device("cpu")
    os.environ["TQDM_DISABLE"] = "1"
    mnist = load_data("mnist")
    book = Book(mnist.train.flat, mnist.train.labels)
    serve(
        {
            "ours": book.ours,
            "keras": book.keras,
            "keras_tuned": partial(book.keras, tuned=True),
            "square_product": square_product,
            "parts": partial(parts, book),
        },
        {"device": device, "tensorflow": tf.__version__, "python": sys.version.split()[0]},
    )
