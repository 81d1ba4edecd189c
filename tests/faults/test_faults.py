"""What can go wrong, provoked: what the user then sees, and what survives it.

`FAULTS`, at the end, is the table. Each row names a function that provokes the
fault, checks what survived, and returns what was said. The rows that take
minutes are marked ``long``: `make test-faults` runs them, and so does the weekly
workflow.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import inspect
import itertools
import os
import pickle
import re
import resource
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from conftest import (
    FILE_NAMES,
    SILENCE,
    Reply,
    assert_whole,
    names,
    python_environment,
    wait_for,
    write_folder,
)
from small_book import ROOT, html, make, ran, start_make, write_chapter

from mnist_helpers import sources
from mnist_helpers.files import PARTIAL
from mnist_helpers.records import load_records
from mnist_helpers.sources import DataUnavailable, cache_folder, deliver
from pipeline.notebooks import ChapterError, read

pytestmark = pytest.mark.usefixtures("no_settings_of_the_machine")


# ---- mirrors ----


@pytest.fixture
def ask(tmp_path, tiny, tiny_contents, tiny_gz, mirror, monkeypatch):
    """Ask a mirror that is no good, alone and then before a good one; return its answer."""

    def ask(bad_url: str, patience: float = 30.0) -> str:  # seconds; two rows wait for all of them
        monkeypatch.setattr(sources, "CONNECT_AND_READ_TIMEOUT", patience)
        with pytest.raises(DataUnavailable):
            deliver(replace(tiny, mirrors=(bad_url,)), tmp_path)
        assert names(tmp_path / "tiny") == []
        monkeypatch.setattr(sources, "CONNECT_AND_READ_TIMEOUT", 5 * patience)  # honest, if slow
        good = mirror(tiny_gz)
        delivery = deliver(replace(tiny, mirrors=(bad_url, good.url)), tmp_path)
        assert delivery.source == good.url
        assert good.asked == [f"{name}.gz" for name in FILE_NAMES]  # not pieced together
        assert delivery.contents == tiny_contents
        assert_whole(tmp_path / "tiny", tiny_contents)
        assert all(len(answer.splitlines()) == 1 for answer in delivery.answers)
        return delivery.answers[1]

    return ask


def a_dead_mirror(ask, dead_url) -> str:
    return ask(dead_url)


Lie = Callable[[bytes, bytes], bytes | Reply]  # from an honest file, gzipped and plain


def a_lying_mirror(lie: Lie, patience: float, ask, tiny_gz, tiny_contents, mirror) -> str:
    """It is honest about two files and lies about the third."""
    name = f"{FILE_NAMES[2]}.gz"
    return ask(mirror(tiny_gz | {name: lie(tiny_gz[name], tiny_contents[2])}).url, patience)


def lies(lie: Lie, patience: float = 30.0) -> Callable:
    return partial(a_lying_mirror, lie, patience)


def spoils(change: Callable[[bytes], bytes]) -> Callable:
    """The idx file is changed, and compressed as an honest mirror does."""
    return lies(lambda gz, plain: gzip.compress(change(plain)))


def with_a_byte_changed(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :]


def drop_by_drop(content: bytes) -> Iterator[bytes]:
    for value in content:
        time.sleep(0.05)
        yield bytes([value])


def a_redirect_loop(ask, mirror) -> str:
    name = f"{FILE_NAMES[0]}.gz"
    return ask(mirror({name: Reply(status=302, Location=name)}).url)


# ---- the cache ----


@pytest.fixture
def unkept(tmp_path, tiny, tiny_contents):
    """Deliver from a system package into a cache that takes nothing; return the answer."""
    system = write_folder(tmp_path / "system", tiny_contents)

    def unkept(cache: Path) -> str:
        delivery = deliver(replace(tiny, system_folder=system), cache)
        assert delivery.contents == tiny_contents
        assert delivery.source == f"system package {system}"
        return delivery.answers[-1]

    return unkept


def a_cache_that_cannot_be_written(unkept) -> str:
    if not Path("/sys").is_dir():
        pytest.skip("needs a folder that root cannot write to, either")
    return unkept(Path("/sys/mnist-that-runs"))


def a_cache_that_is_a_file(unkept, tmp_path) -> str:
    (tmp_path / "file").write_bytes(b"not a folder")
    said = unkept(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"not a folder"
    return said


def a_full_disk(unkept, tmp_path, tiny_contents, monkeypatch) -> str:
    """Full in the third file."""
    free = iter([True, True])

    def sync(handle):
        if not next(free, False):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnist_helpers.files.os.fsync", sync)
    said = unkept(tmp_path / "cache")
    folder = tmp_path / "cache" / "tiny"
    assert names(folder) == sorted(FILE_NAMES[:2])
    assert [(folder / name).read_bytes() for name in FILE_NAMES[:2]] == tiny_contents[:2]
    return said


DELIVER = """if True:
    import pickle, resource, sys
    from pathlib import Path
    from mnist_helpers.sources import deliver
    publication = pickle.loads(Path(sys.argv[1]).read_bytes())
    """


def a_limit_of_the_system(handed_over, tmp_path, tiny_contents, run_python) -> str:
    """No fake: the system refuses to let a file grow beyond 10,000 bytes."""
    _, path = handed_over
    said = run_python(
        DELIVER
        + """
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    delivery = deliver(publication, Path(sys.argv[2]))
    print(*map(len, delivery.contents))
    print(*delivery.answers, sep="\\n")
    """,
        path,
        tmp_path / "cache",
    )
    assert said.splitlines()[0] == " ".join(str(len(content)) for content in tiny_contents)
    assert names(tmp_path / "cache" / "tiny") == []
    return said


def a_cache_deleted_in_mid_run(unkept, tmp_path, monkeypatch) -> str:
    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr("mnist_helpers.files.os.fsync", lambda handle: shutil.rmtree(cache))
        said = unkept(cache)
    assert names(cache / "tiny") == []
    unkept(cache)
    assert names(cache / "tiny") == sorted(FILE_NAMES)  # the next run makes it anew
    return said


def a_damaged_file(
    damage: Callable[[bytes], bytes], tmp_path, tiny, tiny_contents, tiny_gz, mirror
):
    """Each of the four in turn: without a mirror it is an error, with one it is replaced."""
    folder, said = tmp_path / "tiny", []
    for name, content in zip(FILE_NAMES, tiny_contents, strict=True):
        write_folder(folder, tiny_contents)
        (folder / name).write_bytes(damage(content))
        with pytest.raises(DataUnavailable, match=f"{name} has SHA-256"):
            deliver(tiny, tmp_path)
        delivery = deliver(replace(tiny, mirrors=(mirror(tiny_gz).url,)), tmp_path)
        assert delivery.contents == tiny_contents
        assert_whole(folder, tiny_contents)
        said.append(delivery.answers[0])
    return "\n".join(said)


def four_processes_at_once(handed_over, tmp_path, tiny_contents, start_python) -> str:
    _, path = handed_over
    cache, go = tmp_path / "cache", tmp_path / "go"
    fill = """
    import time
    from mnist_helpers.files import write_whole
    from mnist_helpers.sources import read_folder
    print("ready", flush=True)
    while not Path(sys.argv[3]).exists():
        time.sleep(0.002)
    delivery = deliver(publication, Path(sys.argv[2]))
    print(*delivery.answers, sep="\\n")
    for _ in range(10):
        for file, content in zip(publication.files, delivery.contents):
            write_whole(Path(sys.argv[2], "tiny", file.name), content)
        assert read_folder(publication, Path(sys.argv[2], "tiny")) == delivery.contents
    """
    children = [start_python(DELIVER + fill, path, cache, go) for _ in range(4)]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        go.touch()
        outcomes = [child.communicate(timeout=60) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0] * 4, outcomes
    assert_whole(cache / "tiny", tiny_contents)
    last_lines = {out.rstrip().splitlines()[-1] for out, _ in outcomes}
    return "\n".join(sorted(last_lines))


def no_npm_and_nothing_else(sample_loads) -> str:
    data, seen = sample_loads()
    assert data.is_sample and len(data.test) == 900
    return str(seen[0].message)


def no_home(monkeypatch, tmp_path) -> str:
    """No HOME, and a user whom the system does not know, as in some containers."""

    def unknown(user_id):
        raise KeyError(user_id)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(DataUnavailable) as refusal:
        cache_folder()
    assert names(tmp_path) == []  # such as a folder called ~
    return str(refusal.value)


def umask_077(handed_over, tmp_path, tiny_contents) -> str:
    publication, _ = handed_over
    before = os.umask(0o077)
    try:
        delivery = deliver(publication, tmp_path / "cache")
    finally:
        os.umask(before)
    assert_whole(tmp_path / "cache" / "tiny", tiny_contents)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("cache/tiny/*")} == {0o600}
    return delivery.answers[-1]


# ---- kill -9 ----


def kill(child: subprocess.Popen) -> str:
    """Kill a process and all that it started; return what a shell says of it."""
    if os.getpgid(child.pid) == child.pid:
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.communicate()
    return signal.strsignal(-child.returncode)


def killed_while_downloading(tmp_path, tiny, tiny_contents, tiny_gz, mirror, start_python) -> str:
    """The third file does not come; the process is killed while it waits."""
    stalled = mirror(tiny_gz | {f"{FILE_NAMES[2]}.gz": SILENCE})
    path, cache = tmp_path / "publication", tmp_path / "cache"
    path.write_bytes(pickle.dumps(replace(tiny, mirrors=(stalled.url,))))
    child = start_python(f"{DELIVER}\n    deliver(publication, Path(sys.argv[2]))", path, cache)
    try:
        assert wait_for(lambda: len(stalled.asked) == 3)
    finally:
        said = kill(child)
    assert names(cache / "tiny") == []
    deliver(replace(tiny, mirrors=(mirror(tiny_gz).url,)), cache)
    assert_whole(cache / "tiny", tiny_contents)
    return said


STOP_IN_FILE = """
    import os, time
    from mnist_helpers import files
    sync = os.fsync

    def stop_in_file(number):
        count = 0

        def stop(handle):
            nonlocal count
            count += 1
            if count == number:
                print("in the middle", flush=True)
                time.sleep(60)
            sync(handle)

        files.os.fsync = stop
    """


def killed_in_the_middle(child: subprocess.Popen) -> str:
    try:
        assert child.stdout.readline() == "in the middle\n"
    finally:
        said = kill(child)
    return said


def killed_while_unpacking(handed_over, tmp_path, tiny_contents, start_python) -> str:
    """The first file is unpacked into the cache, the second half written."""
    publication, path = handed_over
    unpack = """
    stop_in_file(2)
    deliver(publication, Path(sys.argv[2]))
    """
    cache, folder = tmp_path / "cache", tmp_path / "cache" / "tiny"
    said = killed_in_the_middle(start_python(DELIVER + STOP_IN_FILE + unpack, path, cache))
    (leftover,) = [name for name in names(folder) if name.startswith(PARTIAL)]
    assert names(folder) == [leftover, FILE_NAMES[0]]
    assert (folder / FILE_NAMES[0]).read_bytes() == tiny_contents[0]

    two_hours_ago = time.time() - 7_200
    os.utime(folder / leftover, (two_hours_ago, two_hours_ago))
    delivery = deliver(publication, cache)
    assert delivery.contents == tiny_contents
    assert f"no {FILE_NAMES[1]}" in delivery.answers[0]
    assert_whole(folder, tiny_contents)  # and the leftover is gone
    return said


SAVE = """if True:
    import pickle, sys
    from pathlib import Path
    import numpy as np
    from mnist_helpers.records import save_record
    data = pickle.loads(Path(sys.argv[1]).read_bytes())

    def save(seed):
        save_record(
            sys.argv[2], model="mlp", chapter="03-mlp", parameters={}, data=data, seed=seed,
            validation_accuracy=97.0, test_predictions=data.test.labels, parameter_count=1,
            train_seconds=1.0, device="CPU",
        )
    """


def killed_while_writing_a_record(tmp_path, toy_data, start_python, run_python) -> str:
    """A first record is whole; of a second one the predictions are, and half of the facts."""
    path, folder = tmp_path / "data", tmp_path / "records"
    path.write_bytes(pickle.dumps(toy_data()))
    write = """
    stop_in_file(4)
    save(0)
    save(1)
    """
    said = killed_in_the_middle(start_python(SAVE + STOP_IN_FILE + write, path, folder))
    assert [record["seed"] for record in load_records(folder)] == [0]
    run_python(f"{SAVE}\n    save(1)", path, folder)
    records = load_records(folder)
    assert [record["seed"] for record in records] == [0, 1]
    assert [record["test_accuracy"] for record in records] == [100.0, 100.0]
    return said


def begun(book: Path, code: str) -> tuple[subprocess.Popen, Path]:
    """Let make begin a book whose first chapter has this code; wait until the code runs."""
    flag = book / "begun"
    flag.unlink(missing_ok=True)
    write_chapter(book, "01-data", code=f"flag = Path({str(flag)!r})\nflag.touch()\n{code}")
    process = start_make(book)
    assert wait_for(flag.exists), "the chapter did not begin"
    return process, flag


TRAIN = """import numpy as np
from mnist_helpers.training import shuffled_batches, train
import tensorflow as tf
w = tf.Variable(tf.zeros([4, 10]))
def step(x, y):
    w.assign_add(0.1 * tf.matmul(x, y, transpose_a=True))
    return tf.reduce_sum(w) * 0, x @ w
