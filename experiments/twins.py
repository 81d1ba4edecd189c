"""Look for near twins: test images of Fashion-MNIST that nearly stand in the training set.

usage: python -m experiments.twins

Writes ``mnist_helpers/kept/experiments/twins.json``, which the page on clothes reads.
Chapter 1 compares bytes, and one pixel that is off by one hides a twin from that.
A minute on one core.
"""

from __future__ import annotations

import sys

import numpy as np

from mnist_helpers.data import load_data
from pipeline.command_line import command_line

NEAR = 8  # of 255: as far apart as a pixel of near twins may be


def near_twins(test: np.ndarray, train: np.ndarray, largest: int) -> list[tuple[int, int, int]]:
    """Pairs of images of which no pixel differs by more than ``largest``.

    Args:
        test, train: uint8, shapes (N, 28, 28) and (M, 28, 28).
        largest: Of 255.
    Returns: The place in ``test``, the place in ``train``, and the largest difference of a pixel.
    """
    coarse_test, coarse_train = coarse(test), coarse(train)
    reach = 49 * (largest + 1) ** 2  # a patch's mean differs by no more; 1 is for rounding
    lengths = np.sum(coarse_train**2, axis=1)
    found = []
    for start in range(0, len(test), 500):
        some = coarse_test[start : start + 500]
        squares = np.sum(some**2, axis=1)[:, None] + lengths - 2 * some @ coarse_train.T
        rows, columns = np.nonzero(squares <= reach)
        near = np.abs(some[rows] - coarse_train[columns]).max(axis=1) <= largest + 1
        for row, column in zip(rows[near] + start, columns[near], strict=True):
            apart = np.abs(test[row].astype(int) - train[column]).max()
            if apart <= largest:
                found.append((int(row), int(column), int(apart)))
    return found


def coarse(images: np.ndarray) -> np.ndarray:
    """The means of 7 × 7 patches, shape (N, 49): what a cheap look compares."""
    patches = images.reshape(-1, 7, 4, 7, 4)
    return patches.mean(axis=(2, 4), dtype=np.float32).reshape(-1, 49)


def main() -> None:
    # They start TensorFlow, which `near_twins` has no use for.
    from experiments.going_further import provenance, write

    clothes = load_data("fashion_mnist", "official")
    if clothes.is_sample:
        sys.exit("This is the sample of MNIST: there is no Fashion-MNIST here.")
    published = np.concatenate([clothes.valid.pixels, clothes.train.pixels])  # (60000, 28, 28)
    twins = near_twins(clothes.test.pixels, published, NEAR)
    facts = provenance("twins", clothes, "CPU") | {"command": "python -m experiments.twins"}
    pairs = [dict(zip(("test", "train", "apart"), twin, strict=True)) for twin in twins]
    write("twins", facts | {"largest": NEAR, "pairs": pairs})
    print(len(pairs), "pairs")


if __name__ == "__main__":
    with command_line():
        main()
