"""The quiz directive: what it makes of good questions, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from myst_page import rendered

GOOD = """
:::{quiz}
What is **6 × 7**?

- [ ] 13

  That is the sum.
- [x] `42`

  Six sevens.
:::
"""


@pytest.fixture
def render(tmp_path: Path) -> Callable[[str], tuple[BeautifulSoup, str]]:
    """A page made from MyST text, and what Sphinx complained about."""
    return partial(rendered, tmp_path, "pipeline.site.quiz")


def test_every_answer_unfolds_and_says_whether_it_is_right(render):
    page, complaints = render(GOOD)
    assert complaints == ""
    wrong, right = page.select(".quiz details")
    assert "quiz-wrong" in wrong["class"] and "quiz-right" in right["class"]
    assert wrong.summary.get_text().strip() == "13"
    assert right.summary.code.get_text() == "42"
    assert "Not so." in wrong.get_text() and "That is the sum." in wrong.get_text()
    assert "Right." in right.get_text() and "Six sevens." in right.get_text()
    assert page.select_one(".quiz strong").get_text() == "6 × 7"
    assert not page.select("details[open]"), "no answer is given away"
    assert "[x]" not in page.get_text()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[x]", "[ ]", "One answer of a quiz must begin with [x]"),
        ("[ ]", "[x]", "One answer of a quiz must begin with [x]"),
        ("[ ] 13", "13", "An answer begins with [x] or [ ]"),
        ("\n  That is the sum.\n", "", "its explanation follows"),
        ("What is **6 × 7**?", "", "A quiz is a question and then one list"),
    ],
)
def test_a_question_that_could_not_be_marked_is_refused(render, old, new, complaint):
    _, complaints = render(GOOD.replace(old, new))
    assert complaint in complaints
