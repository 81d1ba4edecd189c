"""The glossary: each term is explained where it says, and linked from there."""

import re
from pathlib import Path

import pytest

from pipeline.contents import chapters, main_line
from pipeline.notebooks import CHAPTERS, read

ENTRY = re.compile(r"^(?P<term>\S.*)\n  .*\{doc\}`(?P<chapter>[\w-]+)`$", re.M)
ENTRIES = ENTRY.findall((CHAPTERS / "glossary.md").read_text(encoding="utf-8"))

# Words that an earlier chapter uses in passing, in their everyday sense or to announce them.
MENTIONED_BEFORE = {
    "filter",
    "learning rate",
    "parameter",
    "pooling",
    "run record",
    "tensor",
    "unit",
    "weight",
}


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


@pytest.mark.parametrize(("term", "chapter"), ENTRIES)
def test_no_chapter_uses_a_term_before_the_one_that_explains_it(term, chapter):
    in_order = [Path(page).name for page in main_line()[1:]]
    earlier = in_order[: in_order.index(chapter)]
    link = rf"\{{term\}}`(?:[^`<]+<)?{re.escape(term)}>?`"
    word = link if term in MENTIONED_BEFORE else rf"\b{re.escape(term)}(s|es)?\b"
    used = [stem for stem in earlier if re.search(word, prose(stem), re.I)]
    assert not used, f"{term!r} is explained in {chapter} and used before, in {', '.join(used)}"


def test_every_symbol_of_the_notation_is_one_that_a_page_uses():
    table = (CHAPTERS / "notation.md").read_text(encoding="utf-8")
    symbols = re.findall(r"\$([^$]+)\$", " ".join(re.findall(r"^\| (\$[^|]*)\|", table, re.M)))
    pages = "\n".join(map(prose, chapters()))
    formulas = " ".join(re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$|```\{math\}.+?```", pages, re.DOTALL))
    assert len(symbols) > 40
    letters = set(
        re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", re.sub(r"\\\w+", " ", formulas))
    )
    unused = [each for each in symbols if each not in (letters if each.isalpha() else formulas)]
    assert unused == []
