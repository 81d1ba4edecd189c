"""Figures in the house style: quiet axes, colours that everybody can tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from matplotlib_inline.backend_inline import set_matplotlib_formats

from mnist_helpers import notebook_shell
from mnist_helpers.data import Mnist, reformat
from mnist_helpers.records import Curve
from mnist_helpers.systems import comparable

HOUSE_STYLE = Path(__file__).with_name("house.mplstyle")
STYLE = dict(mpl.rc_params_from_file(HOUSE_STYLE, use_default_template=False))
COLOURS = STYLE["axes.prop_cycle"].by_key()["color"]
LINE_STYLES = ("-", "--", "-.", ":")
GREY = "#707070"
SIGNED = "RdBu"  # of numbers around zero, such as weights: red is negative, blue positive
WIDTH = STYLE["figure.figsize"][0]
SMOOTH = 50  # steps over whose mean a loss is drawn


def use_house_style(data: Mnist | None = None) -> None:
    """Draw the figures that follow in the house style, on the page, and sharp at any size.

    Whatever style or backend the user's machine has, such as ``MPLBACKEND=Agg``, which shows
    nothing. If ``data`` is the sample, `label_sample` becomes a hook of matplotlib's, which calls
    it for every new figure.
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
    images: np.ndarray, titles: Sequence[str] | None = None, columns: int = 10, size: float = 0.7
) -> plt.Figure:
    """Draw images side by side, ink on paper, ``columns`` in a row, each ``size`` inches wide.

    Raises ValueError if ``images`` are not what `reformat` takes, there is not a title for each,
    or ``columns`` is below 1.
    """
    images = reformat(images)[..., 0]
    if columns < 1:
        raise ValueError(f"columns is {columns}; it may be 1 or more.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles has {len(titles)} entries for {len(images)} images.")
    rows = -(-len(images) // columns)
    in_inches = columns * size, rows * (size * (1.0 if titles is None else 1.35))
    figure, axes = plt.subplots(rows, columns, figsize=in_inches, squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(images):
            ax.imshow(images[index])
            ax.set_title(titles[index] if titles is not None else "", fontsize=8)
    return figure


def plot_training(curves: Mapping[str, Curve]) -> plt.Figure:
    """Draw the loss, left, and the validation accuracy, right, of runs by their names.

    Raises ValueError if a run has no steps.
    """
    for name, curve in curves.items():
        if len(curve.loss) == 0:
            raise ValueError(f"{name} has no steps; there is nothing to draw.")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    for index, (name, curve) in enumerate(curves.items()):
        line = {"label": name, **line_style(index)}
        window = min(SMOOTH, len(curve.loss))
        mean = np.convolve(curve.loss, np.ones(window) / window, mode="valid")
        left.plot(np.arange(window - 1, len(curve.loss)), mean, **line)
        right.plot(curve.validation_steps, curve.validation_accuracy, marker="o", ms=3, **line)
    left.set(xlabel="step", ylabel=f"minibatch loss (nats),\nmean of {SMOOTH} steps", yscale="log")
    right.set(xlabel="step", ylabel="validation accuracy (%)")
    if len(curves) > 1:
        right.legend()
    return figure


def plot_confusion(predictions: np.ndarray, classes: np.ndarray, data: Mnist) -> plt.Figure:
    """Draw how often each class (a row) is taken for each other one; what is right is left empty.

    ``predictions`` and ``classes`` are integers, shape (N,). Raises ValueError if the two are not
    as many, or ``predictions`` is not of classes.
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
    colour, dashes = COLOURS[index % len(COLOURS)], LINE_STYLES[index % len(LINE_STYLES)]
    return {"color": colour, "linestyle": dashes}


def label_sample(figure: plt.Figure) -> None:
    """Write across the top of a figure that it was made from the sample."""
    figure.suptitle("5,000-digit sample, not MNIST", color="#D55E00", fontweight="bold")


def show_no_label(figure: plt.Figure) -> None:
    """Take the sample's label off a figure of something else, such as a formula, or kept runs."""
    if figure.get_suptitle():
        figure.suptitle("").set_in_layout(False)


def mark_original(ax: plt.Axes, percent: float, data: Mnist, side: str = "right") -> None:
    """Draw the original's figure as a line, with its label to one ``side``, if `comparable`."""
    if comparable(data):
        ax.axhline(percent, color=GREY, linestyle=":", linewidth=1.2)
        place, units = ({"left": 0, "right": 1}[side], percent), ("axes fraction", "data")
        style = {"ha": side, "va": "bottom", "color": GREY, "fontsize": 8}
        ax.annotate(f"original: {percent} %", place, xycoords=units, **style)
