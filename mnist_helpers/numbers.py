"""The one way by which a number of a run gets into the sentences about it.

MyST-NB, which makes the pages, finds numbers by what its own ``glue`` writes into a notebook. It
brings Sphinx along, which Colab does not need: so we write the same ourselves.
"""

from __future__ import annotations

import numpy as np
from IPython.display import display

PREFIX = "application/papermill.record/"  # what begins so is in the notebook, and not on the page


def quote(chapter: str, **numbers: object) -> None:
    """Give numbers, or texts, to the sentences of a chapter, which say how they are written.

    Args:
        chapter: What their names begin with in the sentences.
        **numbers: Python numbers and texts, NumPy's scalars, or tensors without axes. An
            underscore in a name is a hyphen in the sentence.
    Raises TypeError if one of them is neither a number nor a text; it is named.

    >>> quote("cnn", test_accuracy=92.0512)  # for {glue:text}`cnn-test-accuracy:.1f`
    {'application/papermill.record/text/plain': '92.0512'}
    """
    for name, value in numbers.items():
        single = _single(value)
        if not isinstance(single, (int, float, str)):
            raise TypeError(
                f"{name} of {chapter!r} is {value!r}; a sentence can quote a number or a text."
            )
        display(
            {f"{PREFIX}text/plain": repr(single)},
            metadata={
                "scrapbook": {"name": f"{chapter}-{name.replace('_', '-')}", "mime_prefix": PREFIX}
            },
            raw=True,
        )


def _single(value: object) -> object:
    """Python's own number in place of NumPy's or TensorFlow's."""
    if not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    return array if array.ndim else array.item()
