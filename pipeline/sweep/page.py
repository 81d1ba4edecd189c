"""What of a chapter's page a sweep runs: the cells that lead to its records."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from pipeline.names import RECORDS, Notebook, leading_to, parsed, statements
from pipeline.notebooks import code_cells

SETTINGS = ("check_parameters", "set_seed", "use_device")  # they set what no name holds
TWIN = "_keras"  # ends the name of a model that repeats another, weight by weight


def for_records(notebook: NotebookNode) -> NotebookNode:
    """The page without the code on which none of its records depends; it says so.

    Code that goes is left as text. The records of twins are none of these: they repeat others. A
    page that saves no record is run as a whole.
    """
    code = code_cells(notebook)
    sources = [cell.source for cell in code]
    try:
        records = set(_saving(sources))
    except SyntaxError:  # the run will say where
        records = set()
    if not records:
        return notebook
    always = {
        number
        for number, cell in enumerate(code)
        if "parameters" in cell.metadata.get("tags", ())
        or any(each.used & set(SETTINGS) for each in statements(cell.source))
    }
    last = max(records)
    needed = leading_to(sources[: last + 1], records | {each for each in always if each < last})
    left_out = {cell.id for number, cell in enumerate(code) if number > last or not needed[number]}
    if left_out:
        notebook.cells = [_as_text(c) if c.id in left_out else c for c in notebook.cells]
        said = (
            f"*This run of a sweep left out {len(left_out)} of {len(code)} code cells, on which "
            "none of its records depends. They stand here as text; `--whole` runs them, too.*"
        )
        notebook.cells.insert(0, new_markdown_cell(said, id="left-out"))
    return notebook


def _as_text(cell: NotebookNode) -> NotebookNode:
    return new_markdown_cell(f"*Left out:*\n\n```python\n{cell.source}\n```", id=cell.id)


def _saving(sources: Sequence[str]) -> list[int]:
    """The cells that save a record, also by a function of the page's, but for those of twins."""
    cells = [statements(source) for source in sources]
    notebook = Notebook(cells)
    return [
        number
        for number, cell in enumerate(cells)
        if any(notebook.called_from(each.used) & set(RECORDS) for each in cell)
        and not _saves_only_twins(sources[number])
    ]


def _saves_only_twins(source: str) -> bool:
    models = [
        keyword.value
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == RECORDS[0]
        for keyword in node.keywords
        if keyword.arg == "model"
    ]
    return bool(models) and all(
        isinstance(model, ast.Constant) and str(model.value).endswith(TWIN) for model in models
    )
