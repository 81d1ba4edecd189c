"""Copy the chapters with papermill's own parameter cell set to few steps.

usage: few_steps.py PARAMETERS_FILE FOLDER

The copies are what `make test` gives to `pytest --nbval-lax`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from pipeline.notebooks import CHAPTERS
from pipeline.values import read_parameters


def main(parameters_file: Path, folder: Path) -> None:
    parameters = read_parameters(parameters_file)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        set_to = parameters.get(path.stem, {})
        notebook = load_notebook_node(str(path))
        if set_to:
            notebook = parameterize_notebook(notebook, set_to)
        nbformat.write(notebook, folder / path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
