"""What of a chapter's page a sweep runs: that, and no less, on which its records depend."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from mnist_helpers import threads
from pipeline.contents import ROOT, chapters
from pipeline.fingerprint import whole
from pipeline.notebooks import CHAPTERS, code_cells, normalised_code
from pipeline.run_chapter import execute
from pipeline.sweep.definition import Run
from pipeline.sweep.page import TWIN, for_records
from pipeline.sweep.worker import depend_on
from pipeline.values import read_parameters

FEW_STEPS = read_parameters(ROOT / "tests" / "few_steps.yml", chapters())
RECORDS = ROOT / "_build" / "test" / "records"  # of whole pages, as `make test` ran them
RECORDING = [
    name
    for name in chapters()
    if "save_record(" in (CHAPTERS / f"{name}.ipynb").read_text(encoding="utf-8")
]


def facts_of(record: Path) -> object:
    """What a file of a record holds, but for how long the training took."""
    if record.suffix != ".json":
        return record.read_bytes()
    return json.loads(record.read_text(encoding="utf-8")) | {"train_seconds": None}


@pytest.mark.chapters
@pytest.mark.parametrize("chapter", RECORDING)
def test_a_run_without_what_no_record_needs_leaves_the_same_records(
    chapter: str, tmp_path: Path, monkeypatch
):
    of_page = {path.name: facts_of(path) for path in RECORDS.glob(f"{chapter}--*")}
    needed = {name: facts for name, facts in of_page.items() if f"{TWIN}--" not in name}
    assert needed, f"{RECORDS} has no record of {chapter}; `make test` makes them"
    device = next(facts["device"] for facts in needed.values() if isinstance(facts, dict))
    if on_cpu := re.search(r"(\d+) thread", device):  # other numbers of threads round otherwise
        monkeypatch.setenv(threads.VARIABLE, on_cpu[1])
    output, records = tmp_path / "run.ipynb", tmp_path / "records"
    execute(chapter, FEW_STEPS[chapter], output, records, part=for_records)
    assert {path.name: facts_of(path) for path in records.iterdir()} == needed


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
        "if values:\n    for name in 'xyz':\n        values.append(name)",
        "save_record(model='dice', values=values, scaled=scale())",
    ]
    idle = [
        "figure = plot(values)",
        "factor = 1",  # replaced before the function is called
        "twin = fit(values)\nsave_record(model='dice_keras', values=twin)",
        "for name in 'xyz':\n    name.grow()",
        "print(values)",
    ]
    cells = [*needed[:5], idle[0], idle[1], *needed[5:8], idle[2], idle[3], *needed[8:], idle[4]]
    left = for_records(page(*cells))
    assert [code for code in normalised_code(left) if code] == needed
    assert "left out 6 of 16 statements" in left.cells[0].source
    nothing_saved = page("seed = 0", "print(seed)")
    assert for_records(nothing_saved).cells == nothing_saved.cells
    no_python = page("seed = 0", "print(seed", "save_record(seed)")
    assert for_records(no_python).cells == no_python.cells


def test_a_cell_keeps_its_place_and_what_of_it_is_needed():
    together = page(
        "seed = 0",
        "# The sum,\nsum = seed\n\n# shown\nprint(\n    sum\n)",
        "import plots; plots.draw()",
        "save_record(model='dice', sum=sum)",
    )
    together.cells[1].metadata["mystnb"] = {"figure": {"name": "fig-sum"}}
    left = code_cells(for_records(together))
    assert left[1].source == "# The sum,\nsum = seed\n# \n# # shown\n# print(\n#     sum\n# )"
    assert left[1].metadata == {}  # else a figure that it does not draw would be a fault
    assert left[2].source == "# import plots; plots.draw()"


def test_whole_pages_are_other_runs_of_which_all_is_run():
    asked = [Run("a-run", "03-mlp", {"seed": 1})]
    assert depend_on(asked) != depend_on(asked, whole)
