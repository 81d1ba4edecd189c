"""Run one chapter with papermill, whole or not at all.

usage: python -m pipeline.run_chapter RUN BUILD [RUN ...]
       python -m pipeline.run_chapter --every BUILD

The runs at the end are all those of the build; they are for the display. With --every, for whoever
has no Make, all chapters run one after the other.
What to run, and with which parameters, stands in BUILD/fingerprints/RUN.json.
The executed notebook lands in BUILD/executed, the records in BUILD/records; a
chapter that fails lands in BUILD/failed instead, and the exit status is 1.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from mnist_helpers import threads
from mnist_helpers.parameters import ParameterError, check_parameters, unknown
from pipeline.command_line import command_line
from pipeline.contents import COMPARISON, chapters
from pipeline.fingerprint import whole
from pipeline.kernel import enter_book_environment
from pipeline.notebooks import (
    CHAPTERS,
    ChapterError,
    chapter_parameters,
    code_cells,
    faults,
    read,
    without_colours,
)
from pipeline.progress import Progress
from pipeline.quoted import VALUES, evaluated, to_evaluate
from pipeline.run_records import replace_records

CELL_TIMEOUT = 3600  # seconds: a cell that takes longer hangs
# Code and outputs travel over local sockets, which other users of a machine
# could read; without this the kernel warns of it on every start.
ENCRYPTED = Config(KernelManager={"transport_encryption": "auto"})


class Client(PapermillNotebookClient):
    """Papermill's client, which also evaluates what sentences quote, and waits at the end.

    Until the kernel has nothing to do: Jupyter begins its end with an interrupt. Papermill lets it
    do so right after a last answer, and a kernel that was not quite done with that says
    "KeyboardInterrupt caught in kernel".
    """

    def __init__(self, manager: NotebookExecutionManager, evaluate: bool, **settings):
        super().__init__(manager, **settings)
        cells = zip(code_cells(self.nb), to_evaluate(self.nb), strict=True) if evaluate else ()
        self.to_evaluate = {cell.id: expressions for cell, expressions in cells}

    def execute_cell(self, cell: NotebookNode, cell_index: int) -> NotebookNode:
        done = super().execute_cell(cell, cell_index)
        if expressions := self.to_evaluate.get(cell.get("id")):
            cell.metadata[VALUES] = evaluated(expressions, self.ask)
        return done

    @contextlib.contextmanager
    def setup_kernel(self, **settings) -> Iterator[None]:
        with super().setup_kernel(**settings):
            yield
            with contextlib.suppress(TimeoutError):
                self.ask({}, timeout=10)

    def ask(
        self, expressions: dict[str, str], timeout: float = CELL_TIMEOUT
    ) -> Mapping[str, Mapping]:
        """The kernel's answers to expressions, by their names."""
        execute = run_sync(self.kc.execute_interactive)
        reply = execute("", silent=True, user_expressions=expressions, timeout=timeout)
        return reply["content"]["user_expressions"]


