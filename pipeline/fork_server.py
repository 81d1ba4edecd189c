"""Kernels that find their libraries imported: each is a fork of one process that has done it.

usage: python -IS pipeline/fork_server.py -f CONNECTION_FILE    what Jupyter starts as a kernel
       python -m pipeline.fork_server NAME OWNER                what the first of these starts

Importing TensorFlow, with what Keras takes along, is 3.3 seconds of a core, and every chapter does
it. A build, its tests and a sweep run dozens. So the first kernel has a server started, which
imports once and forks a kernel for each request. It ends with its owner, the make or the sweep
that `VARIABLE` names, or when there has been no kernel for a while. A kernel gets the environment,
the folder and the arguments that Jupyter gave, and anyone who has another environment has another
server. What forks have in common beside the libraries is the seed of Python's hashes.

Where there is none to be had, the kernel begins as it always does.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "MNIST_FORK_SERVER"  # TOKEN-PID of the owner; without it, there is no server
# How the names begin of what differs from run to run and changes no import: Keras finds an empty
# folder in each `KERAS_HOME`, and what ipykernel reads of Jupyter's a fork is told again.
OF_ONE_RUN = (
    "IPYTHONDIR",
    "JPY_",
    "JUPYTER_",
    "KERAS_HOME",
    "MAKE",
    "MFLAGS",
    "MNIST_",
    "OLDPWD",
    "PATH",
    "PWD",
    "PYTEST_",
    "_",
)
# Of the book's own environment. Where Keras finds more, such as pandas, it imports that, too.
IMPORTED = ("ipykernel.kernelapp", "matplotlib.pyplot", "sklearn.linear_model", "tensorflow")
# As the kernel would set them, before its first import.
FOR_THE_IMPORTS = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
IDLE = 30  # seconds without a kernel, after which a server gives its memory back
LONGEST = 2**20  # bytes of a message: more than Linux sends in one


def owned_by_this_process() -> str:
    """What `VARIABLE` says where this process is the owner; no other has the same token."""
    return f"{secrets.token_hex(8)}-{os.getpid()}"


def server_name(environment: Mapping[str, str]) -> str:
    """Where the server for this environment listens: no file, but Linux's abstract name.

    >>> ours = {VARIABLE: "51a6-4711", "OMP_NUM_THREADS": "1"}
    >>> server_name(ours) == server_name(ours | {"IPYTHONDIR": "another"})
    True
    >>> server_name(ours) == server_name(ours | {"OMP_NUM_THREADS": "2"})
    False
    """
    lasting = {
        name: value for name, value in environment.items() if not name.startswith(OF_ONE_RUN)
    }
    depends_on = json.dumps([sys.executable, str(ROOT), sorted(lasting.items())])
    return f"{environment[VARIABLE]}-{hashlib.sha256(depends_on.encode()).hexdigest()[:16]}"


def is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's: an abstract name is open to all."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = memoryview(credentials).cast("i")  # process, user, group
    return user == os.getuid()


# ---- what Jupyter starts ----


def main(arguments: list[str]) -> None:
    """Be a kernel: by a fork of the server's, with its signals and its end; or else ourselves."""
    jupyter = watch_of_jupyter()
    server, kernel = asked_for(arguments) if os.environ.get(VARIABLE) else (None, 0)
    if not kernel:
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *arguments])  # noqa: S606
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, _: signal_to(kernel, number))
    end_as(status_of_fork(server, jupyter))


def watch_of_jupyter() -> int | None:
    """A descriptor that tells when Jupyter is gone, which ends us; None if it wants no end."""
    try:
        asked = os.environ.get("JPY_PARENT_PID")
        return os.pidfd_open(int(asked)) if asked else None
    except ProcessLookupError:
        sys.exit(1)


def asked_for(arguments: list[str]) -> tuple[socket.socket | None, int]:
    """The connection that a new fork belongs to, and the fork's number; 0 if there is none."""
    try:
        server = connection_to(server_name(os.environ))
        request = {"arguments": arguments, "cwd": str(Path.cwd()), "environment": {**os.environ}}
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        return server, int(server.recv(LONGEST) or 0)
    except OSError:
        return None, 0


