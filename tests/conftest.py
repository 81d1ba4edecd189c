"""What the tests share: a tiny data set, local mirrors that may lie, and the real data."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from quick import forbid_tensorflow, is_quick, may_be_quick, only_quick
from small_book import make, write_book

import mnist_helpers
from mnist_helpers.data import Mnist, SampleDataWarning, Split, load_data
from mnist_helpers.sources import SAMPLE, IdxFile, Publication
from pipeline.contents import ROOT
from pipeline.kernel import enter_book_environment
from pipeline.site.pdf import browser_path

matplotlib.use("Agg")  # figures without a window, here and not in the kernels that we start

FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def pytest_configure(config):
    settings = tempfile.TemporaryDirectory()
    config.add_cleanup(settings.cleanup)
    enter_book_environment(Path(settings.name))
    if only_quick(config):
        forbid_tensorflow()
    config.addinivalue_line("markers", "network: needs the network, and has an offline twin")
    config.addinivalue_line("markers", "long: takes minutes; `make test-faults` runs it")
    config.addinivalue_line("markers", "chapters: runs chapters of the book by another process")
    config.addinivalue_line("markers", "quick: needs nothing slow; set by itself (tests/quick.py)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only quick tests are wanted, modules that are slow to import are not imported."""
    wanted = only_quick(config) and collection_path.match("test_*.py")
    return True if wanted and not may_be_quick(collection_path) else None


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in filter(is_quick, items):
        item.add_marker(pytest.mark.quick)


# ---- a tiny data set ----


