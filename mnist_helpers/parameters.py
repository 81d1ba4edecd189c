"""Refuses parameters that make no sense, before anything is computed."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real

from mnist_helpers.data import SPLITS
from mnist_helpers.sources import PUBLICATIONS

TRAINING_IMAGES = 55_000
# The original's, and everybody's, that the page "Train it here" and its notebook can make.
MISTAKES = (
    "modulo",
    "file_order",
    "test_head",
    "choose_on_test",
    "log_softmax",
    "all_zero",
    "unscaled",
    "shuffled_labels",
)
EXACT = 2**53  # floating-point numbers below are whole where they seem to be
INJECTED_BY_PAPERMILL = "# Parameters"
# What papermill adds itself where --inject-paths and the like ask for it.
PATHS_OF_PAPERMILL = ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH")


class ParameterError(ValueError):
    """A parameter that is unknown, or whose value makes no sense."""


@dataclass(frozen=True)
class Rule:
    """What a parameter may be: a test, the same in words, and the kinds of value that may pass."""

    holds: Callable[[object], bool]
    words: str
    kinds: tuple[str, ...]


WHOLE, FLOATING, TEXT, LIST = "whole number", "floating-point number", "text", "list"
KINDS = {bool: "truth value", int: WHOLE, float: FLOATING, str: TEXT, list: LIST, tuple: LIST}


def _whole(low: int, high: float = math.inf) -> Rule:
    limits = f" from {low:,} to {high:,}" if high < math.inf else f", {low:,} or more"
    return Rule(
        lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
        f"a whole number{limits}",
        (WHOLE,),
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
    return Rule(lambda v: isinstance(v, str) and v in names, words, (TEXT,))


def _number(holds: Callable[[float], bool], words: str) -> Rule:
    return Rule(lambda v: _is_number(v) and holds(v), words, (WHOLE, FLOATING))


_positive = _number(lambda v: v > 0, "a number above 0")
_folder = Rule(lambda v: isinstance(v, str), 'the path of a folder, or "" for none', (TEXT,))

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
    "beta": _number(lambda v: v >= 0, "a number, 0 or more"),
    "keep_prob": _number(_is_keep_prob, "a number above 0, up to 1"),
    "keep_probs": Rule(
        lambda v: isinstance(v, (list, tuple)) and len(v) > 0 and all(map(_is_keep_prob, v)),
        "a list of numbers above 0, up to 1, such as [0.5, 0.9]",
        (LIST,),
    ),
    "num_hidden": _whole(0, 10_000),
    "drop": _choice(("weights", "units")),
    "mistakes": Rule(
        lambda v: isinstance(v, (list, tuple)) and all(name in MISTAKES for name in v),
        f"a list with any of {', '.join(MISTAKES)}",
        (LIST,),
    ),
    "record_dir": _folder,
    "log_dir": _folder,
}


def check_parameters(**parameters: object) -> dict[str, object]:
    """Return the parameters of a chapter, by name, or refuse them.

    Raises ParameterError if a value makes no sense, or papermill was given a name that the chapter
        does not have (papermill itself only warns).

    >>> check_parameters(num_steps=-1)
    Traceback (most recent call last):
    ...
    mnist_helpers.parameters.ParameterError: num_steps is -1; it may be a whole number, 1 or more.
    """
    set_by_papermill = _names_that_papermill_set()
    for name in set_by_papermill:
        if name not in (*parameters, *PATHS_OF_PAPERMILL):
            raise ParameterError(unknown(name, parameters))
    for name, value in parameters.items():
        if name not in RULES:
            raise KeyError(f"{name} has no rule in mnist_helpers.parameters.RULES; add one.")
        if not RULES[name].holds(value):
            raise ParameterError(refusal(name, value, name in set_by_papermill))
    return parameters


def refusal(name: str, value: object, set_by_papermill: bool = False) -> str:
    """The message for a value that makes no sense: what came, what it may be, what to write.

    A value is often right and was read as another kind than it was meant: `1e3` is no whole
    number, and `1e-4` is a text in YAML. So a value of the wrong kind is called by its kind.

    >>> refusal("learning_rate", "1e-4")
    "learning_rate is the text '1e-4'; it may be a number above 0. Write 0.0001 instead."
    >>> refusal("num_steps", 2.5)
    'num_steps is the floating-point number 2.5; it may be a whole number, 1 or more.'
    """
    rule = RULES[name]
    kind = KINDS.get(type(value))
    came = repr(value) if kind is None or kind in rule.kinds else f"the {kind} {value!r}"
    message = f"{name} is {came}; it may be {rule.words}."
    meant = next(filter(rule.holds, _other_readings(value)), None)
    if meant is None:
        return message
    written = _for_papermill(name, meant) if set_by_papermill else _literal(meant)
    return f"{message} Write {written} instead."


def _other_readings(value: object) -> Iterator[object]:
    """What the writer of a value may have meant, the likeliest first."""
    for reading in _readings_in_python(value):
        yield reading
        if _is_number(reading):
            if reading == int(reading) and abs(reading) < EXACT:
                yield int(reading)
            yield [reading]
            yield f"./{reading}"  # a folder whose name is a number
    if isinstance(value, str):
        yield value.strip().lower().replace("-", "_")
    if isinstance(value, (list, tuple)):
        yield [next(_readings_in_python(each), each) for each in value]
        if len(value) == 1:
            yield value[0]
    if value is None:
        yield ""


def _readings_in_python(value: object) -> Iterator[object]:
    """The value, or what its text is in Python, also with commas in numbers."""
    if not isinstance(value, str):
        yield value
        return
    text = value.strip()
    if re.fullmatch(r"\d{1,3}(,\d{3})+", text):  # 20,000
        text = text.replace(",", "")
    elif re.fullmatch(r"\d+,\d+", text):  # 0,5
        text = text.replace(",", ".")
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return
    yield list(read) if isinstance(read, tuple) else read


def _for_papermill(name: str, value: object) -> str:
    """The option that gives a parameter this value; ``-p`` has no lists."""
    if isinstance(value, list):
        return f"-y '{name}: {_literal(value)}'"
    plain = isinstance(value, str) and value  # the shell takes quotes away, but for ""
    return f"-p {name} {value if plain else _literal(value)}"


def _literal(value: object) -> str:
    """A value as it is written in Python and in YAML.

    A number with an exponent has a point: without one, some YAML takes it for a text.

    >>> _literal([0.5, 1e-6]), _literal("gpu")
    ('[0.5, 1.0e-06]', '"gpu"')
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))


def unknown(name: str, known) -> str:
    """The message for a parameter that a chapter does not have.

    >>> unknown("num_step", ["num_steps", "seed"])
    'num_step is not a parameter of this chapter; did you mean num_steps? It has num_steps, seed.'
    """
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return f"{name} is not a parameter of this chapter{meant} It has {', '.join(known)}."


def _names_that_papermill_set() -> list[str]:
    """The names assigned in the cell that papermill puts after the chapter's own."""
    from IPython import get_ipython  # a script that is no notebook need not wait for it

    shell = get_ipython()
    cells = shell.user_ns.get("In", []) if shell else []
    injected = [cell for cell in cells if cell.startswith(INJECTED_BY_PAPERMILL)]
    nodes = [node for cell in injected for node in ast.walk(ast.parse(cell))]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]
