"""Sweeps: what is asked for, a real cluster of two worker processes, and what comes out."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from moto.server import ThreadedMotoServer
from nbformat.v4 import new_code_cell, new_notebook

from conftest import python_environment, wait_for
from mnist_helpers.metrics import mean_interval
from pipeline import sweep as the_sweep
from pipeline import sweep_worker
from pipeline.notebooks import ChapterError
from pipeline.store import Store
from pipeline.sweep_definition import Grid, Run, SweepError, read_definition, run_name, runs_of
from pipeline.sweep_results import summary_table
from pipeline.sweep_worker import THREAD_VARIABLES, depend_on, refuse_another_book

ROOT = Path(__file__).parents[1]
DEFINITIONS = sorted((ROOT / "sweeps").glob("*.yml"))

# ---- what is asked for ----


def runs(chapter: str = "03-mlp", fixed: dict | None = None, **values: list) -> list[Run]:
    return runs_of([Grid([chapter], values, fixed or {})])


def test_a_grid_is_every_combination_the_last_changing_fastest():
    found = runs(seed=[0, 1], batch_size=[64, 128], fixed={"num_steps": 5})
    assert [run.parameters for run in found] == [
        {"seed": seed, "batch_size": size, "num_steps": 5} for seed in (0, 1) for size in (64, 128)
    ]


@pytest.mark.parametrize(
    ("chapter", "values", "message"),
    [
        ("03-mlp", {"sed": [1]}, "03-mlp: sed is not a parameter .* did you mean seed?"),
        ("03-mlp", {"seed": [1, -1]}, "03-mlp: seed is -1; it may be a whole number from 0"),
        ("03-mpl", {"seed": [1]}, "no chapter '03-mpl'; did you mean 03-mlp?"),
        ("07-comparison", {"seed": [1]}, "trains nothing"),
        ("03-mlp", {"seed": [1, 1]}, "03-mlp--seed-1 is asked for twice"),
        ("03-mlp", {"seed": 1}, "seed is 1 in the grid; it must be a list"),
        ("03-mlp", {"record_dir": ["x"]}, "record_dir cannot be set: each run has a folder"),
        ("03-mlp", {"log_dir": ["x"]}, "log_dir cannot be set"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(chapter: str, values: dict, message: str):
    with pytest.raises(SweepError, match=message):
        runs(chapter, **values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {seed: [1]}", "says which chapter"),
        ("chapter: 03-mlp\ngird: {seed: [1]}", "has the key 'gird'; it may have chapter, grid"),
        ("chapter: 03-mlp\ngrid: [seed]", "grid is \\['seed'\\] in .* names with their values"),
        ("chapter: 3", "chapter is 3 in .* a list of chapters"),
        ("chapter: [", "cannot be read"),
        ("[]", "is empty"),
        ("chapter: 03-mlp\ngrid: {seed: [1]}\nfixed: {seed: 1}", "both in the grid and fixed"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "some.yml"
    path.write_text(text)
    with pytest.raises(SweepError, match=message):
        runs_of(read_definition(path))


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_definition_of_the_book_can_be_run(path: Path):
    assert len(runs_of(read_definition(path))) >= 5


def test_numbers_are_read_as_python_reads_them(tmp_path: Path):
    path = tmp_path / "some.yml"
    path.write_text("chapter: 06-deeper-cnn\ngrid: {learning_rate: [1e-4, 2.5E+1, .1e1]}")
    rates = [run.parameters["learning_rate"] for run in runs_of(read_definition(path))]
    assert rates == [1e-4, 25.0, 1.0]


def test_a_name_is_the_same_in_any_order_and_another_for_any_other_run():
    assert run_name("c", {"seed": 1, "C": 1e-9}) == run_name("c", {"C": 1e-9, "seed": 1})
    probs = [[0.5, 0.9], [0.5], [0.9, 0.5], [0.01 * i for i in range(1, 100)]]
    probs.append([*probs[-1][:-1], 1.0])  # differs from the last where the name is cut
    names = [run.name for run in runs("04-regularized-mlp", seed=[1, 11], keep_probs=probs)]
    assert len(set(names)) == len(names) == 10
    assert all(re.fullmatch(r"[\w.+-]{1,100}", name) for name in names)


def test_workers_times_threads_never_exceed_the_cores(monkeypatch):
    monkeypatch.setattr(the_sweep, "CPU_COUNT", 8)
    for workers, threads in ((1, "8"), (2, "4"), (3, "2"), (5, "1"), (8, "1")):
        assert the_sweep.threads_for_each_of(workers) == dict.fromkeys(THREAD_VARIABLES, threads)
    for workers in (0, 9):
        with pytest.raises(SweepError, match=f"workers is {workers}; .* cores for 1 to 8"):
            the_sweep.sweep([], "nowhere", workers=workers)
    with pytest.raises(SweepError, match="Give --workers or --scheduler"):
        the_sweep.sweep([], "nowhere", workers=2, scheduler="tcp://127.0.0.1:1")


def test_a_run_depends_on_code_helpers_data_and_parameters(monkeypatch, toy_data):
    monkeypatch.setattr(sweep_worker, "fetch", lambda data_set: toy_data(data_set=data_set))
    one, other = depend_on(runs(seed=[1], data_set=["mnist", "fashion_mnist"])).values()
    assert one["data"]["data_set"] == "mnist" and other["data"]["data_set"] == "fashion_mnist"
    assert one["code"] and one["helpers"] and one["requirements"]
    refuse_another_book(one, one, "tcp://here")
    with pytest.raises(ChapterError, match=r"tcp://here has another .*\(parameters, data differ"):
        refuse_another_book(one, other, "tcp://here")


# ---- a small book, and a cluster ----

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PARAMETERS = 'seed = 0  # luck\nnum_steps = 1  # what to do\nrecord_dir = ""  # where'
BEGINS = f"""
import json, os, signal, time
from pathlib import Path
with Path("begun.txt").open("a") as log:
    print(seed, num_steps, os.getppid(), file=log)
