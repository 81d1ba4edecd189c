"""The rendered site, as `make test` makes it with few steps."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, TimeoutError, expect

from pipeline.contents import chapters, main_line, numbers, pages
from pipeline.draw.pack import MODELS
from pipeline.notebooks import CHAPTERS, code_cells, read

SITE = CHAPTERS.parent / "_build" / "test" / "html"
NAMES = chapters()
PAGES = [Path(page).name for page in pages()]


@pytest.fixture(scope="module", autouse=True)
def site() -> Path:
    if not (SITE / "index.html").exists():
        pytest.fail("The site is not there. `make test` makes it before it runs these tests.")
    return SITE


@functools.cache
def page(name: str) -> BeautifulSoup:
    return BeautifulSoup(
        (SITE / "chapters" / f"{name}.html").read_text(encoding="utf-8"), "html.parser"
    )


def test_the_front_page_leads_to_the_book():
    assert "chapters/intro.html" in (SITE / "index.html").read_text(encoding="utf-8")


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
    assert wanted
    for figure in wanted:
        found = page(name).find("figure", id=figure)
        assert found is not None, figure
        image = found.find("img")
        assert (SITE / "chapters" / image["src"]).resolve().stat().st_size > 500
        assert len(image["alt"]) > 20
        number = rf"{numbers()[name]}\.\d+" if name in numbers() else r"\d+\b(?!\.\d)"
        assert re.match(rf"Fig\. {number}", found.find("figcaption").get_text().strip())


@pytest.mark.parametrize("name", PAGES)
def test_nothing_broken_is_published(name: str):
    html = page(name)
    assert not html.select(".cell_output .traceback, .output.traceback, .system-message")
    text = html.find("article").get_text()
    for sign in (
        "Traceback (most recent call last)",
        "{eval}",
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
        anchor = "" if "=" in anchor else anchor  # settings of a panel, which are no place
        file = (here.parent / target).resolve() if target else here
        assert file.exists(), href
        if anchor and file.suffix == ".html" and file.parent == here.parent:
            assert page(file.stem).find(id=anchor) is not None, href


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


# ---- each page, looked at once in all ways ----

# The theme's pages beside those of the book.
LOOKED_AT = [*(f"chapters/{name}" for name in PAGES), "search", "genindex"]

# What differs between the themes, and between a wide page and a narrow one.
RULES_OF_COLOUR = ["color-contrast"]
RULES_OF_WIDTH = ["scrollable-region-focusable"]

LARGEST_PAINT = """() => new Promise(resolve => new PerformanceObserver(
    list => resolve(list.getEntries().at(-1).startTime)
).observe({type: "largest-contentful-paint", buffered: true}))"""

UNFOLD = """() => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
    for (const folded of document.querySelectorAll(".toggle-hidden"))
        folded.classList.remove("toggle-hidden");
}"""

# Colours are looked at where they are first met. What has the same colours, size and weight, and
# stands in the like, goes before: to look at all of it takes ten times as long.
NOTE_COLOURS = """() => {
    window.kinds ??= new Map();  // element -> its kind in each theme
    const numbers = new Map(), found = new Map();
    for (const element of document.querySelectorAll("body *")) {
        const style = getComputedStyle(element);
        const kind = [style.color, style.backgroundColor, style.backgroundImage, style.opacity,
            style.fontSize, style.fontWeight, style.textDecorationLine, style.display,
            found.get(element.parentElement)].join();
        if (!numbers.has(kind)) numbers.set(kind, numbers.size);
        found.set(element, numbers.get(kind));
        kinds.set(element, `${kinds.get(element)} ${found.get(element)}`);
    }
}"""
ONE_OF_EACH_KIND = """() => {
    const first = new Map();
    for (const [element, kind] of kinds) if (!first.has(kind)) first.set(kind, element);
    for (const [element, kind] of [...kinds].reverse()) {
        if (first.get(kind) === element) continue;
        for (const child of [...element.childNodes])
            if (child.nodeType === Node.TEXT_NODE) child.remove();
        if (!element.childElementCount) element.remove();
    }
}"""

# What stands out to the right, and in no box that scrolls.
CUT_OFF = """() => [...document.querySelectorAll("article *")].filter(element => {
    if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let box = element; box; box = box.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
    // Parts of a drawing are cut by it; what is there for screen readers is not seen.
    return element instanceof HTMLElement && !element.closest(".katex-mathml");
}).map(element => element.outerHTML.slice(0, 120))"""


@dataclass(frozen=True)
class Look:
    """What a browser found on a page."""

    requests: list[str]
    complaints: list[str]
    largest_paint: float  # ms
    axe: dict[str, str]  # its reports by what it looked at; empty where all is well
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
    complaints += tab.locator(".katex-error").all_text_contents()
    if tab.locator(".math").count():
        tab.locator(".katex").first.wait_for()  # the maths is set, not left as source

    tab.emulate_media(media="print")
    parts = ("article", ".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-footer")
    printed = [part for part in parts if tab.locator(part).first.is_visible()]
    tab.emulate_media(media="screen")

    tab.set_viewport_size({"width": 360, "height": 740})
    tab.evaluate(UNFOLD)
    narrow_width = tab.evaluate("document.documentElement.scrollWidth")
    cut_off = tab.evaluate(CUT_OFF)
    tab.wait_for_timeout(500)  # the theme takes that long to see what scrolls, or longer
    with contextlib.suppress(TimeoutError):  # axe says what is at fault
        tab.wait_for_function(SCROLLS_BY_KEYBOARD, timeout=5_000)
    tab.evaluate(AXE_SCRIPT)
    axe = {"narrow": violations(tab, RULES_OF_WIDTH)}

    tab.set_viewport_size({"width": 1280, "height": 740})
    axe["structure"] = violations(tab, RULES_OF_COLOUR, enabled=False)
    tab.evaluate(NOTE_COLOURS)
    set_theme(tab, "dark")
    tab.evaluate(NOTE_COLOURS)
    tab.evaluate(ONE_OF_EACH_KIND)
    axe["dark"] = violations(tab, RULES_OF_COLOUR)
    set_theme(tab, "light")
    axe["light"] = violations(tab, RULES_OF_COLOUR)
    context.close()
    return Look(requests, complaints, largest_paint, axe, narrow_width, cut_off, printed)


def set_theme(tab: Page, theme: str) -> None:
    """Change the system's theme. The page follows."""
    tab.emulate_media(color_scheme=theme)
    expect(tab.locator("html")).to_have_attribute("data-theme", theme)


