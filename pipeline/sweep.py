"""Run chapters over a grid of parameters, on this machine's cores or on a Dask cluster.

usage: sweep.py DEFINITION.yml OUTPUT [--workers N | --scheduler tcp://HOST:PORT]
       sweep.py CHAPTER OUTPUT -p NAME VALUE,VALUE [-p ...]

OUTPUT is a folder or an address such as s3://bucket/folder. Each run leaves its
notebook in OUTPUT/executed and its records in OUTPUT/records/RUN; one that fails
leaves its notebook in OUTPUT/failed. A finished run is not run again until its
chapter's code, the helpers, the data or its parameters change.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from tqdm.auto import tqdm

from pipeline.store import Store
from pipeline.sweep_definition import Run, SweepError, read_definition, read_options, runs_of
from pipeline.sweep_results import write_results
from pipeline.sweep_worker import THREAD_VARIABLES, Outcome, depend_on, run_here

PATIENCE = 60  # seconds to wait for a scheduler, and for a first worker
LOOK_AGAIN = 10  # seconds after which we look whether workers have come or gone


def sweep(
    runs: list[Run],
    output: str | Path,
    workers: int | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Run what is not finished yet, and write the tables and the figure of all.

    Parameters
    ----------
    runs : list of Run
        As `pipeline.sweep_definition.runs_of` makes them.
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
        One row a run: run, chapter, status ("done" or "failed"), message,
        seconds, its parameters, and the mean test accuracy of each model in percent.

    Raises
    ------
    SweepError
        If the output cannot be written; if there are more workers than cores, or
        both a cluster and a number of workers; if no scheduler answers, or it has
        no workers for a minute.
    """
    if scheduler and workers is not None:
        raise SweepError("Give --workers or --scheduler: a running cluster has its workers.")
    if workers is not None and not 1 <= workers <= CPU_COUNT:
        raise SweepError(f"workers is {workers}; this machine has cores for 1 to {CPU_COUNT}.")
    store = Store(str(output))
    # Whether we may write there is to be known now, and not after the first run.
    store.write("runs.json", as_json({run.name: [run.chapter, run.parameters] for run in runs}))
    expected = depend_on(runs)
    waiting = [run for run in runs if not is_finished(run, expected[run.name], store)]
    if len(waiting) < len(runs):
        print(f"{len(runs) - len(waiting)} of {len(runs)} runs are finished already.")
    failures = {}
    if waiting:
        with client(scheduler, min(workers or CPU_COUNT, len(waiting))) as dask_client:
            for run, outcome in outcomes(dask_client, waiting, expected):
                keep(run, outcome, expected[run.name], store)
                if outcome.message:
                    failures[run.name] = outcome
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
                "`dask scheduler`; it prints its address, such as tcp://HOST:8786."
            ) from error
        with running:
            yield running
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # one run at a time
            memory_limit=0,  # Dask sees the memory of its workers, not of their kernels
            dashboard_address=None,
            env=threads_for_each_of(workers),
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


def threads_for_each_of(workers: int) -> dict[str, str]:
    """The environment in which so many workers share the cores and no more."""
    return dict.fromkeys(THREAD_VARIABLES, str(CPU_COUNT // workers))


def outcomes(
    dask_client: Client, runs: list[Run], expected: dict[str, dict]
) -> Iterator[tuple[Run, Outcome]]:
    """Each run with what came of it, as they end; a bar shows how far all are."""
    failed = 0
    with tqdm(total=len(runs), unit="run", disable=False) as bar:
        for future, run in completed(dask_client, runs, expected):
            outcome = outcome_of(future)
            if outcome.message:
                failed += 1
                bar.write(f"{run.name} failed: {outcome.message}", file=sys.stderr)
                bar.set_postfix(failed=failed)
            bar.update()
            yield run, outcome


def completed(
    dask_client: Client, runs: list[Run], expected: dict[str, dict]
) -> Iterator[tuple[Future, Run]]:
    """Hand the cluster as many runs as it has threads, and another for each that ends.

    Given all at once, they would queue at the workers, and Dask holds whatever
    waits at a worker that is killed to be a possible cause.
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
        for future in ended:
            yield future, futures.pop(future)


def refuse_to_wait_for_nobody(dask_client: Client) -> None:
    try:
        dask_client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise SweepError(
            f"The scheduler {dask_client.scheduler.address} has had no worker for {PATIENCE} "
            "seconds. Start some, in the book's folder: `dask worker ADDRESS --nthreads 1`."
        ) from error


def outcome_of(future: Future) -> Outcome:
    """What a worker sent back, or why none did."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KilledWorker):
        times = error.allowed_failures + 1
        return Outcome(0.0, f"its worker was killed {times} times; was the memory used up?")
    return Outcome(0.0, f"{type(error).__name__}: {error}")


# ---- what is kept ----


def is_finished(run: Run, expected: dict[str, object], store: Store) -> bool:
    """Whether the store has the run, of the same code, data and parameters."""
    finished = store.read(f"finished/{run.name}.json")
    if finished is None or not store.exists(f"executed/{run.name}.ipynb"):
        return False
    return json.loads(finished)["depends_on"] == expected


def keep(run: Run, outcome: Outcome, expected: dict[str, object], store: Store) -> None:
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


# ---- the command ----


def main(arguments: list[str]) -> int:
    """Run the sweep that the command line asks for.

    Returns 0 if every run is finished, 1 if one failed, 2 if the sweep makes no
    sense, and 130 if it was interrupted.
    """
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
            grids = [read_options(asked.what, asked.options)]
        elif asked.options:
            raise SweepError("-p goes with a chapter; a definition file has its own grid.")
        else:
            grids = read_definition(Path(asked.what))
        table = sweep(runs_of(grids), asked.output, asked.workers, asked.scheduler)
    except SweepError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on with the runs that are left.", file=sys.stderr)
        return 130
    failed = table[table["status"] == "failed"]
    print(f"{len(table) - len(failed)} of {len(table)} runs are in {asked.output}.")
    for row in failed.itertuples():
        print(f"  {row.run} failed: {row.message}")
    return 1 if len(failed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
