"""MNIST as arrays, split for training, validation and test, and who wrote it (chapters 1, 2)."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mnist_helpers.files import user_path
from mnist_helpers.idx import parse_idx
from mnist_helpers.sources import PUBLICATIONS, Delivery, deliver

IMAGE_SIZE = 28  # pixels, both ways
NUM_CHANNELS = 1  # grey
NUM_LABELS = 10
WRITERS = Path(__file__).with_name("test_writers.txt")

SPLITS = ("original", "official")
HELD_OUT_FRACTION = 1 / 12  # of the 60,000 training images the original left 5,000 out
VALIDATION_FRACTION = 0.1  # of the 10,000 test images


class SampleDataWarning(UserWarning):
    """The full data set could not be had; 5,000 digits stand in for it."""


@dataclass(frozen=True)
class Split:
    """Images with their labels; ``images`` and ``labels`` are made when first asked for.

    A part of it, ``split[:1000]`` or ``split[positions]``, is a split, too.
    """

    pixels: np.ndarray  # uint8, shape (N, 28, 28), 0 (paper) to 255 (ink), as published
    classes: np.ndarray  # uint8, shape (N,), the digit that each image shows

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, which: slice | np.ndarray | list[int]) -> "Split":
        return Split(self.pixels[which], self.classes[which])

    @property
    def flat(self) -> np.ndarray:
        """uint8, shape (N, 784): ``pixels``, row after row. A view."""
        return self.pixels.reshape(len(self), -1)

    @cached_property
    def images(self) -> np.ndarray:
        """float32, shape (N, 784): ink from 0.0 to 1.0, row after row."""
        return np.divide(self.flat, 255, dtype=np.float32)  # no second copy of up to 172 MB

    @cached_property
    def labels(self) -> np.ndarray:
        """float32, shape (N, 10): one-hot, 1.0 at the image's class."""
        return one_hot(self.classes)


@dataclass(frozen=True)
class Mnist:
    """A data set in three splits, and where it came from."""

    train: Split  # to learn from
    valid: Split  # to choose on
    test: Split  # to report on
    data_set: str  # "mnist", "fashion_mnist" or "sample"
    split: str  # "original" or "official"
    class_names: tuple[str, ...]
    source: str  # who delivered the files
    sha256: str  # one checksum for the four files
    is_sample: bool  # whether it is the 5,000-digit sample, asked for or standing in for MNIST
    answers: tuple[str, ...]  # what each source said when it was asked

    def __str__(self) -> str:
        name = "mnist, 5,000-digit SAMPLE" if self.is_sample else self.data_set
        return (
            f"{name} ({self.split} split): {len(self.train):,} training, "
            f"{len(self.valid):,} validation, {len(self.test):,} test images"
        )


def load_data(
    data_set: str = "mnist", split: str = "original", cache: str | Path | None = None
) -> Mnist:
    """Load a data set, fetching and checking it where need be, as `sources.deliver` does.

    If no source has the full MNIST, the 5,000-digit sample stands in, and a warning says so.

    Args:
        data_set: "mnist" (LeCun, Bottou, Bengio and Haffner, 1998), "fashion_mnist" (Xiao, Rasul
            and Vollgraf, 2017) or "sample", the 5,000 digits of MNIST that ship with this book.
        split: "original", that of the notebook that this book rebuilds: 55,000 training images,
            without the first 5,000; of the test images the first 1,000 for validation, 9,000 for
            test. "official" validates on the 5,000 that were held out and tests on all 10,000.
        cache: The folder to keep the files in, by default `sources.cache_folder`.
    Raises ValueError if ``data_set`` or ``split`` is none of the above, and DataUnavailable if no
    source has Fashion-MNIST, of which there is no sample.

    >>> mnist = load_data()
    >>> mnist.train.images.shape, mnist.train.labels.shape
    ((55000, 784), (55000, 10))
    """
    for name, value, known in (("data_set", data_set, PUBLICATIONS), ("split", split, SPLITS)):
        if value not in tuple(known):
            raise ValueError(f"{name} is {value!r}; it may be {' or '.join(map(repr, known))}.")
    delivery = deliver(PUBLICATIONS[data_set], None if cache is None else user_path(cache))
    is_sample = delivery.source == "sample"
    if is_sample and data_set != "sample":
        remark = "THE FULL MNIST COULD NOT BE HAD. A sample of 5,000 digits stands in for it: no "
        remark += "figure made from it is MNIST's. What each source answered:"
        warnings.warn("\n- ".join([remark, *delivery.answers]), SampleDataWarning, stacklevel=2)
    return Mnist(
        *_divide(delivery, split),
        data_set=data_set,
        split=split,
        class_names=tuple(delivery.publication.class_names),
        source=delivery.source,
        sha256=delivery.publication.sha256,
        is_sample=is_sample,
        answers=tuple(delivery.answers),
    )


