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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import wait_for
from distributed import Client, KilledWorker, LocalCluster
from moto.server import ThreadedMotoServer
from nbformat.v4 import new_code_cell, new_notebook

from mnist_helpers.metrics import mean_interval
from pipeline import fingerprint, notebooks, run_chapter
from pipeline.contents import ROOT
from pipeline.fork_server import VARIABLE
from pipeline.notebooks import ChapterError
from pipeline.sweep import cluster as the_cluster
from pipeline.sweep import definition, worker
from pipeline.sweep.__main__ import main
from pipeline.sweep.cluster import sweep, threads_for_each_of
from pipeline.sweep.definition import (
    Grid,
    Run,
    SweepError,
    read_definition,
    read_options,
    run_name,
    runs_of,
)
from pipeline.sweep.results import plot_summary, summary_table, write_results
from pipeline.sweep.store import Store
from pipeline.sweep.worker import FACTS, THREAD_VARIABLES, depend_on, refuse_another_book, stored

DEFINITIONS = sorted((ROOT / "experiments" / "sweeps").glob("*.yml"))

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
        ("04-regularized-mlp", {"keep_probs": [0.5]}, r"such as \[0.5, 0.9\]. Write \[0.5\] ins"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(chapter: str, values: dict, message: str):
    with pytest.raises(SweepError, match=message):
        runs(chapter, **values)


def test_where_the_workshop_is_not_installed_a_sweep_says_how_it_comes():
    code = (
        "import runpy, sys\n"
        "sys.modules['pandas'] = None  # as if it were not there\n"
        "runpy.run_module('pipeline.sweep', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert "pandas" in done.stderr and "`make workshop`" in done.stderr
    assert "Traceback" not in done.stderr


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
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SweepError, match=message):
        runs_of(read_definition(path))


def test_forty_seeds_have_a_short_spelling(tmp_path: Path):
    path = tmp_path / "some.yml"
    path.write_text("chapter: 03-mlp\ngrid: {seed: 0..39, batch_size: [8..9, 64]}", "utf-8")
    forty = list(range(40))
    assert [grid.values for grid in read_definition(path)] == [
        {"seed": forty, "batch_size": [8, 9, 64]}
    ]
    assert read_options("03-mlp", [("seed", "0..39")]).values == {"seed": forty}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0..x", "seed is '0..x'; a range has a whole number at each end: 0..39"),
        ("0...9", "whole number at each end"),
        ("0.5..2.5", "whole number at each end"),
        ("5..2", "seed is '5..2'; a range begins with the smaller: 2..5"),
        ("0..10000", "seed is '0..10000', 10,001 values; a range may have 10,000"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str):
    with pytest.raises(SweepError, match=message):
        read_options("03-mlp", [("seed", text)])
    (tmp_path / "some.yml").write_text(f"chapter: 03-mlp\ngrid: {{seed: {text}}}", "utf-8")
    with pytest.raises(SweepError, match=message):
        read_definition(tmp_path / "some.yml")


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_definition_of_the_book_can_be_run(path: Path):
    assert len(runs_of(read_definition(path))) >= 5


def test_the_page_shows_the_grid_of_chapter_4_as_it_is():
    shown = re.search(
        r"```yaml\n(.*?)```", (ROOT / "chapters" / "sweeps.md").read_text(encoding="utf-8"), re.S
    )[1]
    grid = yaml.safe_load(
        (ROOT / "experiments" / "sweeps" / "chapter-4-grid.yml").read_text(encoding="utf-8")
    )
    assert yaml.safe_load(shown) == {key: grid[key] for key in ("chapter", "grid")}


def test_a_name_is_the_same_in_any_order_and_another_for_any_other_run():
    assert run_name("c", {"seed": 1, "C": 1e-9}) == run_name("c", {"C": 1e-9, "seed": 1})
    probs = [[0.5, 0.9], [0.5], [0.9, 0.5], [0.01 * i for i in range(1, 100)]]
    probs.append([*probs[-1][:-1], 1.0])  # differs from the last where the name is cut
    names = [run.name for run in runs("04-regularized-mlp", seed=[1, 11], keep_probs=probs)]
    assert len(set(names)) == len(names) == 10
    assert all(re.fullmatch(r"[\w.+-]{1,100}", name) for name in names)


def test_workers_times_threads_never_exceed_the_cores(monkeypatch):
    monkeypatch.setattr(the_cluster, "core_count", lambda: 8)
    for workers, threads in ((1, "8"), (2, "4"), (3, "2"), (5, "1"), (8, "1")):
        assert threads_for_each_of(workers) == dict.fromkeys(THREAD_VARIABLES, threads)
    for workers in (0, 9):
        with pytest.raises(SweepError, match=f"workers is {workers}; .* cores for 1 to 8"):
            sweep([], "nowhere", workers=workers)
    with pytest.raises(SweepError, match="Give --workers or --scheduler"):
        sweep([], "nowhere", workers=2, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize("said", ["", "51a6-4711", None])
def test_the_workers_kernels_have_the_fork_server_that_the_user_or_make_named(monkeypatch, said):
    monkeypatch.delenv(VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(VARIABLE, said)
    given = {}

    def cluster_of(env: dict[str, str], **_):
        given.update(env)
        raise InterruptedError

    monkeypatch.setattr(the_cluster, "LocalCluster", cluster_of)
    with pytest.raises(InterruptedError), the_cluster.client(None, 1):
        pass
    owned = given[VARIABLE].endswith(f"-{os.getpid()}")
    assert owned if said is None else given[VARIABLE] == said


def test_a_place_where_we_may_not_write_is_known_before_anything_runs(tmp_path: Path, capsys):
    (tmp_path / "file").touch()
    command = ["03-mlp", str(tmp_path / "file"), "-p", "seed", "0"]
    assert main(command) == 2
    assert "runs.json cannot be written" in capsys.readouterr().err
    with pytest.raises(SweepError, match="'s5://x' is no folder or store that we know"):
        Store("s5://x")


def test_a_run_depends_on_code_helpers_data_and_parameters(monkeypatch, toy_data):
    monkeypatch.setattr(worker, "fetch", lambda data_set: toy_data(data_set=data_set))
    one, other = depend_on(runs(seed=[1], data_set=["mnist", "fashion_mnist"])).values()
    assert one["data"]["data_set"] == "mnist" and other["data"]["data_set"] == "fashion_mnist"
    assert one["code"] and one["helpers"] and one["requirements"]
    refuse_another_book(one, one, "tcp://here")
    with pytest.raises(ChapterError, match=r"tcp://here has another .*\(parameters, data differ"):
        refuse_another_book(one, other, "tcp://here")


# ---- a small book, and a cluster ----

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
PARAMETERS = 'seed = 0  # luck\nnum_steps = 1  # what to do\nrecord_dir = ""  # where'
BEGINS = """
import json, os, signal, time
from pathlib import Path
book = Path({book!r})
with (book / "begun.txt").open("a") as log:
    print(seed, num_steps, os.environ["JPY_PARENT_PID"], file=log)  # who started the kernel
threads = {{name: os.environ[name] for name in {variables}}}
"""
WORKS = """
if num_steps == 13:
    raise RuntimeError("the dog ate it")
if num_steps == 9:
    os.kill(os.getpid(), signal.SIGKILL)
while num_steps == 60 and not (book / "go-on").exists():
    time.sleep(0.1)
"""
RECORDS = """
facts = dict.fromkeys(["validation_accuracy", "test_size", "parameter_count", "train_seconds"], 1)
facts |= dict.fromkeys(["data_set", "data_source", "split"], "tiny") | {"device": threads}
facts |= {"model": "dice", "seed": seed, "num_steps": num_steps, "test_accuracy": 90.0 + seed}
Path(record_dir).mkdir()
Path(record_dir, "dice.json").write_text(json.dumps(facts))
"""


def write_chapter(book: Path, more: str = "") -> None:
    begins = BEGINS.format(book=str(book), variables=THREAD_VARIABLES)
    notebook = new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.cells = [new_code_cell(code) for code in (PARAMETERS, begins, WORKS, RECORDS + more)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, book / "chapters" / "01-dice.ipynb")


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A book of one chapter, which notes when it begins and does what it is told; ours for now."""
    folder = tmp_path_factory.mktemp("book")
    for part in ("mnist_helpers", "pipeline"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "requirements.lock", folder)
    (folder / "chapters").mkdir()
    (folder / "_toc.yml").write_text("root: chapters/01-dice\n", encoding="utf-8")
    write_chapter(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)  # workers import the small book's pipeline
        for module in (definition, fingerprint, notebooks, run_chapter):
            patch.setattr(module, "CHAPTERS", folder / "chapters")
        patch.setattr(fingerprint, "ROOT", folder)
        yield folder


@pytest.fixture(scope="module")
def cluster(book: Path) -> str:
    """The address of a scheduler with two worker processes, which serves two tests."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0"
    ) as running:
        yield running.scheduler_address


@pytest.fixture
def begun(book: Path) -> Callable[[], Counter]:
    """How often each run began in this test, by seed and number of steps."""
    log = book / "begun.txt"
    log.write_text("", encoding="utf-8")
    return lambda: Counter(tuple(map(int, line.split()[:2])) for line in lines(log))


def lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines()


def test_failures_are_listed_and_the_rest_is_done(book: Path, begun, capsys):
    """The command, on a cluster that it makes of this machine's cores."""
    out = book / "out"
    command = ["01-dice", str(out), "--workers=1", "-p", "seed", "0", "-p", "num_steps", "1,9,13"]
    assert main(command) == 1
    said = capsys.readouterr()
    raised = "01-dice--num_steps-13--seed-0 failed: cell 4 raised RuntimeError: the dog ate it"
    died = "01-dice--num_steps-9--seed-0 failed: cell 4 ended its kernel"
    assert raised in said.out and died in said.out and "1 of 3 runs are in" in said.out
    assert raised in said.err and died in said.err and "3/3" in said.err  # as it happened
    assert begun() == Counter({(0, steps): 1 for steps in (1, 9, 13)})

    table = pd.read_parquet(out / "sweep.parquet").set_index("num_steps")
    assert table["status"].to_dict() == {1: "done", 9: "failed", 13: "failed"}
    assert table.loc[1, "test_accuracy_dice"] == 90.0
    assert pd.read_csv(out / "sweep.csv")["run"].tolist() == table["run"].tolist()
    for folder, status in (("executed", "done"), ("failed", "failed")):
        there = {path.stem for path in (out / folder).iterdir()}
        assert there == set(table.loc[table["status"] == status, "run"])
    assert (
        "<svg" in (out / "summary.svg").read_text(encoding="utf-8")
        and (out / "summary.png").exists()
    )
    record = json.loads(
        (out / "records" / table.loc[1, "run"] / "dice.json").read_text(encoding="utf-8")
    )
    assert record["device"] == threads_for_each_of(1)  # all cores


def test_only_what_is_not_finished_runs_again(book: Path, cluster: str, begun, capsys):
    out = book / "again"
    asked = [f"--scheduler={cluster}", "-p", "num_steps", "1", "-p", "seed"]
    assert main(["01-dice", str(out), *asked, "0"]) == 0
    write_chapter(book, more="# only a comment is new")
    assert main(["01-dice", str(out), *asked, "0,1"]) == 0
    assert "1 of 2 runs are finished already" in capsys.readouterr().out
    assert begun() == Counter({(0, 1): 1, (1, 1): 1})
    (out / "executed" / "01-dice--num_steps-1--seed-0.ipynb").unlink()  # whoever wants it again
    assert main(["01-dice", str(out), *asked, "0,1"]) == 0
    assert begun() == Counter({(0, 1): 2, (1, 1): 1})
    assert pd.read_parquet(out / "sweep.parquet")["status"].tolist() == ["done", "done"]
    chapter = runs("01-dice", seed=[0], num_steps=[1])
    before = depend_on(chapter)
    write_chapter(book, more="1 + 1")
    assert depend_on(chapter) != before
    write_chapter(book)


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


def test_a_killed_worker_costs_its_run_a_retry_and_all_goes_to_s3(
    book: Path, cluster: str, begun, bucket: str
):
    """Two runs end, two wait for a file, one stands behind them; then a worker is killed."""
    grids = [([0, 1], 1), ([2, 3], 60), ([4], 1)]
    asked = runs_of(Grid(["01-dice"], {"seed": seeds}, {"num_steps": n}) for seeds, n in grids)

    def kill_one() -> int:
        try:
            assert wait_for(lambda: len(begun()) == 4)
            seed, _, process = map(int, lines(book / "begun.txt")[-1].split())
            os.kill(process, signal.SIGKILL)
            again = wait_for(lambda: begun()[seed, 60] == 2)
        finally:
            (book / "go-on").touch()  # nobody is to wait for it without end
        assert again, "the run of the killed worker did not begin again"
        return seed

    # Until one is killed, workers reach the bucket; the one that takes its place does not.
    with Client(cluster) as client:
        given = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        client.run(os.environ.update, given)
    with ThreadPoolExecutor(1) as other:
        killed = other.submit(kill_one)
        table = sweep(asked, f"{bucket}/out", scheduler=cluster)
    once = Counter({(0, 1): 1, (1, 1): 1, (2, 60): 1, (3, 60): 1, (4, 1): 1})
    assert begun() == once + Counter({(killed.result(), 60): 1})
    assert table["status"].tolist() == ["done"] * 5
    store = Store(f"{bucket}/out")
    assert len(store.names("executed")) == len(store.names("finished")) == 5
    stored = pd.read_parquet(f"{bucket}/out/sweep.parquet")
    assert stored["test_accuracy_dice"].tolist() == [90.0, 91.0, 92.0, 93.0, 94.0]
    store.remove("executed")
    assert store.names("executed") == [] and store.read("executed/x") is None


def test_a_run_that_kills_its_workers_is_a_failed_run():
    killed = KilledWorker("a-run", None, allowed_failures=3)
    assert the_cluster.reason(killed) == "its worker was killed 4 times; was the memory used up?"


def test_nobody_is_waited_for_without_end(monkeypatch, tmp_path: Path, dead_url: str):
    monkeypatch.setattr(the_cluster, "PATIENCE", 0.5)
    monkeypatch.setattr(the_cluster, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(the_cluster, "depend_on", lambda runs, part: {"a-run": {}})
    one = [Run("a-run", "03-mlp", {})]
    dead = dead_url.replace("http", "tcp").rstrip("/")
    with pytest.raises(SweepError, match=f"No Dask scheduler answers at '{dead}'"):
        sweep(one, tmp_path, scheduler=dead)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(SweepError, match=r"has had no worker for 0\.5 seconds\. Start one"),
    ):
        sweep(one, tmp_path, scheduler=empty.scheduler_address)


# ---- the store ----


def finished_run(store: Store, name: str) -> dict:
    """A run as a worker leaves it: its record and its notebook, in the store."""
    facts = dict.fromkeys(FACTS, 1)
    outcome = worker.Outcome(1.0, "", b"notebook", {"some.json": json.dumps(facts).encode()})
    return stored(Run(name, "c", {}), outcome, {"code": 1}, store, ()).finished


def test_a_resumed_sweep_asks_the_store_twice_however_many_runs_it_has(
    tmp_path: Path, monkeypatch
):
    store = Store(str(tmp_path))
    written = {f"run-{number}": finished_run(store, f"run-{number}") for number in range(20)}
    store.write(the_cluster.INDEX, json.dumps(written).encode())
    asked = Counter()
    for name in ("find", "cat_file", "cat", "info", "exists", "ls"):
        method = getattr(store.files, name)
        monkeypatch.setattr(
            store.files,
            name,
            lambda *given, name=name, method=method, **more: (
                asked.update([name]) or method(*given, **more)
            ),
        )
    there = store.listing()
    expected = {run: {"code": 1} for run in written}
    index = the_cluster.read_index(there, store)
    assert the_cluster.find_finished(expected, index, there, store) == written
    assert asked["find"] == asked["cat_file"] == 1 and asked["cat"] + asked["exists"] == 0


@pytest.mark.parametrize("harm", ["record gone", "record cut", "notebook gone", "other code"])
@pytest.mark.parametrize("indexed", [True, False])
def test_what_is_not_whole_is_not_finished(tmp_path: Path, harm: str, indexed: bool):
    store = Store(str(tmp_path))
    index = {"run": finished_run(store, "run"), "other": finished_run(store, "other")}
    if indexed:
        store.write(the_cluster.INDEX, json.dumps(index).encode())
    record = tmp_path / "records" / "run" / "some.json"
    if harm == "record gone":
        record.unlink()
    elif harm == "record cut":
        record.write_bytes(record.read_bytes()[:-1])
    elif harm == "notebook gone":
        (tmp_path / "executed" / "run.ipynb").unlink()
    else:  # another sweep was here after the index was written
        says = json.loads((tmp_path / "finished" / "run.json").read_text(encoding="utf-8"))
        store.write("finished/run.json", json.dumps(says | {"depends_on": {}}).encode())
    there = store.listing()
    known = the_cluster.read_index(there, store)
    expected = {run: {"code": 1} for run in index}
    assert list(the_cluster.find_finished(expected, known, there, store)) == ["other"]


def test_workers_write_for_themselves_unless_their_folder_is_another(
    book: Path, cluster: str, begun, monkeypatch, tmp_path: Path
):
    asked = runs_of([Grid(["01-dice"], {"seed": [7]}, {"num_steps": 1})])

    def never(*_):
        raise AssertionError("the worker did not write")

    with monkeypatch.context() as patch:
        patch.setattr(the_cluster, "stored", never)
        sweep(asked, tmp_path / "near", scheduler=cluster)
    monkeypatch.setattr(Store, "mark", lambda *_: "of a folder on another machine")
    table = sweep(asked, tmp_path / "far", scheduler=cluster)
    assert table["status"].tolist() == ["done"]
    for folder in ("near", "far"):
        assert len(list((tmp_path / folder / "records").glob("*/dice.json"))) == 1


# ---- what comes out ----


@pytest.fixture
def several(tmp_path: Path) -> Store:
    """What a sweep over two chapters left, of which one has a batch size and one has not."""
    store = Store(str(tmp_path))
    asked = [
        Run(f"mlp-{size}-{seed}", "03-mlp", {"batch_size": size, "seed": seed})
        for size in (64, 128)
        for seed in (0, 1)
    ]
    asked.append(Run("fit", "02-logistic-regression", {"C": 0.5}))
    finished = {}
    for number, run in enumerate(asked):
        facts = dict.fromkeys(FACTS, 1) | {"model": run.chapter[3:], "seed": number}
        facts |= {"num_steps": 20 if "batch_size" in run.parameters else None}
        finished[run.name] = {"seconds": 1.0, "records": [facts]}
    write_results(asked, {}, finished, store)
    return store


def test_whole_numbers_stay_whole_where_a_chapter_lacks_them(several: Store):
    folder = Path(several.root)
    for name, column in (
        ("sweep", "batch_size"),
        ("summary", "batch_size"),
        ("records", "batch_size"),
        ("records", "num_steps"),
    ):
        assert pd.read_parquet(folder / f"{name}.parquet")[column].dtype == "Int64"
        written = pd.read_csv(folder / f"{name}.csv", dtype=str)[column]
        assert set(written.dropna()) <= {"64", "128", "20"} and written.isna().sum() == 1
    drawn = (folder / "summary.svg").read_text(encoding="utf-8")
    assert "<!-- mlp, batch_size 64 -->" in drawn and "64.0" not in drawn
    assert "<!-- logistic-regression, C 0.5 -->" in drawn


def test_the_figure_of_a_sweep_cuts_neither_marks_nor_words():
    rows = [{"model": "m" * 40, "seed": seed, "test_accuracy": 90.0 + seed} for seed in (0, 1)]
    for settings in (1, 2, 3, 12):
        records = pd.DataFrame([row | {"beta": beta} for row in rows for beta in range(settings)])
        figure = plot_summary(records, ["model", "beta"])
        figure.draw_without_rendering()
        whole, (ax,) = figure.get_window_extent(), figure.axes
        for mark in (*ax.lines, *ax.collections):
            seen = mark.get_window_extent()
            assert ax.bbox.y0 < seen.y0 and seen.y1 < ax.bbox.y1
        for text in (*ax.get_yticklabels(), *figure.texts):
            seen = text.get_window_extent()
            assert whole.x0 <= seen.x0 and seen.x1 <= whole.x1, text


def test_the_interval_is_over_seeds_each_counted_once():
    """Two runs that hold the same seed, as those of 05-luck may, are one piece of evidence."""
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


def test_where_all_runs_with_a_parameter_failed_they_are_listed_all_the_same(tmp_path: Path):
    asked = [
        Run("fit", "02-logistic-regression", {"C": 0.5}),
        *(Run(f"cnn-{p}", "06-deeper-cnn", {"keep_prob": p}) for p in (0.5, 0.8)),
    ]
    facts = dict.fromkeys(FACTS, 1) | {"model": "logistic_regression", "seed": 0}
    failed = worker.Outcome(1.0, message="its memory was used up")
    write_results(
        asked,
        {run.name: failed for run in asked[1:]},
        {"fit": {"seconds": 1.0, "records": [facts]}},
        Store(str(tmp_path)),
    )
    table = pd.read_csv(tmp_path / "sweep.csv")
    assert table["status"].tolist() == ["done", "failed", "failed"]
    assert table["keep_prob"].tolist()[1:] == [0.5, 0.8]
