"""The training loop of chapter 3 and the random masks of chapter 4, for those that follow."""

import time
from collections.abc import Callable

import numpy as np

from mnist_helpers import without_start_up_remarks
from mnist_helpers.files import user_path
from mnist_helpers.progress import progress_bar
from mnist_helpers.records import Curve

with without_start_up_remarks():
    import tensorflow as tf

# Steps that one call of the compiled loop may run: few enough for the progress
# bar to move, many enough for the call to cost nothing.
STEPS_PER_CALL = 200

TrainStep = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def shuffled_batches(num_images: int, batch_size: int, num_steps: int, seed: int) -> np.ndarray:
    """Say which images each step sees, in a random order that is new each epoch.

    An epoch ends when too few images are left for a whole minibatch; the rest is left out, a
    different rest each time. Returns int32, shape (``num_steps``, ``batch_size``): positions in
    the training set. Raises ValueError if that has fewer images than a batch, or a number is
    below 1 (``seed``: below 0).
    """
    if not 1 <= batch_size <= num_images:
        raise ValueError(f"batch_size is {batch_size:,}; it may be 1 to {num_images:,} images.")
    rng = np.random.default_rng(seed)
    steps_per_epoch = num_images // batch_size
    num_epochs = -(-num_steps // steps_per_epoch)  # rounded up
    epochs = [
        rng.permutation(num_images)[: steps_per_epoch * batch_size] for _ in range(num_epochs)
    ]
    return np.concatenate(epochs).reshape(-1, batch_size)[:num_steps].astype(np.int32)


def ink(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Turn bytes, 0 to 255, into float32 from 0.0 to 1.0; floating-point images stay as they are.

    Bytes take a quarter of the memory, so the loop holds all images as bytes and turns one
    minibatch at a time into numbers. They are the bits of ``Split.images``: compiled, a plain
    division by 255 becomes a product with 1/255, which rounds differently; this one does not.
    Raises ValueError if ``images`` are neither.

    >>> ink(np.array([0, 51, 255], np.uint8)).numpy()
    array([0. , 0.2, 1. ], dtype=float32)
    """
    kind = tf.as_dtype(images.dtype)
    if kind == tf.uint8:
        return tf.math.divide_no_nan(tf.cast(images, tf.float32), 255.0)
    if not kind.is_floating:
        raise ValueError(f"images are {kind.name}; they may be uint8, 0 to 255, or float32.")
    return tf.convert_to_tensor(images)


def compile_steps(train_step: TrainStep) -> Callable:
    """Compile a loop of training steps into one call.

    ``train_step`` takes a minibatch of images and labels, updates the weights, and returns the
    loss (a scalar) and the logits (batch_size, 10). What is returned, ``run_steps(images, labels,
    batches)``, gives the losses and accuracies, in percent, of a step for each row of ``batches``.
    """

    @tf.function(reduce_retracing=True)
    def run_steps(images, labels, batches):
        num_steps = tf.shape(batches)[0]
        losses = tf.TensorArray(tf.float32, num_steps)
        accuracies = tf.TensorArray(tf.float32, num_steps)
        for step in tf.range(num_steps):
            batch_images = ink(tf.gather(images, batches[step]))
            batch_labels = tf.gather(labels, batches[step])
            loss, logits = train_step(batch_images, batch_labels)
            right = tf.equal(tf.argmax(logits, 1), tf.argmax(batch_labels, 1))
            losses = losses.write(step, loss)
            accuracies = accuracies.write(step, 100 * tf.reduce_mean(tf.cast(right, tf.float32)))
        return losses.stack(), accuracies.stack()

    return run_steps


def train(
    train_step: TrainStep,
    images: np.ndarray,
    labels: np.ndarray,
    batches: np.ndarray,
    *,
    evaluate: Callable[[], float] | None = None,
    evaluate_every: int = 500,
    log_dir: str = "",
) -> Curve:
    """Run a training step, as for `compile_steps`, for each row of ``batches``, and watch.

    Args:
        images: Shaped as ``train_step`` wants them, float32, or bytes, of which it gets the `ink`.
        labels: float32, shape (N, 10), one-hot.
        batches: int32, shape (num_steps, batch_size), as from `shuffled_batches`.
        evaluate: Returns the validation accuracy in percent. Called after step 0, after every
            ``evaluate_every`` steps, and after the last step.
        log_dir: Where to write TensorBoard summaries, if anywhere: the graph and the minibatch's
            loss and accuracy under ``train``, the validation accuracy under ``validation``.
    Raises ValueError if there are no steps, FloatingPointError if the loss is no longer a number,
    and MemoryError if a batch is too large for the memory of the device.
    """
    if len(batches) == 0:
        raise ValueError(f"batches has shape {batches.shape}; expected a row for each step.")
    images, labels = tf.convert_to_tensor(images), tf.convert_to_tensor(labels)
    any_batches = tf.TensorSpec([None, batches.shape[1]], tf.int32)
    run_steps = compile_steps(train_step).get_concrete_function(images, labels, any_batches)
    summaries = _Summaries(log_dir, run_steps.graph) if log_dir else None

    num_steps = len(batches)
    curve = Curve(np.empty(num_steps, np.float32), np.empty(num_steps, np.float32))
    with progress_bar(num_steps, "training", unit="step") as progress:
        for start, stop in _calls(num_steps, evaluate_every):
            began = time.perf_counter()
            try:
                losses, accuracies = run_steps(images, labels, tf.constant(batches[start:stop]))
            except tf.errors.ResourceExhaustedError as error:
                raise MemoryError(
                    f"A step on {batches.shape[1]:,} images does not fit into the memory. "
                    "Try a smaller batch_size."
                ) from error
            curve.loss[start:stop] = losses.numpy()  # waits for the device to finish
            curve.minibatch_accuracy[start:stop] = accuracies.numpy()
            curve.seconds += time.perf_counter() - began
            last = stop - 1
            lost = ~np.isfinite(curve.loss[start:stop])
            if lost.any():
                step = start + int(lost.argmax())
                raise FloatingPointError(
                    f"The loss at step {step:,} is {curve.loss[step]}; the weights are lost. "
                    "Try a smaller learning_rate."
                )
            if evaluate and (last % evaluate_every == 0 or stop == num_steps):
                curve.validation_steps.append(last)
                curve.validation_accuracy.append(evaluate())
            if summaries:
                summaries.write(curve, start, stop)
            progress.update(stop - start)
            progress.set_postfix(loss=f"{curve.loss[last]:.3f}", refresh=False)
    return curve


def predict(
    model: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray, batch_size: int = 250
) -> np.ndarray:
    """Apply a model to N images, ``batch_size`` at a time, to spare the memory.

    With 250 at a time a run of chapter 6 takes 1.0 GB at most, with 1,000 it took 1.3, and the
    same bits come out; on two cores its network reads them in 1.1 times the time.

    Of bytes it gets the `ink`. Returns the logits, float32, shape (N, 10). Raises ValueError if
    there are no images, or ``batch_size`` is below 1.
    """
    if len(images) == 0 or batch_size < 1:
        raise ValueError(
            f"images are {len(images)}, batch_size is {batch_size}; expected 1 or more."
        )
    batches = (images[start : start + batch_size] for start in range(0, len(images), batch_size))
    return np.concatenate([np.asarray(model(ink(batch))) for batch in batches])


def random_mask(shape: tf.Tensor | list[int], keep_prob: float) -> tf.Tensor:
    """Draw an array of True with probability ``keep_prob``, above 0 and at most 1, else False.

    It does what ``tf.random.uniform(shape) < keep_prob`` does, from a byte for each entry instead
    of a 32-bit number. On two cores, a training step of chapter 4's network with masks on all
    weights took 1.4 times as long as one without masks, and 1.9 times with 32-bit numbers.

    A byte cannot say 0.8: it is below 204 or below 205 of 256 equally likely values. So the
    threshold is drawn, too, once per mask, and is right on average. The draws follow from
    `set_seed`. Raises ValueError if ``keep_prob`` is out of its range.
    """
    if not 0 < keep_prob <= 1:
        raise ValueError(f"keep_prob is {keep_prob}; it may be above 0 and up to 1.")
    int32 = tf.int32
    size = tf.reduce_prod(tf.cast(shape, int32))
    words = tf.random.uniform([(size + 3) // 4], int32.min, int32.max, dtype=int32)
    bytes_ = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size]
    threshold = tf.cast(256 * keep_prob + tf.random.uniform([]), int32)  # rounds down
    largest = tf.cast(tf.clip_by_value(threshold - 1, 0, 255), tf.uint8)
    return tf.reshape(bytes_ <= largest, shape)


def _calls(num_steps: int, evaluate_every: int) -> list[tuple[int, int]]:
    """Cut the steps into calls that end where the validation accuracy is due."""
    due = range(1, num_steps, evaluate_every)
    stops = sorted({*due, *range(STEPS_PER_CALL, num_steps, STEPS_PER_CALL), num_steps})
    return list(zip([0, *stops[:-1]], stops, strict=True))


class _Summaries:
    """TensorBoard's event files, written while training."""

    def __init__(self, log_dir: str, graph: tf.Graph):
        folder = user_path(log_dir)
        self.train = tf.summary.create_file_writer(str(folder / "train"))
        self.validation = tf.summary.create_file_writer(str(folder / "validation"))
        with self.train.as_default():
            tf.summary.graph(graph)

    def write(self, curve: Curve, start: int, stop: int) -> None:
        """Write what steps ``start`` to ``stop`` have measured."""
        with self.train.as_default():
            for step in range(start, stop):
                tf.summary.scalar("loss", curve.loss[step], step)
                tf.summary.scalar("accuracy", curve.minibatch_accuracy[step], step)
        if stop - 1 in curve.validation_steps:
            with self.validation.as_default():
                tf.summary.scalar("accuracy", curve.validation_accuracy[-1], stop - 1)
        self.train.flush()
        self.validation.flush()