class SavesAtTheEnd(Engine):
    """An engine for papermill, which saves the notebook before and after the run, not on the way.

    Also after a cell that failed, took too long or ended its kernel. Papermill's own
    saves it twice a cell, with all its outputs, and the kernel waits for it: five
    seconds and more for a chapter.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        watch: Callable[[NotebookNode], None],
        start_timeout: int,
        execution_timeout: int,
        config: Config,
        evaluate: bool = False,
        **_,
    ) -> None:
        watch(nb_man.nb)
        path, nb_man.output_path = nb_man.output_path, None
        try:
            Client(
                nb_man,
                evaluate,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                timeout=execution_timeout,
                config=config,
            ).execute()
        finally:
            nb_man.output_path = path  # what calls this saves last of all


papermill_engines.register("saves at the end", SavesAtTheEnd)


def threads_for_one_job() -> int:
    """This chapter's share of the cores, when Make runs several side by side.

    `make -j` without a number runs all that it can; so each has one core.
    """
    options, _, _ = os.environ.get("MAKEFLAGS", "").partition(" -- ")  # variables follow
    asked = re.search(r"(?:^|\s)-j\s*(\d*)", options)
    cores = threads.core_count()
    jobs = int(asked[1] or cores) if asked else 1
    return max(1, cores // jobs)


def check_settings(chapter: str, parameters: dict[str, object]) -> None:
    """Refuse a parameter that the chapter does not have, or a value that makes no sense.

    The chapter would do so itself, but later, and with advice for papermill's users.
    """
    known = chapter_parameters(chapter)
    for name in parameters:
        if name not in known:
            raise ChapterError(unknown(name, list(known)))
    try:
        check_parameters(**parameters)
    except ParameterError as error:
        raise ChapterError(str(error)) from error


def run(name: str, build: Path, runs: Sequence[str] = ()) -> None:
    """Run one chapter of a build; put its notebook and records in place when all went well."""
    facts = json.loads((build / "fingerprints" / f"{name}.json").read_text(encoding="utf-8"))
    chapter, parameters = facts["chapter"], facts["parameters"]
    executed = build / "executed" / f"{name}.ipynb"
    failed = build / "failed" / f"{name}.ipynb"
    failed.unlink(missing_ok=True)
    for folder in (executed.parent, build / "records"):
        folder.mkdir(parents=True, exist_ok=True)

    os.environ[threads.VARIABLE] = os.environ.get(threads.VARIABLE) or str(threads_for_one_job())

    with tempfile.TemporaryDirectory(prefix=".partial-", dir=build) as scratch:
        output, records = Path(scratch) / "run.ipynb", Path(scratch) / "records"
        record_dir = build / "records" if chapter == COMPARISON else records
        check_settings(chapter, parameters)
        seen: list[NotebookNode] = []  # the notebook, as soon as it runs
        try:
            with Progress(name, build, sorted({*runs, name}), lambda: cells_done(seen)):
                watch, cwd = seen.append, CHAPTERS
                execute(chapter, parameters, output, record_dir, watch, cwd, evaluate=True)
        except ChapterError as error:
            put_aside(output, failed)
            raise ChapterError(f"{error}\n  The notebook as far as it ran is {failed}") from None
        except BaseException:
            put_aside(output, failed)
            raise
        replace_records(name, records, build / "records")
        output.replace(executed)


def execute(
    chapter: str,
    parameters: dict[str, object],
    output: Path,
    record_dir: Path,
    watch: Callable[[NotebookNode], None] = lambda notebook: None,
    cwd: Path | None = None,
    part: Callable[[NotebookNode], NotebookNode] = whole,
    evaluate: bool = False,
) -> None:
    """Run a chapter into the notebook ``output``, which is kept as far as it got.

    This process gets the book's environment, which the kernel inherits, and with it
    OMP_NUM_THREADS. Give ``cwd`` only where no other thread of the process runs a chapter.
    ``part`` makes of the chapter's page what is run of it. ``watch`` is called with the notebook
    that papermill then fills. ``evaluate`` asks for what sentences quote, too.

    Raises ChapterError if a cell raised, ended its kernel or took too long, a sentence quotes what
        it cannot, or the outputs must not be published.
    """
    enter_book_environment(output.parent / "settings")
    if "record_dir" in chapter_parameters(chapter):
        parameters = parameters | {"record_dir": str(record_dir.resolve())}
    page = CHAPTERS / f"{chapter}.ipynb"
    if part is not whole:
        page = output.parent / f"{chapter}.ipynb"
        nbformat.write(part(read(CHAPTERS / page.name)), page)
    try:
        papermill.execute_notebook(
            page,
            output.resolve(),
            parameters=parameters,
            cwd=cwd,
            progress_bar=False,
            watch=watch,
            evaluate=evaluate,
            execution_timeout=CELL_TIMEOUT,
            start_timeout=300,
            config=ENCRYPTED,
            engine_name="saves at the end",
        )
    except PapermillExecutionError as error:
        said = without_colours(f"{error.ename}: {error.evalue}")
        raise ChapterError(f"cell {error.exec_count} raised {said}") from None
    except DeadKernelError:
        died = f"cell {cells_begun(output)} ended its kernel; was the memory used up?"
        raise ChapterError(died) from None
    except CellTimeoutError:
        late = f"cell {cells_begun(output)} took more than {CELL_TIMEOUT:,} seconds"
        raise ChapterError(late) from None
    found = faults(read(output))
    if found:
        raise ChapterError("; ".join(found))


def cells_done(seen: Sequence[NotebookNode]) -> tuple[int, int]:
    """How many cells of the notebook that runs are done, and of how many."""
    if not seen:
        return 0, 0
    statuses = [cell.metadata.get("papermill", {}).get("status") for cell in seen[-1].cells]
    return statuses.count(NotebookExecutionManager.COMPLETED), len(statuses)


def cells_begun(output: Path) -> int:
    """How many code cells began to run: the number of the last, as Jupyter counts."""
    code = [cell for cell in read(output).cells if cell.cell_type == "code"]
    return sum(cell.metadata.papermill["start_time"] is not None for cell in code)


def put_aside(output: Path, failed: Path) -> None:
    if output.exists():
        failed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(output, failed)


def main(first: str, build: Path, runs: Sequence[str]) -> None:
    names = [first]
    if first == "--every":  # the one that reads the records of all others comes last
        names = runs = sorted(chapters(), key=lambda name: name == COMPARISON)
    for name in names:
        try:
            run(name, build, runs)
        except (ChapterError, OSError) as error:  # such as a full disk
            sys.exit(f"\nChapter {name} stopped: {error}\n")
        except KeyboardInterrupt:
            sys.exit(130)  # Make says what was interrupted


if __name__ == "__main__":
    with command_line():
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
