"""The rendered site, as `make test` makes it with few steps."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, expect, sync_playwright

from pipeline.notebooks import CHAPTERS, code_cells, read
from pipeline.render_site import pages

SITE = CHAPTERS.parent / "_build" / "test" / "html"
NAMES = sorted(path.stem for path in CHAPTERS.glob("*.ipynb"))
PAGES = [Path(page).name for page in pages()]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module", autouse=True)
def site() -> Path:
    if not (SITE / "index.html").exists():
        pytest.fail("The site is not there. `make test` makes it before it runs these tests.")
    return SITE


@functools.cache
def page(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / "chapters" / f"{name}.html").read_text(), "html.parser")


def test_the_front_page_leads_to_the_book():
    assert "chapters/intro.html" in (SITE / "index.html").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_there_with_its_title(name: str):
    assert page(name).find("h1").get_text().strip()


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_there_with_number_caption_and_alt_text(name: str):
    wanted = [
        cell.metadata.mystnb.figure.name
        for cell in code_cells(read(CHAPTERS / f"{name}.ipynb"))
        if cell.metadata.get("mystnb", {}).get("figure")
    ]
    if name == "07-comparison":  # a record of few steps need not show every mistake
        wanted = [figure for figure in wanted if page(name).find(id=figure)]
    assert len(wanted) >= 2
    for figure in wanted:
        found = page(name).find("figure", id=figure)
        assert found is not None, figure
        image = found.find("img")
        assert (SITE / "chapters" / image["src"]).resolve().stat().st_size > 500
        assert len(image["alt"]) > 20
        assert re.match(r"Fig\. \d+\.\d+", found.find("figcaption").get_text().strip())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_broken_is_published(name: str):
    html = page(name)
    assert not html.select(".cell_output .traceback, .output.traceback, .system-message")
    text = html.find("article").get_text()
    for sign in (
        "Traceback (most recent call last)",
        "{glue:",
        "{numref}",
        "{cite",
        "{doc}",
        "{term}",
        "{ref}",
    ):
        assert sign not in text
    assert "undefined label" not in text
    paragraphs = [paragraph.get_text() for paragraph in html.select("article p")]
    assert not [text for text in paragraphs if text.startswith("|")], "a table that is none"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_site_leads_somewhere(name: str):
    here = SITE / "chapters" / f"{name}.html"
    for link in page(name).select("a[href]"):
        href = link["href"]
        if re.match(r"[a-z]+:", href):
            continue
        target, _, anchor = href.partition("#")
        file = (here.parent / target).resolve() if target else here
        assert file.exists(), href
        if anchor and file.suffix == ".html" and file.parent == here.parent:
            assert page(file.stem).find(id=anchor) is not None, href


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_from_elsewhere(name: str):
    for element in page(name).select("script[src], link[rel=stylesheet], img[src]"):
        address = element.get("src") or element.get("href")
        assert not re.match(r"(https?:)?//", address), address


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site on a local server."""
    handler = functools.partial(QuietHandler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if browser_path() is None:
        pytest.skip("no Chromium or Chrome is installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_quiz_marks_itself_from_the_keyboard(browser: Browser, address: str, name: str):
    tab = browser.new_page()
    tab.goto(f"{address}/chapters/{name}.html")
    questions = tab.locator(".quiz")
    count = questions.count()
    assert count >= 5

    wrong = questions.nth(0).locator(".quiz-wrong").first
    wrong.locator("summary").focus()
    tab.keyboard.press("Enter")
    expect(wrong.locator(".quiz-verdict")).to_be_visible()
    score = tab.locator(".quiz-score")
    expect(score).to_have_text(f"Right at the first try: 0 of 1. {count - 1} to go.")
    questions.nth(0).locator(".quiz-right summary").press("Space")
    expect(questions.nth(0).locator(".quiz-right .quiz-verdict")).to_be_visible()

    for number in range(1, count):
        questions.nth(number).locator(".quiz-right summary").press("Enter")
    # The first answer to each question counts.
    expect(score).to_have_text(f"Right at the first try: {count - 1} of {count}.")
    tab.close()


def test_a_reader_clicks_from_the_first_page_to_the_last(browser: Browser, address: str):
    complaints: list[str] = []
    visited = []
    tab = browser.new_page()
    tab.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    tab.on(
        "request",
        lambda r: r.url.startswith((address, "data:")) or complaints.append(f"asks {r.url}"),
    )
    tab.goto(f"{address}/index.html")
    tab.wait_for_url("**/chapters/intro.html")
    for _ in PAGES:
        tab.wait_for_load_state("load")
        visited.append(Path(tab.url).stem)
        expect(tab.locator("article h1")).to_be_visible()
        assert tab.locator(".katex-error").count() == 0
        if tab.locator("span.math, div.math").count():
            tab.locator(".katex").first.wait_for()  # the maths is set, not left as source
        following = tab.locator("a.right-next")
        if following.count() == 0:
            break
        here = tab.url
        following.click()
        tab.wait_for_url(lambda url, here=here: url != here)
    assert visited == PAGES
    assert complaints == []
