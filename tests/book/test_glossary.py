"""The glossary: each term is explained where it says, and linked from there."""

import re

import pytest

from pipeline.notebooks import CHAPTERS, read

ENTRY = re.compile(r"^(?P<term>\S.*)\n  .*\{doc\}`(?P<chapter>[\w-]+)`$", re.M)
ENTRIES = ENTRY.findall((CHAPTERS / "glossary.md").read_text(encoding="utf-8"))


def prose(chapter: str) -> str:
    cells = read(CHAPTERS / f"{chapter}.ipynb").cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_entries_are_in_alphabetical_order_and_each_names_its_chapter():
    text = (CHAPTERS / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^(\S.*)\n  ", text, re.M)
    assert terms == [term for term, _ in ENTRIES] and len(terms) > 40
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize(("term", "chapter"), ENTRIES)
def test_the_chapter_that_explains_a_term_links_to_its_entry(term, chapter):
    link = rf"\{{term\}}`(?:[^`<]+<{re.escape(term)}>|{re.escape(term)})`"
    assert re.search(link, prose(chapter)), f"chapter {chapter} does not link to {term!r}"
