"""Our loop and Keras `fit`, timed.

Our side runs the functions that stand in the chapters, not copies of them.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import sys
import time

import numpy as np

from bench.serve import MATRIX, peak_of, serve
from bench.work import NUM_STEPS, WORKS
from mnist_helpers.data import load_data
from mnist_helpers.device import set_seed, use_device
from mnist_helpers.training import shuffled_batches, train
from pipeline.notebooks import CHAPTERS, code_cells, read

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)


def definitions(chapter: str) -> dict[str, object]:
    """Execute a chapter's imports, functions and constants, and nothing else.

    Where a name is defined twice, the first definition counts: later ones are
    those of exercises.
    """
    names: dict[str, object] = {}
    for number, cell in enumerate(code_cells(read(CHAPTERS / f"{chapter}.ipynb"))):
        file = f"{chapter}, cell {number}"
        # TensorFlow compiles from the source, and looks for it here.
        linecache.cache[file] = len(cell.source), None, cell.source.splitlines(True), file
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef):
                wanted = node.name not in names
            elif isinstance(node, ast.Assign):
                wanted = _is_literal(node.value) and not any(
                    name in names for name in _names(node.targets[0])
                )
            else:
                wanted = isinstance(node, ast.Import | ast.ImportFrom)
            if wanted:
                # A function whose defaults are results of a run cannot be had without it.
                with contextlib.suppress(NameError):
                    exec(compile(ast.Module([node], []), file, "exec"), names)
    return names


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]


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
            self.simple["variables"] = variables
            for position, variable in enumerate(variables):  # the names that its layers use
                kind = ("weights", "biases")[position % 2]
                self.simple[f"layer{position // 2 + 1}_{kind}"] = variable
            return self.simple["train_step"]
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


if __name__ == "__main__":
    device = use_device("cpu")
    os.environ["TQDM_DISABLE"] = "1"
    mnist = load_data("mnist")
    book = Book(mnist.train.images, mnist.train.labels)
    serve(
        {"ours": book.ours, "keras": book.keras, "peak": matmul_peak},
        {"device": device, "tensorflow": tf.__version__, "python": sys.version.split()[0]},
    )
