"""Run chapters over a grid of parameters, on this machine's cores or on a Dask cluster.

usage: sweep.py DEFINITION.yml OUTPUT [--workers N | --scheduler tcp://HOST:PORT]
       sweep.py CHAPTER OUTPUT -p NAME VALUE,VALUE [-p ...]

OUTPUT is a folder or an address such as s3://bucket/folder. Each run leaves its
notebook in OUTPUT/executed and its records in OUTPUT/records/RUN; one that fails
leaves its notebook in OUTPUT/failed. A run that is finished is not run again
until its chapter's code, the helpers, the data or its parameters change.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dask
import pandas as pd
from dask.system import cpu_count
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed, get_worker
from tqdm.auto import tqdm

from pipeline.fetch_data import fetch, identity
from pipeline.fingerprint import facts
from pipeline.notebooks import ChapterError
from pipeline.run_chapter import chapter_parameters, execute
from pipeline.store import Store
from pipeline.sweep_definition import DefinitionError, Run, read_definition, read_options
from pipeline.sweep_results import write_results

DONE, FAILED = "done", "failed"
DEATHS_ALLOWED = 3  # of workers under one run, before the run itself is held to be the cause


@dataclass(frozen=True)
class Outcome:
    """What came of a run, as a worker sends it back.

    Attributes
    ----------
    seconds : float
        How long it took.
    message : str
        The cell that failed and what it said; "" if all went well.
    notebook : bytes
        The executed notebook, as far as it got.
    records : dict of str to bytes
        The files of its records, by name.
    """

    seconds: float
    message: str
    notebook: bytes = b""
    records: dict[str, bytes] = field(default_factory=dict)


# ---- on a worker ----


def depends_on(run: Run) -> dict[str, object]:
    """What a run's outputs depend on, as this machine has it."""
    settings = chapter_parameters(run.chapter) | run.parameters
    data = identity(fetch(settings["data_set"])) if "data_set" in settings else None
    # Through JSON, for two machines compare what they would write down.
    return json.loads(json.dumps(facts(run.chapter, run.parameters, data)))


def run_on_worker(run: Run, expected: dict[str, object]) -> Outcome:
    """Run a chapter in a folder that Dask removes, even after a worker was killed."""
    began = time.monotonic()
    here = get_worker()
    # Dask's nanny sets the variable; a worker without one must not take all cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(dir=here.local_directory) as scratch:
        output, records = Path(scratch) / "run.ipynb", Path(scratch) / "records"
        message = ""
        try:
            refuse_another_book(depends_on(run), expected, here.address)
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
    differ = [name for name in expected if found[name] != expected[name]]
    if differ:
        raise ChapterError(
            f"the worker {address} has another version of the book ({', '.join(differ)} differ); "
            "bring its copy of the book, its environment and its data up to date"
        )


# ---- where the sweep was started ----


