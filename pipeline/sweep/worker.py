"""One run of a sweep, on the machine that Dask gave it to, and what it leaves in the store.

A run is finished where its file in ``finished`` is, and every file that this one names, of the
size that it says. It goes first, and comes last.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from distributed import get_worker
from nbformat import NotebookNode

from mnist_helpers.data import Mnist
from mnist_helpers.sources import cache_folder
from pipeline.fetch_data import fetch, identity
from pipeline.fingerprint import digest, facts, shared_facts
from pipeline.fork_server import VARIABLE, owned_by_this_process
from pipeline.notebooks import ChapterError, chapter_parameters, state
from pipeline.run_chapter import execute
from pipeline.sweep.definition import Run, SweepError
from pipeline.sweep.page import for_records
from pipeline.sweep.store import Store

# What NumPy, scikit-learn and TensorFlow look at. The chapters set TensorFlow's
# threads from the first.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


Part = Callable[[NotebookNode], NotebookNode]

# What the tables of a sweep have of a record.
FACTS = (
    "model",
    "data_set",
    "data_source",
    "split",
    "num_steps",
    "test_accuracy",
    "validation_accuracy",
    "test_size",
    "parameter_count",
    "train_seconds",
    "device",
    "seed",
)


@dataclass(frozen=True)
class Outcome:
    """What came of a run, as a worker sends it back.

    Attributes:
        seconds: How long it took.
        message: The cell that failed and what it said; "" if all went well.
        notebook: The executed notebook, as far as it got; b"" once it is in the store.
        records: The files of its records, by name; the same.
        is_stored: Whether all of it is in the store.
        finished: What its file in ``finished`` then says, in short, with that file's mark.
    """

    seconds: float
    message: str = ""
    notebook: bytes = b""
    records: dict[str, bytes] = field(default_factory=dict)
    is_stored: bool = False
    finished: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a sweep's outputs go.

    Attributes:
        address: As `Store` takes it.
        mark: Of the list of runs there. On another machine the same path may be another folder.
    """

    address: str
    mark: str


def depend_on(runs: Iterable[Run], part: Part = for_records) -> dict[str, dict[str, object]]:
    """What the outputs of runs depend on, as this machine has it, by the run's name.

    ``part`` makes of a chapter's page what is run of it.
    """
    shared = shared_facts()
    found = {}
    for run in runs:
        data_set = (chapter_parameters(run.chapter) | run.parameters).get("data_set")
        data = _identity(fetch, data_set, *_cached_data()) if data_set else None
        depends_on = facts(run.chapter, run.parameters, data, shared, part)
        # Through JSON: machines compare what they would write down.
        found[run.name] = json.loads(json.dumps(depends_on))
    return found


def _cached_data() -> tuple[tuple, ...]:
    folder = cache_folder()
    return state(*(sorted(folder.rglob("*")) if folder.exists() else ()))


@functools.lru_cache(maxsize=8)  # looked at again when a file of the cache comes, goes or changes
def _identity(fetch: Callable[[str], Mnist], data_set: str, *_: tuple) -> dict[str, object]:
    return identity(fetch(data_set))


def run_here(
    run: Run,
    expected: dict[str, object],
    place: Place,
    old: Iterable[str] = (),
    part: Part = for_records,
) -> Outcome:
    """Run a chapter in a folder that Dask removes, even after the worker was killed.

    What it leaves goes to the store. Where that cannot be reached or written to from here, it
    goes back with the outcome. ``old`` are the files that earlier runs by this name left there.
    """
    began = time.monotonic()
    here = get_worker()
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")  # a worker that nobody told must not take all cores
    os.environ.setdefault(VARIABLE, owned_by_this_process())
    with tempfile.TemporaryDirectory(dir=here.local_directory) as scratch:
        output, records = Path(scratch) / "run.ipynb", Path(scratch) / "records"
        message = ""
        try:
            refuse_another_book(depend_on([run], part)[run.name], expected, here.address)
            execute(run.chapter, run.parameters, output, records, part=part)
        except ChapterError as error:
            message = str(error)
        outcome = Outcome(
            time.monotonic() - began,
            message,
            output.read_bytes() if output.exists() else b"",
            {path.name: path.read_bytes() for path in sorted(records.glob("*"))},
        )
    store = reached(place)
    if store is None:
        return outcome
    try:
        return stored(run, outcome, expected, store, old)
    except SweepError:  # whoever started the sweep may be allowed to
        return outcome


@functools.lru_cache(maxsize=8)
def reached(place: Place) -> Store | None:
    """The store of a sweep, if it is the same seen from here."""
    try:
        store = Store(place.address)
        return store if place.mark and store.mark("runs.json") == place.mark else None
    except Exception:  # each kind of store has exceptions of its own
        return None


def stored(
    run: Run, outcome: Outcome, expected: dict[str, object], store: Store, old: Iterable[str]
) -> Outcome:
    """Store what a run left in place of what it left before; the outcome without it.

    Raises SweepError if something cannot be written.
    """
    name, executed = f"finished/{run.name}.json", f"executed/{run.name}.ipynb"
    if outcome.message:
        # A worker that was killed on the way may have left what no listing had.
        for left in (name, executed, f"failed/{run.name}.ipynb", f"records/{run.name}"):
            store.remove(left)
        if outcome.notebook:
            store.write(f"failed/{run.name}.ipynb", outcome.notebook)
        return Outcome(outcome.seconds, outcome.message, is_stored=True)
    for left in sorted(old, key=lambda each: each != name):
        store.remove(left)
    files = {f"records/{run.name}/{each}": content for each, content in outcome.records.items()}
    files[executed] = outcome.notebook
    store.write_all(files)
    records = [json.loads(content) for each, content in files.items() if each.endswith(".json")]
    finished = {
        "seconds": round(outcome.seconds, 1),
        "depends_on": expected,
        "files": {each: len(content) for each, content in files.items()},
        "records": [{fact: record[fact] for fact in FACTS} for record in records],
    }
    store.write(name, json.dumps(finished, indent=1).encode())
    known = in_short(finished, store.mark(name))
    return Outcome(outcome.seconds, is_stored=True, finished=known)


def in_short(finished: dict, mark: str) -> dict:
    """What a file of ``finished`` says, with a digest of what the run depends on, and its mark."""
    return finished | {"depends_on": digest_of(finished["depends_on"]), "mark": mark}


def digest_of(depends_on: dict[str, object]) -> str:
    """What is another for a run that depends on anything else."""
    return digest(json.dumps(depends_on, sort_keys=True))


def refuse_another_book(found: dict, expected: dict, address: str) -> None:
    """Refuse to run code or data other than those of whoever started the sweep."""
    differ = [name for name in expected if found.get(name) != expected[name]]
    if differ:
        raise ChapterError(
            f"the worker {address} has another version of the book ({', '.join(differ)} differ); "
            "bring its copy of the book, its environment and its data up to date"
        )
