"""Refuses parameters that make no sense, before anything is computed."""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from mnist_helpers.data import SPLITS
from mnist_helpers.sources import PUBLICATIONS

TRAINING_IMAGES = 55_000
INJECTED_BY_PAPERMILL = "# Parameters"


class ParameterError(ValueError):
    """A parameter that is unknown, or whose value makes no sense."""


@dataclass(frozen=True)
class Rule:
    """What a parameter may be: a test, and the same in words."""

    holds: Callable[[object], bool]
    words: str


def _whole(low: int, high: float = math.inf) -> Rule:
    words = (
        f"a whole number from {low:,} to {high:,}"
        if high < math.inf
        else (f"a whole number, {low:,} or more")
    )
    return Rule(
        lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high, words
    )


def _is_number(value: object) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_keep_prob(value: object) -> bool:
    return _is_number(value) and 0 < value <= 1


def _choice(names) -> Rule:
    words = " or ".join(f'"{name}"' for name in names)
    return Rule(lambda v: isinstance(v, str) and v in names, words)


_positive = Rule(lambda v: _is_number(v) and v > 0, "a number above 0")
_text = Rule(lambda v: isinstance(v, str), 'the path of a folder, or "" for none')

RULES = {
    "data_set": _choice(tuple(PUBLICATIONS)),
    "split": _choice(SPLITS),
    "seed": _whole(0, 2**32 - 1),
    "num_seeds": _whole(2, 1_000),
    "device": _choice(("auto", "cpu", "gpu")),
    "num_steps": _whole(1),
    "batch_size": _whole(1, TRAINING_IMAGES),
    "learning_rate": _positive,
    "C": _positive,
    "beta": Rule(lambda v: _is_number(v) and v >= 0, "a number, 0 or more"),
    "keep_prob": Rule(_is_keep_prob, "a number above 0, up to 1"),
    "keep_probs": Rule(
        lambda v: isinstance(v, (list, tuple)) and len(v) > 0 and all(map(_is_keep_prob, v)),
        "a list of numbers above 0, up to 1, such as [0.5, 0.9] "
        "(with papermill: -y 'keep_probs: [0.5, 0.9]')",
    ),
    "record_dir": _text,
    "log_dir": _text,
}


def check_parameters(**parameters: object) -> dict[str, object]:
    """Return the parameters of a chapter, or refuse them.

    Parameters
    ----------
    **parameters
        Every parameter of the chapter, by name.

    Returns
    -------
    dict
        The same, for the run record.

    Raises
    ------
    ParameterError
        If a value makes no sense, or papermill was given a name that the
        chapter does not have (papermill itself only warns).

    Examples
    --------
    >>> check_parameters(num_steps=-1)
    Traceback (most recent call last):
    ...
    mnist_helpers.parameters.ParameterError: num_steps is -1; it may be a whole number, 1 or more.
    """
    for name in _names_that_papermill_set():
        if name not in parameters:
            raise ParameterError(unknown(name, parameters))
    for name, value in parameters.items():
        if name not in RULES:
            raise KeyError(f"{name} has no rule in mnist_helpers.parameters.RULES; add one.")
        if not RULES[name].holds(value):
            raise ParameterError(f"{name} is {value!r}; it may be {RULES[name].words}.")
    return parameters


def unknown(name: str, known) -> str:
    """The message for a parameter that a chapter does not have.

    Examples
    --------
    >>> unknown("num_step", ["num_steps", "seed"])
    'num_step is not a parameter of this chapter; did you mean num_steps? It has num_steps, seed.'
    """
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return f"{name} is not a parameter of this chapter{meant} It has {', '.join(known)}."


def _names_that_papermill_set() -> list[str]:
    """The names assigned in the cell that papermill puts after the chapter's own."""
    try:
        from IPython import get_ipython
    except ImportError:
        return []
    shell = get_ipython()
    if shell is None:
        return []
    cells = shell.user_ns.get("In", [])
    injected = [cell for cell in cells if cell.startswith(INJECTED_BY_PAPERMILL)]
    return [
        target.id
        for cell in injected
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]
