"""Make of each executed chapter a notebook for people: the one that a reader opens.

The sources in chapters/ are what the site is made of: their sentences name the numbers, and
their directives are Sphinx's. BUILD/editions gets the same chapters with the numbers in their
sentences, in Markdown that Jupyter shows, and with the machinery folded or gone. They run
like the sources, with the same parameters.
"""

from __future__ import annotations

import base64
import copy
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import nbformat
import resvg_py
import yaml
from ipykernel.kernelspec import get_kernel_dict
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from pybtex.database import BibliographyData, Person, parse_file

from mnist_helpers.files import write_whole
from pipeline.contents import ROOT, chapters, numbers, page_file, pages
from pipeline.names import RECORDS, leading_to, statements
from pipeline.notebooks import CHAPTERS, CHECKED, FOR_COLAB, ChapterError, read
from pipeline.plain_markdown import Directive, MystError, Role, folded, plain
from pipeline.published import published
from pipeline.repository import read_repository

SVG = "image/svg+xml"
PIXELS = 1.5  # of a picture for one of the page: sharp enough, also where those are small
MACHINERY, FOLDED = "remove-input", "hide-input"
NEEDED_TAGS = ("parameters", "raises-exception")  # what papermill and nbval look for
CHECKED_TAG = "nbval-check-output"
TARGET = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)  # marks a place that others point to
IN_TEXT = re.compile(
    r"^```\{figure\}.*\n(?::.*\n)*?:name: (\S+)|^```\{include\} (results\.md)", re.MULTILINE
)
INCLUDED = {"results.md": "fig-results"}
SOLUTION = "#### Solution"
SOLUTION_EDGE = re.compile(r"^(?=:::\{solution-start\})|(?<=:::\{solution-end\}\n:::\n)", re.M)
FROM_A_NOTEBOOK = "../html"  # where the pages lie, if _config.yml names no public address
INSTALL = """# Installs what this notebook imports, where it is missing: in Colab, for instance.
from importlib.util import find_spec

if find_spec("mnist_helpers") is None:
    %pip install --quiet "{address}"
"""
NO_ADDRESS = """# This notebook imports the book's package, which has no public address yet.
from importlib.util import find_spec

if find_spec("mnist_helpers") is None:
    raise ModuleNotFoundError(
        "mnist_helpers is missing. Run this notebook in the book's own environment "
        "(`make lab` in its folder), or install that folder with pip."
    )
"""


# ---- what the chapters say about each other ----


@dataclass(frozen=True)
class Book:
    """Where everything stands that a chapter may point to.

    Attributes:
        address: Where the pages are: the address of the site, or the path to it from a notebook.
        titles: The title of each page.
        numbers: For each figure and exercise its name and number, such as "Fig. 5.1".
        homes: For each of these, and each marked place in the text, the page on which it stands.
        literature: The works that can be cited.
    """

    address: str
    literature: BibliographyData
    titles: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)

    def link(self, text: str, page: str, place: str = "") -> str:
        """A link to a page of the site, or to a place on it."""
        anchor = f"#{place}" if place else ""
        return f"[{text}]({self.address}/chapters/{page}.html{anchor})"

    def citation(self, keys: str, textual: bool) -> str:
        """The works of these keys, by author and year, with a link to the list of all."""
        cited = []
        for key in keys.split(","):
            entry = self.literature.entries[key.strip()]
            authors, year = names_of(entry.persons["author"]), entry.fields["year"]
            text = f"{authors} ({year})" if textual else f"{authors}, {year}"
            cited.append(self.link(text, "references"))
        return ", ".join(cited) if textual else f"({'; '.join(cited)})"


def names_of(people: list[Person]) -> str:
    """Authors as a sentence names them: one, two, or the first and others."""
    last = [" ".join(person.prelast_names + person.last_names).strip("{}") for person in people]
    if len(last) > 2:
        return f"{last[0]} *et al.*"
    return " and ".join(last)


def book(address: str) -> Book:
    """Look through the sources of all pages for what can be pointed to."""
    found = Book(address, parse_file(CHAPTERS / "references.bib"))
    number_of = numbers()
    counted: Counter[tuple[str, str]] = Counter()
    for file in map(page_file, pages()):
        if file.suffix == ".md":
            text, figures = file.read_text(encoding="utf-8"), []
        else:
            notebook = read(file)
            text = "\n".join(
                cell.source for cell in notebook.cells if cell.cell_type == "markdown"
            )
            figures = list(figure_names(notebook))
        found.titles[file.stem] = re.search(r"^# (.+)", text, re.MULTILINE)[1]
        exercises = re.findall(r"^:::+\{exercise\}.*\n:label: (\S+)", text, re.MULTILINE)
        for label in TARGET.findall(text):
            found.homes[label] = file.stem
        # Pages without a number count on, as Sphinx does.
        chapter = f"{number_of[file.stem]}." if file.stem in number_of else ""
        for kind, labels in (("Fig.", figures), ("Exercise", exercises)):
            for label in labels:
                counted[kind, chapter] += 1
                found.numbers[label] = f"{kind} {chapter}{counted[kind, chapter]}"
                found.homes[label] = file.stem
    return found


