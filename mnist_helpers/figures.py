"""Figures in the house style: quiet axes, colours that everybody can tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib_inline.backend_inline import set_matplotlib_formats

from mnist_helpers.data import reformat
from mnist_helpers.surroundings import notebook_shell
from mnist_helpers.systems import comparable

if TYPE_CHECKING:
    from mnist_helpers.data import Mnist
    from mnist_helpers.training import Curve

# Okabe and Ito (2008): distinct with every common colour blindness. Yellow is
# left out, too pale on white. The dark page inverts lightness and keeps hues.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
GREY = "#707070"
SIGNED = "RdBu"  # of numbers around zero, such as weights: red is negative, blue positive
WIDTH = 7.0  # inches: the width of the text

STYLE = {
    "axes.axisbelow": True,  # the grid behind bars and points
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.figsize": (WIDTH, 3.2),
    "font.size": 10,
    "grid.color": "#DDDDDD",
    "image.cmap": "gray_r",  # ink on paper
    "legend.frameon": False,
    "svg.hashsalt": "mnist",  # the same figure, the same bytes
}


def use_house_style(data: Mnist | None = None) -> None:
    """Draw the figures that follow in the house style, on the page, and sharp at any size.

    Whatever style or backend the user's machine has, such as ``MPLBACKEND=Agg``, which shows
    nothing, or a dark ``matplotlibrc``. If ``data`` is the sample, each figure says so:
    `label_sample` becomes a hook of matplotlib's, which calls it for every new one.
    """
    if shell := notebook_shell():
        shell.enable_matplotlib("inline")
    mpl.rcdefaults()
    plt.rcParams.update(STYLE)
    if data is not None and data.is_sample:
        plt.rcParams["figure.hooks"] = [f"{__name__}:{label_sample.__name__}"]
    if InteractiveShell.initialized():  # else it would start one, with a history in a file
        set_matplotlib_formats("svg", metadata={"Date": None})


def show_digits(
    images: np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 10,
    size: float = WIDTH / 10,
) -> Figure:
    """Draw images side by side, ink on paper.

    Args:
        images: Shape (N, 28, 28), (N, 784) or (N, 28, 28, 1); 0 is paper.
        titles: One for each image.
        columns: How many stand in a row.
        size: The width of one image, in inches.
    Raises ValueError if ``images`` are not what `reformat` takes, there is not a title for each,
        or ``columns`` is below 1.
    """
    images = reformat(images)[..., 0]
    if columns < 1:
        raise ValueError(f"columns is {columns}; it may be 1 or more.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles has {len(titles)} entries for {len(images)} images.")
    rows = -(-len(images) // columns)
    height = size * (1.0 if titles is None else 1.35)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size, rows * height), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for index, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image)
        if titles is not None:
            ax.set_title(titles[index], fontsize=8)
    return figure


def plot_training(curves: Mapping[str, Curve], smooth: int = 50) -> Figure:
    """Draw the loss, left, and the validation accuracy, right, of runs by their names.

    The loss is drawn as a mean over ``smooth`` steps. Raises ValueError if a run has no steps, or
    ``smooth`` is below 1.
    """
    if smooth < 1:
        raise ValueError(f"smooth is {smooth}; it may be 1 step or more.")
    for name, curve in curves.items():
        if len(curve.loss) == 0:
            raise ValueError(f"{name} has no steps; there is nothing to draw.")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    for index, (name, curve) in enumerate(curves.items()):
        line = line_style(index)
        window = min(smooth, len(curve.loss))
        mean = np.convolve(curve.loss, np.ones(window) / window, mode="valid")
        left.plot(np.arange(window - 1, len(curve.loss)), mean, label=name, **line)
        right.plot(
            curve.validation_steps, curve.validation_accuracy, marker="o", ms=3, label=name, **line
        )
    left.set(xlabel="step", ylabel=f"minibatch loss (nats),\nmean of {smooth} steps", yscale="log")
    right.set(xlabel="step", ylabel="validation accuracy (%)")
    if len(curves) > 1:
        right.legend()
    return figure


def plot_confusion(predictions: np.ndarray, classes: np.ndarray, data: Mnist) -> Figure:
    """Draw how often each class (a row) is taken for each other one.

    The diagonal, what is right, is left empty, so that the mistakes can be seen. ``predictions``
    and ``classes`` are integers, shape (N,). Raises ValueError if the two are not as many, or
    ``predictions`` is not of classes.
    """
    predictions, classes = np.asarray(predictions), np.asarray(classes)
    of_classes = np.issubdtype(predictions.dtype, np.integer) and np.isin(predictions, range(10))
    if predictions.shape != classes.shape or not np.all(of_classes):
        raise ValueError(
            f"predictions has shape {predictions.shape} and dtype {predictions.dtype}; "
            f"expected a class, 0 to 9, for each of {len(classes)} images."
        )
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (classes, predictions), 1)
    np.fill_diagonal(counts, 0)
    figure, ax = plt.subplots(figsize=(4.6, 4.2))
    ax.imshow(counts, cmap="Blues")
    dark = counts.max() / 2
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if count > dark else "black"
            ax.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    ax.set(xlabel="predicted class", ylabel="true class")
    ax.set_xticks(range(10), data.class_names, rotation=90 * (data.data_set == "fashion_mnist"))
    ax.set_yticks(range(10), data.class_names)
    ax.grid(False)
    return figure


def line_style(index: int) -> dict[str, object]:
    """A colour and a dash pattern: lines differ in both, for whoever sees one alone."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
    }


def label_sample(figure: Figure) -> None:
    """Write across the top of a figure that it was made from the sample."""
    figure.suptitle("5,000-digit sample, not MNIST", color="#D55E00", fontweight="bold")


def show_no_label(figure: Figure) -> None:
    """Take the sample's label off a figure of something else, such as a formula, or kept runs."""
    if figure.get_suptitle():
        figure.suptitle("").set_in_layout(False)


def mark_original(ax: Axes, percent: float, data: Mnist, side: str = "right") -> None:
    """Draw the original's figure as a line, where it may be compared with ours.

    ``side`` is where its label stands: "right" or "left", away from what else is drawn.
    """
    if comparable(data):
        ax.axhline(percent, color=GREY, linestyle=":", linewidth=1.2)
        ax.annotate(
            f"original: {percent} %",
            ({"left": 0, "right": 1}[side], percent),
            xycoords=("axes fraction", "data"),
            ha=side,
            va="bottom",
            color=GREY,
            fontsize=8,
        )
