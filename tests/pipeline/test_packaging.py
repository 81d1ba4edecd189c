"""What `pip install` of the package brings: what the notebooks import, and not the workshop."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from quick import imports
from test_safety import sources

from mnist_helpers.records import WITHOUT_GPU
from pipeline.contents import ROOT
from pipeline.fingerprint import shared_facts

REQUIREMENTS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line[:1].isalpha()
]
# Colab's own, on Python 3.13, as its published list of packages had them in August 2026.
IN_COLAB = {
    "tensorflow": "2.20.0",
    "keras": "3.13.2",
    "tensorboard": "2.20.0",
    "scikit-learn": "1.6.1",
    "joblib": "1.5.3",
    "scipy": "1.16.3",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "matplotlib-inline": "0.2.2",
    "ipython": "7.34.0",
    "tqdm": "4.67.3",
    "requests": "2.32.4",
    "platformdirs": "4.11.3",
}
# Under Linux the environment has another build of what the package names.
HERE = WITHOUT_GPU if "tensorflow_cpu" in packages_distributions()["tensorflow"] else {}
THE_WORKSHOP = {"sphinx", "jupyterlab", "papermill", "pytest", "pandas", "pyarrow", "playwright"}


def imported(source: str) -> set[str]:
    """The packages that Python source imports as it runs, by the first parts of their names."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return {name.split(".")[0] for name in imports(ast.parse("\n".join(lines)))}


def brought_along(name: str, seen: set[str]) -> set[str]:
    """A distribution and all that it requires here, added to `seen`."""
    if name not in seen:
        seen.add(name)
        try:
            needed = [Requirement(line) for line in requires(HERE.get(name, name)) or []]
        except PackageNotFoundError:  # of another system
            needed = []
        for requirement in needed:
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                brought_along(requirement.name.lower().replace("_", "-"), seen)
    return seen


def test_the_package_requires_what_is_imported_and_no_more():
    used = set().union(
        *(
            imported(source)
            for place, source in sources()
            if not place.startswith(("pipeline/", "bench/", "experiments/"))
        )
    )
    ours = {*sys.stdlib_module_names, "mnist_helpers", "google"}
    distributions = packages_distributions()
    wanted = {distributions[name][0].lower().replace("_", "-") for name in used - ours}
    assert {HERE.get(requirement.name, requirement.name) for requirement in REQUIREMENTS} == wanted


def test_nothing_of_the_workshop_comes_along():
    seen: set[str] = set()
    for requirement in REQUIREMENTS:
        brought_along(requirement.name, seen)
    assert len(seen) > 40
    assert seen & THE_WORKSHOP == set()


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_what_colab_has_stays_in_place(requirement: Requirement):
    assert requirement.specifier.contains(IN_COLAB[requirement.name])


def test_the_files_that_the_package_reads_come_along_and_are_known_to_make():
    folder = ROOT / "mnist_helpers"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["mnist_helpers"]
    there = {path for path in folder.rglob("*.*") if path.suffix != ".pyc"}
    assert there == {path for pattern in ["*.py", *patterns] for path in folder.glob(pattern)}
    beside = {path.name for path in there if path.parent == folder}
    assert set(shared_facts()["helpers"]) == beside