x, y = np.ones((20, 4), 'f4'), np.eye(10, dtype='f4')[np.arange(20) % 10]
def evaluate():
    flag.touch()
    return 0.0
batches = shuffled_batches(20, 10, 1_000_000, seed=0)
train(step, x, y, batches, evaluate=evaluate, evaluate_every=20)"""


def killed_while_training(book) -> str:
    before = html(book, "01-data")
    process, flag = begun(book, TRAIN)
    flag.unlink()
    assert wait_for(flag.exists), "it does not train"
    said = kill(process)
    assert html(book, "01-data") == before
    write_chapter(book, "01-data", code="print('whole')")
    assert make(book).returncode == 0
    assert "whole" in html(book, "01-data")
    assert not list(book.glob("_build/.partial-*"))
    return said


def killed_while_rendering(book) -> str:
    """All pages are read and written down in this file; now they are made."""
    before = html(book, "01-data")
    (pages_read,) = (book / "_build" / "render").rglob("environment.pickle")
    old = pages_read.stat().st_mtime_ns
    write_chapter(book, "01-data", prose="Rendered afresh.", code="print('whole')")
    process = start_make(book)
    try:
        assert wait_for(lambda: pages_read.stat().st_mtime_ns != old)
    finally:
        said = kill(process)
    assert html(book, "01-data") == before
    assert (book / "_build" / "render" / ".unfinished").exists(), "killed too late"
    assert make(book).returncode == 0
    assert "Rendered afresh." in html(book, "01-data")
    return said


# ---- chapters ----


def stopped_by(code: str, book) -> str:
    """A chapter with this code stops the build; the page before it stays, and is mended."""
    before = html(book, "01-data")
    write_chapter(book, "01-data", code=code)
    done = make(book)
    assert done.returncode != 0
    assert html(book, "01-data") == before
    assert read(book / "_build" / "failed" / "01-data.ipynb")  # it can be looked at
    write_chapter(book, "01-data", code="print('mended')")
    assert make(book).returncode == 0
    assert "mended" in html(book, "01-data")
    return done.stdout[done.stdout.index("Chapter 01-data stopped") :]


def a_notebook_that_hangs(book) -> str:
    """The limit of an hour is made one of three seconds."""
    runner = book / "pipeline" / "run_chapter.py"
    source = runner.read_text(encoding="utf-8")
    runner.write_text(source.replace("CELL_TIMEOUT = 3600", "CELL_TIMEOUT = 3"), encoding="utf-8")
    assert runner.read_text(encoding="utf-8") != source
    try:
        return stopped_by("import time\ntime.sleep(3600)", book)
    finally:
        runner.write_text(source, encoding="utf-8")


DRAWS = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


def a_backend_that_shows_nothing(book) -> str:
    """Clusters and CI images export it."""
    write_chapter(book, "01-data", code=DRAWS, figure="fig-line")
    done = make(book, MPLBACKEND="Agg")
    assert done.returncode == 0, done.stdout
    assert re.search(r'<figure [^>]*id="fig-line">\s*<img ', html(book, "01-data"))
    return done.stdout


def a_figure_cell_that_leaves_no_image(book) -> str:
    """What failed is not taken for done: the next make, with nothing changed, says so again."""
    code = f"import matplotlib\nmatplotlib.use('Agg')\n{DRAWS}"
    before = html(book, "01-data")
    write_chapter(book, "01-data", code=code, figure="fig-line")
    first, second = make(book), make(book)
    assert 0 not in (first.returncode, second.returncode)
    assert ran(second) == {"01-data"} and "Rendering" not in first.stdout
    assert html(book, "01-data") == before
    write_chapter(book, "01-data", code=DRAWS, figure="fig-line")
    assert make(book).returncode == 0
    assert 'id="fig-line"' in html(book, "01-data")
    return second.stdout[second.stdout.index("Chapter 01-data stopped") :]


def a_disk_that_fills_while_a_chapter_runs(book) -> str:
    """The system refuses to let a file of this make grow beyond 50,000 bytes."""
    before = html(book, "01-data")
    write_chapter(book, "01-data", code="print('x' * 100_000)")
    with start_make(book) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
        said, _ = process.communicate()
    assert process.returncode != 0
    assert html(book, "01-data") == before
    write_chapter(book, "01-data", code="print('there is room again')")
    assert make(book).returncode == 0
    assert "there is room again" in html(book, "01-data")
    return said


def two_makes_at_once(book) -> str:
    write_chapter(book, "01-data", code="print('made once')")
    first, second = start_make(book), start_make(book)
    outcomes = [process.communicate()[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0, outcomes
    waited, made = sorted(outcomes, key=lambda said: "Rendering" in said)
    assert "Rendering" in made and "Rendering" not in waited
    assert "made once" in html(book, "01-data")
    return waited


def a_path_with_spaces_and_umlauts(book) -> str:
    assert "späces" in str(book)
    return make(book).stdout


def no_home_for_a_whole_book(book, monkeypatch) -> str:
    monkeypatch.delenv("HOME")
    write_chapter(book, "01-data", code="import matplotlib.pyplot\nprint('no home')")
    done = make(book)
    assert done.returncode == 0, done.stdout
    assert "no home" in html(book, "01-data")
    assert not (book / "~").exists()
    return done.stdout


def umask_077_for_a_whole_book(book) -> str:
    before = os.umask(0o077)
    try:
        write_chapter(book, "01-data", code="print('private')")
        done = make(book)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stdout
    assert "private" in html(book, "01-data")
    return done.stdout


def no_browser(book, tmp_path) -> str:
    """The tests that need one say so and are passed over; the others look at the site."""
    shutil.copytree(ROOT / "tests", book / "tests", dirs_exist_ok=True)
    (book / "_build" / "test").symlink_to(book / "_build")
    command = [sys.executable, "-m", "pytest", "-rs", "tests/site/test_site.py"]
    try:
        done = subprocess.run(
            [*command, "-k", "front_page or clicks"],
            cwd=book,
            env=python_environment(PYTHONPATH=str(book), PATH=str(tmp_path)),
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    finally:
        (book / "_build" / "test").unlink()
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
    return done.stdout


def a_notebook_that_cannot_be_read(content: bytes | OSError, tmp_path, monkeypatch) -> str:
    path = tmp_path / "01-data.ipynb"
    if isinstance(content, OSError):
        monkeypatch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(content))
    else:
        path.write_bytes(content)
    with pytest.raises(ChapterError) as refusal:
        read(path)
    return str(refusal.value)


# ---- locks ----


def locked(flock: Callable[[int, int], None], tmp_path, monkeypatch, capsys) -> str:
    """What is said where locks are as this function has them; the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fcntl, "flock", flock)
    return run_alone(monkeypatch, capsys)


