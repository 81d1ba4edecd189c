"""How the book reads the values that are typed into files and options of its own.

It is YAML in which a plain word is what Python, and papermill's ``-p``, take it
for. YAML 1.1 has surprises: `1e-4` is a text, `010` is 8, `1:30` is 90, `on` is
true, and `2026-11-28` is a date.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import yaml

from mnist_helpers.files import user_path
from pipeline.contents import no_chapter

DIGITS = r"\d+(_\d+)*"
WORDS = {
    "null": r"None|null|~|",
    "bool": r"[Tt]rue|[Ff]alse",
    "int": rf"[-+]?{DIGITS}",
    "float": rf"[-+]?({DIGITS}\.({DIGITS})?|\.{DIGITS}|{DIGITS}(?=[eE]))([eE][-+]?\d+)?",
}


class ValuesError(ValueError):
    """Values that cannot be read."""


class _Loader(yaml.SafeLoader):
    """YAML whose plain words are numbers, truth values and nothing as above, or else texts."""

    yaml_implicit_resolvers: ClassVar = {}  # none of YAML 1.1


for kind, pattern in WORDS.items():
    tag = f"tag:yaml.org,2002:{kind}"
    _Loader.add_implicit_resolver(tag, re.compile(f"({pattern})$"), None)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def read_values(text: str) -> object:
    """Read YAML as this module describes it.

    Raises ValuesError if it is not YAML.

    >>> read_values("[1e-4, 010, 1_000, mnist, on]")
    [0.0001, 10, 1000, 'mnist', 'on']
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader, see above)
    except (yaml.YAMLError, ValueError) as error:
        raise ValuesError(f"cannot be read: {error}") from error


def read_parameters(path: Path, known: Sequence[str]) -> dict[str, dict[str, object]]:
    """Read a file of parameters: for each chapter that it names, their values by name.

    Raises ValuesError if it cannot be read, has another form, or names a chapter that is not
    ``known``; the file is named.
    """
    try:
        parameters = read_values(user_path(path).read_text(encoding="utf-8"))
    except (OSError, ValuesError) as error:
        raise ValuesError(f"The parameters in {path}: {error}") from error
    if parameters is None:  # nothing but comments
        return {}
    if not isinstance(parameters, dict) or not all(
        isinstance(values, dict) for values in parameters.values()
    ):
        raise ValuesError(
            f"The parameters in {path} are {parameters!r}; each line names a chapter and its "
            "parameters, such as 03-mlp: {num_steps: 20}"
        )
    for name in parameters:
        if name not in known:
            raise ValuesError(f"The parameters in {path}: {no_chapter(name, known)}")
    return parameters