def to_idx(values: np.ndarray) -> bytes:
    """An idx file, written as its specification says and not by the package."""
    header = bytes([0, 0, 8, values.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def tiny_contents() -> list[bytes]:
    """The four idx files of 24 training and 20 test images."""
    rng = np.random.default_rng(7)
    return [
        to_idx(rng.integers(0, 256, (24, 28, 28))),
        to_idx(np.arange(24) % 10),
        to_idx(rng.integers(0, 256, (20, 28, 28))),
        to_idx(np.arange(20) % 10),
    ]


def publish(contents: list[bytes], **more) -> Publication:
    """A publication of these four files, with no source unless one is named."""
    files = tuple(
        IdxFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in zip(FILE_NAMES, contents, strict=True)
    )
    return Publication(
        **({"name": "tiny", "files": files, "class_names": SAMPLE.class_names} | more)
    )


@pytest.fixture(scope="session")
def tiny(tiny_contents) -> Publication:
    return publish(tiny_contents)


@pytest.fixture(scope="session")
def tiny_gz(tiny, tiny_contents) -> dict[str, bytes]:
    """What an honest mirror serves."""
    return {
        f"{file.name}.gz": gzip.compress(content)
        for file, content in zip(tiny.files, tiny_contents, strict=True)
    }


# ---- folders ----


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files included; a folder that is not there is empty."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def write_folder(folder: Path, contents: list[bytes], gz: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(FILE_NAMES, contents, strict=True):
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def assert_whole(folder: Path, contents: list[bytes]) -> None:
    """The folder holds the four files, whole, and nothing else."""
    assert names(folder) == sorted(FILE_NAMES)
    assert [(folder / name).read_bytes() for name in FILE_NAMES] == contents


@pytest.fixture
def no_settings_of_the_machine(monkeypatch):
    for variable in ("MNIST_CACHE_DIR", "MNIST_MIRRORS"):
        monkeypatch.delenv(variable, raising=False)


# ---- mirrors ----


class Reply:
    """What a mirror answers to one request; a body that goes on and on has no announced size."""

    def __init__(
        self,
        body: bytes | Callable[[], Iterator[bytes]] = b"",
        status: int = 200,
        announced: int | None = None,
        **headers: str,
    ):
        self.chunks = body if callable(body) else lambda: iter([body])
        self.status = status
        self.headers = headers
        if not callable(body):
            size = len(body) if announced is None else announced
            self.headers |= {"Content-Length": str(size)}


class Mirror:
    """A web server on this machine, which answers as it is told and remembers who asked."""

    def __init__(self, answers: dict[str, Reply | bytes]):
        self.asked: list[str] = []
        self.encodings_accepted: list[str] = []
        self.closing = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rpartition("/")[2]
                mirror.asked.append(name)
                mirror.encodings_accepted.append(self.headers["Accept-Encoding"])
                answer = answers.get(name, Reply(b"no such file", 404))
                if answer is SILENCE:
                    mirror.closing.wait(30)
                    return
                reply = answer if isinstance(answer, Reply) else Reply(answer)
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/octet-stream")
                for header, value in reply.headers.items():
                    self.send_header(header, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # whoever asked has heard enough
                    for chunk in reply.chunks():
                        self.wfile.write(chunk)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


SILENCE = Reply()  # the connection is taken and nothing is ever said


@pytest.fixture
def mirror(monkeypatch):
    """Start mirrors: ``mirror({"name.gz": bytes or Reply})``; the rest is 404."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started = []

    def start(answers):
        started.append(Mirror(answers))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def dead_url() -> str:
    """A port on which nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture
def no_npm(tmp_path, monkeypatch):
    """A PATH on which there is no npm, nor anything else."""
    folder = tmp_path / "empty-path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """IPython in this process, as in a notebook's kernel; it leaves nothing behind."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # it is put back
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    shell = InteractiveShell.instance(config=config)
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


# ---- the repository ----


def listed_by_git(*options: str) -> str:
    """What `git ls-files` says of the repository; a folder from a ZIP has nothing to ask."""
    if not (ROOT / ".git").exists():
        pytest.skip("this folder is no checkout of git's")
    command = ["git", "ls-files", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()


# ---- other processes ----


def python_environment(**more: str) -> dict[str, str]:
    """The environment in which a child imports the package that is under test."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TQDM_", "MNIST_"))}
    environment["PYTHONPATH"] = str(Path(mnist_helpers.__file__).parents[1])
    return environment | {"NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"} | more


@pytest.fixture(scope="session")
def start_python() -> Callable[..., subprocess.Popen]:
    """Start ``python -c code arguments``; whoever starts it waits for it or kills it."""

    def start(code: str, *arguments: object, text=True, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=text,
            encoding="utf-8" if text else None,
            env=python_environment(**environment),
        )

    return start


@pytest.fixture(scope="session")
def run_python(start_python) -> Callable[..., str]:
    """Run ``python -c code arguments`` to its end and return what it printed."""

    def run(code: str, *arguments: object, **environment: str) -> str:
        with start_python(code, *arguments, **environment) as child:
            try:
                out, err = child.communicate(timeout=120)
            finally:
                child.kill()
        assert child.returncode == 0, err
        return out

    return run


@pytest.fixture
def handed_over(tmp_path, tiny, tiny_gz, mirror) -> tuple[Publication, Path]:
    """A publication with a good mirror, in a file for other processes to read."""
    publication = replace(tiny, mirrors=(mirror(tiny_gz).url,))
    path = tmp_path / "publication"
    path.write_bytes(pickle.dumps(publication))
    return publication, path


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> object:
    """Wait until the condition gives something true; what it gave last is returned."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


ONE_RUN = """if True:
    import hashlib, json, sys
    from mnist_helpers.device import set_seed, use_device
    from mnist_helpers.training import shuffled_batches, train
    import numpy as np
    import tensorflow as tf

    def say(mark):
        print(mark, file=sys.stderr, end="", flush=True)

    say("<imported>")
    facts = {"device": use_device("cpu")}
    pools = tf.config.threading
    facts["threads"] = pools.get_intra_op_parallelism_threads()
    facts["threads_between"] = pools.get_inter_op_parallelism_threads()
    keras = tf.keras.config
    facts["keras"] = [keras.backend(), keras.image_data_format(), keras.floatx()]
    images = np.random.default_rng(0).random((200, 8, 8, 1), np.float32)
    labels = np.eye(10, dtype=np.float32)[np.random.default_rng(1).integers(0, 10, 200)]

    def run(seed, num_steps):
        set_seed(seed)
        kernel = tf.Variable(tf.random.truncated_normal([3, 3, 1, 4], stddev=0.1))
        weights = tf.Variable(tf.random.truncated_normal([256, 10], stddev=0.1))

        def step(x, y):
            with tf.GradientTape() as tape:
                hidden = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
                hidden = tf.nn.dropout(tf.reshape(hidden, [-1, 256]), 0.3)
                logits = hidden @ weights
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))
            for variable, slope in zip([kernel, weights], tape.gradient(loss, [kernel, weights])):
                variable.assign_sub(0.1 * slope)
            return loss, logits

        batches = shuffled_batches(200, 20, num_steps, seed)
        curve = train(step, images, labels, batches)
        bits = kernel.numpy().tobytes() + weights.numpy().tobytes()
        return hashlib.sha256(bits).hexdigest(), curve.loss.tolist()

    say("<training>")
    facts["bits"], facts["loss"] = run(3, 300)
    say("<trained>")
    facts["bits_of_another_seed"], _ = run(4, 300)
    print(json.dumps(facts))
    """


@pytest.fixture(scope="session")
def one_thread_runs(start_python, tmp_path_factory) -> list[dict]:
    """The same training in two processes of one thread each, which run side by side.

    Their user has set Keras to other ends.
    """
    settings = tmp_path_factory.mktemp("keras")
    others = {"image_data_format": "channels_first", "floatx": "float16"}
    (settings / "keras.json").write_text(json.dumps(others), encoding="utf-8")
    keras = {"KERAS_HOME": str(settings), "KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1"}
    # Bytes, for what a terminal is told to do must not be translated.
    children = [
        start_python(ONE_RUN, text=False, OMP_NUM_THREADS="1", TQDM_MININTERVAL="0", **keras)
        for _ in range(2)
    ]
    runs = []
    try:
        for child in children:
            out, err = (stream.decode() for stream in child.communicate(timeout=180))
            assert child.returncode == 0, err
            facts = json.loads(out)
            facts["said_while_importing"], rest = err.split("<imported>")
            facts["progress"] = rest.partition("<training>")[2].partition("<trained>")[0]
            runs.append(facts)
    finally:
        for child in children:
            child.kill()
            child.wait()
    return runs


# ---- a small book ----


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small book, made once; the tests of a module change it and make it again."""
    folder = write_book(tmp_path_factory.mktemp("a book with späces"))
    done = make(folder)
    assert done.returncode == 0, done.stdout
    return folder


# ---- browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if browser_path() is None:
        pytest.skip("no Chromium or Chrome is installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


# ---- data ----


def open_tab(browser: Browser, address: str, before: str = "", **context) -> Page:
    """A tab at an address, whose ``complaints`` are what goes wrong in it.

    ``before`` is a script that runs ahead of the page's own.
    """
    tab = browser.new_page(**context)
    tab.complaints = []
    tab.on("console", lambda said: said.type == "error" and tab.complaints.append(said.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    if before:
        tab.add_init_script(before)
    tab.goto(address)
    return tab


@pytest.fixture(scope="session")
def sample_loads(tmp_path_factory) -> Callable[..., tuple[Mnist, list]]:
    """``load_data`` where no source has anything: the sample, and the warnings given."""

    def load(**arguments):
        nothing = tmp_path_factory.mktemp("nothing")
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            patch.setenv("MNIST_CACHE_DIR", str(nothing))
            patch.setenv("MNIST_MIRRORS", "")
            patch.setenv("PATH", str(nothing))
            return load_data(**arguments), seen

    return load


@pytest.fixture(scope="session")
def sample_mnist(sample_loads) -> Mnist:
    """The 5,000-digit sample, in the original's split."""
    return sample_loads()[0]


@pytest.fixture(scope="session")
def full_loads() -> Callable[..., Mnist]:
    """``load_data`` with the full set; the test is skipped where it cannot be had."""

    def load(**arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SampleDataWarning)
            data = load_data(**arguments)
        if data.is_sample:
            pytest.skip("needs the full MNIST, and no source has it here")
        return data

    return load


@pytest.fixture(scope="session")
def full_mnist(full_loads) -> Mnist:
    """The full MNIST, in the original's split."""
    return full_loads()


@pytest.fixture
def toy_data() -> Callable[..., Mnist]:
    """Make a data set of 30 random images of which 20 are for test."""

    def make(**more) -> Mnist:
        rng = np.random.default_rng(1)
        train, valid, test = (
            Split(rng.integers(0, 256, (n, 28, 28), np.uint8), (np.arange(n) % 10).astype("u1"))
            for n in (5, 5, 20)
        )
        facts = {
            "data_set": "mnist",
            "split": "original",
            "class_names": SAMPLE.class_names,
            "source": "toy",
            "sha256": "5" * 64,
            "is_sample": False,
            "answers": (),
        }
        return Mnist(train, valid, test, **(facts | more))

    return make
