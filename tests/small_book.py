"""A book of three small chapters, which tests make, change, break and make again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
PARTS = ("Makefile", "_config.yml", "mnist_helpers", "pipeline", "requirements.lock")
THIS_ENVIRONMENT = ("PYTHON=.venv/bin/python", "READY=ready")
# What a Make that runs these tests hands down, and what is not meant for the one under test.
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "BUILD", "PARAMETERS", "LONG")
# These chapters import next to nothing, so a server that imports TensorFlow would cost time.
NO_FORKS = {"MNIST_FORK_SERVER": ""}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

NAMES = ("01-data", "06-deeper-cnn", "07-comparison")
PARAMETERS = 'num_steps = 3  # steps\nrecord_dir = ""  # where the record goes'
CHECK = (
    "from mnist_helpers.parameters import check_parameters\n"
    "parameters = check_parameters(num_steps=num_steps, record_dir=record_dir)"
)
RECORD = (
    "from pathlib import Path\n"
    "if record_dir:\n"
    "    Path(record_dir).mkdir(exist_ok=True)\n"
    "    Path(record_dir, f'CHAPTER-{num_steps}-steps.json').write_text('{\"model\": \"small\"}')"
)


def write_chapter(
    book: Path, name: str, prose: str = "Prose.", code: str = "1 + 1", figure: str = ""
) -> None:
    """Write a chapter whose last cell has this code, and draws a figure of this name if any."""
    caption = {"figure": {"name": figure, "caption": "A line."}}
    notebook = new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.cells = [
        new_markdown_cell(f"# Chapter {name}\n\n{prose}\n\nIt says {{eval}}`seven`."),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(CHECK),
        new_code_cell("seven = 7.0"),
        new_code_cell(RECORD.replace("CHAPTER", name)),
        new_code_cell(code, metadata={"mystnb": caption} if figure else {}),
    ]
    nbformat.write(notebook, book / "chapters" / f"{name}.ipynb")


def write_book(folder: Path) -> Path:
    """A small book in a folder of its own, not made yet."""
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / part)
    shutil.copytree(ROOT / "chapters" / "_static", folder / "chapters" / "_static")
    shutil.copy(ROOT / "chapters" / "references.bib", folder / "chapters")
    (folder / "chapters" / "intro.md").write_text("# A small book\n", encoding="utf-8")
    for name in NAMES:
        write_chapter(folder, name)
    files = "".join(f"  - file: chapters/{name}\n" for name in NAMES)
    (folder / "_toc.yml").write_text(
        f"format: jb-book\nroot: chapters/intro\nchapters:\n{files}", encoding="utf-8"
    )
    (folder / "pyproject.toml").touch()
    (folder / ".venv").symlink_to(sys.prefix)  # by a path without spaces, whatever the clone's
    (folder / "ready").touch()  # newer than what the environment depends on: it is not made again
    return folder


def make(
    book: Path, *arguments: str, target: str = "book", **environment: str
) -> subprocess.CompletedProcess:
    """Run make with the environment of these tests in place of one of its own."""
    with start_make(book, *arguments, target=target, **environment) as process:
        said, _ = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def start_make(
    book: Path, *arguments: str, target: str = "book", **environment: str
) -> subprocess.Popen:
    """The same, without waiting for its end; it is the head of a process group."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    return subprocess.Popen(
        ["make", target, *THIS_ENVIRONMENT, *arguments],
        cwd=book,
        env=inherited | NO_FORKS | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        encoding="utf-8",
    )


def ran(done: subprocess.CompletedProcess) -> set[str]:
    """The runs whose beginning the log shows."""
    return set(re.findall(r"^(\d\d-[\w-]+) begins$", done.stdout, re.MULTILINE))


def html(book: Path, name: str) -> str:
    return (book / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
