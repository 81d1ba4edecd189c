"""Which tests are quick: they need no TensorFlow, no browser, no run of the book and no full data.

Nobody keeps a list of them. What a test module imports, by itself or through our own
modules, and the fixtures that a test asks for say it.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
NO_TENSORFLOW = TESTS / "no_tensorflow"
# Whence the names of our modules are imported; a test module's own folder is among them.
FOLDERS = [ROOT, TESTS, *(path for path in TESTS.iterdir() if path.is_dir())]

# They take seconds to import, or start what takes seconds.
SLOW_PACKAGES = {"tensorflow", "keras", "playwright", "distributed", "small_book"}
SLOW_FIXTURES = {"browser", "book", "start_python", "full_loads"}
SLOW_MARKS = {"network", "long", "chapters"}


def only_quick(config: pytest.Config) -> bool:
    """Whether quick tests alone are wanted, as `make quick` wants them."""
    return config.option.markexpr == "quick"


def forbid_tensorflow() -> None:
    """Have each import of TensorFlow fail, here and in the processes that tests start."""
    sys.path.insert(0, str(NO_TENSORFLOW))
    os.environ["PYTHONPATH"] = str(NO_TENSORFLOW)


def is_quick(test: pytest.Item) -> bool:
    """Whether a test needs nothing that takes seconds."""
    marks = {mark.name for mark in test.iter_markers()}
    fixtures = set(getattr(test, "fixturenames", ()))
    return may_be_quick(test.path) and not marks & SLOW_MARKS and not fixtures & SLOW_FIXTURES


def may_be_quick(module: Path) -> bool:
    """Whether a test module imports nothing slow, itself or through our own modules."""
    names = needed(module)
    by_a_name_that_only_a_run_knows = "importlib" in names  # `importlib.metadata` is harmless
    packages = {name.split(".")[0] for name in names}
    return not by_a_name_that_only_a_run_knows and not packages & SLOW_PACKAGES


@cache
def needed(module: Path) -> frozenset[str]:
    """The names that a module imports, directly and through our own modules."""
    found, to_read = set(), [module]
    seen = {TESTS / "conftest.py"}  # every test has it; what is slow in it are fixtures
    while to_read:
        path = to_read.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imports(ast.parse(path.read_bytes())):
            found.add(name)
            to_read += ours(name)
    return frozenset(found)


def imports(node: ast.AST) -> Iterator[str]:
    """The names that source imports as it runs, also within functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from imports(child)


def ours(name: str) -> list[Path]:
    """The file of a module of ours; none where the name is another package's, or no module's."""
    path = name.replace(".", "/")
    files = [ROOT / path / "__init__.py", *(folder / f"{path}.py" for folder in FOLDERS)]
    return [file for file in files if file.exists()]
