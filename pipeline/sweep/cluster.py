"""Hands the runs of a sweep to Dask, and keeps what comes back."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from tqdm import tqdm

from mnist_helpers.threads import core_count
from pipeline.sweep.definition import Run, SweepError
from pipeline.sweep.results import write_results
from pipeline.sweep.store import Store
from pipeline.sweep.worker import THREAD_VARIABLES, Outcome, depend_on, run_here

PATIENCE = 60  # seconds to wait for a scheduler, and for a first worker
LOOK_AGAIN = 10  # seconds after which we look whether workers have come or gone


def sweep(
    runs: list[Run], output: str | Path, workers: int | None = None, scheduler: str | None = None
) -> pd.DataFrame:
    """Run what is not finished yet, and write the tables and the figure of all.

    Args:
        runs: As `pipeline.sweep.definition.runs_of` makes them.
        output: A folder, or an address such as ``s3://bucket/folder``.
        workers: How many runs at once on this machine; as many as there are cores if not given.
            The cores are shared out among them.
        scheduler: The address of a running Dask cluster, which is used instead.
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
    expected = depend_on(runs)
    waiting = [run for run in runs if not is_finished(run, expected[run.name], store)]
    if len(waiting) < len(runs):
        print(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished already.")
    failures = {}
    if waiting:
        with (
            client(scheduler, min(workers or cores, len(waiting))) as dask_client,
            tqdm(total=len(waiting), unit="run", disable=False) as bar,
        ):
            for run, outcome in outcomes(dask_client, waiting, expected):
                store_outcome(run, outcome, expected[run.name], store)
                if outcome.message:
                    failures[run.name] = outcome
                    bar.write(f"{run.name} failed: {outcome.message}", file=sys.stderr)
                    bar.set_postfix(failed=len(failures))
                bar.update()
    return write_results(runs, failures, store)


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
            env=threads_for_each_of(workers),
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


def threads_for_each_of(workers: int) -> dict[str, str]:
    """The environment in which so many workers share the cores and no more."""
    return dict.fromkeys(THREAD_VARIABLES, str(core_count() // workers))


def outcomes(
    dask_client: Client, runs: list[Run], expected: dict[str, dict]
) -> Iterator[tuple[Run, Outcome]]:
    """Each run with what came of it, as they end.

    The cluster gets as many runs as it has threads, and another for each that ends. Given all at
    once, they would queue at the workers, and Dask holds whatever waits at a worker that is killed
    to be a possible cause.
    """
    waiting, futures = deque(runs), {}
    while waiting or futures:
        threads = sum(dask_client.nthreads().values())
        while waiting and len(futures) < max(threads, 1):
            run = waiting.popleft()
            future = dask_client.submit(run_here, run, expected[run.name], pure=False)
            futures[future] = run
        try:
            ended = wait(list(futures), LOOK_AGAIN, "FIRST_COMPLETED").done
        except TimeoutError:
            refuse_to_wait_for_nobody(dask_client)
            continue
        yield from [(futures.pop(future), outcome_of(future)) for future in ended]


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


def is_finished(run: Run, expected: dict[str, object], store: Store) -> bool:
    """Whether the store has the run, of the same code, data and parameters."""
    finished = store.read(f"finished/{run.name}.json")
    if finished is None or not store.exists(f"executed/{run.name}.ipynb"):
        return False
    return json.loads(finished)["depends_on"] == expected


def store_outcome(run: Run, outcome: Outcome, expected: dict[str, object], store: Store) -> None:
    """Store what a run left in place of what it left before.

    The file in ``finished`` goes first and comes last: where it is, all else is.
    """
    for old in (
        f"finished/{run.name}.json",
        f"executed/{run.name}.ipynb",
        f"failed/{run.name}.ipynb",
        f"records/{run.name}",
    ):
        store.remove(old)
    if outcome.message:
        if outcome.notebook:
            store.write(f"failed/{run.name}.ipynb", outcome.notebook)
        return
    for name, content in outcome.records.items():
        store.write(f"records/{run.name}/{name}", content)
    store.write(f"executed/{run.name}.ipynb", outcome.notebook)
    finished = {"seconds": round(outcome.seconds, 1), "depends_on": expected}
    store.write(f"finished/{run.name}.json", as_json(finished))


def as_json(content: object) -> bytes:
    return json.dumps(content, indent=1).encode()
