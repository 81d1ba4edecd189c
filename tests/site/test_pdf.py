"""The pages of the site, joined for paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from pipeline.site import pdf as printing
from pipeline.site.pdf import browser_path, joined

FIRST = """<html><head><meta http-equiv="Content-Security-Policy" content="x"></head><body>
<nav>Side bar</nav><article><h1 id="a">One</h1><a href="two.html#a">to two</a>
<a href="#a">here</a><a href="https://example.org/two.html#a">out</a>
<a href="two.html#seed=1">set so</a></article></body></html>"""
SECOND = """<html><body><nav>Side bar</nav><article>
<h1 id="a">Two<a class="headerlink" href="#a">#</a></h1>
<a href="one.html">back</a><script src="panel.js"></script>
<details><summary>Answer</summary>42</details></article></body></html>"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch) -> Path:
    """A site of two pages."""
    chapters = tmp_path / "html" / "chapters"
    chapters.mkdir(parents=True)
    (chapters / "one.html").write_text(FIRST, encoding="utf-8")
    (chapters / "two.html").write_text(SECOND, encoding="utf-8")
    monkeypatch.setattr(printing, "pages", lambda: ["chapters/one", "chapters/two"])
    return tmp_path


def test_pages_follow_each_other_and_every_link_within_leads_to_one_place(build: Path):
    book = BeautifulSoup(joined(build / "html"), "html.parser")
    cover, *articles = book.find_all("article")
    assert [article.find("h1").next for article in articles] == ["One", "Two"]
    assert cover.find("h1").get_text() == "One" and cover.find("p").get_text() == "Two"
    assert len(book.find_all("nav")) == 1
    names = [element["id"] for element in book.select("[id]")]
    assert len(set(names)) == len(names)
    links = [link["href"] for link in book.find_all("a")]
    assert links == [
        "#two",
        "#two--a",
        "#one--a",
        "https://example.org/two.html#a",
        "#two",  # settings are no place
        "#two--a",
        "#one",
    ]
    assert {link[1:] for link in links if link.startswith("#")} <= set(names)


def test_scripts_of_the_pages_are_left_out(build: Path):
    assert "panel.js" not in joined(build / "html")


def test_answers_are_unfolded_and_the_policy_of_one_page_does_not_bind_all(build: Path):
    html = joined(build / "html")
    assert '<details open="">' in html and "Content-Security-Policy" not in html


@pytest.mark.skipif(browser_path() is None, reason="no Chromium or Chrome is installed")
def test_book_is_printed_and_the_site_is_left_as_it_was(build: Path):
    before = sorted(build.rglob("*"))
    pdf = printing.print_book(build)
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert sorted(build.rglob("*")) == sorted([*before, pdf])


def test_a_machine_without_a_browser_is_told_what_is_missing(build: Path, no_npm):
    with pytest.raises(SystemExit, match="A PDF needs one of chromium"):
        printing.print_book(build)
