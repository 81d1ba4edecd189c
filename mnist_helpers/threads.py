"""How many cores there are for us, and with how many threads a chapter computes."""

import os
import re

import joblib

VARIABLE = "OMP_NUM_THREADS"  # NumPy and scikit-learn heed it too
COUNTS = re.compile(r"[1-9]\d{0,3}(\s*,\s*[1-9]\d{0,3})*")  # one for each level of nesting


def core_count() -> int:
    """Count the cores that this process may use: a container may give it a share."""
    return joblib.cpu_count()


def thread_count() -> int:
    """Say with how many threads to compute: as ``OMP_NUM_THREADS`` says, or one for each core.

    Of several numbers with commas between, the first counts: the others are OpenMP's, for loops
    inside loops. Raises ValueError if the variable has a value that OpenMP does not allow.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return core_count()
    if not COUNTS.fullmatch(given):
        raise ValueError(
            f"{VARIABLE} is {given!r}; it may be a whole number from 1 to 9,999, or several with "
            "commas between, of which the first counts. Without it we take every core."
        )
    return int(given.partition(",")[0])


def cpu_in_words(threads: int) -> str:
    """The device of a run on the CPU, for the page and for the run record."""
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
