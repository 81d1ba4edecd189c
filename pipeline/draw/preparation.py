"""From a drawing to an image as MNIST's, and nudges of such an image.

`chapters/_static/draw/prepare.js` is the same in the reader's browser;
tests/site/test_draw.py holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

FIELD = 28  # pixels of an MNIST image, both ways
BOX = 20  # pixels that a digit in it fills at most
BOARD = 280  # pixels of the reader's drawing, both ways
FAINT = 0.1  # less ink than that is no part of the digit
CROSS = ndimage.generate_binary_structure(2, 1)[None]  # a pixel and its four neighbours


def prepare(
    ink: np.ndarray,
    *,
    scale: bool = True,
    smooth: bool = True,
    centre: str = "mass",
    invert: bool = True,
) -> np.ndarray:
    """A drawing as the networks get it.

    Args:
        ink: Shape (size, size), from 0 for paper to 1 for ink.
        scale, smooth, invert: Whether the digit is made to fit 20 × 20 pixels, whether a pixel
            that it half covers is half dark, and whether paper is 0.
        centre: What comes to the middle.
    Returns: float32, shape (28, 28).

    >>> corner = np.zeros((280, 280))
    >>> corner[:80, :40] = 1
    >>> image = prepare(corner)
    >>> ndimage.center_of_mass(image), image.sum().round()
    ((13.5, 13.5), np.float32(200.0))
    """
    rows, columns = np.nonzero(ink >= FAINT)
    if not len(rows):
        return np.full((FIELD, FIELD), 0 if invert else 1, np.float32)
    places = np.stack([rows, columns])
    low, high = places.min(axis=1), places.max(axis=1) + 1
    middle = {
        "box": (low + high) / 2,
        "mass": np.average(places + 0.5, axis=1, weights=ink[rows, columns]),
    }
    side = max(high - low) / BOX if scale else len(ink) / FIELD  # of the square behind one pixel
    if centre == "none":
        taken, to = middle["box"], middle["box"] * FIELD / len(ink)  # where it was drawn
    else:
        taken, to = middle[centre], FIELD / 2
    look = _shares if smooth else _middles
    down, across = (look(len(ink), start, side) for start in taken - to * side)
    image = down @ ink @ across.T
    if not smooth:
        image = image >= 0.5
    return np.float32(image if invert else 1 - image)


def _shares(size: int, start: float, side: float) -> np.ndarray:
    """Of 28 squares in a row, the share that each pixel of the drawing has in their length."""
    pixel = np.arange(size)
    low = start + side * np.arange(FIELD)[:, None]
    return np.clip(np.minimum(low + side, pixel + 1) - np.maximum(low, pixel), 0, None) / side


def _middles(size: int, start: float, side: float) -> np.ndarray:
    """Of 28 squares in a row, the pixel in the middle of each."""
    middle = np.floor(start + side * (np.arange(FIELD)[:, None] + 0.5))
    return (middle == np.arange(size)).astype(float)


def nudge(
    images: np.ndarray, right: float = 0, down: float = 0, turn: float = 0, stroke: float = 0
) -> np.ndarray:
    """Images, shape (N, 28, 28), moved (pixels), turned clockwise (degrees) and thickened.

    ``stroke`` goes from -1, each pixel as light as its lightest neighbour, to 1, as dark as its
    darkest. Paper comes in from outside.
    """
    angle = np.radians(turn)
    back = np.eye(3)
    back[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = np.array([0, (FIELD - 1) / 2, (FIELD - 1) / 2])
    offset = middle - back @ (middle + np.array([0, down, right]))
    moved = ndimage.affine_transform(images, back, offset, order=1, mode="grid-constant")
    if stroke == 0:
        return moved
    extreme = ndimage.maximum_filter if stroke > 0 else ndimage.minimum_filter
    most = extreme(moved, footprint=CROSS, mode="constant")
    return moved + np.float32(abs(stroke)) * (most - moved)


def scatter(image: np.ndarray, random: Callable[[], float]) -> np.ndarray:
    """A digit as if somebody had drawn it: anywhere on the board and of any size.

    Args:
        image: Shape (28, 28), with some ink in it.
        random: Gives a number from 0 to 1 each time: for the size, and for the place across and
            down.
    Returns: Shape (280, 280).
    """
    places = np.argwhere(image >= FAINT)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    zoom = BOARD * (0.3 + 0.5 * random()) / max(high - low)
    extent = (high - low) * zoom
    middle = extent / 2 + np.array([random(), random()])[::-1] * (BOARD - extent)
    offset = (low + high) / 2 - 0.5 + (0.5 - middle) / zoom
    return ndimage.affine_transform(
        image, [1 / zoom, 1 / zoom], offset, (BOARD, BOARD), order=1, mode="grid-constant"
    )
