"""The chart of the front page: six results, the original's beside ours, drawn from the records."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_helpers.figures import STYLE, WIDTH, line_style
from mnist_helpers.kept import kept_runs
from mnist_helpers.metrics import accuracy_interval
from mnist_helpers.original import PRINTED, PRINTED_DROPOUT, PRINTED_DROPOUT_L2
from pipeline.systems import SYSTEMS


@dataclass(frozen=True)
class Result:
    """Test accuracies in percent; the original's is None where it may not stand beside ours."""

    system: str
    ours: float
    interval: tuple[float, float]
    original: float | None


def results(records: Path) -> list[Result]:
    """One run of each system that ran: the smallest seed, and of that the shortest run.

    The last is the long run that the repository keeps.
    """
    found = []
    for model, system in SYSTEMS.items():
        runs = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in records.glob(f"*--{model}--*.json")
        ]
        if runs:
            run = min(runs, key=lambda run: (run["seed"], run["num_steps"]))
            found.append(result(system, run))
    long, *_ = kept_runs("deeper_cnn", 20_001)
    return [*found, result("deeper CNN, 20,001 steps", long)]


def result(system: str, run: dict) -> Result:
    """What the chart shows of a run."""
    ours = run["test_accuracy"]
    return Result(system, ours, accuracy_interval(ours, run["test_size"]), printed(run))


def printed(run: dict) -> float | None:
    """What the original printed for the same settings on the same images."""
    if (run["data_set"], run["split"], run["data_source"]) != ("mnist", "original", "full"):
        return None
    if run["model"] == "regularized_mlp":  # with the bug of chapter 4
        settings = run["parameters"]
        grid = PRINTED_DROPOUT_L2 if settings["beta"] else PRINTED_DROPOUT
        return grid.get(settings["keep_prob"])
    long = "_long" if run["num_steps"] > 10_000 else ""
    return PRINTED.get(run["model"] + long)


def chart(results: list[Result]) -> bytes:
    """The results as SVG: a row for each system, from the first chapter down."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.6 + 0.44 * len(results)))
        ax = figure.subplots()
        ours, original = line_style(0)["color"], line_style(1)["color"]
        for row, result in enumerate(results):
            if result.original is not None:
                ax.plot(result.original, row, "D", mfc="none", mec=original)
                write(ax, result.original, row - 0.2, original)
            ax.plot(result.interval, (row, row), lw=3, color=ours, alpha=0.4)
            ax.plot(result.ours, row, "o", color=ours)
            write(ax, result.ours, row + 0.45, ours)
        ax.set_yticks(range(len(results)), [result.system for result in results])
        ax.set(xlabel="test images read correctly (%)", ylim=(len(results) - 0.4, -0.6))
        ax.tick_params(axis="y", length=0)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def write(ax: Axes, percent: float, row: float, colour: str) -> None:
    """Write a percentage above or below its mark."""
    ax.text(percent, row, f"{percent:.1f}", color=colour, ha="center", fontsize=9)


def figure_directive(results: list[Result], picture: str) -> str:
    """The chart's place in the page, with its numbers in words for whoever cannot see it."""
    in_words = "; ".join(
        f"{result.system}: {result.ours:.1f}"
        + (f", the original {result.original:.1f}" if result.original is not None else "")
        for result in results
    )
    return f"""```{{figure}} {picture}
:name: fig-results
:alt: Per cent of test images read correctly. {in_words}.

What the original printed (diamonds) and what this book measures (dots, with 95 % intervals).
The run of 20,001 steps is kept beside the code.
```
"""


def front_page_files(records: Path) -> dict[str, bytes]:
    """The chart, and the directive that the front page includes to show it, by file name."""
    found = results(records)
    directive = figure_directive(found, "results.svg")
    return {"results.svg": chart(found), "results.md": directive.encode()}
