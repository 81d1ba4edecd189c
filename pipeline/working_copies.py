"""Lay the reader's editions out to be worked on, and never over somebody's work.

usage: python -m pipeline.working_copies EDITIONS FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from mnist_helpers.files import write_whole
from pipeline.command_line import command_line

LAID_OUT = ".laid-out.json"  # the SHA-256 of each notebook as it was laid out


def lay_out(editions: Path, folder: Path) -> list[str]:
    """Copy each edition into a folder, but over no notebook that was changed there.

    Args:
        editions: Holds the notebooks as the build made them.
        folder: Where a reader works on them.
    Returns: The notebooks that stay as they were changed, though the build has newer ones.
    """
    ledger = folder / LAID_OUT
    laid_out = json.loads(ledger.read_text(encoding="utf-8")) if ledger.exists() else {}
    changed = []
    for edition in sorted(editions.glob("*.ipynb")):
        content, copy = edition.read_bytes(), folder / edition.name
        if copy.exists() and digest(copy.read_bytes()) not in (
            laid_out.get(edition.name),
            digest(content),
        ):
            if laid_out.get(edition.name) != digest(content):
                changed.append(edition.name)
            continue
        write_whole(copy, content)
        laid_out[edition.name] = digest(content)
        write_whole(ledger, json.dumps(laid_out, indent=1).encode())
    return changed


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    editions, folder = map(Path, sys.argv[1:])
    with command_line():
        for name in lay_out(editions, folder):
            print(f"{folder / name} is as you changed it; the book's new one is {editions / name}")