def violations(tab: Page, rules: list[str], enabled: bool = True) -> str:
    """What axe has against a page by these rules, or by all others; nothing if nothing."""
    others_off = {"rules": {rule: {"enabled": False} for rule in rules}}
    options = {"runOnly": rules} if enabled else others_off
    # Preloading, axe asks for style sheets that are not there.
    options |= {"resultTypes": ["violations"], "preload": False}
    found = AxeResults(tab.evaluate("options => axe.run(options)", options))
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_loads_nothing_from_elsewhere_and_has_no_complaints(look, address: str, name: str):
    seen = look(name)
    outside = [url for url in seen.requests if not url.startswith((f"{address}/", "data:"))]
    assert outside == [] and seen.complaints == []


# The networks of "Draw a digit" come after the page, for whoever is near the board; what they
# may weigh is tested with them.
NETWORKS = {f"{model.name}.js" for model in MODELS}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_weighs_at_most_one_and_a_half_megabytes(look, name: str):
    paths = {urlparse(url).path for url in look(name).requests if url.startswith("http")}
    files = [SITE / path.lstrip("/") for path in paths if Path(path).name not in NETWORKS]
    assert sum(map(transferred, files)) <= 1_500_000


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
    paint = look(name).largest_paint
    # Other tests run beside this one. A page that is slow by itself is slow each time.
    again = 3
    while paint >= 1_000 and again:
        with browser.new_context().new_page() as tab:
            tab.goto(f"{address}/{name}.html")
            paint = tab.evaluate(LARGEST_PAINT)
        again -= 1
    assert paint < 1_000, f"the largest part of {name} is there after {paint:.0f} ms, each time"


@pytest.mark.parametrize("aspect", ["structure", "light", "dark", "narrow"])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_axe_finds_nothing_against_a_page(look, name: str, aspect: str):
    report = look(name).axe[aspect]
    assert not report, report


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_fits_a_narrow_screen(look, name: str):
    assert look(name).narrow_width <= 360 and look(name).cut_off == []


@pytest.mark.parametrize("name", PAGES)
def test_only_the_article_is_printed(look, name: str):
    assert look(f"chapters/{name}").printed == ["article"]


# ---- what a reader does ----