def signal_to(kernel: int, number: int) -> None:
    """Signal a kernel and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(kernel, number)


def connection_to(name: str) -> socket.socket:
    """A connection to the server of this name, which is started if need be.

    Raises OSError if there is none to be had.
    """
    starting = None
    owner = os.environ[VARIABLE].rpartition("-")[2]
    while True:
        has_ended = starting and starting.poll() is not None  # also where another was first
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(f"\0{name}")
        except ConnectionRefusedError:
            connection.close()
            if has_ended:
                raise
        else:
            if not is_ours(connection):
                raise PermissionError(f"the server {name} is another user's")
            return connection
        if starting is None:
            starting = subprocess.Popen(
                [sys.executable, "-m", "pipeline.fork_server", name, owner],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        time.sleep(0.02)


def status_of_fork(server: socket.socket, jupyter: int | None) -> int:
    """How the fork ended. If Jupyter is gone we end, and with the connection the fork."""
    with selectors.PollSelector() as watched:
        watched.register(server, selectors.EVENT_READ)
        if jupyter is not None:
            watched.register(jupyter, selectors.EVENT_READ)
        ready = watched.select()
    if server not in [key.fileobj for key, _ in ready]:
        return 1
    try:
        return int(server.recv(LONGEST) or 1)
    except OSError:  # the server was killed, and with it what it knew
        return 1


def end_as(status: int) -> None:
    """End as the kernel did: with its exit status, or by the signal that ended it."""
    if status < 0:
        with contextlib.suppress(OSError):  # nobody handles the one that kills
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


# ---- the server ----


class Server:
    """Forks a kernel for each connection, and tells it how the kernel ended."""

    def __init__(self, name: str, owner_pid: int) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(f"\0{name}")  # raises OSError where another serves already
        self.listener.listen()
        self.kernels: set[int] = set()
        # Not epoll, whose state a fork would share.
        self.watched = selectors.PollSelector()
        self.watch(os.pidfd_open(owner_pid), self.end)
        self.watch(self.listener, self.accept)

    def watch(self, what: socket.socket | int, react: Callable[[], dict | None]) -> None:
        self.watched.register(what, selectors.EVENT_READ, react)

    def serve(self) -> dict:
        """Wait for requests. Returns in the forks alone: in each, its request."""
        while True:
            ready = self.watched.select(IDLE)
            if not ready and not self.kernels:
                sys.exit()
            for key, _ in ready:
                # One before it may have closed this one, and opened another by its number.
                if self.watched.get_map().get(key.fd) == key and (request := key.data()):
                    return request

    def accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:  # too many open files: some kernel will end
            time.sleep(0.1)
            return
        if is_ours(connection):
            self.watch(connection, partial(self.fork, connection))
        else:
            connection.close()

    def fork(self, connection: socket.socket) -> dict | None:
        """Fork a kernel as asked. Returns in the fork alone: its request."""
        self.watched.unregister(connection)
        message, descriptors, kernel = b"", [], None
        try:
            message, descriptors, *_ = socket.recv_fds(connection, LONGEST, 3)
            kernel = os.fork() if message else None  # there is none when whoever asked is gone
        except OSError:  # such as no memory for one more: whoever asked tries without us
            pass
        if kernel == 0:
            self.close(connection)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
        for descriptor in descriptors:
            os.close(descriptor)
        if kernel is None:
            connection.close()
            return None
        # A group of its own, for signals. Whoever comes first sees to that.
        with contextlib.suppress(OSError):
            os.setpgid(kernel, kernel)
        if kernel == 0:
            return json.loads(message)
        self.kernels.add(kernel)
        self.watch(connection, partial(self.kill, connection, kernel))
        ended = os.pidfd_open(kernel)
        self.watch(ended, partial(self.bury, ended, connection, kernel))
        with contextlib.suppress(OSError):
            connection.send(str(kernel).encode())
        return None

    def close(self, connection: socket.socket) -> None:
        """In a fork: give up what is the server's."""
        for key in list(self.watched.get_map().values()):
            os.close(key.fd) if isinstance(key.fileobj, int) else key.fileobj.close()
        connection.close()

    def kill(self, connection: socket.socket, kernel: int) -> None:
        """End a kernel: who asked for it is gone, for they say nothing."""
        self.watched.unregister(connection)
        signal_to(kernel, signal.SIGKILL)

    def bury(self, ended: int, connection: socket.socket, kernel: int) -> None:
        """Tell how a kernel ended."""
        _, status = os.waitpid(kernel, 0)
        self.kernels.remove(kernel)
        self.watched.unregister(ended)
        os.close(ended)
        if connection in self.watched.get_map():
            self.watched.unregister(connection)
        with contextlib.suppress(OSError), connection:
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())

    def end(self) -> None:
        """The owner is gone."""
        for kernel in self.kernels:
            signal_to(kernel, signal.SIGKILL)
        sys.exit()


def become_kernel(
    arguments: list[str], cwd: str, environment: Mapping[str, str], by_imports: Mapping[str, str]
) -> None:
    """In a fork: be the kernel that Jupyter asked for, until that ends.

    ``by_imports`` are the variables that libraries set when they are imported.
    """
    import ipykernel_launcher
    import numpy as np
    from ipykernel.kernelapp import launch_new_instance

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(by_imports)
    os.environ.update(environment)
    np.random.seed()  # noqa: NPY002 (numbers of its own; the standard library sees to itself)
    sys.argv = [ipykernel_launcher.__file__, *arguments]
    launch_new_instance(parent_handle=os.getppid())  # it ends with the server


def serve(name: str, owner_pid: str) -> None:
    """Be the server of this name, unless there is one; and in its forks, their kernels."""
    server = Server(name, int(owner_pid))
    os.environ.update(FOR_THE_IMPORTS)
    del sys.path[0]  # this folder; IPython adds the kernel's
    before = set(os.environ)
    for library in IMPORTED:
        importlib.import_module(library)
    by_imports = {name: value for name, value in os.environ.items() if name not in before}
    gc.freeze()  # so that a fork shares what there is
    become_kernel(**server.serve(), by_imports=by_imports)


if __name__ == "__main__":
    if sys.argv[1] == "-f":
        main(sys.argv[1:])
    else:
        serve(*sys.argv[1:])
