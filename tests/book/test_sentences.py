"""Paragraphs break after their sentences; nothing else of a page changes."""

from __future__ import annotations

import re

import pytest

from pipeline.contents import chapters
from pipeline.notebooks import CHAPTERS, read
from pipeline.plain_markdown import PARSER
from pipeline.sentences import one_a_line


def blocks(source: str) -> list[object]:
    """What a page is made of, but for where the lines of a paragraph break."""
    found: list[object] = []
    for token in PARSER.parse(source):
        if token.type == "inline":
            found.append(re.sub(r"\s+", " ", token.content))
        elif token.type == "colon_fence":
            found += [token.info, *blocks(token.content)]
        else:
            found.append((token.type, token.content))
    return found


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("One. Two? Three! 4 is four.", "One.\nTwo?\nThree!\n4 is four."),
        ("One\nsentence\nonly.", "One sentence only."),
        ("By J. Smith, e.g. in Fig. 3. So it is.", "By J. Smith, e.g. in Fig. 3.\nSo it is."),
        ("Code `a. B` and $a. B$ stay. So.", "Code `a. B` and $a. B$ stay.\nSo."),
        ("- One. Two.\n- Three.", "- One.\n  Two.\n- Three."),
        ("> One. Two.", "> One.\n> Two."),
        ("Term\n: One. Two.", "Term\n: One.\n  Two."),
        ("(One. Two.) Three.", "(One.\nTwo.)\nThree."),
        ("What follows 1998. 3. is no list.", "What follows 1998. 3. is no list."),
        (
            ":::{exercise} A. B\n:label: ex\n\nOne. Two.\n:::",
            ":::{exercise} A. B\n:label: ex\n\nOne.\nTwo.\n:::",
        ),
        (
            "| a. B | c |\n|:--|:--|\n| One. Two. | 3 |",
            "| a. B | c |\n|:--|:--|\n| One. Two. | 3 |",
        ),
    ],
)
def test_a_paragraph_breaks_after_its_sentences_and_nowhere_else(source: str, broken: str):
    assert one_a_line(source) == broken
    assert one_a_line(broken) == broken


@pytest.mark.parametrize(
    "path", [CHAPTERS / f"{chapter}.ipynb" for chapter in chapters()], ids=lambda path: path.stem
)
def test_no_page_of_the_book_changes_but_in_its_line_breaks(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert blocks(one_a_line(cell.source)) == blocks(cell.source)
