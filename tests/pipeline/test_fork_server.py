"""Forked kernels: each is as one that has imported everything by itself, and none is left over."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
from conftest import wait_for
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_notebook
from small_book import make, write_book, write_chapter

from pipeline import fork_server
from pipeline.contents import ROOT
from pipeline.fork_server import IMPORTED, VARIABLE, server_name
from pipeline.kernel import book_environment, can_fork
from pipeline.notebooks import code_cells, read

pytestmark = pytest.mark.skipif(not can_fork(), reason="kernels are not forked here")

FORKED = KernelSpecManager(kernel_dirs=[str(ROOT / "pipeline" / "jupyter" / "kernels")])
ALONE = KernelSpecManager(kernel_dirs=[str(Path(sys.prefix) / "share" / "jupyter" / "kernels")])
FACTS = """import os, sys
modules = {name.partition(".")[0] for name in sys.modules}
import sklearn.linear_model, tensorflow  # they set variables
repr({
    "imported": "tensorflow" in modules,
    "environment": dict(os.environ),
    "cwd": os.getcwd(),
    "argv": sys.argv[:2],
    "path": sys.path,
    "flags": str(sys.flags),
    "main": sys.modules["__main__"].__name__,
    "parent": os.getppid(),
    "pid": os.getpid(),
    "leads": os.getpgid(0) == os.getpid(),
    "open": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in (0, 1, 2)),
})"""
TRAINED = """import matplotlib.pyplot as plt
import tensorflow as tf
from mnist_helpers.device import set_seed, use_device
said = use_device("cpu")
set_seed(3)
layer = tf.keras.layers.Dense(4)
values = tf.random.normal([50, 30])
layer.build(values.shape)
bits = (tf.nn.softmax(layer(values)).numpy().tobytes().hex(), said)
repr((bits, plt.get_backend(), tf.config.threading.get_intra_op_parallelism_threads()))"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> dict[str, str]:
    """The book's environment, with a server that this process owns."""
    owned = os.environ | {
        VARIABLE: f"{secrets.token_hex(8)}-{os.getpid()}",
        "OMP_NUM_THREADS": "1",
    }
    return book_environment(owned, tmp_path_factory.mktemp("settings"))


class Kernel:
    """A kernel as Jupyter starts it, with what its cells answer."""

    def __init__(self, specs: KernelSpecManager, **how):
        self.manager = KernelManager(
            kernel_name="python3", kernel_spec_manager=specs, transport_encryption="auto"
        )
        self.manager.start_kernel(**how)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def says(self, code: str) -> object:
        """The value of the last line, which is the repr of something."""
        answers = []
        reply = self.client.execute_interactive(code, timeout=120, output_hook=answers.append)
        assert reply["content"]["status"] == "ok", reply["content"]
        (shown,) = (each["content"]["data"] for each in answers if "data" in each["content"])
        return ast.literal_eval(ast.literal_eval(shown["text/plain"]))

    @property
    def started(self) -> subprocess.Popen:
        """What Jupyter takes for the kernel."""
        return self.manager.provisioner.process


@pytest.fixture
def kernel(settings, tmp_path) -> Iterator[Callable[..., Kernel]]:
    """Start kernels; they are gone when the test is over."""
    started = []

    def start(specs: KernelSpecManager = FORKED, **environment: str) -> Kernel:
        started.append(Kernel(specs, env=settings | environment, cwd=str(tmp_path)))
        return started[-1]

    yield start
    for each in started:
        each.client.stop_channels()
        each.manager.shutdown_kernel(now=True)


