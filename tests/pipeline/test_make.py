"""The Makefile's promises, on a book of three small chapters in a folder of its own."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_book import NAMES, NO_FORKS, html, make, ran, write_book, write_chapter

from pipeline import run_chapter
from pipeline.contents import ROOT, chapters
from pipeline.fingerprint import LONG
from pipeline.notebooks import (
    ChapterError,
    code_cells,
    faults,
    normalised,
)
from pipeline.published import published, with_outputs
from pipeline.repository import parse_repository
from pipeline.run_chapter import ENCRYPTED, Client, SavesAtTheEnd
from pipeline.run_records import forget_records, has_lost_records, listed_runs, replace_records
from pipeline.tidy_notebooks import main as tidy_notebooks
from pipeline.tidy_notebooks import tidy

A_REPOSITORY = parse_repository("https://github.com/owner/book", "main")


# ---- one book, changed and made again: each test goes on where the one before it ended ----

# Kernels talk over encrypted sockets, and so do not warn.
ASKS_FOR_A_KEY = (
    "from ipykernel.kernelapp import IPKernelApp\n"
    "print('has a key:', IPKernelApp.instance().curve_secretkey is not None)"
)


def records_of_06(book: Path) -> set[str]:
    return {path.name for path in (book / "_build" / "records").glob("06-*.json")}


def test_nothing_changed_nothing_runs_and_the_end_says_where_the_site_is(book: Path):
    began = time.monotonic()
    done = make(book)
    assert done.returncode == 0 and not ran(done) and "Rendering" not in done.stdout
    assert time.monotonic() - began < 15
    assert str(book / "_build" / "html" / "index.html") in done.stdout
    for name in NAMES:
        assert re.search(rf"{name} +\d+\.\d s", done.stdout)


def test_only_prose_and_a_comment_changed_the_pages_are_rendered_and_nothing_runs(book: Path):
    prose = "Prose that is new: {eval}`seven:.2f`."
    write_chapter(book, "01-data", prose=prose, code="1 + 1  # two")
    question = ":::{quiz}\n6 × 7?\n\n- [x] 42\n\n  Yes.\n- [ ] 13\n\n  No.\n:::"
    write_chapter(book, "06-deeper-cnn", prose=question)
    done = make(book)
    assert done.returncode == 0 and not ran(done)
    page = html(book, "01-data")
    assert "Prose that is new: 7.00." in page and "It says 7.0." in page and "two" in page
    assert '<p class="quiz-verdict">Right.</p>' in html(book, "06-deeper-cnn")


def test_new_dates_and_other_code_that_makes_pages_the_pages_are_made_anew_and_nothing_runs(
    book: Path,
):
    for path in book.glob("mnist_helpers/*.py"):
        path.touch()
    quiz = book / "pipeline" / "site" / "quiz.py"
    source = quiz.read_text(encoding="utf-8")
    quiz.write_text(source.replace('"Right."', '"Well done."'), encoding="utf-8")
    done = make(book)
    quiz.write_text(source, encoding="utf-8")
    assert done.returncode == 0 and not ran(done), done.stdout
    assert '<p class="quiz-verdict">Well done.</p>' in html(book, "06-deeper-cnn")


def test_helpers_changed_every_chapter_runs(book: Path):
    with (book / "mnist_helpers" / "idx.py").open("a", encoding="utf-8") as source:
        source.write("\nANOTHER = 1\n")
    done = make(book, "--jobs=2")
    assert done.returncode == 0
    assert ran(done) == set(NAMES)


def test_a_kept_result_changed_the_chapters_that_name_it_depend_on_it(book: Path):
    code = (book / "chapters" / "06-deeper-cnn.ipynb").read_text(encoding="utf-8")
    write_chapter(book, "06-deeper-cnn", code="name = 'another'")
    kept = book / "mnist_helpers" / "kept" / "runs" / "another--6-steps--seed-0.json"
    before, after = {}, {}
    for found in (before, after):
        # In a folder of its own: a newer fingerprint makes its chapter run in the tests below.
        make(book, "BUILD=_build/other", target="fingerprints")
        for path in (book / "_build" / "other" / "fingerprints").glob("*.json"):
            found[path.stem] = path.read_text(encoding="utf-8")
        kept.write_text("{}", encoding="utf-8")
    kept.unlink()
    (book / "chapters" / "06-deeper-cnn.ipynb").write_text(code, encoding="utf-8")
    assert {name for name in before if before[name] != after[name]} == {"06-deeper-cnn", *LONG}


def test_the_site_depends_on_all_that_makes_it(book: Path):
    said = make(book, "--print-data-base", "--dry-run", target="whole-site").stdout
    site = re.search(r"^_build/html/index\.html:(.*)", said, re.MULTILINE)[1].split()
    makers = [
        path.relative_to(book).as_posix()
        for folder in ("pipeline", "pipeline/site", "pipeline/draw", "mnist_helpers")
        for path in [*book.glob(f"{folder}/*.py"), *book.glob(f"{folder}/kept/*/*.json")]
    ]
    assert len(makers) > 40 and set(makers) <= set(site)
    assert {"requirements.lock", "_config.yml", "_toc.yml", "chapters/intro.md"} <= set(site)
    # A folder is newer when a file in it is gone.
    assert {"pipeline", "pipeline/site", "mnist_helpers/kept/sweeps"} <= set(site)


def test_a_chapter_that_cannot_be_read_stops_the_build_in_one_sentence(book: Path):
    chapter = book / "chapters" / "01-data.ipynb"
    content = chapter.read_bytes()
    chapter.write_bytes(b"")
    done = make(book)
    chapter.write_bytes(content)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert re.search(r"The notebook .*/01-data.ipynb cannot be read: it is empty\.", done.stdout)


def test_a_parameter_that_the_chapter_does_not_have_stops_the_build(book: Path):
    (book / "parameters.yml").write_text("06-deeper-cnn: {nmu_steps: 2}\n", encoding="utf-8")
    done = make(book, "PARAMETERS=parameters.yml", "BUILD=_build/misspelt")
    assert done.returncode != 0 and "did you mean num_steps?" in done.stdout


def test_long_runs_the_20_001_steps_too_and_what_the_copy_of_a_chapter_left_goes_away(book: Path):
    """The copy is no part of the book, but a build may have taken it for a chapter."""
    build, record = book / "_build", book / "_build" / "records" / "06-deeper-cnn-3-steps.json"
    chapters, copy = book / "chapters", "06-deeper-cnn-Copy1"
    shutil.copy(chapters / "06-deeper-cnn.ipynb", chapters / f"{copy}.ipynb")
    (chapters / "Untitled.ipynb").touch()  # empty, as editors make them
    record.write_text('{"of": "the copy"}', encoding="utf-8")
    (build / "records" / f".{copy}.txt").write_text(record.name, encoding="utf-8")
    (build / "failed").mkdir(exist_ok=True)
    left = [
        build / "fingerprints" / f"{copy}.json",
        build / "executed" / f"{copy}.ipynb",
        build / "failed" / f"{copy}.ipynb",
    ]
    for path in left:
        path.touch()
    done = make(book, "LONG=1")
    assert done.returncode == 0, done.stdout
    assert ran(done) == {"06-deeper-cnn", *LONG, "07-comparison"}
    assert records_of_06(book) == {"06-deeper-cnn-3-steps.json", "06-deeper-cnn-20001-steps.json"}
    assert record.read_text(encoding="utf-8") == '{"model": "small"}'
    assert not [path for path in left if path.exists()] and copy not in html(book, "06-deeper-cnn")
    (said,) = [line for line in done.stdout.splitlines() if "Untitled" in line]
    assert said == f"Not in _toc.yml, and so no part of the book: {copy}.ipynb, Untitled.ipynb"
    for path in (chapters / f"{copy}.ipynb", chapters / "Untitled.ipynb"):
        path.unlink()


def test_code_changed_that_chapter_runs_and_the_one_that_reads_its_records(book: Path):
    write_chapter(book, "06-deeper-cnn", code=ASKS_FOR_A_KEY)
    done = make(book)
    assert ran(done) == {"06-deeper-cnn", "07-comparison"}
    ended = re.findall(r"^(\S+) ran in \d+ s$", done.stdout, re.M)
    assert ended == ["06-deeper-cnn", "07-comparison"]
    assert "\x1b" not in done.stdout and "█" not in done.stdout  # it is a log
    assert "has a key: True" in html(book, "06-deeper-cnn")
    assert "without encryption" not in done.stdout
    # The long run was of the old network: its record must not stand.
    assert records_of_06(book) == {"06-deeper-cnn-3-steps.json"}


def test_a_number_that_cannot_be_had_stops_the_build_and_is_named(book: Path):
    before = html(book, "01-data")
    write_chapter(book, "01-data", prose="{eval}`lost:.1f`")
    done = make(book)  # before anything runs
    assert done.returncode != 0 and not ran(done)
    assert "01-data: the sentence's `lost`: no cell gives 'lost' a value" in done.stdout
    write_chapter(book, "01-data", prose="{eval}`seven / 0`")
    done = make(book)
    assert done.returncode != 0
    assert "Chapter 01-data stopped: the sentence's `seven / 0` raised ZeroDiv" in done.stdout
    assert html(book, "01-data") == before
    write_chapter(book, "01-data")
    assert make(book).returncode == 0


def test_broken_references_stop_the_build_and_name_the_chapter(book: Path):
    before = html(book, "06-deeper-cnn")
    faulty = {
        "{numref}`fig-nowhere`": "fig-nowhere",
        "{doc}`no-such-page`": "no-such-page",
        "[a link](no-such-file.md)": "no-such-file.md",
        "{cite:t}`nobody1900`": "nobody1900",
    }
    write_chapter(book, "06-deeper-cnn", prose=" and ".join(faulty), code=ASKS_FOR_A_KEY)
    done = make(book)
    assert done.returncode != 0
    assert "The site was not made. At fault: 06-deeper-cnn" in done.stdout
    for named in faulty.values():
        assert re.search(f"WARNING.*{named}", done.stdout), named
    assert html(book, "06-deeper-cnn") == before
    assert make(book).returncode != 0, "the second time it must not pass either"
    write_chapter(book, "06-deeper-cnn", code=ASKS_FOR_A_KEY)


def test_a_chapter_that_leaves_the_book_takes_its_records_with_it(book: Path):
    toc, record = book / "_toc.yml", book / "_build" / "records" / "06-deeper-cnn-3-steps.json"
    contents = toc.read_text(encoding="utf-8")
    assert record.exists()
    toc.write_text(
        contents.replace("- file: chapters/06", "# - file: chapters/06"), encoding="utf-8"
    )
    done = make(book)
    assert done.returncode == 0, done.stdout
    assert ran(done) == {"07-comparison"} and "Packing the networks" in done.stdout
    assert not record.exists() and "06-deeper-cnn" not in html(book, "01-data")
    toc.write_text(contents, encoding="utf-8")


def test_a_chapter_that_came_back_runs_and_a_cell_that_raises_stops_the_build(book: Path):
    before = html(book, "01-data")
    write_chapter(book, "01-data", code="raise RuntimeError('the dog ate it')")
    done = make(book)
    assert done.returncode != 0 and ran(done) == {"06-deeper-cnn", "01-data"}
    assert "Chapter 01-data stopped" in done.stdout and "the dog ate it" in done.stdout
    assert html(book, "01-data") == before
    assert (book / "_build" / "failed" / "01-data.ipynb").exists()


def test_where_the_data_became_the_sample_every_chapter_runs_and_every_page_has_a_banner(
    book: Path, tmp_path: Path
):
    assert "made from a sample" not in html(book, "07-comparison")
    code = "from mnist_helpers.data import load_data\nprint(load_data())"
    write_chapter(book, "01-data", code=code)
    path_without_npm = tmp_path / "bin"
    path_without_npm.mkdir()
    for program in ("make", "rm", "sh", "touch"):
        (path_without_npm / program).symlink_to(shutil.which(program))
    done = make(
        book,
        MNIST_CACHE_DIR=str(tmp_path / "cache"),
        MNIST_MIRRORS="http://127.0.0.1:9/",
        PATH=str(path_without_npm),
    )
    assert done.returncode == 0, done.stdout
    assert "WARNING: the book is made from 5,000 digits" in done.stdout
    assert ran(done) == set(NAMES)
    assert not (book / "_build" / "failed" / "01-data.ipynb").exists()
    for name in ("intro", "01-data", "07-comparison"):
        assert "made from a sample of 5,000 digits" in html(book, name)


# ---- the steps, without Make ----


def executed(*cells) -> nbformat.NotebookNode:
    return new_notebook(cells=list(cells))


FIGURE = {"mystnb": {"figure": {"name": "fig-e"}}}


def test_faults_names_what_must_not_be_published():
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    widget = nbformat.v4.new_output(
        "display_data", data={"application/vnd.jupyter.widget-view+json": {}}
    )
    text = nbformat.v4.new_output("display_data", data={"text/plain": "<Figure>"})
    image = nbformat.v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})
    notebook = executed(
        new_code_cell("a", execution_count=1),
        new_code_cell("b", execution_count=2, outputs=[error]),
        new_code_cell("c", execution_count=3, outputs=[widget]),
        new_code_cell("d"),
        new_code_cell("e", execution_count=4, outputs=[text], metadata=FIGURE),
        new_code_cell("f", execution_count=5, outputs=[text, image], metadata=FIGURE),
    )
    assert faults(notebook) == [
        "code cell 2 raised ValueError: no",
        "code cell 3 left a progress bar behind",
        "code cell 4 did not run",
        "code cell 5 drew no figure fig-e",
    ]


def test_a_run_that_must_not_be_published_is_run_again_by_the_next_make(tmp_path: Path):
    """An older version of the book let it pass; Make holds what is there for done."""
    notebook = executed(new_code_cell("e", execution_count=1, metadata=FIGURE))
    for name in ("chapter", "ran"):
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    with pytest.raises(ChapterError, match=r"chapter: .*drew no figure fig-e.*runs it again"):
        published(tmp_path / "chapter.ipynb", tmp_path / "ran.ipynb")
    assert not (tmp_path / "ran.ipynb").exists()


def test_a_notebook_is_saved_before_and_after_its_run_even_if_its_kernel_dies(monkeypatch):
    saved = []
    monkeypatch.setattr("papermill.engines.write_ipynb", lambda nb, path: saved.append(path))

    def dies(client):
        for cell in client.nb.cells:
            client.nb_man.cell_start(cell)
            client.nb_man.cell_complete(cell)
        raise DeadKernelError

    monkeypatch.setattr(Client, "execute", dies)
    notebook = executed(new_code_cell("a"), new_code_cell("b"))
    notebook.metadata["papermill"] = nbformat.NotebookNode()
    with pytest.raises(DeadKernelError):
        SavesAtTheEnd.execute_notebook(
            notebook,
            "python3",
            output_path="x",
            progress_bar=False,
            watch=saved.append,
            start_timeout=60,
            execution_timeout=60,
            config=ENCRYPTED,
        )
    assert saved.pop(1) is notebook
    assert saved == ["x", "x"]


def test_outputs_of_other_code_are_refused():
    with pytest.raises(ChapterError, match="run it again"):
        with_outputs(executed(new_code_cell("a = 1")), executed(new_code_cell("a = 2")))


def test_outputs_pass_over_the_cell_that_papermill_adds():
    injected = new_code_cell("a = 2", metadata={"tags": ["injected-parameters"]})
    output = nbformat.v4.new_output("stream", text="seen")
    ran_cell = new_code_cell("print(a)", execution_count=3, outputs=[output])
    merged = with_outputs(
        executed(
            new_markdown_cell("new prose"), new_code_cell("a = 1"), new_code_cell("print( a )")
        ),
        executed(new_code_cell("a = 1", execution_count=1), injected, ran_cell),
    )
    assert merged.cells[2].source == "print( a )" and merged.cells[2].outputs == [output]


def test_normalised_code_ignores_comments_and_layout_alone():
    assert normalised("a=1 # one") == normalised("a = 1")
    assert normalised("a = 1") != normalised("a = 2")
    assert normalised("%matplotlib inline") == "%matplotlib inline"


def test_tidy_keeps_checked_outputs_and_drops_the_rest():
    output = nbformat.v4.new_output("stream", text="seen")
    notebook = executed(
        new_code_cell("# NBVAL_CHECK_OUTPUT\n1", execution_count=7, outputs=[output]),
        new_code_cell("2", execution_count=8, outputs=[output], metadata={"scrolled": True}),
    )
    checked, plain = tidy(notebook, None).cells
    assert checked.outputs and checked.execution_count == 1
    assert not plain.outputs and plain.execution_count is None and not plain.metadata


def test_chapter_of_a_published_book_installs_the_package_in_colab_and_only_there(monkeypatch):
    notebook = executed(new_markdown_cell("# Title"), new_code_cell("1"))
    tidied = tidy(notebook, A_REPOSITORY)
    title, cell, _ = tidied.cells
    assert title.cell_type == "markdown" and cell.metadata.tags == ["remove-cell"]
    assert tidy(tidied, A_REPOSITORY) == tidied
    assert len(tidy(tidied, None).cells) == 2
    assert code_cells(tidied) == code_cells(tidy(notebook, None))

    asked = []
    shell = SimpleNamespace(run_line_magic=lambda *magic: asked.append(magic))
    code = TransformerManager().transform_cell(cell.source)
    exec(code, {"get_ipython": lambda: shell})
    assert asked == []
    monkeypatch.setitem(sys.modules, "google.colab", None)
    exec(code, {"get_ipython": lambda: shell})
    assert asked == [("pip", 'install --quiet "git+https://github.com/owner/book@main"')]


def test_records_of_a_run_replace_those_it_left_before(tmp_path: Path):
    folder, first, second = (tmp_path / name for name in ("records", "first", "second"))
    for path in (folder, first, second):
        path.mkdir()
    (folder / "other.json").touch()
    (first / "a.json").touch()
    (first / "b.json").touch()
    (second / "b.json").write_text("new", encoding="utf-8")
    replace_records("run", first, folder)
    replace_records("run", second, folder)
    assert {path.name for path in folder.glob("*.json")} == {"b.json", "other.json"}
    assert (folder / "b.json").read_text(encoding="utf-8") == "new"
    forget_records("run", folder)
    assert {path.name for path in folder.glob("*")} == {"other.json"}


def test_no_run_may_overwrite_the_record_of_another(tmp_path: Path):
    folder, first, second = (tmp_path / name for name in ("records", "first", "second"))
    for path in (folder, first, second):
        path.mkdir()
    (first / "a.json").touch()
    (second / "a.json").write_text("second", encoding="utf-8")
    replace_records("03-mlp", first, folder)
    with pytest.raises(ChapterError, match=r"03-mlp-again left .* and so did 03-mlp:"):
        replace_records("03-mlp-again", second, folder)
    forget_records("03-mlp-again", folder)  # nothing is its own
    assert (folder / "a.json").read_text(encoding="utf-8") == ""
    forget_records("03-mlp", folder)
    replace_records("03-mlp-again", second, folder)
    assert (folder / "a.json").read_text(encoding="utf-8") == "second"


def fill_the_disk(monkeypatch) -> None:
    """From now on no file can be written to its end."""

    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


def test_a_full_disk_leaves_the_list_of_records_as_it_was(tmp_path: Path, monkeypatch):
    folder, first, second = (tmp_path / name for name in ("records", "first", "second"))
    for path in (folder, first, second):
        path.mkdir()
    (first / "a.json").touch()
    (second / "b.json").touch()
    replace_records("run", first, folder)
    fill_the_disk(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        replace_records("run", second, folder)
    assert listed_runs(folder) == {"run"} and not has_lost_records("run", folder)
    forget_records("run", folder)
    assert not list(folder.glob("*"))


def test_a_full_disk_leaves_a_notebook_that_was_to_be_tidied_as_it_was(
    tmp_path: Path, monkeypatch
):
    page = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(metadata={"machine": "mine"}), page)
    before = page.read_bytes()
    fill_the_disk(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        tidy_notebooks([str(page)])
    assert page.read_bytes() == before and list(tmp_path.iterdir()) == [page]


def test_without_make_all_chapters_run_and_the_one_that_reads_their_records_last(monkeypatch):
    ran = []
    monkeypatch.setattr(run_chapter, "run", lambda name, build, runs: ran.append((name, runs)))
    run_chapter.main("--every", Path("_build"), [])
    names = [name for name, _ in ran]
    assert sorted(names) == sorted(chapters()) and names[-1] == "07-comparison"
    assert all(runs == names for _, runs in ran)
    assert "run_chapter --every _build" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_without_make_the_readme_s_commands_make_the_site(book: Path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    \.venv\\Scripts\\python -m (pipeline\..*_build.*)$", readme, re.M)
    shutil.rmtree(book / "_build")
    for command in itertools.takewhile(lambda each: "prepare" not in each, commands):
        done = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=book, env=os.environ | NO_FORKS, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert "Chapter 07-comparison" in html(book, "07-comparison")
    assert str(book / "_build" / "html" / "index.html") in done.stdout


@pytest.mark.parametrize("name", ["a book", "a $HOME of books"])
def test_the_environment_is_made_where_no_other_make_uses_it(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    book = write_book(tmp_path / name)

    def said(**environment: str) -> str:
        return subprocess.run(
            ["make", "-n", "none/.ready", "VENV=none", f"PYTHON={sys.executable}"],
            cwd=book, env=os.environ | environment, capture_output=True,
            text=True, encoding="utf-8", timeout=60, check=True,
        ).stdout  # fmt: skip

    assert said().index("pipeline/alone.py") < said().index("-m venv --clear")
    held = said(MNIST_MAKE_LOCK=str(book))
    assert "alone.py" not in held and "-m venv --clear" in held