threads = {{name: os.environ[name] for name in {THREAD_VARIABLES}}}
"""
WORKS = """
if num_steps == 13:
    raise RuntimeError("the dog ate it")
if num_steps == 9:
    os.kill(os.getpid(), signal.SIGKILL)
while num_steps == 60 and not Path("go-on").exists():
    time.sleep(0.1)
"""
RECORDS = """
facts = dict.fromkeys(["validation_accuracy", "test_size", "parameter_count", "train_seconds"], 1)
facts |= dict.fromkeys(["data_set", "data_source", "split"], "tiny") | {"device": threads}
facts |= {"model": "dice", "seed": seed, "num_steps": num_steps, "test_accuracy": 90.0 + seed}
Path(record_dir).mkdir()
Path(record_dir, "dice.json").write_text(json.dumps(facts))
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one chapter, which writes down when it begins, and does what it is told."""
    for part in ("mnist_helpers", "pipeline"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    (tmp_path / "chapters").mkdir()
    write_chapter(tmp_path)
    return tmp_path


def write_chapter(book: Path, more: str = "") -> None:
    notebook = new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.cells = [new_code_cell(code) for code in (PARAMETERS, BEGINS, WORKS, RECORDS + more)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, book / "chapters" / "01-dice.ipynb")


def start(book: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Start a module of Python in the book's folder."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=book,
        env=python_environment(**{"PYTHONPATH": str(book)} | environment),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finished(process: subprocess.Popen) -> str:
    try:
        return process.communicate(timeout=120)[0]
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """End a process with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def begun(book: Path) -> Counter:
    """How often each run began, by seed and number of steps."""
    log = book / "begun.txt"
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(tuple(map(int, line.split()[:2])) for line in lines)


