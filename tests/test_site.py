"""The rendered site, as `make test` makes it with few steps."""

from __future__ import annotations

import functools
import gzip
import http.server
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect, sync_playwright

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


# ---- each page, looked at once in all ways ----

# The theme's pages beside those of the book.
LOOKED_AT = [*(f"chapters/{name}" for name in PAGES), "search", "genindex"]

# What can differ between the themes, and between a wide page and a narrow one.
RULES_OF_COLOUR = ["color-contrast", "link-in-text-block"]
RULES_OF_WIDTH = ["scrollable-region-focusable"]

LARGEST_PAINT = """() => new Promise(resolve => new PerformanceObserver(
    list => resolve(list.getEntries().at(-1).startTime)
).observe({type: "largest-contentful-paint", buffered: true}))"""

UNFOLD = """() => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
    for (const folded of document.querySelectorAll(".toggle-hidden"))
        folded.classList.remove("toggle-hidden");
}"""

# A token of a kind looks like any other of its kind: one of each is enough to look at.
ONE_TOKEN_OF_EACH_KIND = """() => {
    const seen = new Set();
    for (const token of document.querySelectorAll(".highlight pre span")) {
        if (seen.has(token.className)) token.replaceWith(...token.childNodes);
        seen.add(token.className);
    }
}"""

# What stands out to the right, and in no box that scrolls.
CUT_OFF = """() => [...document.querySelectorAll("article *")].filter(element => {
    if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let box = element; box; box = box.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
    return !element.closest(".katex-mathml");  // what a screen reader reads is not seen
}).map(element => element.outerHTML.slice(0, 120))"""


@dataclass(frozen=True)
class Look:
    """What a browser found on a page."""

    requests: list[str]
    complaints: list[str]
    largest_paint: float  # ms
    light: str  # axe's reports; empty where all is well
    dark: str
    narrow: str
    narrow_width: int  # pixels, where 360 are there
    cut_off: list[str]
    printed: list[str]  # what is left of the page on paper


@pytest.fixture(scope="module")
def look(browser: Browser, address: str) -> Callable[[str], Look]:
    """Look at a page; a second time, remember what was seen."""
    return functools.cache(functools.partial(looked_at, browser, address))


def looked_at(browser: Browser, address: str, name: str) -> Look:
    """Load a page once, with an empty cache, and see all that the tests below ask for."""
    context = browser.new_context(reduced_motion="reduce")
    tab = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    tab.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(f"{address}/{name}.html")
    largest_paint = tab.evaluate(LARGEST_PAINT)

    tab.emulate_media(media="print")
    parts = ("article", ".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-footer")
    printed = [part for part in parts if tab.locator(part).first.is_visible()]
    tab.emulate_media(media="screen")

    tab.set_viewport_size({"width": 360, "height": 740})
    tab.evaluate(UNFOLD)
    narrow_width = tab.evaluate("document.documentElement.scrollWidth")
    cut_off = tab.evaluate(CUT_OFF)
    tab.wait_for_timeout(500)  # the theme takes that long to see what scrolls
    narrow = violations(tab, RULES_OF_WIDTH)

    tab.set_viewport_size({"width": 1280, "height": 740})
    tab.evaluate(ONE_TOKEN_OF_EACH_KIND)
    light = violations(tab)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    dark = violations(tab, RULES_OF_COLOUR)
    context.close()
    return Look(
        requests,
        complaints,
        largest_paint,
        light,
        dark,
        narrow,
        narrow_width,
        cut_off,
        printed,
    )


def violations(tab: Page, rules: list[str] | None = None) -> str:
    """What axe has against a page by these rules, or by all; nothing if nothing."""
    # Preloading, axe asks for style sheets that are not there.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(tab, options=options | ({"runOnly": rules} if rules else {}))
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_loads_nothing_from_elsewhere_and_has_no_complaints(look, address: str, name: str):
    seen = look(name)
    outside = [url for url in seen.requests if not url.startswith((f"{address}/", "data:"))]
    assert outside == [] and seen.complaints == []


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_weighs_at_most_one_and_a_half_megabytes(look, name: str):
    paths = {urlparse(url).path for url in look(name).requests if url.startswith("http")}
    assert sum(transferred(SITE / path.lstrip("/")) for path in paths) <= 1_500_000


@functools.cache
def transferred(file: Path) -> int:
    """Bytes of a file on the wire, without headers: a host compresses text, and text alone."""
    content = file.read_bytes()
    is_text = file.suffix in {".html", ".css", ".js", ".svg"}
    return len(gzip.compress(content, 6)) if is_text else len(content)


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_shows_its_largest_part_within_a_second(
    look, browser: Browser, address: str, name: str
):
    if look(name).largest_paint < 1_000:
        return
    # Other tests run beside this one. A page that is slow by itself is slow again.
    with browser.new_context().new_page() as tab:
        tab.goto(f"{address}/{name}.html")
        assert tab.evaluate(LARGEST_PAINT) < 1_000


@pytest.mark.parametrize("theme", ["light", "dark", "narrow"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_axe_finds_nothing_against_a_page(look, name: str, theme: str):
    report = getattr(look(name), theme)
    assert not report, report


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_fits_a_narrow_screen(look, name: str):
    assert look(name).narrow_width <= 360 and look(name).cut_off == []


@pytest.mark.parametrize("name", LOOKED_AT)
def test_only_the_article_is_printed(look, name: str):
    assert look(name).printed == ["article"]


# ---- what a reader does ----


def test_search_finds_each_term_of_the_glossary(browser: Browser, address: str):
    anchors = {term["id"]: term.get_text("", strip=True) for term in page("glossary").select("dt")}
    assert len(anchors) > 40
    tab = browser.new_page()
    tab.goto(f"{address}/search.html")
    tab.wait_for_function("Search.hasIndex()")
    for anchor, term in anchors.items():
        hits = tab.evaluate("term => Search._performSearch(...Search._parseQuery(term))", term)
        assert ["chapters/glossary", f"#{anchor}"] in [[hit[0], hit[2]] for hit in hits], term
    tab.goto(f"{address}/search.html?q=dropout")
    expect(tab.locator("#search-results li a").first).to_be_visible()
    tab.close()


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
