"""Who wrote the test images of MNIST (chapters 1 and 2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_helpers.data import Mnist

LIST = Path(__file__).parent / "test_writers.txt"
FIRST_STUDENT = 2_100  # NIST's numbers below are members of the Census staff


def published_writers(data: Mnist | None = None) -> np.ndarray | None:
    """Who wrote each of the published test images, those of the validation included.

    Returns NIST's numbers of the writers, int, shape (N,), in the published order, as Yadav and
    Bottou (2019) list them, "Cold case: the lost MNIST digits". None for Fashion-MNIST, which
    nobody wrote. Without ``data``, those of MNIST as it was published.

    >>> writers = published_writers()
    >>> f"{len(writers):,} images by {len(np.unique(writers))} people"
    '10,000 images by 297 people'
    """
    writers = np.loadtxt(LIST, dtype=int).ravel()  # (10000,)
    if data is None:
        return writers
    if data.data_set == "fashion_mnist":
        return None
    return writers[::10] if data.is_sample else writers  # the sample has every tenth


def writers_of(data: Mnist) -> np.ndarray | None:
    """Who wrote each image of ``data.test``, as `published_writers` says it of all."""
    writers = published_writers(data)
    return None if writers is None else writers[-len(data.test) :]
