"""What of a chapter's page a sweep runs: that, and no less, on which its records depend."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipeline.contents import ROOT, chapters
from pipeline.fingerprint import whole
from pipeline.notebooks import code_cells
from pipeline.run_chapter import execute
from pipeline.sweep.definition import Run
from pipeline.sweep.page import for_records
from pipeline.sweep.worker import depend_on
from pipeline.values import read_parameters

CHAPTERS = ("02-logistic-regression", "05-simple-cnn")


def facts_of(record: Path) -> object:
    """What a file of a record holds, but for how long the training took."""
    if record.suffix != ".json":
        return record.read_bytes()
    return json.loads(record.read_text(encoding="utf-8")) | {"train_seconds": None}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_run_without_what_no_record_needs_leaves_the_same_records(chapter: str, tmp_path: Path):
    few = read_parameters(ROOT / "tests" / "few_steps.yml", chapters())[chapter]
    few |= {"data_set": "sample"}
    found, pages = {}, {}
    for part in (whole, for_records):
        folder = tmp_path / part.__name__
        folder.mkdir()
        executed = folder / "run.ipynb"
        execute(chapter, few, executed, folder / "records", part=part)
        found[part] = {path.name: facts_of(path) for path in (folder / "records").iterdir()}
        pages[part] = nbformat.read(executed, 4)
    cells = {part: len(code_cells(page)) for part, page in pages.items()}
    said = f"left out {cells[whole] - cells[for_records]} of {cells[whole]} code cells"
    assert said in pages[for_records].cells[0].source
    assert cells[for_records] < cells[whole]
    twins = {name for name in found[whole] if "_keras--" in name}
    assert found[for_records] == {
        name: facts for name, facts in found[whole].items() if name not in twins
    }
    assert found[for_records]


def page(*sources: str) -> nbformat.NotebookNode:
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    return notebook


def test_what_leads_to_a_record_is_found_by_its_names():
    needed = [
        "seed = 0",
        "check_parameters(seed=seed)",
        "values = [seed]",
        "def add(to, more):\n    to.append(more)",
        "def scale():\n    return factor",
        "factor = 2",
        "add(values, 3)",
        "for value, name in zip(values, 'abcdef'):\n    value.grow()",
        "save_record(model='dice', values=values, scaled=scale())",
    ]
    idle = [
        "figure = plot(values)",
        "factor = 1",  # replaced before the function is called
        "twin = fit(values)\nsave_record(model='dice_keras', values=twin)",
        "for name in 'xyz':\n    name.grow()",
        "print(values)",
    ]
    cells = [*needed[:5], idle[0], idle[1], *needed[5:8], idle[2], idle[3], needed[8], idle[4]]
    left = for_records(page(*cells))
    assert [cell.source for cell in code_cells(left)] == needed
    assert "left out 5 of 14 code cells" in left.cells[0].source
    nothing_saved = page("seed = 0", "print(seed)")
    assert for_records(nothing_saved).cells == nothing_saved.cells
    no_python = page("seed = 0", "print(seed", "save_record(seed)")
    assert len(code_cells(for_records(no_python))) == 3


def test_whole_pages_are_other_runs_of_which_all_is_run():
    asked = [Run("a-run", "03-mlp", {"seed": 1})]
    assert depend_on(asked) != depend_on(asked, whole)
