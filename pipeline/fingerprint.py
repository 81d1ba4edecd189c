"""Write down what the outputs of each chapter depend on.

usage: python -m pipeline.fingerprint BUILD [PARAMETERS_FILE]

One file a run: the chapter's code, what its sentences quote, the helpers, the locked
requirements, the data, the parameters, and the kept results if the chapter shows any. A file is
written only if it changed, or if a record of the run is gone, so that Make runs
a chapter again when its outputs would change, and not when only prose, comments
or dates of files did. What other runs than the book's have left is removed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode

from mnist_helpers.files import write_whole
from pipeline.command_line import command_line
from pipeline.contents import ROOT, chapters, left_alone
from pipeline.leftovers import FORGOTTEN, forget_departed, forget_run
from pipeline.notebooks import CHAPTERS, ChapterError, normalised, normalised_code, read, state
from pipeline.quoted import expressions, to_evaluate
from pipeline.run_records import has_lost_records
from pipeline.values import ValuesError, read_parameters

HELPERS = (".py", ".toml", ".mplstyle", ".txt")  # code, and the tables that it reads
LONG = {"06-deeper-cnn-long": ("06-deeper-cnn", {"num_steps": 20_001})}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def whole(page: NotebookNode) -> NotebookNode:
    """All of a chapter's page."""
    return page


def kept_results(code: list[str]) -> dict[str, str]:
    """Digests of the results that the repository keeps and a chapter names."""
    names = "\n".join(code)
    return {
        path.name: digest(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "mnist_helpers").glob("kept/*/*.json"))
        if repr(path.stem.split("--")[0]) in names
    }


def fingerprints(build: Path, parameters: dict[str, dict]) -> dict[str, dict]:
    """What each run depends on, by the name of the run."""
    data = json.loads((build / "data.json").read_text(encoding="utf-8"))
    runs = {chapter: (chapter, parameters.get(chapter, {})) for chapter in chapters(ROOT)}
    runs |= {run: (chapter, set_to) for run, (chapter, set_to) in LONG.items() if chapter in runs}
    shared = shared_facts()
    return {
        run: {"quoted": quoted(chapter), **facts(chapter, set_to, data, shared)}
        for run, (chapter, set_to) in runs.items()
    }


def quoted(chapter: str) -> list[list[str]]:
    """The expressions that a chapter's sentences quote, by the cell that they wait for.

    Raises ChapterError if a cell cannot give one; it names the chapter.
    """
    try:
        return to_evaluate(read(CHAPTERS / f"{chapter}.ipynb"))
    except ChapterError as error:
        raise ChapterError(f"{chapter}: {error}") from error


def shared_facts() -> dict[str, object]:
    """What the outputs of every run depend on: the locked requirements and the helpers."""
    beside = (ROOT / "mnist_helpers").iterdir()
    helpers = sorted(path for path in beside if path.suffix in HELPERS)
    return _shared_facts(ROOT / "requirements.lock", *state(*helpers, ROOT / "requirements.lock"))


@functools.lru_cache(maxsize=4)  # a worker asks before each run
def _shared_facts(lock: Path, *files: tuple) -> dict[str, object]:
    return {
        "requirements": digest(lock.read_text(encoding="utf-8")),
        "helpers": {
            path.name: digest(normalised(path.read_text(encoding="utf-8")))
            for path, *_ in files
            if path != lock
        },
    }


def facts(
    chapter: str,
    parameters: dict[str, object],
    data: dict | None,
    shared: dict[str, object],
    part: Callable[[NotebookNode], NotebookNode] = whole,
) -> dict[str, object]:
    """What the outputs of one run depend on.

    ``shared`` is what `shared_facts` found, ``part`` makes of a chapter's page what is run of it.
    """
    path = CHAPTERS / f"{chapter}.ipynb"
    kept = sorted((ROOT / "mnist_helpers").glob("kept/*/*.json"))
    return {
        "chapter": chapter,
        "parameters": parameters,
        **_chapter_facts(path, part, state(path, *kept)),
        "data": data,
        **shared,
    }


@functools.lru_cache(maxsize=64)
def _chapter_facts(
    path: Path, part: Callable[[NotebookNode], NotebookNode], _: tuple
) -> dict[str, object]:
    page = part(read(path))
    code = normalised_code(page)
    kept = kept_results([*code, *expressions(page)])
    return {"code": [digest(cell) for cell in code], "kept": kept}


def main(build: Path, parameters_file: str = "") -> None:
    parameters = read_parameters(Path(parameters_file), chapters(ROOT)) if parameters_file else {}
    found = fingerprints(build, parameters)
    if names := left_alone():
        print(f"Not in _toc.yml, and so no part of the book: {', '.join(names)}")
    if not (build / FORGOTTEN).exists():
        (build / FORGOTTEN).touch()
    forget_departed(found, build)
    for run, depends_on in found.items():
        path, text = build / "fingerprints" / f"{run}.json", json.dumps(depends_on, indent=1)
        changed = not path.exists() or path.read_text(encoding="utf-8") != text
        if changed or has_lost_records(run, build / "records"):
            write_whole(path, text.encode())
            if run in LONG:  # it runs only when asked to; until then its old result must not stand
                forget_run(run, build)


if __name__ == "__main__":
    with command_line(ChapterError, ValuesError):
        main(Path(sys.argv[1]), *sys.argv[2:])
