"""Make the tables and the figure of the page "How fast is this?" from bench/results.json."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt

from bench.work import WAYS
from mnist_helpers.figures import WIDTH, line_style, use_house_style
from mnist_helpers.files import write_whole
from pipeline import markdown

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results.json"
OUT = ROOT / "chapters" / "_static" / "bench"


def table(results: dict) -> str:
    """What was measured, in Markdown."""
    steps = f"{results['num_steps']:,}"
    rows = []
    for row in results["rows"]:
        over = row["ours"]["steps"] / row["limit"]
        cells = [cell(row, way) for way in WAYS]
        rows.append([row["title"], *cells, f"{row['limit']:.2f}", f"{over:.1f}"])
    versions = results["versions"]
    lines = [
        f"Seconds for {steps} steps, building and start-up included; in brackets, how many times "
        f"as long as ours, the median over the {results['rounds']} rounds (and its smallest and "
        "largest value).",
        "",
        markdown.table(["network (chapter)", *WAYS.values(), "limit", "ours / limit"], rows),
        f"Measured on {results['when']} with {results['threads']} threads on: "
        f"{results['processor']}; TensorFlow {versions['tensorflow']}, "
        f"PyTorch {versions.get('torch', 'not installed')}, Python {versions['python']}. "
        f"The limit is the arithmetic of the steps at {results['peak_gflops']:.0f} billion "
        "operations per second, the best that a large matrix product reached in the same run; "
        "the last column leaves building and start-up out.",
    ]
    return "\n".join(lines) + "\n"


def parts_table(results: dict) -> str:
    """What one of our steps is made of, in Markdown."""
    peak = results["peak_gflops"] * 1e6  # operations in a millisecond
    head = ["part of a step, alone", "ms", "share of the step", "arithmetic at the limit (ms)"]
    rows = []
    for row in results["rows"]:
        if row["work"] not in results["parts"]:
            continue
        step = 1_000 * row["ours"]["steps"] / results["num_steps"]
        limit = 1_000 * row["limit"] / results["num_steps"]
        rows.append([f"**{row['title']}**, whole step", f"{step:.2f}", "", f"{limit:.2f}"])
        together = 0.0
        for name, part in results["parts"][row["work"]].items():
            milliseconds = part["milliseconds"]
            together += milliseconds
            share = 100 * milliseconds / step
            least = part["operations"] / peak
            rows.append([name, f"{milliseconds:.2f}", f"{share:.0f} %", f"{least:.2f}"])
        rows.append(["these together", f"{together:.2f}", f"{100 * together / step:.0f} %", ""])
    return markdown.table(head, rows)


def cell(row: dict, way: str) -> str:
    """Seconds, and in brackets the ratio to ours with its range."""
    if way not in row:
        return "–"
    times = row[way]
    if way == "ours":
        return f"{times['whole']:.2f}"
    low, high = times["ratio_range"]
    return f"{times['whole']:.2f} ({times['ratio']:.2f}; {low:.2f} to {high:.2f})"


def draw(results: dict, path: Path) -> None:
    """One row for each network: the time of each way, as a multiple of the limit."""
    use_house_style()
    figure, ax = plt.subplots(figsize=(WIDTH, 3.2))
    rows = results["rows"][::-1]
    for index, (way, title) in enumerate(WAYS.items()):
        points = [(row[way], row["limit"], y) for y, row in enumerate(rows) if way in row]
        offset = 0.24 - 0.16 * index
        ax.scatter(
            [times["whole"] / limit for times, limit, _ in points],
            [y + offset for *_, y in points],
            marker="osD^"[index],
            color=line_style(index)["color"],
            label=title.replace("`", ""),
        )
    ax.axvline(1, color="0.5", linestyle=":")
    ax.set(
        xscale="log",
        xlabel="time, as a multiple of the limit",
        yticks=range(len(rows)),
        yticklabels=[row["title"] for row in rows],
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.set_xticks([1, 2, 5, 10, 20, 50])
    ax.legend(loc="upper right", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Write the files."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    draw(results, OUT / "speed.svg")
    text = table(results)
    write_whole(OUT / "speed.md", text.encode())
    text = parts_table(results)
    write_whole(OUT / "parts.md", text.encode())


if __name__ == "__main__":
    main()
