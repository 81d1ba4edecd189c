"""What the book says in several places is worked out in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.contents import ROOT
from pipeline.notebooks import CHAPTERS, code_cells, read

CODE = {  # of the book and of its pages; from a file's path to its code
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for folder in ("mnist_helpers", "pipeline", "experiments")
    for path in (ROOT / folder).rglob("*.py")
} | {
    path.relative_to(ROOT): "\n".join(cell.source for cell in code_cells(read(path)))
    for path in CHAPTERS.glob("*.ipynb")
}
SYSTEMS, TABLES = (Path("mnist_helpers") / name for name in ("systems.py", "tables.py"))


@pytest.mark.parametrize(
    ("home", "worked_out"),
    {
        "the systems' names": (SYSTEMS, r'"regularised MLP'),
        "the long run": (SYSTEMS, r"num_steps\W+[<>] *(LONG_STEPS|\d\d_000)"),
        "the setting chosen": (SYSTEMS, r'"_dropconnect" in'),
        "what the original printed": (SYSTEMS, r"\b92\.11\b"),
        "numbers with their sign": (TABLES, r":\+([^}]*|[^\"']*)f\}[\"']\.replace"),
        "colours of positive and negative": (
            Path("mnist_helpers/figures.py"),
            r'"(RdBu|PuOr|PiYG|BrBG|coolwarm|bwr|seismic|RdYlBu)(_r)?"',
        ),
        "lines of a table": (TABLES, r'^\s*f?"\|.*\||f"\| \{\W+join'),
    }.values(),
)
def test_a_fact_has_one_home(home: Path, worked_out: str):
    found = {path for path, code in CODE.items() if re.search(worked_out, code, re.MULTILINE)}
    assert found == {home}
