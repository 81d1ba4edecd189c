"""What the status page says of this copy of the book: chapters, times, data, versions."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from pipeline.notebooks import read


def status_page(build: Path, chapters: list[str]) -> str:
    """What ran, as Markdown that chapters/status.md includes.

    Parameters
    ----------
    build : Path
        Holds ``executed/``, ``records/`` and ``data.json``.
    chapters : list of str
        The names of the chapters that ran, in the order of the book.
    """
    rows = [
        "| chapter | ran until (UTC) | run time (s) | device | data set |",
        "|:--|:--|--:|:--|:--|",
    ]
    found: set[str] = set()
    for chapter in chapters:
        run = read(build / "executed" / f"{chapter}.ipynb").metadata
        ended = datetime.fromisoformat(run.papermill.end_time)
        records = records_of(chapter, build)
        rows.append(
            f"| {{doc}}`{chapter}` | {ended:%Y-%m-%d %H:%M} | {run.papermill.duration:.1f} "
            f"| {values(records, 'device')} | {values(records, 'data_set')} |"
        )
        found.add(f"python {run.language_info.version}")
        for record in records:
            found |= {f"{name} {number}" for name, number in record["versions"].items()}
    versions = "\n".join(f"- {version}" for version in sorted(found))
    return "\n".join([*rows, "", data_section(build), "## Versions", "", versions, ""])


def records_of(chapter: str, build: Path) -> list[dict]:
    """The facts that a chapter's runs recorded."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((build / "records").glob(f"{chapter}--*.json"))
    ]


def values(records: list[dict], name: str) -> str:
    """What the records say under a name, each value once; a dash where no run recorded any."""
    return ", ".join(sorted({record[name] for record in records})) or "–"


def data_section(build: Path) -> str:
    """What the build found when it verified the data."""
    data = json.loads((build / "data.json").read_text(encoding="utf-8"))
    size = "a sample of 5,000 images" if data["is_sample"] else "all images"
    return (
        f"## Data\n\nThe build verified {data['data_set']}, {size}. "
        f"SHA-256 of the four files together:\n\n```text\n{data['sha256']}\n```\n"
    )
