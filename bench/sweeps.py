"""What a sweep costs beside its runs: a stub takes the chapter's place.

usage: python -m bench.sweeps [--tree CHECKOUT] [--runs N,N] [--workers N,N] [--s3 N]

A stub waits for a tenth of a second and leaves a notebook of one megabyte and a record. For each
number of runs and of workers: how long a run takes beside the stub, which is the time of all
divided by their number, less the stub's share; and as a ratio to that share. With --s3, how long
a sweep takes that finds so many runs finished on an S3 server of this machine. CHECKOUT is
another state of the book, to set it beside this one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.command_line import command_line

ROOT = Path(__file__).resolve().parents[1]
STUB_SECONDS = 0.1
CHAPTER = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "source": 'seed = 0  # luck\nrecord_dir = ""  # where',
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}
STUB = """
CONTENT = os.urandom({size})


def execute(chapter, parameters, output, record_dir, *_, **__):
    time.sleep({seconds})
    output.write_bytes(CONTENT)
    record_dir.mkdir()
    facts = dict.fromkeys(["validation_accuracy", "test_size", "parameter_count"], 1)
    facts |= dict.fromkeys(["data_set", "data_source", "split", "device", "model"], "stub")
    facts |= {{"seed": parameters["seed"], "num_steps": 1, "train_seconds": 1.0}}
    facts |= {{"test_accuracy": 90.0, "curve": list(range(1000))}}
    (record_dir / "stub.json").write_text(json.dumps(facts))
    (record_dir / "stub.npz").write_bytes(bytes(10_000))
"""


def write_book(tree: Path, book: Path, seconds: float, size: int) -> None:
    """A book of one chapter with the pipeline of a checkout, in which a stub runs it."""
    for part in ("mnist_helpers", "pipeline"):
        shutil.copytree(tree / part, book / part)
    (book / "bench").mkdir()
    shutil.copy(__file__, book / "bench")
    shutil.copy(tree / "requirements.lock", book)
    (book / "chapters").mkdir()
    (book / "_toc.yml").write_text("root: chapters/01-stub\n", encoding="utf-8")
    (book / "chapters" / "01-stub.ipynb").write_text(json.dumps(CHAPTER), encoding="utf-8")
    with (book / "pipeline" / "sweep" / "worker.py").open("a", encoding="utf-8") as worker:
        worker.write(STUB.format(seconds=seconds, size=size))


def sweep_seconds(book: Path, output: str, runs: int, workers: int, again: bool = False) -> float:
    """How long a sweep takes, on workers that are there; of the second one with ``again``."""
    arguments = [output, runs, workers, int(again)]
    command = [sys.executable, "-m", "bench.sweeps", "--inside", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=book, capture_output=True, encoding="utf-8", check=False, env=os.environ
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def inside(output: str, runs: int, workers: int, again: bool) -> float:
    """The same, in the process that has the small book's pipeline."""
    from distributed import Client, LocalCluster

    from pipeline.sweep.cluster import sweep
    from pipeline.sweep.definition import Grid, runs_of

    settings = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=workers, **settings) as cluster, Client(cluster) as client:
        client.wait_for_workers(workers, timeout=120)
        address = cluster.scheduler_address
        # Imports, and what a worker looks at only once, are no part of what a run costs.
        warm = runs_of([Grid(["01-stub"], {"seed": list(range(10_000, 10_000 + 4 * workers))})])
        with tempfile.TemporaryDirectory() as elsewhere:
            sweep(warm, elsewhere, scheduler=address)
        for _ in range(1 + again):
            began = time.perf_counter()
            asked = runs_of([Grid(["01-stub"], {"seed": list(range(runs))})])
            sweep(asked, output, scheduler=address)
            seconds = time.perf_counter() - began
        return seconds


@contextlib.contextmanager
def s3_server():
    """The address of a bucket on an S3-compatible server of this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with contextlib.redirect_stderr(io.StringIO()):
        server.start()
        host, port = server.get_host_and_port()
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": host,
        }
        import fsspec

        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
        server.stop()


def main(arguments: list[str]) -> None:
    """Print a line for each measurement, as it is made."""
    if arguments[:1] == ["--inside"]:
        output, *numbers = arguments[1:]
        print(inside(output, *map(int, numbers)))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--runs", default="100,1000")
    parser.add_argument("--workers", default="2,4,8")
    parser.add_argument("--s3", type=int, default=0)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book"
        write_book(asked.tree, book, STUB_SECONDS, 1_000_000)
        for workers in map(int, filter(None, asked.workers.split(","))):
            for runs in map(int, asked.runs.split(",")):
                with tempfile.TemporaryDirectory() as output:
                    a_run = sweep_seconds(book, output, runs, workers) / runs
                share = STUB_SECONDS / workers
                print(
                    f"{workers} workers, {runs:5,} runs: {1000 * (a_run - share):6.1f} ms a run "
                    f"beside the stub; {a_run / share:.2f} times the stub's share",
                    flush=True,
                )
        if asked.s3:
            small = Path(folder) / "small"
            write_book(asked.tree, small, 0, 10_000)
            with s3_server() as bucket:
                seconds = sweep_seconds(small, f"{bucket}/out", asked.s3, 2, again=True)
            print(f"{asked.s3:,} runs on an S3 server found finished: {seconds:.1f} s")


if __name__ == "__main__":
    with command_line():
        main(sys.argv[1:])
