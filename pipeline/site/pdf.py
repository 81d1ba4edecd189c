"""Print the site as one PDF: every page of the book, in order, with links and bookmarks.

usage: python -m pipeline.site.pdf BUILD

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
from pipeline.command_line import command_line
from pipeline.contents import pages

ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", ON_MACOS)
# What a reader of the site clicks is left out. A cell, a row or a picture stays on one sheet where
# it can. So does a table, but not a long one: half a sheet would be empty before it.
STYLE = """
#jb-print-docs-body { display: none !important; }
.bd-main .bd-content { margin: 0 !important; }
.bd-article-container { display: block !important; }
.bd-article-container, .bd-article { max-width: none !important; padding: 0 !important; }
.bd-main .bd-content .bd-article h1:first-of-type { display: block; margin-top: 0; }
.bd-article + .bd-article { break-before: page; }
.cell_input, .cell_output, .admonition, figure, tr, dd { break-inside: avoid; }
dt { break-after: avoid; }
.bd-main .bd-content :is(table, .cell_output):has(tr:nth-child(12)) { break-inside: auto; }
details.hide > summary, .toggle-button, .sd-summary-state-marker { display: none !important; }
.quiz-score, .prev-next-footer { display: none !important; }
.draw-columns, .draw-row, .draw-scroll, .draw-settings, .draw-quiet, .draw-box, #draw--draw-said
{ display: none !important; }
.draw-on-paper { display: block !important; }
#contents a { color: inherit; text-decoration: none; }
"""
FOOTER = """<div style="width: 100%; font: 8pt sans-serif; text-align: center">
<span class="pageNumber"></span></div>"""


def browser_path() -> str | None:
    """The Chromium or Chrome of this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def joined(html: Path) -> str:
    """All pages of the book as one: the first page, with the articles of the others after its own.

    Args:
        html: The rendered site.
    """
    first, *others = [(html / f"{page}.html").resolve() for page in pages()]
    book = BeautifulSoup(first.read_text(encoding="utf-8"), "html.parser")
    articles = [article_of(book, first)]
    for page in others:
        articles.append(
            article_of(BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser"), page)
        )
        articles[-2].insert_after(articles[-1])
    articles[0].insert_before(contents(book, articles))
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
    for script in article.select("script[src]"):
        script.decompose()  # nobody presses anything, and pages may load the same one
    for folded in article.select("details"):
        folded["open"] = ""
    return article


def contents(book: BeautifulSoup, articles: list[Tag]) -> Tag:
    """A cover: the book's title, which is that of its first page, and every other page's."""
    titles = [title_of(article) for article in articles]
    cover = book.new_tag("article", id="contents", attrs={"class": "bd-article"})
    for name, text in (("h1", titles[0]), ("h2", "Contents")):
        cover.append(book.new_tag(name, string=text))
    for article, title in list(zip(articles, titles, strict=True))[1:]:
        line = book.new_tag("p")
        line.append(book.new_tag("a", href=f"#{article['id']}", string=title))
        cover.append(line)
    return cover


def title_of(article: Tag) -> str:
    """With its number, without the sign that links to it."""
    title = article.find("h1")
    return "".join(text for text in title.strings if not text.find_parent(class_="headerlink"))


def within_the_book(href: str, path: Path) -> str:
    """A link to a page of the book, as one within the joined page; any other as it is."""
    address, anchor = urldefrag(href)
    target = (path.parent / address).resolve() if address else path
    if re.match(r"[a-z]+:", href) or target.parent != path.parent:
        return href
    if "=" in anchor:  # settings for a page that computes, and no place on it
        anchor = ""
    return f"#{target.stem}--{anchor}" if anchor else f"#{target.stem}"


def print_book(build: Path) -> Path:
    """Print BUILD/html into BUILD/book.pdf."""
    browser = browser_path()
    if browser is None:
        sys.exit(
            f"\nA PDF needs one of {', '.join(BROWSERS[:3])} on the PATH, or on macOS Google "
            "Chrome; none is there.\n"
        )
    source = build / "html" / "chapters" / "whole-book.html"
    source.write_text(joined(build / "html"), encoding="utf-8")
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
    write_whole(build / "book.pdf", pdf)
    return build / "book.pdf"


if __name__ == "__main__":
    with command_line():
        print(f"\nThe book as a PDF: {print_book(Path(sys.argv[1])).resolve()}\n")
