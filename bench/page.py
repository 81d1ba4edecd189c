"""Make the tables and the figure of the page "How fast is this?" from bench/results.json."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from bench.work import WAYS, WORKS
from mnist_helpers.figures import WIDTH, line_style, use_house_style
from mnist_helpers.files import write_whole
from mnist_helpers.tables import table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results.json"
OUT = ROOT / "chapters" / "_static" / "bench"


def tables(results: dict) -> str:
    """What was measured, in Markdown: each step, the start, and both together."""
    titles = [WORKS[work].title for work in results["works"]]
    versions = results["versions"]
    rate = float(np.median(results["gflops"]))
    arithmetic = ["arithmetic at the square product's rate"]
    arithmetic += [f"{arithmetic_of(results, work):.2f}" for work in results["works"]]
    times = ["our steps, as a multiple of that"]
    for work in results["works"]:
        multiple = median_of(results, work, "ours") / arithmetic_of(results, work)
        times.append(f"{multiple:.1f}")
    lines = [
        "**A step**, in milliseconds of one core. In brackets: how many times as long as ours, "
        f"the median over the {results['rounds']} rounds (its smallest and largest value). "
        "Bold: the fastest, and what beat it in some round.",
        "",
        table(["", *titles], [*rows(results, "step"), arithmetic, times]),
        "**The start**, in core-seconds: building, recording, compiling, once a run. "
        "In brackets: the first round, where later ones found much on the disk.",
        "",
        table(["", *titles], rows(results, "start")),
        "**1,000 steps with the start**, in core-seconds. In brackets and bold as for a step.",
        "",
        table(["", *titles], rows(results, "together")),
        f"Measured on {results['when']} on one core of: {results['processor']}; "
        f"TensorFlow {versions['tensorflow']}, PyTorch {versions.get('torch', 'not installed')}, "
        f"Python {versions['python']}. The square product ran at {rate:.0f} billion operations a "
        "core-second, the median over the rounds.",
    ]
    return "\n".join(lines) + "\n"


def rows(results: dict, kind: str) -> list[list[str]]:
    """One row a way, one cell a network; ``kind`` is "step", "start" or "together"."""
    return [
        [title, *(cell(readings, way, kind) for readings in results["works"].values())]
        for way, title in WAYS.items()
    ]


def cell(readings: dict, way: str, kind: str) -> str:
    """A median over the rounds, and in brackets the ratio to ours with its range."""
    if way not in readings:
        return "–"
    took = of_kind(readings, way, kind)
    median = float(np.median(took))
    if kind == "start":
        first = readings[way]["start"][0]
        text = f"{max(0.0, median):.1f}"  # below 0 it is lost in the noise of the steps
        return f"{text} ({first:.1f})" if first > max(1.0, 2 * median) else text
    text = f"{median:.2f}"
    if way != "ours":
        ratios = took / of_kind(readings, "ours", kind)
        text += f" ({np.median(ratios):.2f}; {ratios.min():.2f} to {ratios.max():.2f})"
    return f"**{text}**" if way in leading(readings, kind) else text


def of_kind(readings: dict, way: str, kind: str) -> np.ndarray:
    """A reading for each round: of a step in ms, of the start or of it and 1,000 steps in s."""
    if kind == "together":  # as many seconds as one step takes milliseconds
        return of_kind(readings, way, "step") + of_kind(readings, way, "start")
    return np.array(readings[way][kind])


def leading(readings: dict, kind: str) -> list[str]:
    """The way that took the shortest, and every way that beat it in some round."""
    times = {way: of_kind(readings, way, kind) for way in readings}
    best = min(times, key=lambda way: np.median(times[way]))
    return [way for way, took in times.items() if way == best or (took < times[best]).any()]


def median_of(results: dict, work: str, way: str) -> float:
    """Milliseconds of a step."""
    return float(np.median(results["works"][work][way]["step"]))


def arithmetic_of(results: dict, work: str) -> float:
    """Milliseconds of a step if its products ran at the square product's rate."""
    return WORKS[work].operations / (np.median(results["gflops"]) * 1e6)


def parts_table(results: dict) -> str:
    """What one of our steps is made of, in Markdown."""
    head = ["part of a step", "ms", "share of the step", "rate, in % of the square product's"]
    lines = []
    for work, parts in results["parts"].items():
        step = np.array(results["works"][work]["ours"]["step"])  # (rounds,)
        lines.append([f"**{WORKS[work].title}**, whole step", f"{np.median(step):.2f}", "", ""])
        together = np.zeros_like(step)
        for name, part in parts.items():
            took = np.array(part["milliseconds"])
            together += took
            lines.append(
                [name, f"{np.median(took):.2f}", percent(took / step), pace(results, part)]
            )
        rest = 100 * (1 - together / step)
        left = f"{np.median(step - together):.2f}".replace("-", "−")
        lines.append(["the rest", left, percent(rest / 100), ""])
    return table(head, lines)


def pace(results: dict, part: dict) -> str:
    """How fast a part multiplies beside the square product of its round, with the range."""
    if part["operations"] == 0:
        return ""
    own = part["operations"] / np.array(part["milliseconds"]) / 1e6  # billions a second
    percents = 100 * own / np.array(results["gflops"])
    return f"{np.median(percents):.0f} ({percents.min():.0f} to {percents.max():.0f})"


def percent(shares: np.ndarray) -> str:
    """The median of shares, as in 29 %; a minus sign where it is below 0."""
    return f"{100 * np.median(shares):.0f} %".replace("-", "−")


def draw(results: dict, path: Path) -> None:
    """One row for each network: a step by each way, beside its bare arithmetic."""
    use_house_style()
    figure, ax = plt.subplots(figsize=(WIDTH, 4.0))
    works = list(results["works"])[::-1]
    for index, (way, title) in enumerate(WAYS.items()):
        drawn = [(y, work) for y, work in enumerate(works) if way in results["works"][work]]
        ax.scatter(
            [median_of(results, work, way) / arithmetic_of(results, work) for _, work in drawn],
            [y + 0.3 - 0.12 * index for y, _ in drawn],
            marker="osD^vP"[index],
            color=line_style(index)["color"],
            label=title.replace("`", ""),
        )
    ax.axvline(1, color="0.5", linestyle=":")
    ax.set(
        xscale="log",
        xlabel="time of a step, as a multiple of its arithmetic",
        yticks=range(len(works)),
        yticklabels=[WORKS[work].title for work in works],
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.set_xticks([1, 2, 5, 10, 20])
    figure.legend(loc="outside lower center", ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Write the files."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw(results, OUT / "speed.svg")
    text = tables(results)
    write_whole(OUT / "speed.md", text.encode())
    text = parts_table(results)
    write_whole(OUT / "parts.md", text.encode())


if __name__ == "__main__":
    main()
