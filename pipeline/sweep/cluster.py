"""Hands the runs of a sweep to Dask, whose workers put what comes out into the store."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from tqdm import tqdm

from mnist_helpers.threads import core_count
from pipeline.fork_server import VARIABLE, owned_by_this_process
from pipeline.sweep.definition import Run, SweepError
from pipeline.sweep.page import for_records
from pipeline.sweep.results import write_results
from pipeline.sweep.store import Entry, Store
from pipeline.sweep.worker import (
    THREAD_VARIABLES,
    Outcome,
    Part,
    Place,
    depend_on,
    digest_of,
    in_short,
    run_here,
    stored,
)

PATIENCE = 60  # seconds to wait for a scheduler, and for a first worker
LOOK_AGAIN = 10  # seconds after which we look whether anybody is there at all
COUNT_AGAIN = 1  # seconds after which we count the workers, who come and go
INDEX = "index.json"  # what the files of `finished` say, to be read at once


def sweep(
    runs: list[Run],
    output: str | Path,
    workers: int | None = None,
    scheduler: str | None = None,
    part: Part = for_records,
) -> pd.DataFrame:
    """Run what is not finished yet, and write the tables and the figure of all.

    Args:
        runs: As `pipeline.sweep.definition.runs_of` makes them.
        output: A folder, or an address such as ``s3://bucket/folder``.
        workers: How many runs at once on this machine; as many as there are cores if not given.
            The cores are shared out among them.
        scheduler: The address of a running Dask cluster, which is used instead.
        part: What of a chapter's page is run: by default, what leads to its records.
    Returns: One row a run: run, chapter, status ("done" or "failed"), message, seconds, its
        parameters, and the mean test accuracy of each model in percent.
    Raises SweepError if the output cannot be written; if there are more workers than cores, or
        both a cluster and a number of workers; if no scheduler answers, or it has no workers for a
        minute.
    """
    if scheduler and workers is not None:
        raise SweepError("Give --workers or --scheduler: a running cluster has its workers.")
    cores = core_count()
    if workers is not None and not 1 <= workers <= cores:
        raise SweepError(f"workers is {workers}; there are cores for 1 to {cores}.")
    store = Store(str(output))
    # Whether we may write there is to be known now, and not after the first run.
    store.write("runs.json", as_json({run.name: [run.chapter, run.parameters] for run in runs}))
    place = Place(store.address, store.mark("runs.json"))
    expected = depend_on(runs, part)
    there = store.listing()
    index = read_index(there, store)
    finished = find_finished(expected, index, there, store)
    waiting = [run for run in runs if run.name not in finished]
    if len(waiting) < len(runs):
        print(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished already.")
    failures = {}
    if waiting:
        old = left_by(waiting, there)
        try:
            with (
                client(scheduler, min(workers or cores, len(waiting))) as dask_client,
                tqdm(total=len(waiting), unit="run", disable=False) as bar,
            ):
                tasks = [(run, expected[run.name], place, old[run.name], part) for run in waiting]
                for (run, *_), outcome in outcomes(dask_client, tasks):
                    if not outcome.is_stored:  # its worker cannot write there, or is no more
                        outcome = stored(run, outcome, expected[run.name], store, old[run.name])
                    if outcome.message:
                        failures[run.name] = outcome
                        bar.write(f"{run.name} failed: {outcome.message}", file=sys.stderr)
                        bar.set_postfix(failed=len(failures))
                    else:
                        finished[run.name] = outcome.finished
                    bar.update()
        finally:  # also of a sweep that is stopped
            store.write(INDEX, json.dumps(index | finished).encode())
    elif finished != {run: index.get(run) for run in finished}:
        store.write(INDEX, json.dumps(index | finished).encode())
    return write_results(runs, failures, finished, store)


# ---- the cluster ----


@contextmanager
def client(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the running cluster, or of one made for this sweep."""
    if scheduler:
        try:
            running = Client(scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise SweepError(
                f"No Dask scheduler answers at {scheduler!r} ({error}). Start one with "
                "`python -m dask scheduler`; it prints its address, such as tcp://HOST:8786."
            ) from error
        with running:
            yield running
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # one run at a time
            memory_limit=0,  # Dask sees the memory of its workers, not of their kernels
            dashboard_address="127.0.0.1:0",  # any free port, and nobody else's to see
            env=threads_for_each_of(workers)
            | {VARIABLE: os.environ.get(VARIABLE, owned_by_this_process())},
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


def threads_for_each_of(workers: int) -> dict[str, str]:
    """The environment in which so many workers share the cores and no more."""
    return dict.fromkeys(THREAD_VARIABLES, str(core_count() // workers))


def outcomes(dask_client: Client, tasks: list[tuple]) -> Iterator[tuple[tuple, Outcome]]:
    """Each task, which is what `run_here` takes, with what came of it, as they end.

    The cluster gets as many runs as it has threads, and another for each that ends. Given all at
    once, they would queue at the workers, and Dask holds whatever waits at a worker that is killed
    to be a possible cause.
    """
    waiting, futures, ended = deque(tasks), {}, []
    threads, counted = 0, -COUNT_AGAIN
    while waiting or futures:
        if time.monotonic() - counted >= COUNT_AGAIN:
            threads, counted = sum(dask_client.nthreads().values()), time.monotonic()
        while waiting and len(futures) < max(threads, 1) + len(ended):
            task = waiting.popleft()
            futures[dask_client.submit(run_here, *task, pure=False)] = task
        # Only now: while we ask what came of these, the workers have begun with the next.
        yield from [(futures.pop(future), outcome_of(future)) for future in ended]
        if not futures:
            break
        try:
            ended = list(wait(list(futures), LOOK_AGAIN, "FIRST_COMPLETED").done)
        except TimeoutError:
            ended = []
            refuse_to_wait_for_nobody(dask_client)


def refuse_to_wait_for_nobody(dask_client: Client) -> None:
    try:
        dask_client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise SweepError(
            f"The scheduler {dask_client.scheduler.address} has had no worker for {PATIENCE} "
            "seconds. Start one in the book's folder: "
            f"python -m dask worker {dask_client.scheduler.address} --nthreads 1"
        ) from error


def outcome_of(future: Future) -> Outcome:
    """What a worker sent back, or why none did.

    The worker then forgets it: what is lost with a killed worker would be made again.
    """
    error = future.exception()
    outcome = future.result() if error is None else Outcome(0.0, reason(error))
    future.release()
    return outcome


def reason(error: BaseException) -> str:
    if isinstance(error, KilledWorker):
        times = error.allowed_failures + 1
        return f"its worker was killed {times} times; was the memory used up?"
    return f"{type(error).__name__}: {error}"


# ---- what is stored ----


def read_index(there: dict[str, Entry], store: Store) -> dict[str, dict]:
    """What the files of ``finished`` say, by the run's name, as far as they have not changed."""
    index = json.loads(store.read(INDEX) or b"{}") if INDEX in there else {}
    return {
        run: says
        for run, says in index.items()
        if f"finished/{run}.json" in there
        and there[f"finished/{run}.json"].mark == says["mark"] != ""
    }


def find_finished(
    expected: dict[str, dict], index: dict[str, dict], there: dict[str, Entry], store: Store
) -> dict[str, dict]:
    """The runs that the store has whole, of the same code, data and parameters, by name.

    The files in ``finished`` of which the index knows nothing are read.
    """
    known = {run: index[run] for run in expected if run in index}
    names = {f"finished/{run}.json": run for run in expected if run not in index}
    for name, content in store.read_all(name for name in names if name in there).items():
        known[names[name]] = in_short(json.loads(content), there[name].mark)
    return {
        run: says
        for run, says in known.items()
        if says["depends_on"] == digest_of(expected[run]) and is_whole(says, there)
    }


def is_whole(says: dict, there: dict[str, Entry]) -> bool:
    """Whether all is there that belongs to a finished run; an older book did not say what does."""
    return "files" in says and all(
        name in there and there[name].size == size for name, size in says["files"].items()
    )


def left_by(runs: list[Run], there: dict[str, Entry]) -> dict[str, list[str]]:
    """What earlier runs by the same names left in the store, by the run's name."""
    left = {run.name: [] for run in runs}
    for name in there:
        folder, _, rest = name.partition("/")
        run = rest.partition("/")[0] if folder == "records" else rest.rpartition(".")[0]
        if folder in ("finished", "executed", "failed", "records") and run in left:
            left[run].append(name)
    return left


def as_json(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()
