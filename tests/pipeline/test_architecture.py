"""ARCHITECTURE.md names every folder, and who imports whom is as its table says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import listed_by_git
from test_packaging import imported

from pipeline.contents import ROOT
from pipeline.notebooks import code_cells, read

TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `([\w./-]+)/` \| .+ \| (.+) \|$", TEXT, re.MULTILINE)
MAY_IMPORT = {folder: set(re.findall(r"`([\w.]+)`", others)) for folder, others in TABLE}
OURS = {"mnist_helpers", "pipeline", "bench", "experiments", "tests"}


@pytest.fixture(scope="module")
def files() -> list[str]:
    """The files that git keeps, new ones included."""
    listed = listed_by_git("--cached", "--others", "--exclude-standard", "-z")
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def test_the_table_names_every_folder_at_the_top_and_no_other(files: list[str]):
    at_the_top = {name.split("/")[0] for name in files if "/" in name}
    assert {folder.split("/")[0] for folder, _ in TABLE} == at_the_top


def sources(file: str) -> Iterator[str]:
    """The Python of a file, cell by cell in a notebook."""
    if file.endswith(".py"):
        yield (ROOT / file).read_text(encoding="utf-8")
    elif file.endswith(".ipynb"):
        yield from (cell.source for cell in code_cells(read(ROOT / file)))


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_itself_and_what_the_table_allows(folder: str, files: list[str]):
    allowed = MAY_IMPORT[folder] | {folder}
    of_the_folder = [file for file in files if file.startswith(f"{folder}/")]
    found = {file: set().union(*map(imported, sources(file))) & OURS for file in of_the_folder}
    assert {file: names - allowed for file, names in found.items() if names - allowed} == {}


def test_the_package_stays_small():
    """As ARCHITECTURE.md says: small enough to be read."""
    limit = re.search(r"([\d,]+) lines in all at most", TEXT)[1].replace(",", "")
    modules = set((ROOT / "mnist_helpers").glob("**/*.py"))
    lines = [len(module.read_text(encoding="utf-8").splitlines()) for module in modules]
    assert sum(lines) <= int(limit)
