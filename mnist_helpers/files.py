"""Files that are whole or not there, whatever happens while they are written."""

import contextlib
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
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{PARTIAL}{uuid.uuid4().hex}"
    write = content if callable(content) else lambda stream: stream.write(content)
    try:
        with partial.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, older_than: float = 3600.0) -> None:
    """Remove what a killed process left half-written over an hour (in seconds) ago."""
    for partial in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):  # another process was faster, or it is not ours
            if time.time() - partial.stat().st_mtime > older_than:
                partial.unlink()