def test_failures_are_listed_the_rest_is_done_and_only_what_changed_runs_again(book: Path):
    """The default cluster, on this machine; the same command three times."""
    command = ("pipeline.sweep", "01-dice", "out", "-p", "seed", "0,1", "-p", "num_steps")
    process = start(book, *command, "1,9,13")
    said = finished(process)
    assert process.returncode == 1, said
    assert "2 of 6 runs are in out" in said and "6/6" in said
    for seed in (0, 1):
        assert f"seed-{seed} failed: cell 4 raised RuntimeError: the dog ate it" in said
        assert f"seed-{seed} failed: cell 4 ended its kernel" in said
    assert begun(book) == Counter({(s, n): 1 for s in (0, 1) for n in (1, 9, 13)})

    out = book / "out"
    table = pd.read_parquet(out / "sweep.parquet")
    assert Counter(table["status"]) == {"done": 2, "failed": 4}
    assert pd.read_csv(out / "sweep.csv")["run"].tolist() == table["run"].tolist()
    done = table[table["status"] == "done"].set_index("seed")
    assert done["test_accuracy_dice"].to_dict() == {0: 90.0, 1: 91.0}
    assert {path.name for path in (out / "executed").iterdir()} == {
        f"{run}.ipynb" for run in done["run"]
    }
    assert len(list((out / "failed").iterdir())) == 4
    assert "svg" in (out / "summary.svg").read_text() and (out / "summary.png").exists()
    threads = json.loads((out / "records" / done.loc[0, "run"] / "dice.json").read_text())
    cores = the_sweep.CPU_COUNT
    assert threads["device"] == dict.fromkeys(THREAD_VARIABLES, str(cores // min(cores, 6)))

    (out / "executed" / f"{done.loc[1, 'run']}.ipynb").unlink()  # whoever wants it again
    process = start(book, *command, "1")
    said = finished(process)
    assert process.returncode == 0 and "1 of 2 runs are finished already" in said
    assert begun(book)[0, 1] == 1 and begun(book)[1, 1] == 2
    assert pd.read_parquet(out / "sweep.parquet")["status"].tolist() == ["done", "done"]

    write_chapter(book, more="# only a comment")
    process = start(book, *command, "1")
    assert "2 of 2 runs are finished already" in finished(process)


@pytest.fixture
def bucket(monkeypatch) -> str:
    """The address of a bucket on an S3-compatible server of this machine."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": host,
    }.items():
        monkeypatch.setenv(name, value)
    store = Store("s3://bucket")
    store.files.mkdir("bucket")
    yield store.address
    server.stop()


def test_a_killed_worker_costs_its_run_a_retry_and_all_goes_to_s3(book: Path, bucket: str):
    """A running cluster: a scheduler and two workers, each started by its command."""
    scheduler = start(
        book,
        "distributed.cli.dask_scheduler",
        "--port=0",
        "--no-dashboard",
        "--host=127.0.0.1",
        "--scheduler-file=scheduler.json",
    )
    started = [scheduler]
    try:
        assert wait_for((book / "scheduler.json").exists)
        address = json.loads((book / "scheduler.json").read_text())["address"]
        started.append(
            start(
                book,
                "distributed.cli.dask_worker",
                address,
                "--nthreads=1",
                "--nworkers=2",
                "--no-dashboard",
                "--local-directory=scratch",
            )
        )
        process = start(
            book,
            "pipeline.sweep",
            "01-dice",
            f"{bucket}/out",
            "-p",
            "seed",
            "0,1,2,3,4",
            "-p",
            "num_steps",
            "1,60",
            f"--scheduler={address}",
        )
        started.append(process)
        # Both workers wait in a run of 60 steps, with eight runs behind them.
        assert wait_for(lambda: len([run for run in begun(book) if run[1] == 60]) == 2)
        seed, steps, worker = map(int, (book / "begun.txt").read_text().splitlines()[-1].split())
        os.kill(worker, signal.SIGKILL)
        assert wait_for(lambda: begun(book)[seed, steps] == 2)
        (book / "go-on").touch()
        said = finished(process)
    finally:
        for each in reversed(started):
            end(each)
    assert process.returncode == 0, said
    assert begun(book) == Counter(
        {(s, n): 1 + ((s, n) == (seed, steps)) for s in range(5) for n in (1, 60)}
    )
    store = Store(f"{bucket}/out")
    assert len(store.names("executed")) == len(store.names("finished")) == 10
    table = pd.read_parquet(f"{bucket}/out/sweep.parquet")
    assert table["status"].eq("done").all() and len(table) == 10
    store.remove("executed")
    assert store.names("executed") == [] and store.read("executed/x") is None


def test_nobody_is_waited_for_without_end(monkeypatch, tmp_path: Path, dead_url: str):
    monkeypatch.setattr(the_sweep, "PATIENCE", 0.5)
    monkeypatch.setattr(the_sweep, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(sweep_worker, "fetch", lambda data_set: pytest.fail("not needed"))
    one = [Run("a-run", "08-going-further", {})]
    monkeypatch.setattr(the_sweep, "depend_on", lambda runs: {"a-run": {}})
    dead = dead_url.replace("http", "tcp").rstrip("/")
    with pytest.raises(SweepError, match=f"No Dask scheduler answers at '{dead}'"):
        the_sweep.sweep(one, tmp_path, scheduler=dead)
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(SweepError, match="has had no worker for 0.5 seconds. Start some"),
    ):
        the_sweep.sweep(one, tmp_path, scheduler=cluster.scheduler_address)


# ---- what comes out ----


def test_a_place_where_we_may_not_write_is_known_before_anything_runs(tmp_path: Path, capsys):
    (tmp_path / "file").touch()
    command = ["03-mlp", str(tmp_path / "file"), "-p", "seed", "0"]
    assert the_sweep.main(command) == 2
    assert "runs.json cannot be written" in capsys.readouterr().err
    with pytest.raises(SweepError, match="'s5://x' is no folder or store that we know"):
        Store("s5://x")


def test_the_interval_is_over_seeds_each_counted_once():
    """Two runs that hold the same seed, as those of chapter 5 may, are one piece of evidence."""
    accuracies = {0: 90.0, 1: 92.0, 2: 97.0}
    rows = [
        {"chapter": "c", "model": model, "beta": 0.1, "seed": seed, "test_accuracy": percent}
        for seed, percent in accuracies.items()
        for model in ("one", "other")
    ]
    rows += [rows[0], rows[1] | {"beta": None}]
    summary = summary_table(pd.DataFrame(rows), ["chapter", "model", "beta"])
    assert summary["seeds"].tolist() == [3, 3, 1]
    expected = mean_interval(list(accuracies.values()))
    assert tuple(summary.loc[0, ["test_accuracy", "half_width"]]) == pytest.approx(expected)
    assert np.isnan(summary.loc[2, "half_width"])
