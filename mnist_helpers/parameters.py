"""Refuses parameters that make no sense, before anything is computed."""

import ast
import difflib
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mnist_helpers.data import SPLITS
from mnist_helpers.sources import PUBLICATIONS

LARGEST = sys.float_info.max  # what is larger is infinite, or no float can hold it
EXACT = 2**53  # floating-point numbers below are whole where they seem to be
# That the page "Train it here" and its notebook can make, the original's and everybody's.
MISTAKES = ("modulo", "file_order", "test_head", "choose_on_test", "log_softmax", "all_zero")
MISTAKES += ("unscaled", "shuffled_labels")
# What papermill adds itself where --inject-paths and the like ask for it.
PATHS_OF_PAPERMILL = ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH")
KINDS = {bool: "truth value", int: "whole number", float: "floating-point number", str: "text"}
KINDS |= {list: "list", tuple: "list"}
NUMBER, LIST = (int, float), (list, tuple)


class ParameterError(ValueError):
    """A parameter that is unknown, or whose value makes no sense."""


class Rule(NamedTuple):
    """What a parameter may be in words, the types of such values, and what else is asked."""

    words: str
    types: tuple[type, ...]
    asked: Callable[[object], bool]

    def holds(self, value: object) -> bool:
        return type(value) in self.types and self.asked(value)


def _whole(low: int, high: float = math.inf) -> Rule:
    limits = f" from {low:,} to {high:,}" if high < math.inf else f", {low:,} or more"
    return Rule(f"a whole number{limits}", (int,), lambda v: low <= v <= high)


def _choice(names: Iterable[str]) -> Rule:
    return Rule(" or ".join(f'"{name}"' for name in names), (str,), lambda v: v in names)


_positive = Rule("a number above 0", NUMBER, lambda v: 0 < v <= LARGEST)
_share = Rule("a number above 0, up to 1", NUMBER, lambda v: 0 < v <= 1)
_shares = "a list of numbers above 0, up to 1, such as [0.5, 0.9]"
_mistakes = f"a list with any of {', '.join(MISTAKES)}"
_folder = Rule('the path of a folder, or "" for none', (str,), lambda v: True)

RULES = {
    "data_set": _choice(PUBLICATIONS),
    "split": _choice(SPLITS),
    "seed": _whole(0, 2**32 - 1),
    "num_seeds": _whole(2, 1_000),
    "device": _choice(("auto", "cpu", "gpu")),
    "num_steps": _whole(1),
    "batch_size": _whole(1, 55_000),
    "learning_rate": _positive,
    "C": _positive,
    "beta": Rule("a number, 0 or more", NUMBER, lambda v: 0 <= v <= LARGEST),
    "keep_prob": _share,
    "keep_probs": Rule(_shares, LIST, lambda v: len(v) > 0 and all(map(_share.holds, v))),
    "num_hidden": _whole(0, 10_000),
    "drop": _choice(("weights", "units")),
    "mistakes": Rule(_mistakes, LIST, lambda v: all(name in MISTAKES for name in v)),
    "record_dir": _folder,
    "log_dir": _folder,
}


def check_parameters(**parameters: object) -> dict[str, object]:
    """Return the parameters of a chapter, by name, or refuse them.

    Raises ParameterError, with a `refusal`, if a value makes no sense, or papermill was given a
    name that the chapter does not have (papermill itself only warns).
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
    rule, kind = RULES[name], KINDS.get(type(value))
    came = repr(value) if kind is None or type(value) in rule.types else f"the {kind} {value!r}"
    message = f"{name} is {came}; it may be {rule.words}."
    for meant in filter(rule.holds, _other_readings(value)):
        # With a point: without one, some YAML takes a number with an exponent for a text.
        written = re.sub(r"\b(\d+)e", r"\1.0e", json.dumps(meant))
        if set_by_papermill:  # its `-p` has no lists, and the shell takes quotes away, but for ""
            plain = written.strip('"') or '""'
            written = f"-y '{name}: {written}'" if type(meant) is list else f"-p {name} {plain}"
        return f"{message} Write {written} instead."
    return message


def _other_readings(value: object) -> Iterator[object]:
    """What the writer of a value may have meant, the likeliest first."""
    read = _in_python(value)
    yield read
    if type(read) in (int, float):
        if abs(read) < EXACT and read == int(read):
            yield int(read)
        yield [read]
        yield f"./{read}"  # a folder whose name is a number
    if isinstance(value, str):
        yield value.strip().lower().replace("-", "_")
    if isinstance(value, (list, tuple)):
        yield [_in_python(each) for each in value]
        yield from value[:1]
    if value is None:
        yield ""


def _in_python(value: object) -> object:
    """What a text is in Python, also with commas in numbers; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if re.fullmatch(r"\d{1,3}(,\d{3})+", text):  # 20,000
        text = text.replace(",", "")
    elif re.fullmatch(r"\d+,\d+", text):  # 0,5
        text = text.replace(",", ".")
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return value
    return list(read) if isinstance(read, tuple) else read


def unknown(name: str, known: Iterable[str]) -> str:
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
    injected = [ast.parse(cell) for cell in cells if cell.startswith("# Parameters")]
    names = [node for cell in injected for node in ast.walk(cell) if isinstance(node, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]
