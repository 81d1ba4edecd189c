"""Settings of the user's machine that would change a lesson, set right before it begins.

What the book's own runs start in is `pipeline.kernel`'s; this is for a chapter that papermill or
Jupyter runs by itself. Whatever concerns figures is in `figures.use_house_style`, what Keras reads
from a file in `device`. The device and the number of threads are the user's.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipykernel.zmqshell import ZMQInteractiveShell

# They choose another Keras, let it train less than it is asked to, or compile as
# TensorFlow's repeatable operations do not allow.
UNSET = ("TF_USE_LEGACY_KERAS", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "TF_XLA_FLAGS")


def set_right() -> None:
    """Let Keras compute with TensorFlow, and a cell show its last value and no others.

    Raises RuntimeError if Keras has already been imported with another backend.
    """
    for variable in UNSET:
        os.environ.pop(variable, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f'Keras has already begun with the backend "{keras.config.backend()}"; this book '
            "needs TensorFlow. Restart the kernel and run the chapter from the top."
        )
    if shell := notebook_shell():
        shell.ast_node_interactivity = "last_expr"


def notebook_shell() -> ZMQInteractiveShell | None:
    """IPython's shell in the kernel of a notebook; None in a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None
