"""What the book is made of: `_toc.yml`, and what lies beside it is nobody's page."""

from __future__ import annotations

from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from pipeline.contents import ROOT, chapters, left_alone, main_line, numbers, pages

FORMS = {
    "parts": """
format: jb-book
root: chapters/intro
parts:
  - caption: "Chapters: file by file"
    numbered: 1
    chapters:
    - file: chapters/01-data  # the first
    # - file: chapters/draft
    - title: Two
      file: chapters/02-two.ipynb
  - chapters:
      - file: "chapters/notation.md"
""",
    "sections within chapters, and an address": """
format: jb-book
root: 'chapters/intro'
chapters:
- file: chapters/01-data
  sections:
  - file: chapters/01-more
    sections: [{file: chapters/01-even-more}, {title: x, "file": 'chapters/01-most'}]
  - url: https://example.org/file
- {file: chapters/02-two, title: Two}
""",
    "the root last, and any depth": """
format: jb-article
sections:
  - file: chapters/01-data
    sections:
      - file: chapters/01-more
        sections:
          - file: chapters/01-even-more
  - file: chapters/02-two
defaults: {titlesonly: true}
root: chapters/intro
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chapters").mkdir()
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_reads_the_pages_that_the_renderer_reads_in_its_order(form: str, folder: Path):
    (folder / "_toc.yml").write_text(FORMS[form], encoding="utf-8")
    assert pages(folder) == as_the_renderer_reads(folder)
    assert len(pages(folder)) >= 3


def test_reads_the_book_as_the_renderer_does():
    assert pages() == as_the_renderer_reads(ROOT)


def as_the_renderer_reads(folder: Path) -> list[str]:
    site_map = parse_toc_yaml(folder / "_toc.yml")
    return [name.removesuffix(".md").removesuffix(".ipynb") for name in in_order(site_map)]


def in_order(site_map, name: str | None = None) -> list[str]:
    """A page, and the pages below it, each with those below it."""
    page = site_map[name] if name else site_map.root
    below = [item for tree in page.subtrees for item in tree.items if isinstance(item, str)]
    return [page.docname, *(found for item in below for found in in_order(site_map, str(item)))]


def test_chapters_are_the_pages_that_run_and_other_notebooks_are_left_alone(folder: Path):
    toc = "root: chapters/intro\nchapters: [{file: chapters/02-two}, {file: chapters/01-data}]"
    (folder / "_toc.yml").write_text(toc, encoding="utf-8")
    for name in ("intro.md", "01-data.ipynb", "02-two.ipynb", "02-two-Copy1.ipynb"):
        (folder / "chapters" / name).touch()
    assert chapters(folder) == ["02-two", "01-data"]
    assert left_alone(folder) == ["02-two-Copy1.ipynb"]


def test_the_main_line_is_the_front_page_and_the_chapters_that_are_no_side_trips(folder: Path):
    toc = """
format: jb-book
root: chapters/intro
parts:
  - numbered: 1
    chapters:
      - file: chapters/01-data
        sections:
          - file: chapters/01-more
      - file: chapters/02-two
      - file: chapters/play
  - caption: Side trips
    chapters:
      - file: chapters/01-trip-bytes
"""
    (folder / "_toc.yml").write_text(toc, encoding="utf-8")
    for name in ("intro.md", "play.md", *(f"{page[9:]}.ipynb" for page in pages(folder)[1:])):
        if name != "play.ipynb":
            (folder / "chapters" / name).touch()
    shown = [page.removeprefix("chapters/") for page in main_line(folder)]
    assert shown == ["intro", "01-data", "01-more", "02-two"]
    assert numbers(folder) == {"01-data": 1, "01-more": 1, "02-two": 2, "play": 3}
