"""A reader's work in a notebook outlives every build."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.working_copies import lay_out


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    editions = tmp_path / "editions"
    editions.mkdir()
    (editions / "01.ipynb").write_text("first", encoding="utf-8")
    return editions, tmp_path / "notebooks"


def text(folder: Path) -> str:
    return (folder / "01.ipynb").read_text(encoding="utf-8")


def test_a_notebook_that_nobody_changed_follows_the_book(folders):
    editions, work = folders
    for content in ("first", "second", "third"):
        (editions / "01.ipynb").write_text(content, encoding="utf-8")
        assert lay_out(editions, work) == []
        assert text(work) == content


def test_a_change_stays_and_a_newer_edition_is_named(folders):
    editions, work = folders
    lay_out(editions, work)
    (work / "01.ipynb").write_text("mine", encoding="utf-8")
    assert lay_out(editions, work) == []  # nothing newer to tell of
    (editions / "01.ipynb").write_text("second", encoding="utf-8")
    assert lay_out(editions, work) == ["01.ipynb"]
    assert text(work) == "mine"


def test_what_a_reader_made_before_the_book_did_stays(folders):
    editions, work = folders
    work.mkdir()
    (work / "01.ipynb").write_text("mine", encoding="utf-8")
    assert lay_out(editions, work) == ["01.ipynb"]
    assert text(work) == "mine"


def test_a_deleted_notebook_comes_again(folders):
    editions, work = folders
    lay_out(editions, work)
    (work / "01.ipynb").unlink()
    assert lay_out(editions, work) == []
    assert text(work) == "first"
