"""What of a chapter's page a sweep runs: the statements that lead to its records."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from pipeline.names import RECORDS, Notebook, leading_to, parsed, pieces, statements
from pipeline.notebooks import code_cells

SETTINGS = ("check_parameters", "set_seed", "use_device")  # they set what no name holds
TWIN = "_keras"  # ends the name of a model that repeats another, weight by weight


def for_records(notebook: NotebookNode) -> NotebookNode:
    """The page with every statement made a comment on which none of its records depends.

    It says so at its top. The records of twins are none of these: they repeat others. A page that
    saves no record is run as a whole.
    """
    code = code_cells(notebook)
    try:
        cut = [(cell, piece) for cell in code for piece in pieces(cell.source)]
    except SyntaxError:  # the run will say where
        return notebook
    sources = [piece for _, piece in cut]
    records = _saving(sources)
    if not records:
        return notebook
    last = max(records)
    always = {
        number
        for number, (cell, piece) in enumerate(cut[:last])
        if "parameters" in cell.metadata.get("tags", ())
        or any(each.used & set(SETTINGS) for each in statements(piece))
    }
    stay = leading_to(sources[: last + 1], records | always) + [False] * (len(cut) - last - 1)
    for cell in code:
        cell.source = ""
        cell.metadata.pop("mystnb", None)  # a figure that is not drawn is no fault
    for (cell, piece), stays in zip(cut, stay, strict=True):
        cell.source += "\n" * bool(cell.source) + (piece if stays else _as_comment(piece))
    said = (
        f"*This run of a sweep left out {stay.count(False)} of {len(stay)} statements, on which "
        "none of its records depends. They are comments here; `--whole` runs them, too.*"
    )
    notebook.cells.insert(0, new_markdown_cell(said, id="left-out"))
    return notebook


def _as_comment(piece: str) -> str:
    return textwrap.indent(piece, "# ", lambda line: True)


def _saving(sources: Sequence[str]) -> set[int]:
    """The statements that save a record, also by a function of the page's; not those of twins."""
    parts = [statements(source) for source in sources]
    notebook = Notebook(parts)
    return {
        number
        for number, part in enumerate(parts)
        if any(notebook.called_from(each.used) & set(RECORDS) for each in part)
        and not _saves_only_twins(sources[number])
    }


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
