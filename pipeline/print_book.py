"""Print the site as one PDF: every page of the book, in order, with links and bookmarks.

usage: print_book.py BUILD

The pages of BUILD/html are joined and printed by Chromium into BUILD/book.pdf.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urldefrag

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

from mnist_helpers.files import write_whole
from pipeline.render_site import pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# The theme prints the title of one page; here each page has its own, on a new sheet.
STYLE = """
#jb-print-docs-body { display: none; }
.bd-article h1 { display: block !important; }
.bd-article + .bd-article { break-before: page; }
"""
FOOTER = """<div style="width: 100%; font: 8pt sans-serif; text-align: center">
<span class="pageNumber"></span></div>"""


def browser_path() -> str | None:
    """The Chromium or Chrome of this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def joined(html: Path) -> str:
    """All pages of the book as one: the first page, with the articles of the others after its own.

    Parameters
    ----------
    html : Path
        The rendered site.
    """
    first, *others = [(html / f"{page}.html").resolve() for page in pages()]
    book = BeautifulSoup(first.read_text(), "html.parser")
    articles = [article_of(book, first)]
    for page in others:
        articles.append(article_of(BeautifulSoup(page.read_text(), "html.parser"), page))
        articles[-2].insert_after(articles[-1])
    for policy in book.select('meta[http-equiv="Content-Security-Policy"]'):
        policy.decompose()  # it names the scripts of the first page alone
    return str(book)


def article_of(page: BeautifulSoup, path: Path) -> Tag:
    """A page's text, with names that are its own, for links from anywhere in the book."""
    article = page.find("article")
    article["id"] = path.stem
    for element in article.select("[id]"):
        element["id"] = f"{path.stem}--{element['id']}"
    for link in article.select("a[href]"):
        link["href"] = within_the_book(link["href"], path)
    for folded in article.select("details"):
        folded["open"] = ""
    return article


def within_the_book(href: str, path: Path) -> str:
    """A link to a page of the book, as one within the joined page; any other as it is."""
    address, anchor = urldefrag(href)
    target = (path.parent / address).resolve() if address else path
    if re.match(r"[a-z]+:", href) or target.parent != path.parent:
        return href
    return f"#{target.stem}--{anchor}" if anchor else f"#{target.stem}"


def print_book(build: Path) -> Path:
    """Print BUILD/html into BUILD/book.pdf."""
    browser = browser_path()
    if browser is None:
        sys.exit(f"\nA PDF needs one of {', '.join(BROWSERS)} on the PATH; none is there.\n")
    source = build / "html" / "chapters" / "whole-book.html"
    source.write_text(joined(build / "html"))
    try:
        with sync_playwright() as playwright:
            tab = playwright.chromium.launch(
                executable_path=browser, args=["--no-sandbox", "--disable-gpu"]
            ).new_page()
            tab.goto(source.resolve().as_uri())
            tab.add_style_tag(content=STYLE)
            pdf = tab.pdf(
                format="A4",
                margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"),
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
                scale=0.7,
                outline=True,
                tagged=True,
            )
    finally:
        source.unlink()
    write_whole(build / "book.pdf", lambda stream: stream.write(pdf))
    return build / "book.pdf"


if __name__ == "__main__":
    print(f"\nThe book as a PDF: {print_book(Path(sys.argv[1])).resolve()}\n")
