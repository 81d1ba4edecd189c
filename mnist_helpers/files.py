"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial-"


def user_path(path: str | Path) -> Path:
    """A path as its user meant it: ``~`` is the home folder, as in a shell.

    Everything that takes a path from a reader passes it through here, once. Raises
    FileNotFoundError if there is no such home folder.

    >>> user_path("~/logs") == Path.home() / "logs"
    True
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(f"There is no home folder for {str(path)!r}: {error}") from error


def write_whole(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file under another name, then rename it, which is one step.

    ``content`` is bytes, or what writes them to the open binary file that it is given. Two
    processes that do this at once each replace the file as a whole. Raises OSError if the disk is
    full or not ours to write; ``path`` is then as it was.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "seven", b"7")
    ...     (Path(folder) / "seven").read_bytes()
    b'7'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        with partial.open("xb") as stream:
            if callable(content):
                content(stream)
            else:
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, older_than: float = 3600.0) -> None:
    """Remove what a killed process left half-written over an hour (in seconds) ago."""
    for partial in folder.glob(f"{PARTIAL}*"):
        try:
            if time.time() - partial.stat().st_mtime > older_than:
                partial.unlink()
        except OSError:  # another process was faster, or it is not ours to remove
            continue
