"""The environment in which the book's own runs start, whatever the user's machine has set.

usage: python -m pipeline.kernel MODULE ...

runs ``python -m MODULE ...`` in it, such as ``pytest --nbval-lax`` or ``jupyterlab``: the
kernels that this starts are of the book's Python. Where a chapter is run without any of this,
`mnist_helpers` sets right what it can.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline import fork_server

# Families of variables that change what a chapter computes, prints or draws.
STEERING = (
    "IPYTHON",
    "KERAS_",
    "MATPLOTLIBRC",
    "MPLBACKEND",
    "ONEDNN_",
    "PYTHON",
    "TF_",
    "TQDM_",
    "XLA_FLAGS",
)
# Of these families: the device, the threads, and how Python reads and keeps its own files.
THE_USERS_CHOICE = (
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONIOENCODING",
    "PYTHONNOUSERSITE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUTF8",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
# Folders that the helpers look into, from wherever a chapter runs.
FOLDERS = ("MNIST_CACHE_DIR",)


def book_environment(inherited: Mapping[str, str], settings: Path) -> dict[str, str]:
    """The environment of a kernel of the book's.

    Args:
        inherited: The user's environment.
        settings: A folder that is empty, or not there yet, in place of those in which IPython and
            Keras would find the user's settings. They write some of their own into it.

    >>> ours = book_environment({"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "2"}, Path("settings"))
    >>> "MPLBACKEND" in ours, ours["OMP_NUM_THREADS"]
    (False, '2')
    """
    environment = {
        name: value
        for name, value in inherited.items()
        if name.startswith(THE_USERS_CHOICE) or not name.startswith(STEERING)
    }
    # Jupyter looks for the kernel `python3` here first. Its command is "python", which
    # Jupyter takes to mean the interpreter that Jupyter itself runs on.
    ours = [str(Path(sys.prefix) / "share" / "jupyter")]
    if environment.get(fork_server.VARIABLE) and can_fork():
        ours.insert(0, str(Path(__file__).parent / "jupyter"))
    theirs = environment.get("JUPYTER_PATH", "").split(os.pathsep)
    kernels = dict.fromkeys(filter(None, ours + theirs))  # each once, however often we come here
    return environment | {
        **{name: absolute(environment[name]) for name in FOLDERS if environment.get(name)},
        "IPYTHONDIR": str(settings / "ipython"),
        "JUPYTER_PATH": os.pathsep.join(kernels),
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": str(settings / "keras"),
        "MATPLOTLIBRC": os.devnull,  # an empty file: the defaults
    }


def absolute(path: str) -> str:
    """A path that means the same in the folder of the chapters as here; ``~`` does in any."""
    return path if path.startswith("~") else str(Path(path).absolute())


def can_fork() -> bool:
    """Whether a process that has imported TensorFlow can be forked.

    On macOS its libraries do not allow that, Windows does not know it, and with CUDA we have not
    tried it.
    """
    without_gpu = any(importlib.metadata.distributions(name="tensorflow-cpu"))
    return sys.platform == "linux" and has_pidfd() and without_gpu


def has_pidfd() -> bool:
    """Whether the system gives descriptors of processes; older ones and some containers refuse."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def enter_book_environment(settings: Path) -> None:
    """Give this process, and so each kernel that it starts, the book's environment."""
    settings.mkdir(parents=True, exist_ok=True)
    environment = book_environment(os.environ, settings.resolve())  # kernels start elsewhere
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def main(command: list[str]) -> int:
    """Run a module in the book's environment; return its exit status."""
    with tempfile.TemporaryDirectory() as settings:
        environment = book_environment(os.environ, Path(settings))
        module = subprocess.Popen([sys.executable, "-m", *command], env=environment)
        while module.returncode is None:
            with contextlib.suppress(KeyboardInterrupt):  # which it got, too, and answers itself
                module.wait()
        return module.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
