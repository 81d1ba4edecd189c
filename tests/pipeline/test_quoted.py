"""What sentences quote: when it is evaluated, what may be quoted, how it is written."""

from __future__ import annotations

import json
from copy import deepcopy

import nbformat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pipeline import fingerprint
from pipeline.notebooks import ChapterError, code_cells
from pipeline.published import with_outputs
from pipeline.quoted import VALUES, evaluated, parts, to_evaluate

PARAMETERS = new_code_cell("steps = 3", metadata={"tags": ["parameters"]})
SINGLE = st.one_of(st.integers(), st.floats(), st.text(max_size=20), st.booleans())


def sentence(*quotes: str) -> nbformat.NotebookNode:
    return new_markdown_cell(" ".join(f"{{eval}}`{quote}`" for quote in quotes))


def chapter(*cells: str | nbformat.NotebookNode) -> nbformat.NotebookNode:
    written = [new_code_cell(each) if isinstance(each, str) else each for each in cells]
    return new_notebook(cells=deepcopy(written))


def published(shell, page: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A chapter with the numbers of its run, which this process stands in for."""
    ran = deepcopy(page)
    for cell, expressions in zip(code_cells(ran), to_evaluate(page), strict=True):
        shell.run_cell(cell.source)
        cell.metadata[VALUES] = evaluated(expressions, shell.user_expressions)
    return with_outputs(page, ran)


def test_a_quote_is_what_stands_between_the_braces_of_an_f_string():
    assert parts('scores["a:b"][1:2]:+.1f') == ("scores['a:b'][1:2]", "+.1f")
    assert parts("(lambda: 1)()") == ("(lambda: 1)()", "")


@pytest.mark.parametrize("quote", ["a b", "a!r", "a=", "{1: 2}", "a:{width}", "a} {b", '"""'])
def test_what_is_no_expression_is_refused_by_name(quote):
    with pytest.raises(ChapterError, match="is no expression"):
        to_evaluate(chapter("a = b = width = 1", sentence(quote)))


def test_a_sentence_means_the_variables_as_the_cells_above_leave_them(shell):
    page = chapter("n = 1", sentence("n"), "n = 2", sentence("n", "10 * n"), "n = 3")
    written = [cell.source for cell in published(shell, page).cells if "n" not in cell.source]
    assert written == ["1", "2 20"]


def test_a_sentence_that_tells_beforehand_waits_for_the_first_cell_by_which_all_is_there():
    page = chapter(sentence("sum(x + n for x in found)"), "n = 1", "found = [2]", "n = 5")
    assert [len(each) for each in to_evaluate(page)] == [0, 1, 0]


def test_given_parameters_count_and_not_the_defaults():
    page = chapter(PARAMETERS, sentence("steps"), "check(steps)")
    assert to_evaluate(page) == [[], ["steps"]]


@pytest.mark.parametrize("page", [["n = 1", sentence("n + lost")], [sentence("1")]])
def test_what_no_cell_can_give_is_refused_by_name(page):
    with pytest.raises(ChapterError, match=r"sentence's `(n \+ lost|1)`.* no cell"):
        to_evaluate(chapter(*page))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=SINGLE, kind=st.sampled_from([lambda it: it, np.asarray, lambda it: np.array([it])[0]])
)
def test_numbers_and_texts_come_through_as_they_are(shell, value, kind):
    shell.push({"value": kind(value)})
    page = published(shell, chapter("pass\nsame = value", sentence("same")))
    assert page.cells[1].source == str(np.asarray(value).item())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("None", "is None"),
        ("[1]", r"is \[1\]"),
        ("np.ones(1)", r"is array\(\[1\.\]\)"),
        ("print", "is <function print"),
        ("1j", "is 1j"),
        ("1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_anything_else_is_refused_with_its_expression(shell, value, said):
    with pytest.raises(ChapterError, match=rf"^the sentence's `.*` {said}"):
        published(shell, chapter("import numpy as np", sentence(value)))


def test_numbers_stand_in_sentences_tables_formulas_captions_and_descriptions(shell):
    text = "| a |\n|--|\n| {eval}`share:.0%` |\n\n$x = {eval}`share:g`$, {eval}`share`."
    figure = {
        "figure": {"name": "fig-a", "caption": "Of {eval}`1_000 * share:,.0f`."},
        "image": {"alt": "A line at {eval}`share`."},
    }
    drawn = new_code_cell("share = 2.5", metadata={"mystnb": figure})
    text, drawn = published(shell, chapter(new_markdown_cell(text), drawn)).cells
    assert text.source == "| a |\n|--|\n| 250% |\n\n$x = 2.5$, 2.5."
    assert drawn.metadata.mystnb.figure.caption == "Of 2,500."
    assert drawn.metadata.mystnb.image.alt == "A line at 2.5."


def test_a_format_that_does_not_suit_is_refused_with_the_value(shell):
    with pytest.raises(ChapterError, match=r"`n:d`, which is 1\.5: Unknown format code 'd'"):
        published(shell, chapter("n = 1.5", sentence("n:d")))


def test_a_sentence_that_quotes_what_the_run_did_not_evaluate_is_refused():
    with pytest.raises(ChapterError, match="run it again"):
        with_outputs(chapter("n = 1", sentence("n")), chapter("n = 1"))


def test_another_expression_runs_the_chapter_again_and_another_format_does_not(
    tmp_path, monkeypatch
):
    (tmp_path / "data.json").write_text(json.dumps({"name": "none"}), encoding="utf-8")
    monkeypatch.setattr(fingerprint, "CHAPTERS", tmp_path)
    monkeypatch.setattr(fingerprint, "chapters", lambda _: ["01-dice"])

    def depends_on(*cells: str | nbformat.NotebookNode) -> dict:
        nbformat.write(chapter(*cells), tmp_path / "01-dice.ipynb")
        return fingerprint.fingerprints(tmp_path, {})["01-dice"]

    before = depends_on("n = 1", sentence("n"), "m = 2")
    assert before == depends_on("n = 1", sentence("n:.1f"), new_markdown_cell("New."), "m = 2")
    assert before != depends_on("n = 1", sentence("n + 1"), "m = 2")
    assert before != depends_on("n = 1", "m = 2", sentence("n"))
    with pytest.raises(ChapterError, match="01-dice: the sentence's `lost`"):
        depends_on("n = 1", sentence("lost"))


def test_a_line_may_begin_with_an_operator_that_ipython_takes_for_its_own(shell):
    cell = "differ = (\n    one\n    != 4\n)\nrest = (\n    one\n    % 4\n)"
    page = chapter(f"one = 7\n{cell}", sentence("differ", "rest"))
    assert published(shell, page).cells[1].source == "True 3"
    page = chapter("%matplotlib inline\none = 7", sentence("one"))
    assert published(shell, page).cells[1].source == "7"
