"""Bring the chapters into the form that git keeps: `make format` calls this.

Outputs go, but for those of cells that begin with ``# NBVAL_CHECK_OUTPUT``; so does
the metadata of the machine on which the notebook was last saved. Text gets one
sentence a line, so that a diff shows the sentences that changed. If _config.yml
names a repository, a cell installs the book's package in Colab.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from mnist_helpers.files import write_whole
from pipeline.command_line import command_line
from pipeline.notebooks import CHECKED, FOR_COLAB, ChapterError, read
from pipeline.repository import Repository, RepositoryError, read_repository
from pipeline.sentences import one_a_line

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT_CELL_METADATA = ("tags", "mystnb")
INSTALL = """# Colab has to install the book's package first. Elsewhere this does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "{address}"
"""


def tidy(notebook: nbformat.NotebookNode, repository: Repository | None) -> nbformat.NotebookNode:
    """Return a copy of a notebook in the form that git keeps, for a book of that repository."""
    tidied = copy.deepcopy(notebook)
    tidied.cells = [cell for cell in tidied.cells if cell.get("id") != FOR_COLAB]
    if repository:
        source = INSTALL.format(address=repository.pip_address).rstrip()
        hidden = {"tags": ["remove-cell"]}
        # Below the title, which has to stay first.
        tidied.cells.insert(1, new_code_cell(source, id=FOR_COLAB, metadata=hidden))
    tidied.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    )
    for cell in tidied.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        )
        if cell.cell_type == "markdown":
            cell.source = one_a_line(cell.source)
        if cell.cell_type != "code":
            continue
        if cell.source.startswith(CHECKED):
            # nbval takes outputs without a count for a cell that never ran.
            cell.execution_count = 1
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({})
                if "execution_count" in output:
                    output.execution_count = 1
        else:
            cell.execution_count = None
            cell.outputs = []
    return tidied


def main(paths: list[str]) -> None:
    repository = read_repository()
    for path in map(Path, paths):
        notebook = read(path)
        tidied = tidy(notebook, repository)
        if tidied != notebook:
            write_whole(path, f"{nbformat.writes(tidied)}\n".encode())
            print(f"tidied {path}")


if __name__ == "__main__":
    with command_line(ChapterError, RepositoryError):
        main(sys.argv[1:])