def runs(pid: int) -> bool:
    """Whether a process is there, and not just waiting to be buried."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        return state.split()[0] != "Z"
    return False


def test_it_is_jupyters_own_kernel_by_name_and_abilities():
    """Jupyter writes its name into a notebook that is saved."""
    ours, theirs = (specs.get_kernel_spec("python3").to_dict() for specs in (FORKED, ALONE))
    assert ours.pop("argv")[-2:] == theirs.pop("argv")[-2:] == ["-f", "{connection_file}"]
    assert ours == theirs


def test_a_fork_is_as_a_kernel_that_was_started_by_itself_but_has_its_libraries(kernel):
    own = {"IPYTHONDIR": "of this one"}
    forked, alone = (kernel(specs, **own).says(FACTS) for specs in (FORKED, ALONE))
    assert (forked.pop("imported"), alone.pop("imported")) == (True, False)
    for facts in (forked, alone):
        assert facts.pop("parent") != facts.pop("pid")
    assert forked == alone
    assert forked["environment"]["IPYTHONDIR"] == "of this one"


def test_a_fork_computes_the_same_bits_and_draws_as_any_kernel(kernel):
    forked, alone = (kernel(specs).says(TRAINED) for specs in (FORKED, ALONE))
    assert forked == alone
    assert forked[2] == 1


def test_one_server_serves_one_environment(kernel):
    """Threads are set when libraries are imported: another number, another server."""
    parents = [kernel().says("import os\nrepr(os.getppid())") for _ in range(6)]
    assert len(set(parents)) == 1
    other = kernel(OMP_NUM_THREADS="2").says("import os\nrepr(os.getppid())")
    assert other not in parents


def test_each_fork_has_random_numbers_of_its_own(kernel):
    code = "import random\nimport numpy as np\nrepr((random.random(), np.random.rand()))"
    (first, first_legacy), (second, second_legacy) = (kernel().says(code) for _ in range(2))
    assert first != second and first_legacy != second_legacy


def test_an_interrupt_reaches_the_cell_and_the_kernel_goes_on(kernel):
    interrupted = kernel()
    code = "import time\nprint('in')\ntime.sleep(60)"
    # If it stopped on errors, Jupyter would drop the next cell, too.
    asked = interrupted.client.execute(code, stop_on_error=False)
    while interrupted.client.get_iopub_msg(timeout=60)["header"]["msg_type"] != "stream":
        pass
    interrupted.manager.interrupt_kernel()
    reply = {"parent_header": {}}
    while reply["parent_header"].get("msg_id") != asked:
        reply = interrupted.client.get_shell_msg(timeout=30)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert interrupted.says("repr(1 + 1)") == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os\nos._exit(3)", 3),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_jupyter_sees_how_a_fork_ended(kernel, code: str, status: int):
    ended = kernel()
    ended.client.execute(code)
    assert ended.started.wait(timeout=30) == status


def test_a_fork_that_is_shut_down_ends_well(kernel):
    ended = kernel()
    ended.client.shutdown()
    assert ended.started.wait(timeout=30) == 0


def test_a_fork_ends_with_what_jupyter_started(kernel):
    """Jupyter kills a kernel that does not answer; what it kills is not the fork itself."""
    killed = kernel()
    fork = killed.says("import os\nrepr(os.getpid())")
    assert runs(fork)
    killed.started.kill()
    assert wait_for(lambda: not runs(fork), 10)


def test_a_fork_ends_with_the_jupyter_that_asked_for_it(settings):
    code = """if True:
        from jupyter_client.manager import start_new_kernel
        manager, client = start_new_kernel()
        said = []
        client.execute_interactive("import os; print(os.getpid())", output_hook=said.append)
        print(*[each["content"].get("text", "") for each in said], flush=True)
        input()"""
    with subprocess.Popen(
        [sys.executable, "-c", code], env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as jupyter:
        fork = int(jupyter.stdout.readline())
        assert "fork_server" in Path(f"/proc/{fork}/cmdline").read_text(encoding="utf-8")
        jupyter.kill()
    assert wait_for(lambda: not runs(fork), 10)


def test_server_and_forks_end_with_their_owner(kernel):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        fork = kernel(**{VARIABLE: f"{secrets.token_hex(8)}-{owner.pid}"})
        pids = fork.says("import os\nrepr((os.getpid(), os.getppid()))")
        assert all(map(runs, pids))
        owner.kill()
    assert wait_for(lambda: not any(map(runs, pids)), 10)


def test_a_server_that_cannot_fork_goes_on_and_whoever_asked_has_an_end_of_it(monkeypatch):
    name = f"{secrets.token_hex(8)}-{os.getpid()}"
    server = fork_server.Server(name, os.getpid())

    def no_memory():
        raise BlockingIOError("no memory")

    monkeypatch.setattr(os, "fork", no_memory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asks, server.listener:
        asks.connect(f"\0{name}")
        socket.send_fds(asks, [b"{}"], [0, 1, 2])
        with pytest.raises(TimeoutError):
            after(0.5, server.serve)
        asks.settimeout(10)
        assert asks.recv(10) == b""
    assert server.kernels == set()


def test_a_kernel_whose_jupyter_is_gone_does_not_begin(settings):
    say = "import os; print(os.getpid())"
    gone = subprocess.check_output([sys.executable, "-c", say], encoding="utf-8")
    command = [sys.executable, "-IS", str(ROOT / "pipeline" / "fork_server.py"), "-f", "none"]
    ends = subprocess.run(command, env=settings | {"JPY_PARENT_PID": gone.strip()})
    assert ends.returncode == 1


def test_a_server_without_kernels_gives_its_memory_back(monkeypatch):
    """As with the servers of environments that only one run had."""
    name = f"{secrets.token_hex(8)}-{os.getpid()}"
    monkeypatch.setattr(fork_server, "IDLE", 0.05)
    server = fork_server.Server(name, os.getpid())
    server.kernels.add(-1)
    with pytest.raises(TimeoutError):
        after(0.5, server.serve)
    server.kernels.clear()
    with server.listener, pytest.raises(SystemExit):
        after(10, server.serve)


def after(seconds: float, serve: Callable[[], object]) -> None:
    """Interrupt what waits too long."""

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        serve()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_without_its_server_a_fork_does_not_go_on(kernel):
    """As after a machine had no memory left: nothing would know how the kernel ends."""
    lost = kernel(**{VARIABLE: f"{secrets.token_hex(8)}-{os.getpid()}"})
    fork, server = lost.says("import os\nrepr((os.getpid(), os.getppid()))")
    os.kill(server, signal.SIGKILL)
    assert lost.started.wait(timeout=30) == 1
    assert wait_for(lambda: not runs(fork), 10)


@pytest.mark.parametrize("owner", ["", "nobody", "51a6-0", f"51a6-{2**22 + 1}"])
def test_where_no_server_is_to_be_had_the_kernel_begins_as_always(kernel, owner: str):
    """There is none to ask for, none that we can read, and none whose owner is still there."""
    facts = "import os, sys\nrepr((os.getppid(), 'tensorflow' in sys.modules))"
    parent, imported = kernel(**{VARIABLE: owner}).says(facts)
    assert imported is False
    assert parent == os.getpid()


def test_what_steers_a_library_when_it_is_imported_is_part_of_a_servers_name(settings):
    name = server_name(settings)
    for variable in ("KERAS_HOME", "PWD", "MNIST_MIRRORS", "PYTEST_CURRENT_TEST"):
        assert name == server_name(settings | {variable: "another"}), variable
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_GPU_THREADS", "HOME", "LANG"):
        assert name != server_name(settings | {variable: "another"}), variable


@pytest.mark.parametrize("library", IMPORTED)
def test_what_the_server_imports_is_there_without_the_workshop(library: str):
    __import__(library)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    providers = packages_distributions()[library.partition(".")[0]]
    assert any(f"\n{each.replace('_', '-')}==" in lock for each in providers)


def test_the_chapters_of_a_build_are_forks_of_one_server(tmp_path, settings):
    book = write_book(tmp_path)
    names = ("01-data", "06-deeper-cnn")
    for name in names:
        code = "import os, sys\nprint(os.getppid(), 'tensorflow' in sys.modules)"
        write_chapter(book, name, code=code)
    executed = [f"_build/executed/{name}.ipynb" for name in names]
    done = make(book, executed[0], target=executed[1], **{VARIABLE: settings[VARIABLE]})
    assert done.returncode == 0, done.stdout
    said = {code_cells(read(book / path))[-1].outputs[0].text for path in executed}
    assert len(said) == 1 and said.pop().endswith(" True\n")


def test_nbval_as_make_calls_it_runs_notebooks_in_forks(tmp_path, settings):
    """By pyproject.toml it would take pytest's own interpreter, and no kernel that we name."""
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": ""}})
    notebook.cells = [new_code_cell("import sys\nassert 'tensorflow' in sys.modules")]
    nbformat.write(notebook, tmp_path / "any.ipynb")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    options = re.search(r"^KERNELS_OF_OURS := (.+)$", makefile, re.MULTILINE)[1].split()
    command = ["pytest", "-c", "pyproject.toml", *options, "--nbval-lax", tmp_path / "any.ipynb"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.kernel", *command],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_each_make_owns_a_server_and_a_make_in_it_shares_that(tmp_path):
    say = f"import os; print(os.environ['{VARIABLE}'], os.getpid())"
    alone = [sys.executable, str(ROOT / "pipeline" / "alone.py")]
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    said = [
        subprocess.check_output(command, cwd=tmp_path, env=environment, encoding="utf-8").split()
        for command in ([*alone, sys.executable, "-c", say],) * 2
    ]
    tokens, owners = zip(*(server.split("-") for server, _ in said), strict=True)
    assert owners == tuple(pid for _, pid in said)
    assert len(set(tokens)) == 2
    inner = subprocess.check_output(
        [*alone, sys.executable, "-c", say],
        cwd=tmp_path,
        env=environment | {VARIABLE: "51a6-4711"},
        encoding="utf-8",
    )
    assert inner.split()[0] == "51a6-4711"
