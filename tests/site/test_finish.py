"""What is done to each page before it is published."""

from __future__ import annotations

from pathlib import Path

from pipeline.site.finish import finished, policy, publish, sha256

PAGE = """<head><meta charset="utf-8" />
<script defer src="_static/scripts/fontawesome.js?digest=1"></script>
<script>let a = '<b>';</script><script src="a.js"></script></head>
<body><button onclick="window.print()">Print</button><pre>onclick="no()"</pre></body>"""


def test_code_of_the_page_is_allowed_by_its_hash_and_no_other():
    allowed = policy(PAGE).partition("script-src ")[2].partition(";")[0].split()
    expected = {sha256("let a = '<b>';"), sha256("window.print()"), "'self'", "'unsafe-hashes'"}
    assert set(allowed) == expected


def test_hash_is_written_as_browsers_want_it():
    # The example of the specification of Content Security Policy, level 2.
    code = "alert('Hello, world.');"
    assert sha256(code) == "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"


def test_policy_comes_before_the_first_script_and_the_icon_script_goes():
    page = finished(PAGE)
    assert page.index("Content-Security-Policy") < page.index("<script")
    assert "fontawesome.js" not in page and "a.js" in page


def test_markup_that_a_screen_reader_stumbles_over_is_repaired():
    page = finished(
        '<div id="pst-primary-sidebar" class="bd-sidebar"></div>'
        '<th class="head text-right"><p></p></th><th class="head"><p>chapter</p></th>'
        '<div class="citation" role="doc-biblioentry"></div>'
    )
    assert '<div id="pst-primary-sidebar" role="complementary" aria-label="Book" class' in page
    assert '<td></td><th class="head"><p>chapter</p></th>' in page
    assert '<div class="citation" role="listitem">' in page


def test_page_without_a_head_has_a_policy_too_and_asks_for_no_icon():
    page = finished("<p>Moved.</p>")
    assert page.startswith('<meta http-equiv="Content-Security-Policy"')
    assert '<link rel="icon" href="data:," />' in page


def test_what_is_no_page_is_copied_as_it_is(tmp_path: Path):
    (tmp_path / "a.js").write_bytes(b"\r\n<script>")
    publish(str(tmp_path / "a.js"), str(tmp_path / "b.js"))
    assert (tmp_path / "b.js").read_bytes() == b"\r\n<script>"
