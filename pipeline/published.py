"""A chapter as it is published: its pages of now, with what its last run found."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from pipeline.notebooks import ChapterError, code_cells, faults, normalised_code, read
from pipeline.quoted import VALUES, to_evaluate, write_out


def with_outputs(chapter: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """The chapter as it is now, with the outputs and the numbers of its last run.

    Raises ChapterError if the run was of other code, or did not evaluate what sentences quote.
    """
    if normalised_code(chapter) != normalised_code(executed):
        raise ChapterError("its code is not the code that ran; run it again")
    for cell, ran in zip(code_cells(chapter), code_cells(executed), strict=True):
        cell.outputs = ran.outputs
        cell.execution_count = ran.execution_count
    values = [cell.metadata.get(VALUES, {}) for cell in code_cells(executed)]
    if to_evaluate(chapter) != [sorted(each) for each in values]:
        raise ChapterError("its sentences quote what the run did not evaluate; run it again")
    write_out(chapter, values)
    return chapter


def published(chapter: Path, executed: Path) -> NotebookNode:
    """A chapter with the outputs of its run, fit to be published.

    Raises ChapterError if it has not run, if its code is not what ran, or if its outputs have
        faults.
    """
    if not executed.exists():
        raise ChapterError(f"{chapter.stem} has not run: {executed} is missing.")
    try:
        notebook = with_outputs(read(chapter), read(executed))
    except ChapterError as error:
        raise ChapterError(f"{chapter.stem}: {error}") from error
    found = faults(notebook)
    if found:
        executed.unlink()  # else Make would take it for done, and this would fail for ever
        raise ChapterError(f"{chapter.stem}: {'; '.join(found)}. The next make runs it again.")
    return notebook
