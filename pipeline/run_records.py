"""Which run left which record: a list for each run, beside the records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mnist_helpers.files import write_whole
from pipeline.notebooks import ChapterError


def replace_records(run: str, new: Path, folder: Path) -> None:
    """Move a run's records from ``new`` into ``folder``, where its earlier ones then go.

    Interrupted anywhere, the list still names every file that is there, so the next call finishes
    the work.

    Raises ChapterError if another run's list has one of the names; nothing is moved then.
    """
    files = sorted(new.iterdir(), reverse=True) if new.exists() else []  # .npz before .json
    names = {file.name for file in files}
    for other in listed_runs(folder) - {run}:
        for name in sorted(names & _listed(other, folder)):
            raise ChapterError(
                f"{run} left a record {name}, and so did {other}: a record belongs to one run. "
                "Give save_record another chapter or model in one of them, or take one out of "
                "_toc.yml"
            )
    before = _listed(run, folder)
    _write_list(run, folder, before | names)
    for file in files:
        file.replace(folder / file.name)
    for name in before - names:
        (folder / name).unlink(missing_ok=True)
    _write_list(run, folder, names)


def forget_records(run: str, folder: Path) -> None:
    """Remove the records that a run left."""
    for name in _listed(run, folder):
        (folder / name).unlink(missing_ok=True)
    _list_file(run, folder).unlink(missing_ok=True)


def listed_runs(folder: Path) -> set[str]:
    """The runs that left a list, be it of no records."""
    return {path.name[1:-4] for path in folder.glob(".*.txt")}


def has_lost_records(run: str, folder: Path) -> bool:
    """Whether a record that a run left is gone."""
    return not all((folder / name).exists() for name in _listed(run, folder))


def _list_file(run: str, folder: Path) -> Path:
    return folder / f".{run}.txt"


def _listed(run: str, folder: Path) -> set[str]:
    path = _list_file(run, folder)
    return set(path.read_text(encoding="utf-8").splitlines()) if path.exists() else set()


def _write_list(run: str, folder: Path, names: Iterable[str]) -> None:
    write_whole(_list_file(run, folder), "\n".join(sorted(names)).encode())
