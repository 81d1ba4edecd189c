"""The chart of the front page: six results, the original's beside ours."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_helpers.figures import STYLE, WIDTH, line_style
from mnist_helpers.kept import kept_runs
from mnist_helpers.metrics import accuracy_interval
from mnist_helpers.original import PRINTED, PRINTED_DROPOUT, PRINTED_DROPOUT_L2
from pipeline.site.fashion_page import part, runs_on_digits
from pipeline.systems import SYSTEMS


@dataclass(frozen=True)
class Result:
    """Test accuracies in percent: ours a mean over seeds, the original's from lowest to highest.

    The original's are None where they may not stand beside ours.
    """

    system: str
    ours: float
    interval: tuple[float, float]
    original: tuple[float, float] | None


def results(records: Path) -> list[Result]:
    """Each system that ran: its kept runs, or else its shortest run of the smallest seed.

    The last is the long run, which is kept, too.
    """
    found = []
    for model, system in SYSTEMS.items():
        runs = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in records.glob(f"*--{model}--*.json")
        ]
        if runs:
            run = min(runs, key=lambda run: (run["seed"], run["num_steps"]))
            found.append(result(system, run, over_seeds(run)))
    long = kept_runs("deeper_cnn", 20_001)
    accuracies = part(long, "test_accuracy")
    return [*found, result("deeper CNN, 20,001 steps", long[0], accuracies)]


def result(system: str, run: dict, accuracies: np.ndarray) -> Result:
    """What the chart shows of a run and of the runs from other seeds."""
    mean = float(accuracies.mean())
    return Result(system, mean, accuracy_interval(mean, run["test_size"]), printed(run))


def over_seeds(run: dict) -> np.ndarray:
    """Test accuracies of the kept runs that did the same work, or that of the run alone."""
    kept = runs_on_digits()[run["model"]]
    if is_of_the_original(run) and run["num_steps"] == kept[0]["num_steps"]:
        return part(kept)
    return np.array([run["test_accuracy"]])


def is_of_the_original(run: dict) -> bool:
    """Whether a run had the digits and the split of the original."""
    return (run["data_set"], run["split"], run["data_source"]) == ("mnist", "original", "full")


def printed(run: dict) -> tuple[float, float] | None:
    """The lowest and the highest that the original printed for the system on the same images."""
    if not is_of_the_original(run):
        return None
    if run["model"] == "regularized_mlp":  # ten settings, with the bug of chapter 4
        ten = [*PRINTED_DROPOUT.values(), *PRINTED_DROPOUT_L2.values()]
        return min(ten), max(ten)
    long = "_long" if run["num_steps"] > 10_000 else ""
    return (PRINTED[run["model"] + long],) * 2


def chart(results: list[Result]) -> bytes:
    """The results as SVG: a row for each system, from the first chapter down."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.44 * len(results)))
        ax = figure.subplots()
        ours, original = line_style(0)["color"], line_style(1)["color"]
        for row, result in enumerate(results):
            if result.original is not None:
                ends = sorted(set(result.original))
                ax.plot(ends, [row] * len(ends), "D-", mfc="none", mec=original, c=original)
                write(ax, result.original, row - 0.2, original)
            ax.plot(result.interval, (row, row), lw=3, color=ours, alpha=0.4)
            ax.plot(result.ours, row, "o", color=ours)
            write(ax, (result.ours, result.ours), row + 0.45, ours)
        ax.set_yticks(range(len(results)), [result.system for result in results])
        ax.set(xlabel="test images read correctly (%)", ylim=(len(results) - 0.4, -0.6))
        ax.tick_params(axis="y", length=0)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def write(ax: Axes, percents: tuple[float, float], row: float, colour: str) -> None:
    """Write a percentage, or its range, above or below its marks."""
    words = in_words(percents, " – ")
    ax.text(sum(percents) / 2, row, words, color=colour, ha="center", fontsize=9)


def in_words(percents: tuple[float, float], to: str) -> str:
    """A range of percentages; one, where both ends are the same."""
    return to.join(dict.fromkeys(f"{percent:.1f}" for percent in percents))


def figure_directive(results: list[Result], picture: str) -> str:
    """The chart's place in the page, with its numbers in words for anyone who cannot see it."""
    numbers = "; ".join(
        f"{result.system}: {result.ours:.1f}"
        + (f", the original {in_words(result.original, ' to ')}" if result.original else "")
        for result in results
    )
    return f"""```{{figure}} {picture}
:name: fig-results
:alt: Per cent of test images read correctly. {numbers}.

What the original printed (diamonds; from ten settings, the lowest and the highest) and what this
book measures (dots: means over seeds, from runs that are kept beside the code; bars: 95 %
intervals for the luck of the test images, each drawn independently).
```
"""


def front_page_files(records: Path) -> dict[str, bytes]:
    """The chart, and the directive that the front page includes to show it, by file name."""
    found = results(records)
    directive = figure_directive(found, "results.svg")
    return {"results.svg": chart(found), "results.md": directive.encode()}
