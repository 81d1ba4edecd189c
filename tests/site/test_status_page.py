"""The status page says of each chapter what its run left, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from pipeline.site.status_page import status_page


@pytest.fixture
def build(tmp_path: Path) -> Path:
    for folder in ("executed", "records"):
        (tmp_path / folder).mkdir()
    for name, seconds in (("01-data", 1.25), ("03-mlp", 60.0)):
        run = {"duration": seconds, "end_time": "2026-01-02T03:04:05+00:00"}
        language = {"name": "python", "version": "3.12.1"}
        notebook = new_notebook(metadata={"papermill": run, "language_info": language})
        nbformat.write(notebook, tmp_path / "executed" / f"{name}.ipynb")
    record = {"device": "GPU 0", "data_set": "fashion_mnist", "versions": {"keras": "3.0"}}
    (tmp_path / "records" / "03-mlp--mlp--3-steps.json").write_text(
        json.dumps(record), encoding="utf-8"
    )
    data = {"data_set": "mnist", "sha256": "ab" * 32, "is_sample": False}
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    return tmp_path


def test_each_chapter_has_its_time_date_device_and_data(build: Path):
    page = status_page(build, ["01-data", "03-mlp"])
    assert "| {doc}`01-data` | 2026-01-02 03:04 | 1.2 | – | mnist |" in page
    assert "| {doc}`03-mlp` | 2026-01-02 03:04 | 60.0 | GPU 0 | fashion_mnist |" in page


def test_a_chapter_without_records_has_the_device_that_it_printed(build: Path):
    path = build / "executed" / "08-going-further.ipynb"
    notebook = nbformat.read(build / "executed" / "01-data.ipynb", as_version=4)
    said = new_output("stream", text="55,000 images\ncomputing on CPU, 2 threads\n")
    notebook.cells.append(new_code_cell("print(used_device)", outputs=[said]))
    notebook.metadata.papermill["parameters"] = {"data_set": "fashion_mnist"}
    nbformat.write(notebook, path)
    assert "| 1.2 | CPU, 2 threads | fashion_mnist |" in status_page(build, [path.stem])


def test_checksum_and_versions_are_those_of_the_run(build: Path):
    page = status_page(build, ["01-data", "03-mlp"])
    assert "ab" * 32 in page and "- keras 3.0" in page and "- python 3.12.1" in page


def test_a_book_of_the_sample_says_so(build: Path):
    data = json.loads((build / "data.json").read_text(encoding="utf-8")) | {"is_sample": True}
    (build / "data.json").write_text(json.dumps(data), encoding="utf-8")
    assert "a sample of 5,000 images" in status_page(build, ["01-data"])
