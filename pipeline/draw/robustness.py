"""What a missing step of the preparation costs each network, and what a nudge does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np

from mnist_helpers.data import Mnist, Split
from mnist_helpers.figures import WIDTH, line_style, use_house_style
from mnist_helpers.metrics import accuracy_interval, paired_difference
from mnist_helpers.tables import signed, table
from pipeline.draw.preparation import FIELD, nudge, prepare, scatter

DIGITS = 500  # test images that are measured
LEFT_OUT = {
    "nothing": {},
    "smooth": {"smooth": False},
    "centre by mass: by the box instead": {"centre": "box"},
    "centre": {"centre": "none"},
    "scale": {"scale": False},
    "scale and centre": {"scale": False, "centre": "none"},
    "invert": {"invert": False},
}
NUDGES = {
    "right": ("moved right (pixels)", [0, 1, 2, 3, 4, 6, 8]),
    "turn": ("turned (degrees)", [0, 10, 20, 30, 45, 60, 90]),
    "stroke": ("thinner or thicker", [-1, -0.75, -0.5, -0.25, 0, 0.5, 1]),
}

SHIFTS = [2, 3, 4]  # pixels to the right
SHIFTED_AGAINST = "MLP"

Read = Callable[[np.ndarray], np.ndarray]  # images, (N, 784), to the digits read, (N,)


def some_digits(test: Split, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Test images, float32 (N, 28, 28), and what they show."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(test), min(DIGITS, len(test)), replace=False)
    return test.images[chosen].reshape(-1, FIELD, FIELD), test.classes[chosen]


def percent_read(read: Read, images: np.ndarray, classes: np.ndarray) -> float:
    """How many of these images, (N, 28, 28), a network reads."""
    return float(100 * np.mean(read(images.reshape(len(images), -1)) == classes))


def steps_table(networks: Mapping[str, Read], test: Split) -> str:
    """A Markdown table: scattered digits that each network reads, with a step left out."""
    images, classes = some_digits(test)
    random = np.random.default_rng(1).random
    drawings = [scatter(image, random).astype(np.float16) for image in images]  # 80 MB
    rows = []
    for name, steps in LEFT_OUT.items():
        prepared = np.stack([prepare(ink.astype(np.float32), **steps) for ink in drawings])
        scores = [percent_read(read, prepared, classes) for read in networks.values()]
        rows.append([name, *(f"{score:.1f}" for score in scores)])
    said = (
        f"Percent of {len(images)} test digits that are read, each put somewhere on the board. "
        f"The 95 % interval of a number is ± {widest(len(images)):.1f} points at most."
    )
    return f"{table(['left out', *networks], rows)}\n{said}\n"


def nudge_scores(networks: Mapping[str, Read], test: Split) -> dict[str, dict[str, list[float]]]:
    """For each kind of nudge and each network, the percentages read."""
    images, classes = some_digits(test)
    scores = {kind: {name: [] for name in networks} for kind in NUDGES}
    for kind, (_, amounts) in NUDGES.items():
        for amount in amounts:
            nudged = nudge(images, **{kind: amount})
            for name, read in networks.items():
                scores[kind][name].append(percent_read(read, nudged, classes))
    return scores


def widest(size: int) -> float:
    """Half of the 95 % interval of an accuracy of 50 % on so many images, in points."""
    low, high = accuracy_interval(50, size)
    return (high - low) / 2


def shifts_table(networks: Mapping[str, Read], test: Split) -> str:
    """A Markdown table: what a shift leaves of the digits that a network and the MLP both read.

    Networks that read fewer digits have less to lose; so each is compared with the MLP on those of
    all test images that both read unmoved. The interval is of other images.
    """
    images = test.images.reshape(-1, FIELD, FIELD)
    read_by = {name: {} for name in networks}
    for pixels in [0, *SHIFTS]:
        moved = nudge(images, right=pixels).reshape(len(images), -1)
        for name, read in networks.items():
            read_by[name][pixels] = read(moved) == test.classes
    rows = []
    for name, right in read_by.items():
        left = [
            100 * np.sum(right[0] & right[pixels]) / max(1, right[0].sum()) for pixels in SHIFTS
        ]
        compared = [against(right, read_by.get(SHIFTED_AGAINST), pixels) for pixels in SHIFTS]
        rows.append([name, *(f"{percent:.0f}" for percent in left), *compared])
    kept = [f"kept at {pixels} px (%)" for pixels in SHIFTS]
    ahead = [f"minus the {SHIFTED_AGAINST} at {pixels} px" for pixels in SHIFTS]
    return table(["network", *kept, *ahead], rows)


def against(ours: dict[int, np.ndarray], theirs: dict[int, np.ndarray] | None, pixels: int) -> str:
    """The difference in points, with its interval, on the images that both read unmoved."""
    if theirs is None or theirs is ours:
        return "–"
    both = ours[0] & theirs[0]
    if both.sum() < 2:
        return "–"
    points, half_width = paired_difference(ours[pixels][both], theirs[pixels][both])
    return f"{signed(points, 0)} ± {half_width:.1f}"


def nudges_figure(scores: Mapping[str, Mapping[str, list[float]]], data: Mnist) -> bytes:
    """The scores of `nudge_scores` as an SVG: a line for each network."""
    use_house_style(data)
    figure, axes = plt.subplots(1, len(NUDGES), figsize=(WIDTH, 3.2), sharey=True)
    for ax, (kind, (title, amounts)) in zip(axes, NUDGES.items(), strict=True):
        for index, (name, percents) in enumerate(scores[kind].items()):
            ax.plot(amounts, percents, marker="o", markersize=3, label=name, **line_style(index))
        ax.set(xlabel=title, ylim=(0, 101))
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("digits read (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    stream = BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    plt.close(figure)
    return stream.getvalue()


def nudges_table(scores: Mapping[str, Mapping[str, list[float]]]) -> str:
    """The scores of `nudge_scores` as a Markdown table."""
    networks = list(next(iter(scores.values())))
    rows = [
        [f"{title}: {amount:g}".replace("-", "−")]
        + [f"{scores[kind][name][position]:.1f}" for name in networks]
        for kind, (title, amounts) in NUDGES.items()
        for position, amount in enumerate(amounts)
    ]
    return table(["nudge", *networks], rows)
