"""Which run left which record: a list for each run, beside the records."""

from __future__ import annotations

from pathlib import Path


def replace_records(run: str, new: Path, folder: Path) -> None:
    """Move a run's records from ``new`` into ``folder``, in place of those it left before.

    Interrupted anywhere, the list still names every file that is there, so the
    next call finishes the work.
    """
    files = sorted(new.iterdir(), reverse=True) if new.exists() else []  # .npz before .json
    names = {file.name for file in files}
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


def _list_file(run: str, folder: Path) -> Path:
    return folder / f".{run}.txt"


def _listed(run: str, folder: Path) -> set[str]:
    path = _list_file(run, folder)
    return set(path.read_text(encoding="utf-8").split()) if path.exists() else set()


def _write_list(run: str, folder: Path, names: set[str]) -> None:
    _list_file(run, folder).write_text("\n".join(sorted(names)), encoding="utf-8")
