"""The four pieces of work that `make bench` times, and what arithmetic they need.

Read by the side of TensorFlow and by the side of PyTorch, so that both do the same.
"""

from __future__ import annotations

from dataclasses import dataclass

NUM_STEPS = 1_000
WAYS = {
    "ours": "this book's loop",
    "tensors": "PyTorch, tensors",
    "loader": "PyTorch, `DataLoader`",
    "keras": "Keras `fit`",
}


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
        """Floating-point operations of all steps: a product and a sum each."""
        return 2 * self.multiply_adds * self.batch_size * NUM_STEPS


def dense(inputs: int, outputs: int, *, first: bool = False) -> int:
    """Multiply-adds of a fully connected layer, forward and backward, for one image.

    Forward, and again for the gradient of the weights, and again for that of
    the inputs, which the first layer of a network does not need.
    """
    return inputs * outputs * (2 if first else 3)


def convolution(places: int, channels: int, filters: int, *, first: bool = False) -> int:
    """The same for a convolution with kernels of 5 × 5."""
    return places * 25 * channels * filters * (2 if first else 3)


_MLP = dense(784, 1024, first=True) + dense(1024, 10)
_SIMPLE_CNN = (
    convolution(14 * 14, 1, 16, first=True)
    + convolution(7 * 7, 16, 16)
    + dense(7 * 7 * 16, 64)
    + dense(64, 10)
)
_DEEPER_CNN = (
    convolution(28 * 28, 1, 32, first=True)
    + convolution(14 * 14, 32, 64)
    + dense(7 * 7 * 64, 64)
    + dense(64, 10)
)

WORKS = {
    "mlp": Work("MLP (chapter 3)", 128, 0.5, 1.0, _MLP),
    "mlp_weight_dropout": Work("MLP, dropout on weights (4)", 128, 0.5, 0.8, _MLP),
    "simple_cnn": Work("simple CNN (5)", 16, 0.05, 1.0, _SIMPLE_CNN),
    "deeper_cnn": Work("deeper CNN (6)", 16, 0.0001, 0.5, _DEEPER_CNN),
}
