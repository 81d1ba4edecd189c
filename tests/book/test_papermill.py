"""The chapters as a reader runs them with papermill, from a folder of their own."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.contents import chapters
from pipeline.notebooks import CHAPTERS, faults, read

pytestmark = pytest.mark.chapters

EXECUTED = CHAPTERS.parent / "_build" / "test" / "executed"
FIRST_RESULT = 15.0  # seconds that a reader may wait for one


def papermill(folder: Path, chapter: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "papermill", str(CHAPTERS / f"{chapter}.ipynb"), "out.ipynb"]
    return subprocess.run(
        [*command, "--no-progress-bar", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("chapter", "arguments", "message"),
    [
        ("03-mlp", ["-p", "num_steps", "-1"], "num_steps is -1; it may be a whole number, 1 or"),
        ("03-mlp", ["-p", "nmu_steps", "20"], "nmu_steps is not a parameter of this chapter; did"),
        ("05-simple-cnn", ["-p", "device", "tpu"], 'device is \'tpu\'; it may be "auto" or "cpu"'),
        ("06-deeper-cnn", ["-p", "keep_prob", "0"], "keep_prob is 0; it may be a number above 0"),
        ("04-regularized-mlp", ["-p", "keep_probs", "0.5"], "Write -y 'keep_probs: [0.5]'"),
        ("02-logistic-regression", ["-r", "num_steps", "20"], "Write -p num_steps 20 instead"),
        ("01-data", ["-p", "data_set", "cifar"], "data_set is 'cifar'; it may be \"mnist\" or"),
    ],
)
def test_nonsense_stops_at_once_with_a_message(
    tmp_path: Path, chapter: str, arguments: list[str], message: str
):
    done = papermill(tmp_path, chapter, *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    ran = [cell for cell in read(tmp_path / "out.ipynb").cells if cell.get("execution_count")]
    assert len(ran) == 3  # the parameters, papermill's own, and the check


def test_a_chapter_runs_from_any_folder_and_writes_nothing_else(tmp_path: Path):
    few_steps = ["-p", "num_steps", "5", "-p", "seed", "3"]
    # Papermill would save the notebook twice a cell. Its paths are no parameters of ours.
    options = ["--no-request-save-on-cell-execute", "--inject-paths"]
    done = papermill(tmp_path, "05-simple-cnn", *few_steps, *options)
    assert done.returncode == 0, done.stderr
    assert faults(read(tmp_path / "out.ipynb")) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out.ipynb"]


@pytest.mark.parametrize("chapter", chapters())
def test_the_first_result_comes_soon(chapter: str):
    """No training of full length comes before it, so a run of few steps may answer."""
    notebook = read(EXECUTED / f"{chapter}.ipynb")
    began = datetime.fromisoformat(notebook.metadata.papermill.start_time)
    first = next(cell for cell in notebook.cells if cell.get("outputs"))
    waited = datetime.fromisoformat(first.metadata.papermill.end_time) - began
    assert waited.total_seconds() < FIRST_RESULT