def figure_names(notebook: NotebookNode) -> Iterator[str]:
    """The names of a chapter's figures, in their order: of cells, and of pictures in the text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from (name or INCLUDED[file] for name, file in IN_TEXT.findall(cell.source))
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            yield figure["name"]


# ---- text ----


def roles(page: str, book: Book) -> dict[str, Role]:
    """What each role becomes on a page."""

    def pointed(text: str, label: str) -> str:
        number = book.numbers.get(label)  # a place in the text has none
        said = number if text == label else f"{text} ({number})" if number else text
        return said if book.homes[label] == page else book.link(said, book.homes[label], label)

    def to_page(text: str, target: str) -> str:
        return book.link(book.titles[target] if text == target else text, target)

    def term(text: str, target: str) -> str:
        place = re.sub(r"[^a-zA-Z0-9._]+", "-", target)  # as Sphinx names it
        return book.link(text, "glossary", f"term-{place}")

    return {
        "numref": pointed,
        "ref": pointed,
        "doc": to_page,
        "term": term,
        "cite:t": lambda keys, _: book.citation(keys, textual=True),
        "cite:p": lambda keys, _: book.citation(keys, textual=False),
    }


class Text:
    """Turns the Markdown of one chapter into plain Markdown."""

    def __init__(self, page: str, book: Book):
        self.page = page
        self.book = book
        self.roles = roles(page, book)
        self.attachments: dict[str, dict[str, str]] = {}  # of the cell that was done last

    def plain(self, source: str) -> str:
        """Turn the text of a cell into plain Markdown; its pictures are then in `attachments`."""
        self.attachments = {}
        directives = {
            "exercise": self.exercise,
            "solution": lambda each: folded(Directive("solution", "Solution", {}, each.body)),
            "solution-start": lambda each: SOLUTION,
            "solution-end": lambda each: "",
            "figure": self.picture,
            "train": self.panel,
            "include": lambda each: (
                f"*(Here {self.book.link('the page', self.page)} shows more.)*"
            ),
        }
        return plain(TARGET.sub("", source), self.roles, directives)

    def exercise(self, directive: Directive) -> str:
        number = self.book.numbers[directive.options["label"]]
        return f"### {number}: {directive.title}\n\n{directive.body}"

    def picture(self, directive: Directive) -> str:
        """A picture from a file, which from now on travels with the notebook."""
        file = CHAPTERS / directive.title
        content = base64.b64encode(file.read_bytes()).decode()
        self.attachments[file.name] = {f"image/{file.suffix[1:]}": content}
        picture = f"![{directive.options['alt']}](attachment:{file.name})"
        return f"{picture}\n\n{self.caption(directive.options['name'], directive.body)}"

    def panel(self, directive: Directive) -> str:
        """A panel that trains in a browser, as a link to the page that has one, set as here."""
        link = self.book.link("a page of the site", "train", directive.options["settings"])
        return f"*(Here the site trains a network as you watch; {link} has the same settings.)*"

    def caption(self, name: str, caption: str) -> str:
        return f"**{self.book.numbers[name]}.** {caption}"


# ---- cells ----


def edition(page: str, ran: NotebookNode, book: Book) -> NotebookNode:
    """The reader's edition of a chapter.

    Args:
        page: The chapter's file name without its ending.
        ran: The chapter with the outputs and the numbers of its run.
        book: What its references point to.
    """
    text = Text(page, book)
    written = nbformat.v4.new_notebook(metadata=as_jupyter_writes(ran.metadata))
    for cell in with_what_is_needed(ran.cells):
        if cell.cell_type == "markdown":
            written.cells += markdown(cell, text)
        else:
            written.cells += code(cell, text)
    title, _, rest = written.cells[0].source.partition("\n")
    written.cells[0].source = f"{title}\n\n{colophon(page, ran, book)}\n\n{rest.strip()}"
    written.cells.insert(1, installing())
    return written


def as_jupyter_writes(metadata: NotebookNode) -> NotebookNode:
    """A notebook's metadata as JupyterLab saves it, so that opening a notebook changes nothing."""
    kernel = metadata.kernelspec | {"display_name": get_kernel_dict()["display_name"]}
    return nbformat.from_dict({"kernelspec": kernel, "language_info": metadata.language_info})


def markdown(cell: NotebookNode, text: Text) -> Iterator[NotebookNode]:
    """The text as cells: a solution begins one of its own, which is folded."""
    for number, part in enumerate(SOLUTION_EDGE.split(cell.source)):
        source = text.plain(part)
        if not source:
            continue
        written = new_markdown_cell(source, id=f"{cell.id}-{number}" if number else cell.id)
        if text.attachments:
            written.attachments = text.attachments
        if source.startswith(SOLUTION):
            # JupyterLab folds all that follows, up to the next heading of this level or above.
            written.metadata["jp-MarkdownHeadingCollapsed"] = True
        yield written


