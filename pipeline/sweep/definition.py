"""What a sweep runs: chapters over grids of parameters, checked before anything runs.

A definition is a small YAML file: a grid, or a list of grids.

    chapter: 03-mlp                  # or a list of chapters
    grid: {seed: 0..4}               # every combination; 0..4, [0, 9] or [0..4, 9]
    fixed: {data_set: fashion_mnist} # what all runs have in common
    not_kept: ["*_keras"]            # models that `experiments.keep` leaves out
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mnist_helpers.files import user_path
from pipeline.contents import COMPARISON, chapters, no_chapter
from pipeline.notebooks import CHAPTERS, ChapterError
from pipeline.run_chapter import check_settings
from pipeline.values import ValuesError, read_values

FOLDERS = ("record_dir", "log_dir")  # each run writes to a folder of its own
RANGE = re.compile(r"([+-]?\d+)\.\.([+-]?\d+)")  # 0..39: both ends belong to it
LONGEST_RANGE = 10_000  # values; more is a slip of the finger
LONGEST_NAME = 100  # characters; with its ending well below the 255 bytes of a file system


class SweepError(ValueError):
    """A sweep that cannot be run as it was asked for."""


@dataclass(frozen=True)
class Run:
    """One run of a chapter.

    Attributes:
        name: A file name that follows from the other two.
        chapter: The chapter's file name without its ending.
        parameters: What differs from the chapter's own parameters.
    """

    name: str
    chapter: str
    parameters: dict[str, object]


@dataclass(frozen=True)
class Grid:
    """Chapters with every combination of some values.

    Attributes:
        chapters: File names of chapters, without their endings.
        values: For each parameter the values that it takes.
        fixed: Parameters that have one value in all runs.
        not_kept: Models whose records `experiments.keep` leaves out; ``*`` as in file names.
    """

    chapters: list[str]
    values: dict[str, list] = field(default_factory=dict)
    fixed: dict[str, object] = field(default_factory=dict)
    not_kept: list[str] = field(default_factory=list)

    def combinations(self) -> list[tuple[str, dict[str, object]]]:
        """Each chapter with its parameters; the last of the grid changes fastest."""
        return [
            (chapter, dict(zip(self.values, values, strict=True)) | self.fixed)
            for chapter in self.chapters
            for values in itertools.product(*self.values.values())
        ]


# ---- reading ----


def read_definition(path: Path) -> list[Grid]:
    """The grids of a definition file.

    Raises SweepError if it cannot be read, or is not of the form that this module describes.
    """
    try:
        content = read_values(user_path(path).read_text(encoding="utf-8"))
    except (OSError, ValuesError) as error:
        raise SweepError(f"The definition {path}: {error}") from error
    entries = content if isinstance(content, list) else [content]
    if not entries:
        raise SweepError(f"The definition {path} is empty; it needs `chapter: 03-mlp` and a grid.")
    return [_grid(entry, path) for entry in entries]


def _grid(entry: object, path: Path) -> Grid:
    """A grid as YAML has it, once its form is right."""
    if not isinstance(entry, dict) or "chapter" not in entry:
        raise SweepError(f"{path} has {entry!r}; a grid says which chapter: `chapter: 03-mlp`.")
    forms = {"chapter": (str, list), "grid": dict, "fixed": dict, "not_kept": list}
    for key, value in entry.items():
        if key not in forms:
            raise SweepError(f"{path} has the key {key!r}; it may have {', '.join(forms)}.")
        if not isinstance(value, forms[key]):
            wanted = {list: "a list", dict: "names with their values"}
            words = wanted.get(forms[key], "a chapter, or a list of chapters")
            raise SweepError(f"{key} is {value!r} in {path}; it must be {words}.")
    chapters = entry["chapter"]
    return Grid(
        [chapters] if isinstance(chapters, str) else chapters,
        {name: _spelled_out(name, values) for name, values in entry.get("grid", {}).items()},
        entry.get("fixed", {}),
        entry.get("not_kept", []),
    )


def read_options(chapter: str, options: Iterable[tuple[str, str]]) -> Grid:
    """The grid of ``-p`` options: names, and values with commas between.

    >>> read_options("03-mlp", [("seed", "0..2,9"), ("learning_rate", "1e-1")]).values
    {'seed': [0, 1, 2, 9], 'learning_rate': [0.1]}
    """
    values = {}
    for name, text in options:
        if name in values:
            raise SweepError(f"-p {name} is given twice; put its values in one list: 1,2,3.")
        try:
            values[name] = _spelled_out(name, read_values(f"[{text}]"))
        except ValuesError as error:
            raise SweepError(f"-p {name} {text!r} {error}") from error
    return Grid([chapter], values)


def _spelled_out(name: str, values: object) -> object:
    """The values of a parameter, with the numbers that ranges such as 0..39 stand for."""
    if isinstance(values, str) and ".." in values:
        values = [values]
    if not isinstance(values, list):
        return values  # `runs_of` says what is wrong with it
    return [each for value in values for each in _range(name, value)]


def _range(name: str, value: object) -> Iterable[object]:
    """The whole numbers of a range, or the one value that is none."""
    if not isinstance(value, str) or ".." not in value:
        return [value]
    ends = RANGE.fullmatch(value.strip())
    if not ends:
        raise SweepError(f"{name} is {value!r}; a range has a whole number at each end: 0..39.")
    first, last = map(int, ends.groups())
    if first > last:
        raise SweepError(f"{name} is {value!r}; a range begins with the smaller: {last}..{first}.")
    if last - first >= LONGEST_RANGE:
        raise SweepError(
            f"{name} is {value!r}, {last - first + 1:,} values; "
            f"a range may have {LONGEST_RANGE:,}."
        )
    return range(first, last + 1)


# ---- runs ----


def runs_of(grids: Iterable[Grid]) -> list[Run]:
    """Every run that the grids ask for.

    Raises SweepError if a chapter, a parameter or a value makes no sense, or a run is asked for
        twice; it is named.

    >>> len(runs_of([Grid(["03-mlp"], {"seed": [0, 1, 2], "batch_size": [64, 128]})]))
    6
    """
    runs = {}
    for grid in grids:
        for name, values in grid.values.items():
            if not isinstance(values, list) or not values:
                raise SweepError(f"{name} is {values!r} in the grid; it must be a list of values.")
            if name in grid.fixed:
                raise SweepError(f"{name} is both in the grid and fixed; it can be one of them.")
        for chapter, parameters in grid.combinations():
            check(chapter, parameters)
            name = run_name(chapter, parameters)
            if name in runs:
                raise SweepError(f"The run {name} is asked for twice; give each value once.")
            runs[name] = Run(name, chapter, parameters)
    if not runs:
        raise SweepError("The sweep names no chapter.")
    return list(runs.values())


def check(chapter: str, parameters: dict[str, object]) -> None:
    """Refuse a chapter that is not there, and parameters that it would refuse."""
    known = chapters(CHAPTERS.parent)
    if chapter not in known:
        raise SweepError(no_chapter(chapter, known))
    if chapter == COMPARISON:
        raise SweepError(
            f"{COMPARISON} trains nothing: it compares records. Run it with papermill on those of "
            "a run: -p record_dir OUTPUT/records/RUN"
        )
    for folder in FOLDERS:
        if folder in parameters:
            raise SweepError(f"{folder} cannot be set: each run has a folder of its own.")
    try:
        check_settings(chapter, parameters)
    except ChapterError as error:
        raise SweepError(f"{chapter}: {error}") from error


def run_name(chapter: str, parameters: Mapping[str, object]) -> str:
    """A file name for a run: the same for the same run, another for any other.

    Parameters that passed `check` are numbers, words and lists of numbers, so nothing in the name
    needs to be escaped. One that is too long ends in a digest.

    >>> run_name("04-regularized-mlp", {"seed": 3, "keep_probs": [0.5, 0.9]})
    '04-regularized-mlp--keep_probs-0.5_0.9--seed-3'
    """
    settings = [f"{name}-{_in_a_name(value)}" for name, value in sorted(parameters.items())]
    name = "--".join([chapter, *settings])
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 10]}--{digest}"


def _in_a_name(value: object) -> str:
    return "_".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
