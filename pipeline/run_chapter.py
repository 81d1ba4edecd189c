"""Run one chapter with papermill, whole or not at all.

usage: run_chapter.py RUN BUILD

What to run, and with which parameters, stands in BUILD/fingerprints/RUN.json.
The executed notebook lands in BUILD/executed, the records in BUILD/records; a
chapter that fails lands in BUILD/failed instead, and the exit status is 1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import papermill
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from mnist_helpers.parameters import unknown
from pipeline.kept_records import replace_records
from pipeline.notebooks import CHAPTERS, ChapterError, faults, read, without_colours

CELL_TIMEOUT = 3600  # seconds: a cell that takes longer hangs
# Code and outputs travel over local sockets, which other users of a machine
# could read; without this the kernel warns of it on every start.
ENCRYPTED = Config(KernelManager={"transport_encryption": "auto"})


def threads_for_one_job() -> int:
    """This chapter's share of the cores, when Make runs several side by side."""
    jobs = re.search(r"(?:^|\s)-j\s*(\d+)", os.environ.get("MAKEFLAGS", ""))
    return max(1, (os.cpu_count() or 1) // int(jobs[1] if jobs else 1))


def check_names(chapter: str, parameters: dict[str, object]) -> None:
    """Refuse a parameter that the chapter does not have; papermill would only warn."""
    known = papermill.inspect_notebook(CHAPTERS / f"{chapter}.ipynb")
    for name in parameters:
        if name not in known:
            raise ChapterError(unknown(name, list(known)))


def run(name: str, build: Path) -> None:
    """Run one chapter; put its notebook and records in place when all went well."""
    facts = json.loads((build / "fingerprints" / f"{name}.json").read_text())
    chapter, parameters = facts["chapter"], facts["parameters"]
    executed = build / "executed" / f"{name}.ipynb"
    failed = build / "failed" / f"{name}.ipynb"
    failed.unlink(missing_ok=True)
    for folder in (executed.parent, build / "records"):
        folder.mkdir(parents=True, exist_ok=True)

    # In the pages the progress of training is of no use; here papermill shows
    # its own. (It was imported before, and tqdm reads this variable on import.)
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", str(threads_for_one_job()))

    with tempfile.TemporaryDirectory(prefix=".partial-", dir=build) as scratch:
        output, records = Path(scratch) / "run.ipynb", Path(scratch) / "records"
        reads_records = chapter == "07-comparison"
        record_dir = build / "records" if reads_records else records
        known = papermill.inspect_notebook(CHAPTERS / f"{chapter}.ipynb")
        check_names(chapter, parameters)
        if "record_dir" in known:
            parameters = parameters | {"record_dir": str(record_dir.resolve())}
        try:
            papermill.execute_notebook(
                CHAPTERS / f"{chapter}.ipynb",
                output,
                parameters=parameters,
                cwd=CHAPTERS,
                progress_bar={"desc": name},
                execution_timeout=CELL_TIMEOUT,
                start_timeout=300,
                config=ENCRYPTED,
            )
        except PapermillExecutionError as error:
            keep_for_inspection(output, failed)
            raise ChapterError(
                f"cell {error.exec_count} raised "
                f"{without_colours(f'{error.ename}: {error.evalue}')}\n"
                f"  The notebook with the traceback is {failed}"
            ) from None
        except BaseException:
            keep_for_inspection(output, failed)
            raise
        found = faults(read(output))
        if found:
            keep_for_inspection(output, failed)
            raise ChapterError("; ".join(found) + f"\n  See {failed}")
        replace_records(name, records, build / "records")
        output.replace(executed)


def keep_for_inspection(output: Path, failed: Path) -> None:
    if output.exists():
        failed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(output, failed)


if __name__ == "__main__":
    try:
        run(sys.argv[1], Path(sys.argv[2]))
    except ChapterError as error:
        sys.exit(f"\nChapter {sys.argv[1]} stopped: {error}\n")