def test_search_finds_each_term_of_the_glossary(browser: Browser, address: str):
    terms = [term.find(string=True) for term in page("glossary").select("dl.glossary dt")]
    assert len(terms) > 40
    tab = browser.new_page()
    tab.goto(f"{address}/search.html")
    tab.wait_for_function("() => Search.hasIndex()")
    for term in terms:
        hits = tab.evaluate("term => Search._performSearch(...Search._parseQuery(term))", term)
        assert "chapters/glossary" in [hit[0] for hit in hits], term
    tab.goto(f"{address}/search.html?q=dropout")
    expect(tab.locator("#search-results li a").first).to_be_visible()
    tab.close()


@pytest.mark.parametrize("name", [Path(page).name for page in main_line()[1:]])
def test_a_quiz_marks_itself_from_the_keyboard(browser: Browser, address: str, name: str):
    tab = browser.new_page()
    tab.goto(f"{address}/chapters/{name}.html")
    questions = tab.locator(".quiz")
    count = questions.count()
    assert count >= 3

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


# What has the focus: a number of its own, and whether it is in sight and looks other than without.
# A solution's button lies over the whole title, and the title has the ring.
SCROLLS_BY_KEYBOARD = """() =>
    [...document.querySelectorAll("pre, .pst-scrollable-table-container")].every(
        part => part.scrollWidth <= part.clientWidth || part.tabIndex === 0)"""

FOCUSED = """() => {
    const element = document.activeElement, title = element.closest(".admonition-title");
    window.met ??= new Map();
    if (!met.has(element)) met.set(element, met.size);
    const toggle = element.querySelector(":scope > .toctree-toggle");  // the theme's ring is there
    const box = (toggle ?? element).getBoundingClientRect();
    const inSight = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
    const look = () => [getComputedStyle(element), title && getComputedStyle(title, "::before"),
        toggle && getComputedStyle(toggle)]
        .map(style => style && [style.outline, style.boxShadow]).join();
    const withFocus = look();
    element.blur();
    const without = look();
    element.focus({preventScroll: true});
    return {number: met.get(element), name: element.outerHTML.slice(0, 120),
        atEnd: element === document.body, shown: inSight && withFocus !== without};
}"""


@pytest.mark.parametrize("name", ["01-data", "draw", "train"])
def test_from_the_keyboard_every_stop_is_seen(browser: Browser, address: str, name: str):
    context = browser.new_context(reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(f"{address}/chapters/{name}.html")
    tab.add_style_tag(content="* { transition: none !important }")
    stops, unseen = 0, []
    while True:
        tab.keyboard.press("Tab")
        focused = tab.evaluate(FOCUSED)
        if focused["atEnd"] or focused["number"] < stops:
            break
        stops += 1
        if not focused["shown"]:
            unseen.append(focused["name"])
    assert focused["atEnd"] or focused["number"] == 0, f"caught at {focused['name']}"
    assert stops > 50 and unseen == []
    context.close()


def test_the_pages_lead_from_the_first_to_the_last():
    visited = [PAGES[0]]
    while following := page(visited[-1]).select_one("a.right-next"):
        visited.append(Path(following["href"]).stem)
    assert visited == PAGES


def test_on_a_phone_one_draws_and_sees_all_answers_on_the_first_screen(browser, address: str):
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        tab = context.new_page()
        tab.goto(f"{address}/chapters/draw.html")
        # That these networks are poor ones is said only where they are.
        tab.evaluate("document.querySelectorAll('article .warning').forEach((it) => it.remove())")
        expect(tab.locator("#draw-answers tr")).to_have_count(11)
        last = tab.locator("#draw-answers tr").last.bounding_box()
        assert last["y"] + last["height"] <= 844


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 740)])
def test_what_one_presses_and_the_curves_are_on_the_first_screen(
    browser: Browser, address: str, width: int, height: int
):
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        tab = context.new_page()
        tab.goto(f"{address}/chapters/train.html")
        charts = tab.locator(".train-charts")
        expect(charts.locator("svg").first).to_be_visible()
        lowest = charts.bounding_box()
        assert lowest["y"] + lowest["height"] <= height
        assert tab.locator(".train-play").bounding_box()["y"] < lowest["y"]


@pytest.mark.parametrize(("address_once", "now"), [("experiments", "02-how-sure")])
def test_an_address_that_was_given_up_leads_on(
    browser: Browser, address: str, address_once: str, now: str
):
    tab = browser.new_page()
    tab.goto(f"{address}/chapters/{address_once}.html")
    tab.wait_for_url(f"**/chapters/{now}.html")
    tab.close()


def test_the_front_page_is_where_the_address_of_the_site_leads(browser: Browser, address: str):
    tab = browser.new_page()
    tab.goto(f"{address}/index.html")
    tab.wait_for_url("**/chapters/intro.html")
    tab.close()
