"""What each step does when it is called from a command line."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def command_line(*refusals: type[Exception]) -> Iterator[None]:
    """Print whatever comes, and end with a sentence where a step refuses.

    A character that the code page of the output lacks is printed as its number:
    Python would stop there.

    Parameters
    ----------
    refusals : exception classes
        Those whose message is for the user, and says all.

    Examples
    --------
    >>> with command_line(OSError):
    ...     print("done")
    done
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # else it takes every character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except refusals as error:
        sys.exit(f"\n{error}\n")
