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
from mnist_helpers.systems import (
    LONG_STEPS,
    PRINTED,
    PRINTED_DROPOUT,
    PRINTED_DROPOUT_L2,
    SYSTEMS,
    by_result,
    comparable,
    result_of,
)
from pipeline.site.fashion_page import part, runs_on_digits


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
    recorded = (json.loads(path.read_text(encoding="utf-8")) for path in records.glob("*.json"))
    found = [
        result(SYSTEMS[name].title, runs[0], over_seeds(runs[0]))
        for name, runs in by_result(recorded).items()
        if name in SYSTEMS
    ]
    long = kept_runs("deeper_cnn", LONG_STEPS)
    accuracies = part(long, "test_accuracy")
    return [*found, result(f"deeper CNN, {LONG_STEPS:,} steps", long[0], accuracies)]


def result(system: str, run: dict, accuracies: np.ndarray) -> Result:
    """What the chart shows of a run and of the runs from other seeds."""
    mean = float(accuracies.mean())
    ten = [*PRINTED_DROPOUT.values(), *PRINTED_DROPOUT_L2.values()]  # of the regularised MLP
    printed = [PRINTED[result_of(run)]] if result_of(run) in PRINTED else ten
    original = (min(printed), max(printed)) if comparable(run) else None
    return Result(system, mean, accuracy_interval(mean, run["test_size"]), original)


def over_seeds(run: dict) -> np.ndarray:
    """Test accuracies of the kept runs that did the same work, or that of the run alone."""
    kept = runs_on_digits()[run["model"]]
    if comparable(run) and run["num_steps"] == kept[0]["num_steps"]:
        return part(kept)
    return np.array([run["test_accuracy"]])


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
book measures (dots: means over seeds, from kept runs; bars: how far other test images might move
them, by 95 % intervals that {{doc}}`02-how-sure` explains).
```
"""


def front_page_files(records: Path) -> dict[str, bytes]:
    """The chart, and the directive that the front page includes to show it, by file name."""
    found = results(records)
    directive = figure_directive(found, "results.svg")
    return {"results.svg": chart(found), "results.md": directive.encode()}
