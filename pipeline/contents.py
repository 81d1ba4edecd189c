"""What the book is made of, as _toc.yml has it: the one place that reads that file.

usage: python pipeline/contents.py

Prints the file of each page, in the order of the book. Make asks before there
is an environment, so only what every Python has is used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# `file: chapters/01-data`, on a line of its own or in braces, with quotes or without.
ENTRY = re.compile(
    r"""(?:^\s*(?:-\s+)*|[{,]\s*)(['"]?)(file|root)\1\s*:\s+(['"]?)(?P<page>[^'",{}]*[^'",{}\s])\3"""
)
COMMENT = re.compile(r"(?:^|\s)#.*")
COMPARISON = "07-comparison"  # the chapter that reads the records of the others


def pages(root: Path = ROOT) -> list[str]:
    """The pages of the book in its order, as paths from the book's folder without endings."""
    lines = (root / "_toc.yml").read_text(encoding="utf-8").splitlines()
    entries = [entry for line in lines for entry in ENTRY.finditer(COMMENT.sub("", line))]
    entries.sort(key=lambda entry: entry[2] != "root")  # it may stand last in the file
    return [re.sub(r"\.(md|ipynb)$", "", entry["page"]) for entry in entries]


def page_file(page: str, root: Path = ROOT) -> Path:
    """The file of a page: Markdown if there is one, else a notebook."""
    markdown = root / f"{page}.md"
    return markdown if markdown.exists() else root / f"{page}.ipynb"


def chapters(root: Path = ROOT) -> list[str]:
    """The chapters that run, in the order of the book: the names of its notebooks."""
    files = [page_file(page, root) for page in pages(root)]
    return [file.stem for file in files if file.suffix == ".ipynb"]


def is_side_trip(page: str) -> bool:
    """Whether a page goes deeper than its chapter and may be skipped: `03-trip-tensorboard`."""
    return "-trip-" in page


def main_line(root: Path = ROOT) -> list[str]:
    """The pages to read from the first to the last: the front page, and the chapters."""
    front, *others = pages(root)
    run = [page for page in others if page_file(page, root).suffix == ".ipynb"]
    return [front, *(page for page in run if not is_side_trip(page))]


def numbers(root: Path = ROOT) -> dict[str, int]:
    """The number of each page that has one; a page below another one shares its number."""
    # Asked for by what runs in the book's environment only.
    from sphinx_external_toc.parsing import parse_toc_yaml

    contents = parse_toc_yaml(root / "_toc.yml")
    found = {}

    def number_below(page: str, number: int) -> None:
        found[Path(page).stem] = number
        for tree in contents[page].subtrees:
            for below in tree.items:
                number_below(str(below), number)

    for tree in contents.root.subtrees:
        if tree.numbered:
            for number, page in enumerate(tree.items, 1):
                number_below(str(page), number)
    return found


def no_chapter(name: object, known: Sequence[str]) -> str:
    """The message for a chapter that the book does not have.

    Examples
    --------
    >>> no_chapter("03-mpl", ["01-data", "03-mlp"])
    "There is no chapter '03-mpl'; did you mean 03-mlp? The book has 01-data, 03-mlp."
    """
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return f"There is no chapter {name!r}{meant} The book has {', '.join(known)}."


def left_alone(root: Path = ROOT) -> list[str]:
    """The files of notebooks that lie beside the chapters and are no part of the book."""
    beside = {file.name for file in (root / "chapters").glob("*.ipynb")}
    return sorted(beside - {f"{chapter}.ipynb" for chapter in chapters(root)})


if __name__ == "__main__":
    print(*(page_file(page).relative_to(ROOT).as_posix() for page in pages()))
