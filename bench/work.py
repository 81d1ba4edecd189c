"""The four pieces of work that `make bench` times, and what arithmetic they need.

Read by the side of TensorFlow and by the side of PyTorch, so that both do the same.
"""

from __future__ import annotations

from dataclasses import dataclass

NUM_STEPS = 400
STEPS_PER_CALL = 200  # of Keras, tuned: as many as one call of our loop
WAYS = {
    "ours": "this book's loop",
    "keras": "Keras `fit`",
    "keras_tuned": "Keras `fit`, tuned",
    "loader": "PyTorch, `DataLoader`",
    "tensors": "PyTorch, tuned",
    "compiled": "PyTorch, tuned and compiled",
}


def found(times: list[float], loss: float) -> dict:
    """What a way answers, of three readings of a clock: before it, and after NUM_STEPS twice.

    ``step`` is in milliseconds, of the second time; ``start``, in seconds, is what the first took
    beyond the second: building, recording, compiling.
    """
    began, first, second = times
    steps = second - first
    return {"step": 1_000 * steps / NUM_STEPS, "start": first - began - steps, "loss": loss}


@dataclass(frozen=True)
class Work:
    """A network and how it is trained, at a chapter's settings."""

    title: str
    batch_size: int
    learning_rate: float
    keep_prob: float
    multiply_adds: int  # of one training step on one image

    @property
    def operations(self) -> int:
        """Floating-point operations of one training step: a product and a sum each."""
        return 2 * self.multiply_adds * self.batch_size


def dense(inputs: int, outputs: int, *, first: bool = False) -> int:
    """Multiply-adds of a fully connected layer, forward and backward, for one image.

    Forward, and again for the gradient of the weights, and again for that of the inputs, which the
    first layer of a network does not need.
    """
    return inputs * outputs * (2 if first else 3)


def inked(size: int, stride: int) -> int:
    """How often a kernel of 5 falls on a pixel, not on padding, along a side of ``size``.

    >>> inked(size=3, stride=1)  # 3 pixels under the kernel at each of 3 places
    9
    """
    places = -(-size // stride)
    before = max(0, (places - 1) * stride + 5 - size) // 2
    starts = (place * stride - before for place in range(places))
    return sum(min(start + 5, size) - max(start, 0) for start in starts)


def convolution(
    size: int, channels: int, filters: int, *, stride: int = 1, first: bool = False
) -> int:
    """The same for a convolution with kernels of 5 × 5 on maps of size × size.

    Products with the zeros of the padding are no work: a good library leaves them out.
    """
    return inked(size, stride) ** 2 * channels * filters * (2 if first else 3)


_MLP = dense(784, 1024, first=True) + dense(1024, 10)
_SIMPLE_CNN = (
    convolution(28, 1, 16, stride=2, first=True)
    + convolution(14, 16, 16, stride=2)
    + dense(7 * 7 * 16, 64)
    + dense(64, 10)
)
_DEEPER_CNN = (
    convolution(28, 1, 32, first=True)
    + convolution(14, 32, 64)
    + dense(7 * 7 * 64, 64)
    + dense(64, 10)
)

WORKS = {
    "mlp": Work("MLP (chapter 3)", 128, 0.5, 1.0, _MLP),
    "mlp_weight_dropout": Work("MLP, dropout on weights (4)", 128, 0.5, 0.8, _MLP),
    "simple_cnn": Work("simple CNN (5)", 16, 0.05, 1.0, _SIMPLE_CNN),
    "deeper_cnn": Work("deeper CNN (6)", 16, 0.0001, 0.5, _DEEPER_CNN),
}
