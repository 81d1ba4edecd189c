"""Run a command when no other make is at work in this folder.

usage: python pipeline/alone.py COMMAND ...

The lock ends with the command, however that ends. Where there are no locks, the
command runs all the same, and we say so. Only what every Python has is used, for
the command may be what makes the environment.
"""

import os
import secrets
import sys

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".make-lock"
HELD = "MNIST_MAKE_LOCK"  # names the folder whose lock a make around this one holds


def hold_the_lock() -> None:
    """Wait for the lock of this folder, and hold it until this process ends.

    Raises OSError if the file system has no locks, or lets us write no file.
    """
    if fcntl is None:
        raise OSError("this system has none")
    # Open for writing: a file system on a network gives this lock to writers alone.
    held = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    os.set_inheritable(held, True)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make is at work in this folder; this one waits for its end.", flush=True)
        fcntl.flock(held, fcntl.LOCK_EX)


if __name__ == "__main__":
    if os.environ.get(HELD) != os.getcwd():  # noqa: PTH109 (as Make writes it)
        try:
            hold_the_lock()
        except OSError as error:
            why = error.strerror or error
            print(
                f"No lock can be had in this folder ({why}): run one make at a time.", flush=True
            )
    os.environ[HELD] = os.getcwd()  # noqa: PTH109
    # For the kernels of all that this make runs, also of a make in it: see fork_server.py.
    os.environ.setdefault("MNIST_FORK_SERVER", f"{secrets.token_hex(8)}-{os.getpid()}")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (the Makefile names the command)