def sweep(
    runs: list[Run],
    output: str | Path,
    workers: int | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Run what is not finished yet, and write the table and the figure of all.

    Parameters
    ----------
    runs : list of Run
        As `pipeline.sweep_definition.grid_runs` makes them.
    output : str or pathlib.Path
        A folder, or an address such as ``s3://bucket/folder``.
    workers : int, optional
        How many runs at once on this machine; as many as there are cores if not given.
        The cores are shared out among them.
    scheduler : str, optional
        The address of a running Dask cluster, which is used instead.

    Returns
    -------
    pandas.DataFrame
        One row a run: name, chapter, status ("done" or "failed"), message,
        seconds, the parameters, and the mean test accuracy of each model in percent.

    Raises
    ------
    DefinitionError
        If there are more workers than cores, or both a cluster and a number of workers.
    """
    if scheduler and workers:
        raise DefinitionError("Give --workers or --scheduler: a running cluster has its workers.")
    cores = cpu_count()
    if workers is not None and not 1 <= workers <= cores:
        raise DefinitionError(f"workers is {workers}; this machine has cores for 1 to {cores}.")
    store = Store(str(output))
    expected = {run.name: depends_on(run) for run in runs}
    waiting = [run for run in runs if not is_finished(run, expected[run.name], store)]
    if len(waiting) < len(runs):
        print(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished already.")
    failures = {}
    if waiting:
        with client(scheduler, min(workers or cores, len(waiting))) as dask_client:
            for run, outcome in outcomes(dask_client, waiting, expected):
                keep(run, outcome, expected[run.name], store)
                if outcome.message:
                    failures[run.name] = outcome
    return write_results(runs, failures, store)


@contextmanager
def client(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the running cluster, or of one made for this sweep."""
    if scheduler:
        try:
            found = Client(scheduler, timeout="30s")
        except OSError as error:
            raise DefinitionError(f"No Dask scheduler answers at {scheduler}: {error}") from error
        with found:
            yield found
        return
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": DEATHS_ALLOWED}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # one run at a time
            memory_limit=0,  # Dask sees the memory of its workers, not of their kernels
            dashboard_address=None,
            env={"OMP_NUM_THREADS": str(cpu_count() // workers)},
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


def outcomes(
    dask_client: Client, runs: list[Run], expected: dict[str, dict]
) -> Iterator[tuple[Run, Outcome]]:
    """Each run with what came of it, as they end; a bar shows how far all are."""
    futures = {
        dask_client.submit(run_on_worker, run, expected[run.name], pure=False): run for run in runs
    }
    failed = 0
    with tqdm(total=len(runs), unit="run", disable=False) as bar:
        for future in as_completed(list(futures)):
            run, outcome = futures.pop(future), outcome_of(future)
            if outcome.message:
                failed += 1
                bar.write(f"{run.name} failed: {outcome.message}", file=sys.stderr)
                bar.set_postfix(failed=failed)
            bar.update()
            yield run, outcome


def outcome_of(future: Future) -> Outcome:
    """What a worker sent back, or why none did."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KilledWorker):
        return Outcome(0.0, f"its worker was killed {DEATHS_ALLOWED + 1} times: out of memory?")
    return Outcome(0.0, f"{type(error).__name__}: {error}")


# ---- what is kept ----


def is_finished(run: Run, expected: dict[str, object], store: Store) -> bool:
    """Whether a run with the same fingerprint is in the store."""
    kept = store.read(f"fingerprints/{run.name}.json")
    return kept is not None and kept == as_json(expected)


def keep(run: Run, outcome: Outcome, expected: dict[str, object], store: Store) -> None:
    """Store what a run left in place of what it left before.

    The fingerprint goes first and comes last: where there is one, all else is there.
    """
    store.remove(f"fingerprints/{run.name}.json")
    for old in (f"executed/{run.name}.ipynb", f"failed/{run.name}.ipynb", f"records/{run.name}"):
        store.remove(old)
    if outcome.message:
        if outcome.notebook:
            store.write(f"failed/{run.name}.ipynb", outcome.notebook)
        return
    for name, content in outcome.records.items():
        store.write(f"records/{run.name}/{name}", content)
    store.write(f"executed/{run.name}.ipynb", outcome.notebook)
    store.write(f"fingerprints/{run.name}.json", as_json(expected))


def as_json(expected: dict[str, object]) -> bytes:
    return json.dumps(expected, indent=1).encode()


# ---- the command ----


def main(arguments: list[str]) -> int:
    """Run the sweep that the command line asks for; 1 if a run failed, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.sweep", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", help="a definition (.yml), or a chapter such as 05-simple-cnn")
    parser.add_argument("output", help="a folder, or an address such as s3://bucket/folder")
    parser.add_argument(
        "-p",
        dest="options",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUES"),
        help="a parameter of the chapter and its values, with commas between",
    )
    parser.add_argument("--workers", type=int, help="runs at once; as many as cores if not given")
    parser.add_argument("--scheduler", help="a running Dask cluster: tcp://HOST:PORT")
    asked = parser.parse_args(arguments)
    try:
        if not asked.what.endswith((".yml", ".yaml")):
            runs = read_options(asked.what, asked.options)
        elif asked.options:
            raise DefinitionError("-p goes with a chapter; a definition file has its own grid.")
        else:
            runs = read_definition(Path(asked.what))
        table = sweep(runs, asked.output, asked.workers, asked.scheduler)
    except DefinitionError as error:
        parser.error(str(error))
    failed = table[table["status"] == FAILED]
    print(f"{len(table) - len(failed)} of {len(table)} runs are in {asked.output}.")
    for row in failed.itertuples():
        print(f"  {row.run} failed: {row.message}")
    return 1 if len(failed) else 0


if __name__ == "__main__":
    # By its importable name, which is how workers know what to call.
    from pipeline import sweep as importable

    sys.exit(importable.main(sys.argv[1:]))
