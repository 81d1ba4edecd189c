"""A step that is called from the command line prints whatever comes, on any code page."""

from __future__ import annotations

import ast
import subprocess
import sys
from ast import unparse
from pathlib import Path

import pytest
from conftest import python_environment

from pipeline.contents import ROOT

# They start another program or become one, talk to one, or run on every Python, before there is a
# package.
OTHERWISE = {
    "pipeline/alone.py",
    "pipeline/contents.py",
    "pipeline/fork_server.py",
    "pipeline/kernel.py",
    "bench/page.py",
    "bench/pytorch_side.py",
    "bench/tensorflow_side.py",
}


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [("ascii", r"sp\xe4ces\u2192"), ("gbk", r"sp\xe4ces→"), ("cp1252", r"späces\u2192")],
)
def test_what_a_code_page_lacks_is_printed_as_its_number(encoding, printed, tmp_path: Path):
    build = tmp_path / "späces→"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.report", str(build)],
        env=python_environment(PYTHONIOENCODING=encoding),
        capture_output=True,
        encoding=encoding,
    )
    assert done.returncode == 0, done.stderr
    assert f"{printed}/html/index.html" in done.stdout


def steps() -> dict[str, ast.If]:
    """What each module does when it is called, by its file."""
    found = {}
    for folder in ("pipeline", "experiments", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.If) and "'__main__'" in unparse(node.test):
                    found[path.relative_to(ROOT).as_posix()] = node
    return found


def test_every_step_does_so():
    without = {name for name, node in steps().items() if "with command_line(" not in unparse(node)}
    assert without == OTHERWISE
