"""Write the reader's editions with other parameters into BUILD/prepared: nbval gives none.

usage: python -m pipeline.prepare BUILD PARAMETERS_FILE
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import papermill

from pipeline.command_line import command_line
from pipeline.contents import chapters
from pipeline.values import ValuesError, read_parameters


def main(build: Path, parameters_file: Path) -> None:
    parameters = read_parameters(parameters_file, chapters())
    prepared = build / "prepared"
    shutil.rmtree(prepared, ignore_errors=True)
    prepared.mkdir()
    for chapter in chapters():
        papermill.execute_notebook(
            build / "editions" / f"{chapter}.ipynb",
            prepared / f"{chapter}.ipynb",
            parameters.get(chapter),
            prepare_only=True,
        )


if __name__ == "__main__":
    with command_line(OSError, ValuesError):
        main(Path(sys.argv[1]), Path(sys.argv[2]))