def _divide(delivery: Delivery, split: str) -> tuple[Split, Split, Split]:
    """Cut the published training and test files into the three splits: views, no copies."""
    pixels, classes, test_pixels, test_classes = (
        parse_idx(content, file.name)
        for content, file in zip(delivery.contents, delivery.publication.files, strict=True)
    )
    train, test = Split(pixels, classes), Split(test_pixels, test_classes)
    held_out = round(len(train) * HELD_OUT_FRACTION)
    if split == "official":
        return train[held_out:], train[:held_out], test
    split_point = int(len(test) * VALIDATION_FRACTION)
    return train[held_out:], test[:split_point], test[split_point:]


def one_hot(classes: np.ndarray, num_labels: int = NUM_LABELS) -> np.ndarray:
    """Turn classes, integers of shape (N,), into one-hot rows: float32, (N, ``num_labels``).

    Raises IndexError if a class is ``num_labels`` or more, or not an integer.

    >>> one_hot(np.array([2, 0]), num_labels=3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return np.eye(num_labels, dtype=np.float32)[classes]


def reformat(dataset: np.ndarray) -> np.ndarray:
    """Give images of 784 pixels, such as (N, 784) or (N, 28, 28), the shape for a convolution.

    Returns float32, shape (N, 28, 28, 1): image, row, column, channel; a view of what is float32.
    Raises ValueError if ``dataset`` is empty, is not a stack of 28 × 28 images, or holds NaN.
    """
    dataset = np.asarray(dataset)
    pixels = IMAGE_SIZE * IMAGE_SIZE * NUM_CHANNELS
    if dataset.ndim < 2 or dataset.size == 0 or dataset[0].size != pixels:
        raise ValueError(
            f"dataset has shape {dataset.shape}; expected N images of {pixels} pixels, "
            f"such as (N, {pixels}) or (N, {IMAGE_SIZE}, {IMAGE_SIZE}), with N at least 1."
        )
    if np.issubdtype(dataset.dtype, np.inexact) and np.isnan(dataset).any():
        raise ValueError("dataset holds NaN; every pixel must be a number.")
    shape = (-1, IMAGE_SIZE, IMAGE_SIZE, NUM_CHANNELS)
    return dataset.reshape(shape).astype(np.float32, copy=False)


def published_writers(data: Mnist | None = None) -> np.ndarray | None:
    """Who wrote each of the published test images, those of the validation included.

    Returns NIST's numbers of the writers, int, shape (N,), in the published order, as Yadav and
    Bottou (2019) list them, "Cold case: the lost MNIST digits". None for Fashion-MNIST, which
    nobody wrote. Without ``data``, those of the full MNIST: 10,000 images by 297 people.
    """
    writers = np.loadtxt(WRITERS, dtype=int).ravel()  # (10000,)
    if data is not None and data.data_set == "fashion_mnist":
        return None
    every = 10 if data is not None and data.is_sample else 1  # the sample has every tenth
    return writers[::every]


def writers_of(data: Mnist) -> np.ndarray | None:
    """Who wrote each image of ``data.test``, as `published_writers` says it of all."""
    writers = published_writers(data)
    return None if writers is None else writers[-len(data.test) :]
