"""The notebook that a reader opens: numbers in its sentences, nothing that only the site reads."""

from __future__ import annotations

import nbformat
import nbval.plugin
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pipeline.readers_edition import Book, book, edition, with_what_is_needed

RUN = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "version": "3.12.1"},
    "papermill": {"end_time": "2026-11-24T12:00:00+00:00"},
}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt"></svg>'


def chapter(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    title = new_markdown_cell("# A chapter\n\nIts first sentence.")
    return new_notebook(cells=[title, *cells], metadata=nbformat.from_dict(RUN))


def code(source: str, *outputs: nbformat.NotebookNode, tags=(), **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags), **metadata})


@pytest.fixture(scope="module")
def found() -> Book:
    return book("https://example.org/book")


def made(found: Book, *cells: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells of an edition, without the two that all begin with."""
    written = edition("05-simple-cnn", chapter(*cells), found)
    nbformat.validate(written)
    return written.cells[2:]


def test_it_says_first_what_it_is_and_whose_numbers_it_quotes(found):
    first = edition("05-simple-cnn", chapter(), found).cells[0].source
    assert first.startswith("# A chapter\n\n*[This chapter](https://example.org/book/chapters/05")
    assert "24 November 2026" in first and "Python 3.12.1" in first
    assert first.endswith("Its first sentence.")


def test_a_missing_package_is_installed_or_its_absence_explained(found):
    install = edition("05-simple-cnn", chapter(), found).cells[1]
    assert install.metadata.jupyter.source_hidden
    with pytest.raises(ModuleNotFoundError, match="make lab"):
        exec(install.source.replace('"mnist_helpers")', '"no_such_package")'), {})


def test_references_lead_to_the_pages_and_name_numbers(found):
    (cell,) = made(
        found,
        new_markdown_cell(
            "{numref}`fig-cnn-permuted`, {ref}`one <ex-cnn-size>`, {doc}`03-mlp`, {term}`kernel`, "
            "{cite:t}`lecun1998gradient`, {cite:p}`simard2003best`"
        ),
    )
    site = "https://example.org/book/chapters"
    assert cell.source == (
        f"Fig. 5.1, one (Exercise 5.1), [{found.titles['03-mlp']}]({site}/03-mlp.html), "
        f"[kernel]({site}/glossary.html#term-kernel), "
        f"[LeCun *et al.* (1998)]({site}/references.html), "
        f"([Simard *et al.*, 2003]({site}/references.html))"
    )


def test_a_place_in_the_text_can_be_pointed_to_and_leaves_no_mark(found):
    there = edition(
        "07-comparison", chapter(new_markdown_cell("(route-ranking)=\n## The part")), found
    )
    assert there.cells[-1].source == "## The part"
    (cell,) = made(found, new_markdown_cell("{ref}`chapter 7 <route-ranking>`"))
    assert (
        cell.source
        == "[chapter 7](https://example.org/book/chapters/07-comparison.html#route-ranking)"
    )


def test_machinery_goes_unless_it_shows_something_keeps_a_record_or_is_used_later():
    cells = [
        code("low, high = 1, 2", tags=["remove-input"]),
        code("used = 3", tags=["remove-input"]),
        code("needs = used + 1", tags=["remove-input"]),
        code("save_record(record_dir)", tags=["remove-input"]),
        code("table()", new_output("display_data", {"text/plain": "|"}), tags=["remove-input"]),
        code("print(needs)"),
    ]
    kept = with_what_is_needed(cells)
    assert [cell.source for cell in kept] == [cell.source for cell in cells[1:]]


def test_code_that_the_site_folds_is_folded_and_the_lesson_is_not(found):
    cells = made(found, code("plot()", tags=["hide-input"]), code("1 + 1"))
    assert [cell.metadata for cell in cells] == [{"jupyter": {"source_hidden": True}}, {}]


def test_what_nbval_compares_has_a_tag_in_place_of_the_comment(found):
    (cell,) = made(found, code("# NBVAL_CHECK_OUTPUT\n1 + 1"))
    assert (cell.source, cell.metadata.tags) == ("1 + 1", ["nbval-check-output"])
    assert nbval.plugin.metadata_tags["nbval-check-output"] == "check"


def test_a_solution_is_folded_by_its_heading_and_what_follows_is_not(found):
    cells = made(
        found,
        new_markdown_cell(
            ":::{exercise} Predict\n:label: ex-cnn-size\n\nHow many?\n:::\n\n"
            ":::{solution-start} ex-cnn-size\n:class: dropdown\n:::\nTen."
        ),
        code("10"),
        new_markdown_cell(
            ":::{solution-end}\n:::\n\n:::{exercise} Count\n:label: ex-cnn-shift\n\nCount.\n:::"
        ),
    )
    texts = [cell.source.split("\n")[0] for cell in cells]
    assert texts == ["### Exercise 5.1: Predict", "#### Solution", "10", "### Exercise 5.2: Count"]
    folded = [cell.metadata.get("jp-MarkdownHeadingCollapsed", False) for cell in cells]
    assert folded == [False, True, False, False]


def test_a_figure_is_one_that_every_jupyter_shows_with_its_caption_below(found):
    drawn = new_output("display_data", {"image/svg+xml": SVG, "text/plain": "<Figure>"})
    mystnb = {"figure": {"name": "fig-cnn-permuted", "caption": "Two {term}`kernels <kernel>`."}}
    figure, caption = made(found, code("plot()", drawn, mystnb=mystnb))
    (output,) = figure.outputs
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.metadata["image/png"] == {"width": 96, "height": 48}
    assert caption.source.startswith("**Fig. 5.1.** Two [kernels](")


def test_pictures_of_the_text_travel_with_the_notebook(found):
    options = ":name: fig-engine-tensorboard\n:alt: A page."
    source = f"```{{figure}} _static/tensorboard.png\n{options}\n\nIt.\n```"
    (cell,) = made(found, new_markdown_cell(source))
    assert "![A page.](attachment:tensorboard.png)" in cell.source
    assert set(cell.attachments) == {"tensorboard.png"}


def test_a_panel_becomes_a_link_to_the_page_that_has_one_with_the_same_settings(found):
    panel = ":::{train}\n:settings: num_hidden=0&seed=1\n:controls: seed\n:::"
    (cell,) = made(found, new_markdown_cell(f"::::{{admonition}} Predict\nHow?\n\n{panel}\n::::"))
    assert "](https://example.org/book/chapters/train.html#num_hidden=0&seed=1)" in cell.source
    assert "{train}" not in cell.source and ":controls:" not in cell.source
