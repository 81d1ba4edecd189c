"""How long a page is, and how long it takes to read.

usage: python -m pipeline.reading

Prints both for every page of the book, with the share of its code that the page does not show,
and the sums of the main line and of the side trips.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from pathlib import Path

from nbformat import NotebookNode

from pipeline.command_line import command_line
from pipeline.contents import is_side_trip, main_line, page_file, pages
from pipeline.notebooks import ChapterError, code_cells, read
from pipeline.quoted import ROLE

# For text that has to be thought about; of easy texts people read 238 words a minute (Brysbaert
# 2019, doi:10.1016/j.jml.2019.104047). And for code that is new to its reader.
WORDS_A_MINUTE = 200
LINES_A_MINUTE = 15

# A page that takes longer is two pages, or has a side trip in it.
LONGEST_CHAPTER = {"words": 3_500, "lines": 350, "cells": 70}
LONGEST_SIDE_TRIP = 2_000  # words
LONGEST_MAIN_LINE = 25_000  # words
LARGEST_MACHINERY = 0.1  # of the code of all chapters

HIDDEN_TAGS = {"remove-input", "remove-cell"}
FOLDED_TAGS = HIDDEN_TAGS | {"hide-input", "hide-cell"}
SOLUTION = re.compile(r"^:::\{solution-(start|end)\}", re.MULTILINE)
# What is there to be unfolded: answers and solutions, and what a quiz says to each of its answers.
FOLDED = re.compile(
    r"^(?P<fence>:{3,})\{(?:solution|dropdown)\}.*?^(?P=fence)$", re.MULTILINE | re.DOTALL
)
QUIZ = re.compile(r"^:::\{quiz\}.*?^:::$", re.MULTILINE | re.DOTALL)
VERDICT = re.compile(r"^ {2,}\S.*", re.MULTILINE)
MARKUP = re.compile(
    r"^:{3,}.*$|^```.*$|^:\w[\w-]*:.*$|^\([\w-]+\)=$|\{[\w:-]+\}|^- \[x\]|https?://\S+",
    re.MULTILINE,
)
WORD = re.compile(r"\S*\w\S*")
HEADING = re.compile(r"^(?:\((?P<label>[\w-]+)\)=\n)?#{1,4} (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Length:
    """How long a page is, or a part of it.

    Attributes
    ----------
    words : int
        Of prose and captions, whether folded or not.
    folded : int
        How many of these are seen only by those who unfold them.
    lines : int
        Of code that is not folded.
    cells : int
        Of the notebook; 0 for a page of text.
    code : int
        Lines of code in all.
    hidden : int
        How many of these the page does not show, nor have folded: its machinery.
    """

    words: int = 0
    folded: int = 0
    lines: int = 0
    cells: int = 0
    code: int = 0
    hidden: int = 0

    def __add__(self, other: Length) -> Length:
        return Length(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    @property
    def minutes(self) -> int:
        """How long it takes to read what is not folded.

        >>> Length(words=1_000, folded=200, lines=90).minutes
        10
        """
        return round((self.words - self.folded) / WORDS_A_MINUTE + self.lines / LINES_A_MINUTE)

    @property
    def machinery(self) -> float:
        """The share of its code that the page does not show."""
        return self.hidden / max(1, self.code)


def words(text: str) -> int:
    r"""How many words a text in Markdown has, its markup left out.

    >>> words("A {term}`logit` is *any* number:\n:::{note}\n:class: tip\nIt may be 3.\n:::")
    9
    >>> words("We read {eval}`100 * share.mean():.1f` %.")
    3
    """
    return len(WORD.findall(MARKUP.sub("", ROLE.sub("0", text))))


def folded_words(text: str) -> int:
    """How many of these are folded."""
    folded = [match[0] for match in FOLDED.finditer(text)]
    folded += [verdict for quiz in QUIZ.findall(text) for verdict in VERDICT.findall(quiz)]
    return sum(map(words, folded))


@dataclass(frozen=True)
class Section:
    """What stands under one heading, up to the next one of whatever level.

    The label is that by which others point to the heading, "" if they cannot.
    """

    label: str
    title: str
    length: Length


def sections(file: Path) -> list[Section]:
    """The sections of a page, in their order. The first one is what stands before the title."""
    found: list[Section] = [Section("", "", Length())]
    for heading, part in _parts(file):
        if heading:
            found.append(Section(heading["label"] or "", heading["title"], part))
        else:
            found[-1] = replace(found[-1], length=found[-1].length + part)
    return found


def length(file: Path) -> Length:
    """How long a page is."""
    return sum((section.length for section in sections(file)), Length())


def _parts(file: Path) -> Iterator[tuple[re.Match | None, Length]]:
    """The pieces of a page, each with the heading that it begins with, if it does."""
    if file.suffix == ".md":
        yield from _text(file.read_text(encoding="utf-8"), in_solution=False)
        return
    notebook = read(file)
    authors = {cell.id for cell in code_cells(notebook)}
    in_solution = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield None, Length(cells=1)
            yield from _text(cell.source, in_solution)
            for edge in SOLUTION.findall(cell.source):
                in_solution = edge == "start"
        elif cell.id in authors:
            yield None, _code(cell, in_solution)


def _text(text: str, in_solution: bool) -> Iterator[tuple[re.Match | None, Length]]:
    starts = [heading.start() for heading in HEADING.finditer(text)]
    for begin, end in pairwise([0, *starts, len(text)]):
        part = text[begin:end]
        count = words(part)
        folded = count if in_solution else folded_words(part)
        yield HEADING.match(part), Length(words=count, folded=folded)


def _code(cell: NotebookNode, in_solution: bool) -> Length:
    tags = set(cell.metadata.get("tags", []))
    code = sum(bool(line.strip()) for line in cell.source.splitlines())
    lines = 0 if in_solution or FOLDED_TAGS & tags else code
    hidden = code if HIDDEN_TAGS & tags else 0
    figure = cell.metadata.get("mystnb", {}).get("figure")
    caption = words(figure["caption"]) if figure else 0
    return Length(caption, caption if in_solution else 0, lines, 1, code, hidden)


def sum_of(pages: Iterable[str]) -> Length:
    """How long several pages are together."""
    return sum((length(page_file(page)) for page in pages), Length())


def main() -> None:
    head = f"{'words':>8}{'folded':>8}{'lines':>7}{'cells':>7}{'minutes':>9}{'machinery':>11}"
    print(f"{'page':32}{head}")
    rows = [(Path(page).name, length(page_file(page))) for page in pages()]
    rows.append(("the main line", sum_of(main_line())))
    rows.append(("the side trips", sum_of(filter(is_side_trip, pages()))))
    for name, it in rows:
        counts = f"{it.words:8,}{it.folded:8,}{it.lines:7,}{it.cells:7,}{it.minutes:9,}"
        print(f"{name:32}{counts}{it.machinery:11.1%}")


if __name__ == "__main__":
    with command_line(ChapterError):
        main()
