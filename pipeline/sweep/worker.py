"""One run of a sweep, on the machine that Dask gave it to."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from distributed import get_worker

from pipeline.fetch_data import fetch, identity
from pipeline.fingerprint import facts, shared_facts
from pipeline.notebooks import ChapterError
from pipeline.run_chapter import chapter_parameters, execute
from pipeline.sweep.definition import Run

# What NumPy, scikit-learn and TensorFlow look at. The chapters set TensorFlow's
# threads from the first.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclass(frozen=True)
class Outcome:
    """What came of a run, as a worker sends it back.

    Attributes:
        seconds: How long it took.
        message: The cell that failed and what it said; "" if all went well.
        notebook: The executed notebook, as far as it got.
        records: The files of its records, by name.
    """

    seconds: float
    message: str = ""
    notebook: bytes = b""
    records: dict[str, bytes] = field(default_factory=dict)


def depend_on(runs: Iterable[Run]) -> dict[str, dict[str, object]]:
    """What the outputs of runs depend on, as this machine has it, by the run's name."""
    shared = shared_facts()
    identities = {None: None}  # of the data sets, each looked at once
    found = {}
    for run in runs:
        data_set = (chapter_parameters(run.chapter) | run.parameters).get("data_set")
        if data_set not in identities:
            identities[data_set] = identity(fetch(data_set))
        depends_on = facts(run.chapter, run.parameters, identities[data_set], shared)
        # Through JSON: machines compare what they would write down.
        found[run.name] = json.loads(json.dumps(depends_on))
    return found


def run_here(run: Run, expected: dict[str, object]) -> Outcome:
    """Run a chapter in a folder that Dask removes, even after the worker was killed."""
    began = time.monotonic()
    here = get_worker()
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")  # a worker that nobody told must not take all cores
    with tempfile.TemporaryDirectory(dir=here.local_directory) as scratch:
        output, records = Path(scratch) / "run.ipynb", Path(scratch) / "records"
        message = ""
        try:
            refuse_another_book(depend_on([run])[run.name], expected, here.address)
            execute(run.chapter, run.parameters, output, records)
        except ChapterError as error:
            message = str(error)
        return Outcome(
            time.monotonic() - began,
            message,
            output.read_bytes() if output.exists() else b"",
            {path.name: path.read_bytes() for path in sorted(records.glob("*"))},
        )


def refuse_another_book(found: dict, expected: dict, address: str) -> None:
    """Refuse to run code or data other than those of whoever started the sweep."""
    differ = [name for name in expected if found.get(name) != expected[name]]
    if differ:
        raise ChapterError(
            f"the worker {address} has another version of the book ({', '.join(differ)} differ); "
            "bring its copy of the book, its environment and its data up to date"
        )
