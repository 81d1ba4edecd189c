"""Say how long each chapter took, and where the site is.

usage: python -m pipeline.report BUILD
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.command_line import command_line
from pipeline.notebooks import ChapterError, read


def main(build: Path) -> None:
    print("\nHow long each chapter took when it last ran:")
    total = 0.0
    for path in sorted((build / "executed").glob("*.ipynb")):
        seconds = read(path).metadata.papermill.duration
        total += seconds
        print(f"  {path.stem:24} {seconds:7.1f} s")
    print(f"  {'together':24} {total:7.1f} s")
    print(f"\nThe book: {(build / 'html' / 'index.html').resolve()}\n")


if __name__ == "__main__":
    with command_line(ChapterError):
        main(Path(sys.argv[1]))