def run_alone(monkeypatch, capsys) -> str:
    commands = []
    monkeypatch.setattr(os, "execvp", lambda program, command: commands.append(command))
    monkeypatch.setattr(sys, "argv", ["alone.py", "make", "whole-book"])
    for told in ("MNIST_MAKE_LOCK", "MNIST_FORK_SERVER"):  # to the command, and not to other tests
        monkeypatch.setenv(told, "")
    runpy.run_path(str(ROOT / "pipeline" / "alone.py"), run_name="__main__")
    assert commands == [["make", "whole-book"]]
    said = capsys.readouterr().out
    assert len(said.splitlines()) <= 1
    return said


def as_on_a_network(handle: int, operation: int) -> None:
    """Linux hands this lock on as one that only a file open for writing can have."""
    if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")


def refused(number: int) -> Callable[[int, int], None]:
    def flock(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    return flock


def no_fcntl(tmp_path, monkeypatch, capsys) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    return run_alone(monkeypatch, capsys)


def a_folder_in_which_no_file_can_be_made(monkeypatch, capsys) -> str:
    if not Path("/sys").is_dir():
        pytest.skip("needs a folder that root cannot write to, either")
    monkeypatch.chdir("/sys")
    return run_alone(monkeypatch, capsys)


# ---- what is asked of the machine ----


def no_gpu() -> str:
    import tensorflow as tf  # seconds, which the other rows need not wait for

    from mnist_helpers.device import DeviceError, use_device

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError) as refusal:
        use_device("gpu")
    return str(refusal.value)


