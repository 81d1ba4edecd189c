"""How good is a model, how sure are we, and is another one better? (Chapters 1, 2 and 4)

Arrays of other shapes than is said, NaN, and numbers out of range raise ValueError, which names
the argument. What is infinite counts as NaN does, but for logits.
"""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import stats


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Percent of rows, 0.0 to 100.0, in which the largest prediction is at the label.

    ``predictions`` are logits or probabilities, ``labels`` one-hot, both of shape (N, K), N and K
    at least 1. ``argmax`` would take NaN for the largest: there may be none.

    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[1, 0], [0, 1]]))
    50.0
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape or predictions.ndim != 2 or predictions.size == 0:
        raise ValueError(
            f"predictions has shape {predictions.shape} and labels {labels.shape}; "
            "expected the same (N, K) of both: N images, K classes."
        )
    for name, array in (("predictions", predictions), ("labels", labels)):
        if np.isnan(array).any():
            raise ValueError(f"{name} holds NaN; a model that gives NaN has no accuracy.")
    agree = np.argmax(predictions, 1) == np.argmax(labels, 1)
    return float(100.0 * np.sum(agree) / predictions.shape[0])


def mixed_up(predictions: np.ndarray, classes: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """How often each pair of classes is mixed up, both ways counted, by the names of the pair.

    ``predictions`` and ``classes``, the true ones, are integers, shape (N,).

    >>> mixed_up(np.array([1, 0, 2, 2]), np.array([0, 1, 2, 0]), names="abc")
    {'a and b': 2, 'a and c': 1, 'b and c': 0}
    """
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (classes, predictions), 1)
    return {
        f"{names[one]} and {names[other]}": int(counts[one, other] + counts[other, one])
        for one, other in combinations(range(len(names)), 2)
    }


def accuracy_interval(percent: float, size: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval, in percent, that an accuracy measured on ``size`` images leaves open.

    Another test set of the same size would have given another accuracy. The score interval of
    Wilson (1927) covers the true one with probability ``confidence``. It does not cover what
    another seed would have changed: see chapter 5. ``percent`` may be a mean of runs, and so no
    whole number of images.

    >>> np.round(accuracy_interval(98.0, 9_000), 1)
    array([97.7, 98.3])
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent!r}; it may be 0 to 100.")
    if not 1 <= size <= 1e15:
        raise ValueError(f"size is {size!r}; it may be 1 or more, up to 1e15.")
    z = _deviations(confidence)
    share = percent / 100
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * math.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2)
    return max(0.0, 100 * (centre - half)), min(100.0, 100 * (centre + half))


def spread_of_images(right: np.ndarray) -> float:
    """The spread over seeds, in points, that runs would show if all were equally good.

    On a finite set of images, runs of equal merit still differ: each misreads other images. The
    set's part of the variance over seeds is the square of this, divided by that variance (a side
    trip of chapter 5 has the formula; Jordan, 2024, the same decomposition). ``right`` says where
    each run of a system reads an image rightly: R runs, N images, (R, N), both at least 2.
    """
    right = np.asarray(right, dtype=float)
    if right.ndim != 2 or min(right.shape) < 2:
        raise ValueError(f"right has shape {right.shape}; expected two runs and images or more.")
    runs, images = right.shape
    rest = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
    variance = np.sum(rest**2) / ((runs - 1) * (images - 1))
    return float(100 * math.sqrt(variance / images))


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The mean of several runs, one value for each seed, and the half-width of Student's interval.

    >>> np.round(mean_interval([92.0, 93.0, 94.0]), 2)
    array([93.  ,  2.48])
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values has shape {values.shape}; expected two runs or more.")
    if not np.isfinite(values).all():
        raise ValueError("values holds NaN or infinity; every run must have a number.")
    scale = _deviations(confidence, stats.t(len(values) - 1))
    return float(values.mean()), float(scale * stats.sem(values))


def standard_error(values: np.ndarray, writers: np.ndarray | None = None) -> float:
    """By how much other images would move the mean of one value for each image: one deviation.

    Images by one hand resemble each other: where it is known who wrote each, the writers are the
    independent draws, and not the images (Liang and Zeger, 1986). There must be two or more.
    ``values`` say whether each image is read rightly, or are a difference of two models;
    ``writers`` who wrote each, by default somebody else; both have the shape (N,).

    >>> right, writers = [1, 1, 1, 0, 0, 0], [1, 1, 1, 2, 2, 2]
    >>> round(standard_error(right), 2), round(standard_error(right, writers), 2)
    (0.22, 0.5)
    """
    values = np.asarray(values, dtype=float)
    writers = np.arange(values.size) if writers is None else np.asarray(writers)
    if values.ndim != 1 or values.shape != writers.shape:
        raise ValueError(
            f"values has shape {values.shape} and writers {writers.shape}; "
            f"expected one of each for every image, (N,)."
        )
    if not np.isfinite(values).all():
        raise ValueError("values holds NaN or infinity; every image must have a number.")
    names, writer = np.unique(writers, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"there is {len(names)} writer; the scatter of one cannot be known.")
    surplus = np.bincount(writer, values - values.mean())  # each writer's, above the mean
    return float(np.sqrt(len(names) / (len(names) - 1) * np.sum(surplus**2)) / len(values))


def paired_difference(
    ours: np.ndarray,
    theirs: np.ndarray,
    writers: np.ndarray | None = None,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """How far one model is ahead of another on the same images, in points; half its interval.

    The images that both read rightly, or both wrongly, cancel. What is left is the luck of the
    images alone: other seeds would move the difference, too. ``ours`` and ``theirs`` say where
    each model is right, shape (N,), or (R, N) with a row for each seed; ``writers`` who wrote each
    image, shape (N,).

    >>> np.round(paired_difference(np.ones(1_000), np.arange(1_000) >= 20), 2)
    array([2.  , 0.87])
    """
    z = _deviations(confidence)
    ours, theirs = (np.atleast_2d(np.asarray(right, dtype=float)) for right in (ours, theirs))
    if ours.ndim != 2 or ours.shape[1] != theirs.shape[-1]:
        raise ValueError(
            f"ours has shape {ours.shape} and theirs {theirs.shape}; "
            f"the images, in the last place, must be the same."
        )
    differences = 100 * (ours.mean(axis=0) - theirs.mean(axis=0))  # (N,)
    return float(differences.mean()), z * standard_error(differences, writers)


def _deviations(confidence: float, distribution: stats.rv_continuous = stats.norm) -> float:
    """How many standard deviations the interval reaches to either side."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it may be between 0 and 1, such as 0.95.")
    return float(distribution.ppf((1 + confidence) / 2))
