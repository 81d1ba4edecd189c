"""What the original notebook printed, and our figures beside it."""

from __future__ import annotations

from collections.abc import Mapping

from IPython.display import Markdown

from mnist_helpers.data import Mnist
from mnist_helpers.metrics import accuracy_interval

# Test accuracy in percent, on 9,000 images.
PRINTED = {
    "logistic_regression": 92.11,
    "mlp": 98.0,
    "simple_cnn": 92.1,
    "deeper_cnn": 95.2,
    "deeper_cnn_long": 98.6,
}

# Chapter 4's grids, by keep_prob: dropout alone, and dropout with an L2 penalty.
PRINTED_DROPOUT = {0.5: 75.3, 0.6: 76.7, 0.7: 76.8, 0.8: 76.4, 0.9: 74.1}
PRINTED_DROPOUT_L2 = {0.5: 75.9, 0.6: 76.0, 0.7: 75.8, 0.8: 75.3, 0.9: 75.5}


def comparable(data: Mnist) -> bool:
    """Whether the original's figures may stand beside ours: same digits, same split."""
    return data.data_set == "mnist" and data.split == "original" and not data.is_sample


def beside_original(rows: Mapping[str, tuple[float | None, float]], data: Mnist) -> Markdown:
    """A table of the original's test accuracies beside ours.

    Parameters
    ----------
    rows : mapping
        From what a row is called to the original's figure and ours, in percent;
        None where the original has no such run.
    data : Mnist
        What ours were measured on. On anything but the original's own test
        images its figures are left out, and the table says why.

    Returns
    -------
    IPython.display.Markdown
        Our figures come with the 95 % interval of `accuracy_interval`.
    """
    show_printed = comparable(data)
    lines = ["| test accuracy (%) | original | ours | 95 % interval |", "|:--|--:|--:|:-:|"]
    for name, (printed, ours) in rows.items():
        low, high = accuracy_interval(ours, len(data.test))
        printed_text = f"{printed}" if show_printed and printed is not None else "–"
        lines.append(f"| {name} | {printed_text} | {ours:.2f} | {low:.2f} – {high:.2f} |")
    if not show_printed:
        lines.append(
            f"\nThe original's figures are left out: they were measured on MNIST's original "
            f"split, and these on {data}."
        )
    return Markdown("\n".join(lines))
