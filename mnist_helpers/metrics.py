"""How good is a model, how sure are we, and is another one better? (Chapters 1, 2 and 4)"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy import stats


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Percent of rows in which the largest prediction is at the label.

    Parameters
    ----------
    predictions : numpy.ndarray
        Logits or probabilities, shape (N, K).
    labels : numpy.ndarray
        One-hot, shape (N, K).

    Returns
    -------
    float
        From 0.0 to 100.0.

    Raises
    ------
    ValueError
        If the shapes differ, are not (N, K) with N and K at least 1, or a
        value is NaN: ``argmax`` would take NaN for the largest.

    Examples
    --------
    >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[1, 0], [0, 1]]))
    50.0
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    for name, array in (("predictions", predictions), ("labels", labels)):
        if array.ndim != 2 or array.size == 0:
            raise ValueError(
                f"{name} has shape {array.shape}; expected (N, K): N images, K classes."
            )
        if np.isnan(array).any():
            raise ValueError(f"{name} holds NaN; a model that gives NaN has no accuracy.")
    if predictions.shape != labels.shape:
        raise ValueError(
            f"predictions has shape {predictions.shape} and labels {labels.shape}; "
            f"they must be the same."
        )
    agree = np.argmax(predictions, 1) == np.argmax(labels, 1)
    return float(100.0 * np.sum(agree) / predictions.shape[0])


def mixed_up(predictions: np.ndarray, classes: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """How often each pair of classes is mixed up, both ways counted.

    Parameters
    ----------
    predictions, classes : numpy.ndarray
        Integers, shape (N,): the class predicted, and the true one.
    names : sequence of str
        What the classes are called.

    Returns
    -------
    dict
        From the names of a pair to the number of its images, every pair once.

    Examples
    --------
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
    """The interval that an accuracy measured on ``size`` images leaves open.

    Another test set of the same size would have given another accuracy. The
    Wilson score interval covers the true one with probability ``confidence``.
    It does not cover what another seed would have changed: see chapter 5.

    Parameters
    ----------
    percent : float
        The measured accuracy, 0 to 100; a mean of runs need not be a whole number of images.
    size : int
        The number of images it was measured on.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper bound, in percent.

    Raises
    ------
    ValueError
        If one of the three is out of its range; it is named.

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical
    inference".

    Examples
    --------
    >>> low, high = accuracy_interval(98.0, 9_000)
    >>> round(low, 1), round(high, 1)
    (97.7, 98.3)
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent!r}; it may be 0 to 100.")
    if not 1 <= size <= 1e15:
        raise ValueError(f"size is {size!r}; it may be 1 or more, up to 1e15.")
    _check_confidence(confidence)
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share = percent / 100
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * math.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2)
    return max(0.0, 100 * (centre - half)), min(100.0, 100 * (centre + half))


def spread_of_images(right: np.ndarray) -> float:
    """The spread over seeds that runs would show if all were equally good.

    On a finite set of images, runs of equal merit still differ: each misreads
    other images. The set's part of the variance over seeds is the square of
    this, divided by that variance (chapter 5 has the formula).

    Parameters
    ----------
    right : numpy.ndarray
        True where a run reads an image rightly, shape (R, N): R runs of one
        system, at least two, on the same N images, at least two.

    Returns
    -------
    float
        A standard deviation, in points.

    Raises
    ------
    ValueError
        If there are fewer than two runs or images.

    References
    ----------
    Jordan (2024), "On the variance of neural network training with respect to
    test sets and distributions", has the same decomposition.

    Examples
    --------
    >>> right = np.random.default_rng(0).random((20, 10_000)) < 0.9  # all equally good
    >>> scatter = 100 * right.mean(axis=1).std(ddof=1)
    >>> print(f"{spread_of_images(right):.1f} {scatter:.1f}")
    0.3 0.3
    """
    right = np.asarray(right, dtype=float)
    if right.ndim != 2 or min(right.shape) < 2:
        raise ValueError(f"right has shape {right.shape}; expected two runs and images or more.")
    runs, images = right.shape
    rest = right - right.mean(axis=1, keepdims=True) - right.mean(axis=0) + right.mean()
    variance = np.sum(rest**2) / ((runs - 1) * (images - 1))
    return float(100 * math.sqrt(variance / images))


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The mean of several runs, and the half-width of its interval.

    Parameters
    ----------
    values : sequence of float
        One value for each seed; at least two.

    Returns
    -------
    tuple of float
        The mean, and what to add and subtract for the Student interval.

    Raises
    ------
    ValueError
        If there are fewer than two values, one is not a number or infinite, or
        ``confidence`` is out of its range.

    Examples
    --------
    >>> mean, half_width = mean_interval([92.0, 93.0, 94.0])
    >>> round(mean, 2), round(half_width, 2)
    (93.0, 2.48)
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values has shape {values.shape}; expected two runs or more.")
    if not np.isfinite(values).all():
        raise ValueError("values holds NaN or infinity; every run must have a number.")
    _check_confidence(confidence)
    half_width = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(half_width)


def standard_error(values: np.ndarray, writers: np.ndarray | None = None) -> float:
    """By how much other images would move the mean of one value for each image.

    Images by one hand resemble each other: where it is known who wrote each,
    the writers are the independent draws, and not the images.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (N,): whether each image is read rightly, or a difference of two models.
    writers : numpy.ndarray, optional
        Shape (N,): who wrote each image. By default each has a writer of its own.

    Returns
    -------
    float
        One standard deviation of the mean, in the unit of ``values``.

    Raises
    ------
    ValueError
        If the shapes differ or are not (N,), a value is NaN or infinite, or there are
        fewer than two writers.

    References
    ----------
    Liang and Zeger (1986), "Longitudinal data analysis using generalized linear models".

    Examples
    --------
    >>> right = np.array([1, 1, 1, 0, 0, 0])
    >>> round(standard_error(right), 2)
    0.22
    >>> round(standard_error(right, writers=np.array([1, 1, 1, 2, 2, 2])), 2)
    0.5
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
    """How far one model is ahead of another on the same images, with half of its interval.

    The images that both read rightly, or both wrongly, cancel. What is left is the luck of
    the images alone: other seeds would move the difference, too.

    Parameters
    ----------
    ours, theirs : numpy.ndarray
        Where each model is right, shape (N,); or where the runs of each are, one row for
        a seed, shape (R, N).
    writers : numpy.ndarray, optional
        Shape (N,): who wrote each image.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    tuple of float
        The difference of the accuracies, in points, and what to add and subtract.

    Raises
    ------
    ValueError
        If the two are not of the same images, or ``confidence`` is out of its range.

    Examples
    --------
    >>> ours, theirs = np.ones(1_000), np.ones(1_000)
    >>> theirs[:20] = 0
    >>> difference, half_width = paired_difference(ours, theirs)
    >>> round(difference, 2), round(half_width, 2)
    (2.0, 0.87)
    """
    _check_confidence(confidence)
    ours, theirs = (np.atleast_2d(np.asarray(right, dtype=float)) for right in (ours, theirs))
    if ours.ndim != 2 or ours.shape[1] != theirs.shape[-1]:
        raise ValueError(
            f"ours has shape {ours.shape} and theirs {theirs.shape}; "
            f"the images, in the last place, must be the same."
        )
    differences = 100 * (ours.mean(axis=0) - theirs.mean(axis=0))  # (N,)
    z = float(stats.norm.ppf((1 + confidence) / 2))
    return float(differences.mean()), z * standard_error(differences, writers)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}; it may be between 0 and 1, such as 0.95.")
