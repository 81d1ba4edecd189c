"""Copy the reader's editions with papermill's own parameter cell set to few steps.

usage: python -m pipeline.few_steps PARAMETERS_FILE EDITIONS FOLDER

The copies are what `make test` gives to `pytest --nbval-lax`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from pipeline.contents import chapters
from pipeline.notebooks import ChapterError, read
from pipeline.values import read_parameters


def main(parameters_file: Path, editions: Path, folder: Path) -> None:
    parameters = read_parameters(parameters_file)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for chapter in chapters():
        set_to = parameters.get(chapter, {})
        notebook = load_notebook_node(read(editions / f"{chapter}.ipynb"))
        if set_to:
            notebook = parameterize_notebook(notebook, set_to)
        nbformat.write(notebook, folder / f"{chapter}.ipynb")


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except ChapterError as error:
        sys.exit(f"\n{error}\n")