def a_wrong_python(tmp_path) -> str:
    pretender = tmp_path / "python"
    pretend = "import sys; sys.version_info = (3, 14); exec(sys.argv[1])"
    pretender.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{pretend}" "$2"\n', encoding="utf-8"
    )
    pretender.chmod(0o755)
    done = subprocess.run(
        ["make", "lab", f"PYTHON={pretender}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == ["python"]
    return done.stderr


def a_batch_that_memory_cannot_hold(run_python) -> str:
    """The process may take two gigabytes more; it is asked for sixteen, then for little."""
    return run_python(
        """if True:
        import resource
        from pathlib import Path
        import numpy as np
        from mnist_helpers.training import train
        import tensorflow as tf

        weights = tf.Variable(tf.zeros([784, 10]))

        def step(x, y):
            return tf.reduce_mean(x @ weights), x @ weights

        images, labels = np.zeros((10, 784), np.float32), np.eye(10, dtype=np.float32)
        curve = train(step, images, labels, np.zeros((1, 10), np.int32))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 2_000_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            train(step, images, labels, np.zeros((1, 5_000_000), np.int32))
        except MemoryError as error:
            print(error)
        curve = train(step, images, labels, np.zeros((1, 10), np.int32))
        print("then", curve.loss)
        """
    )


# ---- the table ----


@dataclass(frozen=True)
class Fault:
    """A row: what goes wrong, what the user sees (a pattern), what survives, what provokes it."""

    name: str
    sees: str
    survives: str
    provoke: Callable[..., str]
    long: bool = False


NEXT_MIRROR = "the next mirror delivers, alone; four whole files in the cache, none before"
DELIVERED = "the data, which is used; no half file"
REPLACED = "the data, fetched anew; the damaged file is never used"
NOTHING_HALF = "what was whole before; the next run completes it"
PAGE = "the page that was there; the next make mends it"
THIRD = re.escape(FILE_NAMES[2])

FAULTS = [
    Fault("mirror: dead", "Connection refused", NEXT_MIRROR, a_dead_mirror),
    Fault("mirror: silent", "timed out", NEXT_MIRROR, lies(lambda gz, plain: SILENCE, 0.3)),
    Fault(
        "mirror: a few bytes a second",
        f"{THIRD}.gz is too slow: \\d+ bytes in",
        NEXT_MIRROR,
        lies(lambda gz, plain: Reply(lambda: drop_by_drop(gz)), 0.3),
    ),
    Fault(
        "mirror: endless",
        f"{THIRD}.gz sends more than the [\\d,]+ bytes it may have",
        NEXT_MIRROR,
        lies(lambda gz, plain: Reply(lambda: itertools.repeat(gz))),
    ),
    Fault("mirror: redirects in a loop", "Exceeded 30 redirects", NEXT_MIRROR, a_redirect_loop),
    Fault(
        "mirror: HTML with status 200",
        f"{THIRD}.gz has SHA-256 .*, which begin with b'<!DO'",
        NEXT_MIRROR,
        lies(lambda gz, plain: b"<!DOCTYPE html><html><body>Please log in</body></html>"),
    ),
    Fault(
        "mirror: nothing with status 200",
        f"{THIRD}.gz has SHA-256 .*0 bytes",
        NEXT_MIRROR,
        lies(lambda gz, plain: b""),
    ),
    Fault(
        "mirror: right size, wrong byte",
        f"{THIRD}.gz has SHA-256 .*15,696 bytes, which",
        NEXT_MIRROR,
        spoils(lambda plain: with_a_byte_changed(plain, -2)),
    ),
    Fault(
        "mirror: truncated",
        f"{THIRD}.gz is a damaged gzip file",
        NEXT_MIRROR,
        lies(lambda gz, plain: gz[: len(gz) // 2]),
    ),
    Fault(
        "mirror: a file that unpacks to fill the memory",
        f"{THIRD}.gz has SHA-256 .*more than 15,696 bytes",
        NEXT_MIRROR,
        lies(lambda gz, plain: gzip.compress(bytes(5_000_000))),
    ),
    Fault(
        "mirror: a byte too few",
        f"{THIRD}.gz has SHA-256 .*15,695 bytes",
        NEXT_MIRROR,
        spoils(lambda plain: plain[:-1]),
    ),
    Fault(
        "mirror: 404",
        "404 Client Error",
        NEXT_MIRROR,
        lies(lambda gz, plain: Reply(b"no such file", 404)),
    ),
    Fault(
        "mirror: 500, with the right file",
        "500 Server Error",
        NEXT_MIRROR,
        lies(lambda gz, plain: Reply(gz, 500)),
    ),
    Fault(
        "mirror: closes the connection midway",
        "Connection broken",
        NEXT_MIRROR,
        lies(lambda gz, plain: Reply(gz[: len(gz) // 2], announced=len(gz))),
    ),
    Fault(
        "no npm, and no other source",
        "(?s)FULL MNIST COULD NOT BE HAD.*npm is not installed.*sample: 5,000 digits",
        "a book of the sample, which says so",
        no_npm_and_nothing_else,
    ),
    Fault("cache: cannot be written", "not kept: ", DELIVERED, a_cache_that_cannot_be_written),
    Fault("cache: is a file", "not kept: .*Not a directory", DELIVERED, a_cache_that_is_a_file),
    Fault("cache: disk full", "not kept: .*No space left on device", DELIVERED, a_full_disk),
    Fault("cache: a limit on files", "not kept: .*too large", DELIVERED, a_limit_of_the_system),
    Fault(
        "cache: deleted in mid-run",
        "not kept: ",
        "the data, which is used; the next run makes the cache anew",
        a_cache_deleted_in_mid_run,
    ),
    *(
        Fault(f"cache: a file {how}", "has SHA-256", REPLACED, partial(a_damaged_file, damage))
        for how, damage in {
            "that is empty": lambda content: b"",
            "cut short": lambda content: content[: len(content) // 2],
            "with a byte changed": lambda content: with_a_byte_changed(content, -1),
            "with a byte too many": lambda content: content + b"\0",
            "much too large": lambda content: content + bytes(5_000_000),
            "that is HTML": lambda content: b"<html>",
        }.items()
    ),
    Fault(
        "cache: four processes start at once",
        ": four files, every SHA-256 as published$",
        "the cache, whole whenever it is read; all four have the data",
        four_processes_at_once,
    ),
    Fault("kill -9: downloading", "Killed", NOTHING_HALF, killed_while_downloading),
    Fault("kill -9: unpacking", "Killed", NOTHING_HALF, killed_while_unpacking),
    Fault("kill -9: writing a record", "Killed", NOTHING_HALF, killed_while_writing_a_record),
    Fault("kill -9: training", "Killed", PAGE, killed_while_training, long=True),
    Fault("kill -9: rendering", "Killed", PAGE, killed_while_rendering, long=True),
    Fault(
        "no HOME, and a user without one",
        r"There is no home folder to keep the data in \(.*\). Set MNIST_CACHE_DIR",
        "everything: nothing is written",
        no_home,
    ),
    Fault("umask 077", "every SHA-256 as published", "the cache, for its owner alone", umask_077),
    Fault(
        "no GPU where one is asked for",
        r'TensorFlow sees no GPU here. Use "cpu" or "auto", or install tensorflow\[and-cuda\]',
        "everything: nothing was computed on the CPU instead",
        no_gpu,
    ),
    Fault(
        "a Python that is too new",
        r"needs Python 3.11, 3.12 or 3.13; .* is Python 3.14.\nName another one, or none",
        "everything: no environment is made",
        a_wrong_python,
    ),
    Fault(
        "a batch that memory cannot hold",
        "(?s)A step on 5,000,000 images does not fit.*Try a smaller batch_size.*then",
        "the process, which goes on to train with a smaller one",
        a_batch_that_memory_cannot_hold,
    ),
    Fault(
        "a chapter asks for more memory than there is",
        r"Chapter 01-data stopped: cell 6 raised \w*MemoryError: Unable to allocate",
        PAGE,
        partial(stopped_by, "import numpy\nnumpy.ones(2**58)"),
        long=True,
    ),
    Fault(
        "a kernel dies",
        "Chapter 01-data stopped: cell 6 ended its kernel; was the memory used up?",
        PAGE,
        partial(stopped_by, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
        long=True,
    ),
    Fault(
        "a notebook hangs",
        "Chapter 01-data stopped: cell 6 took more than 3 seconds",
        PAGE,
        a_notebook_that_hangs,
        long=True,
    ),
    Fault(
        "a backend that shows no figures, exported",
        "index.html",
        "the book, with its figures",
        a_backend_that_shows_nothing,
        long=True,
    ),
    Fault(
        "a figure cell that leaves no image",
        "Chapter 01-data stopped: code cell 5 drew no figure fig-line$",
        PAGE,
        a_figure_cell_that_leaves_no_image,
        long=True,
    ),
    Fault(
        "a disk fills while a chapter runs",
        "Chapter 01-data stopped: .*File too large",
        PAGE,
        a_disk_that_fills_while_a_chapter_runs,
        long=True,
    ),
    *(
        Fault(
            f"a notebook: {what}",
            rf"^The notebook .*/01-data\.ipynb cannot be read: {reason}\.$",
            "everything: nothing runs",
            partial(a_notebook_that_cannot_be_read, content),
        )
        for what, reason, content in [
            ("empty", "it is empty", b""),
            ("nothing but line ends", "it is empty", b" \n\n"),
            ("with the marks of a merge", "it is not JSON: .*: line 1 .*", b"<<<<<<< HEAD\n{"),
            ("cut short", "it is not JSON: .*", b'{"nbformat": 4, "cells": ['),
            ("nested without end", "it is not JSON: .*recursion.*", b"[" * 100_000),
            ("a list", "it is JSON, but not a notebook: it has no nbformat", b"[]"),
            ("other JSON", "it is JSON, but not a notebook: it has no nbformat", b"{}"),
            (
                "of a format to come",
                "its nbformat is 5; 3 and 4 can be read",
                b'{"nbformat": 5, "nbformat_minor": 0, "metadata": {}, "cells": []}',
            ),
            (
                "without cells",
                "it is not a notebook as the format has it: .*missing an expected key: cells",
                b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
            ),
            (
                "with a number for its cells",
                "it is not a notebook as the format has it: .*",
                b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}',
            ),
            (
                "with a cell of no known kind",
                "it is not a notebook as the format has it: .*'poem'.*",
                b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
                b'[{"cell_type": "poem", "id": "a", "metadata": {}, "source": ""}]}',
            ),
            ("not UTF-8", "it is not in UTF-8: byte 1 is 0xff", b'"\xff"'),
            ("for others to read", "Permission denied", PermissionError(13, "Permission denied")),
            ("not there", "No such file or directory", FileNotFoundError(2, os.strerror(2))),
        ]
    ),
    Fault(
        "locks: on a network, for writers alone",
        "^$",
        "the lock, which is held",
        partial(locked, as_on_a_network),
    ),
    *(
        Fault(
            f"locks: {os.strerror(number)}",
            rf"^No lock can be had in this folder \({os.strerror(number)}\): run one make at a",
            "the command, which runs",
            partial(locked, refused(number)),
        )
        for number in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
    ),
    Fault(
        "locks: none in this Python, as on Windows",
        r"^No lock can be had in this folder \(this system has none\)",
        "the command, which runs",
        no_fcntl,
    ),
    Fault(
        "locks: a folder in which no file can be made",
        "^No lock can be had in this folder \\(",
        "the command, which runs",
        a_folder_in_which_no_file_can_be_made,
    ),
    Fault(
        "two `make book` at once",
        "Another make is at work in this folder; this one waits for its end.",
        "the book, made once",
        two_makes_at_once,
        long=True,
    ),
    Fault(
        "a clone in a path with spaces and umlauts",
        "späces.*/_build/html/index.html",
        "the book, whole",
        a_path_with_spaces_and_umlauts,
        long=True,
    ),
    Fault("no HOME: a book", "index.html", "the book, whole", no_home_for_a_whole_book, long=True),
    Fault(
        "umask 077: a book", "index.html", "the book, whole", umask_077_for_a_whole_book, long=True
    ),
    Fault(
        "no browser",
        "SKIPPED.*no Chromium or Chrome is installed",
        "all other tests",
        no_browser,
        long=True,
    ),
]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(f, id=f.name, marks=[pytest.mark.long] if f.long else []) for f in FAULTS],
)
def test_a_fault_is_said_and_survived(fault: Fault, request: pytest.FixtureRequest):
    wanted = inspect.signature(fault.provoke).parameters
    said = fault.provoke(**{name: request.getfixturevalue(name) for name in wanted})
    assert "Traceback" not in said
    assert re.search(fault.sees, said, re.MULTILINE), said
