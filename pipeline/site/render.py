"""Render the executed chapters into a site, or stop and say which chapter is at fault.

usage: python -m pipeline.site.render BUILD

Assembles BUILD/book (the chapters as they are now, with the outputs of their
last run), renders it, and puts the site in BUILD/html and the reader's editions in
BUILD/editions when all went well.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from mnist_helpers.files import write_whole
from pipeline.command_line import command_line
from pipeline.contents import ROOT, chapters, page_file, pages
from pipeline.notebooks import (
    CHAPTERS,
    CHECKED,
    ChapterError,
    code_cells,
    mentions,
    without_colours,
)
from pipeline.published import published
from pipeline.readers_edition import make_editions
from pipeline.repository import Repository, RepositoryError, read_repository
from pipeline.site.fashion_page import fashion_page_files
from pipeline.site.finish import finished, publish
from pipeline.site.front_page import front_page_files
from pipeline.site.route import route_files, with_reading_time
from pipeline.site.status_page import status_page

# Where the workflow puts the reader's editions, for Colab and Binder to open.
EDITIONS_BRANCH = "notebooks"
# Pages that had an address of their own once, and where their text is now.
MOVED = {"experiments": "02-how-sure"}
MOVED_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8" /><title>This page has moved</title>
<meta http-equiv="refresh" content="0; url={successor}.html" /></head>
<body><p>This page has moved: <a href="{successor}.html">go on</a>.</p></body></html>
"""
SAMPLE_BANNER = (
    "This copy of the book was made from a sample of 5,000 digits, because the full MNIST could "
    "not be had. None of its figures is MNIST's."
)


def assemble(build: Path) -> None:
    """Write the book's sources, each file only if it changed, so that rendering is quick."""
    book = build / "book"
    wanted = {ROOT / "_toc.yml": (ROOT / "_toc.yml").read_bytes()}
    from_sample = False
    ran = []
    for file in map(page_file, pages()):
        if file.suffix == ".md":
            wanted[file] = with_reading_time(file.read_text(encoding="utf-8"), file).encode()
            continue
        notebook = published(file, build / "executed" / file.name)
        ran.append(file.stem)
        from_sample |= mentions(notebook, "SampleDataWarning")
        for cell in code_cells(notebook):  # a mark for the tests, which tells a reader nothing
            cell.source = cell.source.removeprefix(f"{CHECKED}\n")
        notebook.cells[0].source = with_reading_time(notebook.cells[0].source, file)
        wanted[file] = nbformat.writes(notebook).encode()
    # What pages include of the run.
    wanted[CHAPTERS / "what-ran.md"] = status_page(build, ran).encode()
    shown = front_page_files(build / "records") | fashion_page_files() | route_files()
    for name, content in shown.items():
        wanted[CHAPTERS / name] = content
    for page in ("draw", "train"):  # what pipeline.draw packed
        for path in sorted((build / page).glob("*")):
            wanted[CHAPTERS / "_static" / page / path.name] = path.read_bytes()
    for path in [CHAPTERS / "references.bib", *CHAPTERS.glob("_static/**/*")]:
        if path.is_file():
            wanted[path] = path.read_bytes()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config = with_buttons(config, read_repository(ROOT / "_config.yml"))
    if from_sample:
        config["sphinx"]["config"]["html_theme_options"]["announcement"] = SAMPLE_BANNER
    wanted[ROOT / "_config.yml"] = yaml.safe_dump(config, allow_unicode=True).encode()

    for path, content in wanted.items():
        target = book / path.relative_to(ROOT)
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, content)
    names = {book / path.relative_to(ROOT) for path in wanted}
    for path in book.rglob("*"):
        if path.is_file() and path not in names:
            path.unlink()


def with_buttons(config: dict, repository: Repository | None) -> dict:
    """The configuration with the buttons that lead to the repository, if there is one."""
    del config["repository"]  # Jupyter Book reads it, too, and understands less
    if not repository:
        return config
    options = config["sphinx"]["config"]["html_theme_options"]
    context = config["sphinx"]["config"]["html_context"]
    if template := repository.edit_url("{{ file_name }}"):
        options["use_edit_page_button"] = True
        context["edit_page_url_template"] = template
    launch = {}
    if repository.opens_in_colab:
        launch["colab_url"] = "https://colab.research.google.com"
    if repository.opens_in_binder:
        launch |= {"binderhub_url": "https://mybinder.org", "notebook_interface": "jupyterlab"}
    if launch:
        options["repository_url"] = repository.url
        options["repository_branch"] = EDITIONS_BRANCH
        options["launch_buttons"] = launch
    return config


def render(build: Path) -> None:
    """Render BUILD/book into BUILD/html. Any warning of the renderer is an error."""
    rendered, unfinished = build / "render", build / "render" / ".unfinished"
    noted, shared = rendered / ".shared", digest_of_what_all_pages_share(build / "book")
    # The renderer makes only pages again whose sources changed. Where a run was killed, or failed,
    # or where what all pages share is another, what is there is not to be trusted.
    if unfinished.exists() or not noted.exists() or noted.read_text(encoding="utf-8") != shared:
        shutil.rmtree(rendered, ignore_errors=True)
    rendered.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    noted.write_text(shared, encoding="utf-8")
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(build / "book")]
    command += ["-n", "-W", "--keep-going", "-q", "--path-output", str(rendered)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        # _config.yml names pipeline.site.quiz; Sphinx is to write and say all in UTF-8.
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    said = without_colours(done.stdout)
    warnings = [line for line in said.splitlines() if re.search(r"WARNING|ERROR", line)]
    if done.returncode != 0 or warnings:
        pages = sorted(set(re.findall(r"chapters/([\w-]+)\.(?:ipynb|md)", "\n".join(warnings))))
        raise ChapterError(
            f"The site was not made. At fault: {', '.join(pages) or 'see below'}.\n"
            + ("\n".join(warnings) or said[-3000:])
        )
    unfinished.unlink()
    make_editions(build)  # after Sphinx, which names all faults at once
    replace_folder(rendered / "_build" / "html", build / "html", build / "editions")
    (build / "html" / "index.html").touch()


def digest_of_what_all_pages_share(book: Path) -> str:
    """A digest of the code that makes pages, and of the contents with titles in the side bar."""
    digest = hashlib.sha256((ROOT / "_toc.yml").read_bytes())
    for path in [ROOT / "requirements.lock", *sorted((ROOT / "pipeline").rglob("*.py"))]:
        digest.update(path.read_bytes())
    for file in map(page_file, pages()):
        text = (book / file.relative_to(ROOT)).read_text(encoding="utf-8")
        title = re.search(r'^[ "]*# .*', text, re.MULTILINE)  # in Markdown, and within JSON
        digest.update((title[0] if title else "").encode())
    return digest.hexdigest()


def replace_folder(new: Path, target: Path, editions: Path) -> None:
    """Put a copy of a folder in the place of another one, its pages finished.

    What the pages offer to download are the reader's editions of the chapters.
    """
    fresh, old = target.with_name(".partial-html"), target.with_name(".old-html")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(new, fresh, copy_function=publish)
    for chapter in chapters():
        shutil.copy(editions / f"{chapter}.ipynb", fresh / "_sources" / "chapters")
    for page, successor in MOVED.items():
        if not (fresh / "chapters" / f"{successor}.html").exists():
            continue
        leads_on = MOVED_PAGE.format(successor=successor)
        (fresh / "chapters" / f"{page}.html").write_text(finished(leads_on), encoding="utf-8")
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    with command_line(ChapterError, RepositoryError):
        assemble(Path(sys.argv[1]))
        render(Path(sys.argv[1]))
