"""What the status page says of this copy of the book: chapters, times, data, versions."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import nbformat

from mnist_helpers.tables import table
from pipeline.notebooks import chapter_parameters, read

SAYS_ITS_DEVICE = re.compile(r"^computing on (.+)$", re.MULTILINE)


def status_page(build: Path, chapters: list[str]) -> str:
    """What ran, as Markdown that chapters/status.md includes.

    Args:
        build: Holds ``executed/``, ``records/`` and ``data.json``.
        chapters: The names of the chapters that ran, in the order of the book.
    """
    rows = []
    found: set[str] = set()
    for chapter in chapters:
        notebook = read(build / "executed" / f"{chapter}.ipynb")
        run = notebook.metadata
        ended = datetime.fromisoformat(run.papermill.end_time)
        records = records_of(chapter, build)
        rows.append(
            [
                f"{{doc}}`{chapter}`",
                f"{ended:%Y-%m-%d %H:%M}",
                f"{run.papermill.duration:.1f}",
                values(records, "device") or printed_device(notebook),
                values(records, "data_set") or set_data(chapter, run.papermill),
            ]
        )
        found.add(f"python {run.language_info.version}")
        for record in records:
            found |= {f"{name} {number}" for name, number in record["versions"].items()}
    versions = "\n".join(f"- {version}" for version in sorted(found))
    head = ["chapter", "ran until (UTC)", "run time (s)", "device", "data set"]
    return "\n".join(
        [table(head, rows, "llrll"), data_section(build), "## Versions", "", versions, ""]
    )


def records_of(chapter: str, build: Path) -> list[dict]:
    """The facts that a chapter's runs recorded."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((build / "records").glob(f"{chapter}--*.json"))
    ]


def values(records: list[dict], name: str) -> str:
    """What the records say under a name, each value once."""
    return ", ".join(sorted({record[name] for record in records}))


def printed_device(notebook: nbformat.NotebookNode) -> str:
    """Where a chapter that leaves no record says that it computed; a dash if it does not."""
    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    said = SAYS_ITS_DEVICE.search(printed)
    return said[1] if said else "–"


def set_data(chapter: str, run: nbformat.NotebookNode) -> str:
    """The data set that a run was given, or its chapter's own; a dash if it has none."""
    given = chapter_parameters(chapter) | run.get("parameters", {})
    return given.get("data_set", "–")


def data_section(build: Path) -> str:
    """What the build found when it verified the data."""
    data = json.loads((build / "data.json").read_text(encoding="utf-8"))
    size = "a sample of 5,000 images" if data["is_sample"] else "all images"
    return (
        f"## Data\n\nThe build verified {data['data_set']}, {size}. "
        f"SHA-256 of the four files together:\n\n```text\n{data['sha256']}\n```\n"
    )
