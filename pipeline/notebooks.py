"""Chapters before and after they ran: their code, their outputs, their faults."""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import linecache
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from pipeline.contents import ROOT

CHAPTERS = ROOT / "chapters"
CHECKED = "# NBVAL_CHECK_OUTPUT"  # begins a cell whose output the tests compare
INJECTED = "injected-parameters"  # papermill's tag for the cell that it adds
FOR_COLAB = "for-colab"  # the id of the cell that `make format` adds
WIDGET = "application/vnd.jupyter.widget-view+json"


class ChapterError(Exception):
    """A chapter that cannot be published; the message names it and says why."""


def state(*paths: Path) -> tuple[tuple, ...]:
    """What changes whenever one of these files does, or comes or goes: the key of a cache."""
    found = []
    for path in paths:
        try:
            is_now = path.stat()
            found.append((path, is_now.st_ino, is_now.st_mtime_ns, is_now.st_size))
        except OSError:
            found.append((path,))
    return tuple(found)


def read(path: Path) -> NotebookNode:
    """Read a notebook in the current format.

    Raises ChapterError if it cannot be read; the message names the file and says why.
    """
    try:
        return _notebook(path.read_bytes())
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError as error:
        reason = f"it is not in UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
    except (json.JSONDecodeError, RecursionError) as error:
        reason = f"it is not JSON: {error}"
    except nbformat.ValidationError as error:
        reason = f"it is not a notebook as the format has it: {error.message}"
    except ChapterError as error:
        reason = str(error)
    raise ChapterError(f"The notebook {path} cannot be read: {reason}.")


def _notebook(content: bytes) -> NotebookNode:
    if not content.strip():
        raise ChapterError("it is empty")
    text = content.decode()
    parsed = json.loads(text)
    if not isinstance(parsed, dict) or "nbformat" not in parsed:
        raise ChapterError("it is JSON, but not a notebook: it has no nbformat")
    if parsed["nbformat"] not in (3, 4):
        raise ChapterError(f"its nbformat is {parsed['nbformat']!r}; 3 and 4 can be read")
    invalid: dict[str, Exception] = {}
    try:
        notebook = nbformat.reads(text, as_version=4, capture_validation_error=invalid)
    except (AttributeError, KeyError, TypeError) as error:  # such as a number where a list goes
        raise nbformat.ValidationError(str(error)) from error
    if invalid:
        raise invalid["ValidationError"]
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that the author wrote."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and cell.get("id") != FOR_COLAB
        and INJECTED not in cell.metadata.get("tags", [])
    ]


def chapter_parameters(chapter: str) -> dict[str, object]:
    """The parameters of a chapter, by name, with their defaults."""
    path = CHAPTERS / f"{chapter}.ipynb"
    return dict(_parameters(path, state(path)))


@functools.lru_cache(maxsize=64)  # a sweep asks a thousand times
def _parameters(path: Path, _: tuple) -> dict[str, object]:
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for cell in code_cells(read(path))
        if "parameters" in cell.metadata.get("tags", [])
        for node in ast.parse(cell.source).body
    }


def normalised_code(notebook: NotebookNode) -> list[str]:
    """The code of each cell without comments and layout, which change no output."""
    return [normalised(cell.source) for cell in code_cells(notebook)]


def normalised(source: str) -> str:
    """Python source without comments and layout; anything else as it is."""
    try:
        return ast.unparse(ast.parse(source))
    except SyntaxError:  # a cell with IPython's own syntax
        return source


def faults(notebook: NotebookNode) -> list[str]:
    """What must not be published: tracebacks, cells that did not run or draw, live widgets."""
    found = []
    for number, cell in enumerate(code_cells(notebook), 1):
        if cell.execution_count is None and cell.source.strip():
            found.append(f"code cell {number} did not run")
        for output in cell.outputs:
            if output.output_type == "error":
                message = without_colours(f"{output.ename}: {output.evalue}")
                found.append(f"code cell {number} raised {message}")
            elif WIDGET in output.get("data", {}):
                found.append(f"code cell {number} left a progress bar behind")
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure and not any(is_image(output) for output in cell.outputs):
            found.append(f"code cell {number} drew no figure {figure['name']}")
    return found


def is_image(output: NotebookNode) -> bool:
    """Whether an output is a picture, of whatever format."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def mentions(notebook: NotebookNode, word: str) -> bool:
    """Whether a printed output of the notebook has this word."""
    return any(
        word in output.get("text", "") for cell in code_cells(notebook) for output in cell.outputs
    )


def without_colours(text: str) -> str:
    """Text without the escape sequences that colour it in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def definitions(chapter: str, **given: object) -> dict[str, object]:
    """Execute a chapter's imports, functions and constants, and nothing else.

    Where a name is defined twice, the first definition counts: later ones are those of exercises.
    What is given stands for variables that the chapter has by those names.
    """
    names = dict(given)
    for number, cell in enumerate(code_cells(read(CHAPTERS / f"{chapter}.ipynb"))):
        file = f"{chapter}, cell {number}"
        # TensorFlow compiles from the source, and looks for it here.
        linecache.cache[file] = len(cell.source), None, cell.source.splitlines(True), file
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef):
                wanted = node.name not in names
            elif isinstance(node, ast.Assign):
                wanted = _is_literal(node.value) and not any(
                    name in names for name in _names(node.targets[0])
                )
            else:
                wanted = isinstance(node, ast.Import | ast.ImportFrom)
            if wanted:
                # A function whose defaults are results of a run cannot be had without it.
                with contextlib.suppress(NameError):
                    exec(compile(ast.Module([node], []), file, "exec"), names)  # noqa: S102
    return names


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
