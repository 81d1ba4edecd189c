"""What a sweep runs: chapters over a grid of parameters, checked before anything runs."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mnist_helpers.parameters import ParameterError, check_parameters
from pipeline.notebooks import CHAPTERS, ChapterError
from pipeline.run_chapter import COMPARISON, check_names

KEYS = ("chapter", "grid", "fixed")
LONGEST_NAME = 120  # characters; file systems allow 255 bytes
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+")


class DefinitionError(ValueError):
    """A sweep that cannot be run as it is defined."""


@dataclass(frozen=True)
class Run:
    """One run of a chapter.

    Attributes
    ----------
    name : str
        A file name that follows from the other two.
    chapter : str
        The chapter's file name without its ending.
    parameters : dict
        What differs from the chapter's own parameters.
    """

    name: str
    chapter: str
    parameters: dict[str, object]


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, as in Python, and not a text."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def parse(text: str) -> object:
    """Read YAML in which 1e-4 is a number.

    Examples
    --------
    >>> parse("[1e-4, 3, mnist]")
    [0.0001, 3, 'mnist']
    """
    return yaml.load(text, _Loader)


def read_definition(path: Path) -> list[Run]:
    """The runs that a definition file asks for.

    Raises
    ------
    DefinitionError
        If it cannot be read, has an unknown key, or asks for what makes no sense.
    """
    try:
        definition = parse(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise DefinitionError(f"The definition {path} cannot be read: {error}") from error
    if not isinstance(definition, dict) or "chapter" not in definition:
        raise DefinitionError(f"{path} must say which chapter to run: `chapter: 03-mlp`.")
    for key in definition:
        if key not in KEYS:
            raise DefinitionError(f"{path} has the key {key!r}; it may have {', '.join(KEYS)}.")
    chapters = definition["chapter"]
    return grid_runs(
        [chapters] if isinstance(chapters, str) else chapters,
        definition.get("grid") or {},
        definition.get("fixed") or {},
    )


def read_options(chapter: str, options: Iterable[tuple[str, str]]) -> list[Run]:
    """The runs of a chapter for ``-p`` options: names, and values with commas between.

    Examples
    --------
    >>> [run.name for run in read_options("03-mlp", [("seed", "0,1"), ("learning_rate", "1e-1")])]
    ['03-mlp--seed-0--learning_rate-0.1', '03-mlp--seed-1--learning_rate-0.1']
    """
    grid = {}
    for name, values in options:
        if name in grid:
            raise DefinitionError(f"-p {name} is given twice; put its values in one list.")
        try:
            grid[name] = parse(f"[{values}]")
        except yaml.YAMLError as error:
            raise DefinitionError(f"-p {name} {values!r} cannot be read: {error}") from error
    return grid_runs([chapter], grid)


def grid_runs(
    chapters: Iterable[str],
    grid: Mapping[str, list],
    fixed: Mapping[str, object] | None = None,
) -> list[Run]:
    """Every chapter with every combination of the grid's values.

    Parameters
    ----------
    chapters : iterable of str
        File names of chapters, without their endings.
    grid : mapping of str to list
        For each parameter the values that it takes.
    fixed : mapping, optional
        Parameters that have one value in all runs.

    Returns
    -------
    list of Run
        The last parameter of the grid changes fastest.

    Raises
    ------
    DefinitionError
        If a chapter, a parameter or a value makes no sense; it is named.

    Examples
    --------
    >>> len(grid_runs(["03-mlp"], {"seed": [0, 1, 2], "batch_size": [64, 128]}))
    6
    """
    fixed = dict(fixed or {})
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise DefinitionError(
                f"{name} is {values!r} in the grid; it must be a list of values."
            )
        if name in fixed:
            raise DefinitionError(f"{name} is both in the grid and fixed; it can be one of them.")
    runs = {}
    for chapter in chapters:
        for values in itertools.product(*grid.values()):
            parameters = dict(zip(grid, values, strict=True)) | fixed
            check(chapter, parameters)
            name = run_name(chapter, parameters)
            if name in runs:
                raise DefinitionError(f"The run {name} is asked for twice; a value is repeated.")
            runs[name] = Run(name, chapter, parameters)
    if not runs:
        raise DefinitionError("The sweep names no chapter.")
    return list(runs.values())


def check(chapter: str, parameters: dict[str, object]) -> None:
    """Refuse a chapter that is not there, and parameters that it would refuse."""
    known = [path.stem for path in sorted(CHAPTERS.glob("*.ipynb"))]
    if chapter not in known:
        close = difflib.get_close_matches(str(chapter), known, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."
        raise DefinitionError(f"There is no chapter {chapter!r}; {meant}")
    if chapter == COMPARISON:
        raise DefinitionError(
            f"{COMPARISON} trains nothing: it compares records. Run it with papermill on those of "
            "a sweep: -p record_dir OUTPUT/records/RUN"
        )
    if "record_dir" in parameters:
        raise DefinitionError("record_dir cannot be swept: each run has a folder of its own.")
    try:
        check_names(chapter, parameters)
        check_parameters(**parameters)
    except (ChapterError, ParameterError) as error:
        raise DefinitionError(f"{chapter}: {error}") from error


def run_name(chapter: str, parameters: Mapping[str, object]) -> str:
    """A file name for a run, the same whenever the same run is asked for.

    Examples
    --------
    >>> run_name("05-simple-cnn", {"seed": 3})
    '05-simple-cnn--seed-3'
    >>> run_name("04-regularized-mlp", {"keep_probs": [0.5, 0.9]})
    '04-regularized-mlp--keep_probs-0.5_0.9--1ec12d62'
    """
    plain = "--".join([chapter, *(f"{name}-{value}" for name, value in parameters.items())])
    safe = re.sub(r"[^\w.+-]+", "_", plain).replace("-_", "-").strip("_")
    if safe == plain and len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(json.dumps(parameters, default=list).encode()).hexdigest()[:8]
    return f"{safe[: LONGEST_NAME - 10]}--{digest}"