def code(cell: NotebookNode, text: Text) -> Iterator[NotebookNode]:
    tags = cell.metadata.get("tags", [])
    written = copy.deepcopy(cell)
    written.metadata = nbformat.from_dict({})
    needed = [tag for tag in tags if tag in NEEDED_TAGS]
    if written.source.startswith(CHECKED):  # nbval takes a tag for it, too, which no reader sees
        written.source = written.source.removeprefix(f"{CHECKED}\n")
        needed.append(CHECKED_TAG)
    if needed:
        written.metadata["tags"] = needed
    if is_folded(cell):
        written.metadata["jupyter"] = {"source_hidden": True}
    written.outputs = [with_picture_for_all(output) for output in written.outputs]
    yield written
    if figure := cell.metadata.get("mystnb", {}).get("figure"):
        caption = text.plain(text.caption(figure["name"], figure["caption"]))
        yield new_markdown_cell(caption, id=f"{cell.id}-caption")


def with_picture_for_all(output: NotebookNode) -> NotebookNode:
    """An output whose drawing is a PNG: of a notebook from elsewhere, Jupyter shows no SVG."""
    drawing = output.get("data", {}).pop(SVG, None)
    if drawing:
        picture = resvg_py.svg_to_bytes(
            svg_string=drawing, dpi=96 * PIXELS, skip_system_fonts=True
        )
        width, height = struct.unpack(">II", picture[16:24])
        output.data["image/png"] = base64.b64encode(picture).decode()
        output.metadata["image/png"] = {
            "width": round(width / PIXELS),
            "height": round(height / PIXELS),
        }
    return output


def is_folded(cell: NotebookNode) -> bool:
    """Whether a cell is machinery, folded on the site too, or what every chapter begins with."""
    tags = cell.metadata.get("tags", [])
    return bool({MACHINERY, FOLDED} & set(tags)) or begins_a_chapter(cell.source)


def begins_a_chapter(source: str) -> bool:
    """Whether a cell only checks the parameters, or imports what the lesson needs."""
    return "check_parameters(" in source or bool(
        re.search(r"^(import|from) (?!mnist_helpers.training)", source, re.MULTILINE)
        and "use_house_style()" in source
    )


def with_what_is_needed(cells: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The cells without the machinery that a reader's run has no use for.

    Machinery that shows nothing goes if no cell that stays uses a name that it sets, and it keeps
    no record: it only gave numbers to the prose, which has them now.
    """
    cells = [cell for cell in cells if cell.get("id") != FOR_COLAB]
    code = [cell for cell in cells if cell.cell_type == "code"]
    stay = {number for number, cell in enumerate(code) if not is_idle_machinery(cell)}
    needed = iter(leading_to([cell.source for cell in code], stay))
    return [cell for cell in cells if cell.cell_type != "code" or next(needed)]


def is_idle_machinery(cell: NotebookNode) -> bool:
    """Whether a hidden cell shows nothing and keeps no record."""
    hidden = MACHINERY in cell.metadata.get("tags", [])
    used = {name for each in statements(cell.source) for name in each.used}
    return hidden and not cell.outputs and not used & set(RECORDS)


def colophon(page: str, ran: NotebookNode, book: Book) -> str:
    """What the notebook is, where it comes from, and whose numbers its sentences quote."""
    run, title = ran.metadata, settings()["title"]
    ended = datetime.fromisoformat(run.papermill.end_time)
    return (
        f"*{book.link('This chapter', page)} of “{title}”, as a notebook. The numbers in its "
        f"sentences are those of the book's own run of {ended.day} {ended:%B %Y}, with Python "
        f"{run.language_info.version} and the versions on the {book.link('status page', 'status')}"
        ". Yours may differ a little: change what you like, and compare.*"
    )


def settings() -> dict:
    """What _config.yml says."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def installing() -> NotebookNode:
    """The cell that brings what the notebook imports, where that is missing."""
    repository = read_repository()
    source = INSTALL.format(address=repository.pip_address) if repository else NO_ADDRESS
    folded_away = {"jupyter": {"source_hidden": True}}
    return new_code_cell(source.rstrip(), id="install", metadata=folded_away)


def make_editions(build: Path) -> None:
    """Write BUILD/editions, from chapters that Sphinx found no fault with.

    Raises ChapterError if a chapter has none; it says which, and why.
    """
    address = settings()["html"]["baseurl"].rstrip("/")
    found = book(address or FROM_A_NOTEBOOK)
    for chapter in chapters():
        executed = build / "executed" / f"{chapter}.ipynb"
        ran = published(CHAPTERS / f"{chapter}.ipynb", executed)
        ran.metadata = read(executed).metadata
        try:
            made = edition(chapter, ran, found)
        except (MystError, KeyError) as error:
            raise ChapterError(f"{chapter} has no reader's edition: {error}") from error
        content = f"{nbformat.writes(made)}\n".encode()
        write_whole(build / "editions" / f"{chapter}.ipynb", content)
