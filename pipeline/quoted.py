"""The numbers of a run in the sentences about it.

A sentence quotes one as ``{eval}`100 * share:.1f` ``. Between the backticks stands what would
stand between the braces of an f-string, and its variables are as the cells above the sentence
leave them; where it tells beforehand what a cell below finds, as the first cell does by which all
have a value. A run keeps the values with that cell, and without their format: a sentence may
change it, and nothing has to run again.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from nbformat import NotebookNode

from pipeline.names import statements
from pipeline.notebooks import ChapterError, code_cells

ROLE = re.compile(r"\{eval\}`([^`]+)`")
VALUES = "quoted"  # names them in the metadata of a cell that ran
# Python's own number in place of NumPy's or TensorFlow's; anything else as it is.
AS_PYTHON = """(lambda value: __import__("numpy").asarray(value).item()
    if getattr(value, "shape", None) == () else value)"""


def parts(quote: str) -> tuple[str, str]:
    """The expression of a quote, and its format.

    >>> parts('scores["valid"][-1]:.1f')
    ("scores['valid'][-1]", '.1f')
    """
    with contextlib.suppress(SyntaxError):
        match ast.parse(f'f"""{{{quote}}}"""', mode="eval").body:
            case ast.JoinedStr([ast.FormattedValue(value, -1, None)]):
                return ast.unparse(value), ""
            case ast.JoinedStr(
                [ast.FormattedValue(value, -1, ast.JoinedStr([ast.Constant(form)]))]
            ):
                return ast.unparse(value), form
    raise ChapterError(f"the sentence's `{quote}` is no expression, nor one with a format")


def expressions(notebook: NotebookNode) -> list[str]:
    """All that the sentences of a notebook quote."""
    return [expression for _, expression in _quoted(notebook)]


def to_evaluate(notebook: NotebookNode) -> list[list[str]]:
    """For each code cell the expressions that sentences quote as it leaves their variables.

    Raises ChapterError if a quote cannot be read, or names what no cell gives a value.
    """
    places = _Places(notebook)
    found: list[set[str]] = [set() for _ in code_cells(notebook)]
    for above, expression in _quoted(notebook):
        found[places.of(expression, above)].add(expression)
    return [sorted(each) for each in found]


def evaluated(
    expressions: Iterable[str], ask: Callable[[dict[str, str]], Mapping[str, Mapping]]
) -> dict[str, str]:
    """What expressions are worth, by the answers of a kernel, as a run keeps it.

    Raises ChapterError if one raised, or is neither a number nor a text.
    """
    values = {}
    answers = ask({expression: f"{AS_PYTHON}({expression})" for expression in expressions})
    for expression, answer in answers.items():
        if answer["status"] == "error":
            said = f"raised {answer['ename']}: {answer['evalue']}"
            raise ChapterError(f"the sentence's `{expression}` {said}")
        values[expression] = answer["data"]["text/plain"]
        try:
            _value(values[expression])
        except ValueError:
            said = f"is {values[expression]}; a sentence can quote a number or a text"
            raise ChapterError(f"the sentence's `{expression}` {said}") from None
    return values


def write_out(notebook: NotebookNode, values: Sequence[Mapping[str, str]]) -> None:
    """Put the values that a run kept, those of each code cell, into the sentences.

    Raises ChapterError if a format does not suit its value.
    """
    places = _Places(notebook)
    for above, holder, key in _texts(notebook):

        def written(match: re.Match, above: int = above) -> str:
            expression, form = parts(match[1])
            value = _value(values[places.of(expression, above)][expression])
            try:
                return format(value, form)
            except ValueError as error:
                said = f"the sentence's `{match[1]}`, which is {value!r}: {error}"
                raise ChapterError(said) from error

        holder[key] = ROLE.sub(written, holder[key])


def _value(kept: str) -> float | str:
    """A number or a text, from its form in Python. Raises ValueError if it is anything else."""
    try:
        value = ast.literal_eval(kept)
    except (SyntaxError, ValueError):
        return float(kept)  # nan and inf, which are no literals
    if not isinstance(value, int | float | str):
        raise ValueError(kept)
    return value


def _quoted(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """The expressions of sentences, and below how many code cells these stand."""
    for above, holder, key in _texts(notebook):
        for quote in ROLE.findall(holder[key]):
            yield above, parts(quote)[0]


def _texts(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode, str]]:
    """Where sentences stand: below how many code cells, in what, and under which key of it."""
    authors = {id(cell) for cell in code_cells(notebook)}
    above = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield above, cell, "source"
        elif id(cell) in authors:
            above += 1
            shown = cell.metadata.get("mystnb", {})
            for key, text in (("figure", "caption"), ("image", "alt")):
                if text in shown.get(key, {}):
                    yield above, shown[key], text


class _Places:
    """After which code cell of a notebook an expression is evaluated."""

    def __init__(self, notebook: NotebookNode):
        cells = code_cells(notebook)
        self.count = len(cells)
        self.first: dict[str, int] = {}  # by name: the cell that gives it a value
        for number, cell in enumerate(cells):
            # Behind the parameters papermill puts a cell with those that were given to it.
            is_set = number + ("parameters" in cell.metadata.get("tags", []))
            with contextlib.suppress(SyntaxError):  # the run will say where
                for name in {name for each in statements(cell.source) for name in each.set}:
                    self.first.setdefault(name, is_set)

    def of(self, expression: str, above: int) -> int:
        """The number of the cell, for a sentence below so many."""
        used = {name for each in statements(expression) for name in each.used}
        for name in sorted(used - self.first.keys() - set(dir(builtins))):
            raise ChapterError(f"the sentence's `{expression}`: no cell gives {name!r} a value")
        place = max([0, above - 1, *(self.first[name] for name in used & self.first.keys())])
        if place >= self.count:
            raise ChapterError(f"the sentence's `{expression}`: there is no cell to take it from")
        return place
