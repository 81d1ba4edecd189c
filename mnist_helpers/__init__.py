"""What the chapters of this book share, and a reader should not have to read twice.

Importing the package imports none of its modules: TensorFlow takes seconds to start, and a
misspelt parameter should not have to wait for it. It sets right what of the user's settings would
change a lesson. What the book's own runs start in is `pipeline.kernel`'s; this is for a chapter
that papermill or Jupyter runs by itself. The device and the number of threads are the user's.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

# They choose another Keras, let it train less than it is asked to, or compile as
# TensorFlow's repeatable operations do not allow.
UNSET = ("TF_USE_LEGACY_KERAS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_XLA_FLAGS")


def notebook_shell() -> Any:
    """IPython's shell in the kernel of a notebook; None in a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None


def _set_surroundings_right() -> None:
    """Let Keras compute with TensorFlow, and a cell show its last value and no others."""
    for variable in UNSET:
        os.environ.pop(variable, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TensorFlow's remarks would be printed into the reader's page. Only errors should be.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f'Keras has already begun with the backend "{keras.config.backend()}"; this book '
            "needs TensorFlow. Restart the kernel and run the chapter from the top."
        )
    if shell := notebook_shell():
        shell.ast_node_interactivity = "last_expr"


_set_surroundings_right()


@contextlib.contextmanager
def without_start_up_remarks() -> Iterator[None]:
    """Keep out of the page what compiled code writes before it heeds TF_CPP_MIN_LOG_LEVEL.

    That goes past Python's ``sys.stderr``, to file descriptor 2.
    """
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)
