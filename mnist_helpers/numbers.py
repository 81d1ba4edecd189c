"""How a number gets from a run into the sentences about it.

MyST-NB, which makes the pages, has this function, too, and brings Sphinx along. A
notebook that only runs, as in Colab, needs neither: here is what it writes.
"""

from __future__ import annotations

from IPython.core.formatters import format_display_data
from IPython.display import display as publish


def glue(name: str, value: object, display: bool = True) -> None:
    """Put a value into the notebook, under a name by which sentences can ask for it.

    Parameters
    ----------
    name : str
        What stands in the prose, as in ``{glue:text}`name:.1f```.
    value : object
        A Python number, a text, or anything that a notebook can show.
    display : bool
        Whether the cell is to show it, too.
    """
    prefix = "" if display else "application/papermill.record/"
    data, metadata = format_display_data(value)
    publish(
        {prefix + kind: content for kind, content in data.items()},
        metadata=metadata | {"scrapbook": {"name": name, "mime_prefix": prefix}},
        raw=True,
    )
