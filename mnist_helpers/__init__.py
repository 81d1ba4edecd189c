"""What the chapters of this book share, and a reader should not have to read twice.

One module, one idea:

``sources``       where the bytes of a data set come from, and their checks
``idx``           the file format of MNIST
``files``         files that are whole or not there
``data``          ``load_data``: the splits as arrays; ``reformat``
``metrics``       ``accuracy`` and how far chance alone moves it
``writers``       who wrote the test images
``parameters``    refuses parameters that make no sense
``device``        CPU or GPU, seeds
``threads``       cores that there are, threads that compute
``surroundings``  settings of the user's machine that a lesson must not see
``progress``      a bar while something takes long, where somebody looks
``training``      the training loop of chapter 3
``masks``         random masks for chapter 4, drawn quickly
``records``       what a run leaves behind for chapter 7
``weights``       what a run learned, for the page that runs in the browser
``kept``          runs too long for every build, kept in the repository
``systems``       the five systems: names, chapters, which figures stand for them
``tables``        Markdown tables, and numbers as they write them
``figures``       the house style
``words``         sentences that a run completes

Importing the package imports none of them: TensorFlow takes seconds to start, and a misspelt
parameter should not have to wait for it.
"""

import contextlib
import os
from collections.abc import Iterator

from mnist_helpers import surroundings

surroundings.set_right()

# TensorFlow's remarks would be printed into the reader's page. Only errors
# should be; the variable is read when TensorFlow is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def without_start_up_remarks() -> Iterator[None]:
    """Keep out of the page what compiled code writes before it heeds the variable above.

    That goes past Python's ``sys.stderr``, to file descriptor 2.

    >>> with without_start_up_remarks():
    ...     import tensorflow as tf
    """
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(nowhere)
        os.close(stderr)
