"""Render the executed chapters into a site, or stop and say which chapter is at fault.

usage: render_site.py BUILD

Assembles BUILD/book (the chapters as they are now, with the outputs of their
last run), renders it, and puts the site in BUILD/html when all went well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from mnist_helpers.files import write_whole
from pipeline.fashion_page import fashion_page_files
from pipeline.finish_pages import publish
from pipeline.front_page import front_page_files
from pipeline.notebooks import (
    CHAPTERS,
    ChapterError,
    faults,
    mentions,
    read,
    with_outputs,
    without_colours,
)
from pipeline.status_page import status_page

ROOT = CHAPTERS.parent
LAUNCH_BUTTONS = {
    "colab_url": "https://colab.research.google.com",
    "binderhub_url": "https://mybinder.org",
    "notebook_interface": "jupyterlab",
}
SAMPLE_BANNER = (
    "This copy of the book was made from a sample of 5,000 digits, because the full MNIST could "
    "not be had. None of its figures is MNIST's."
)


def pages() -> list[str]:
    """The pages of the book in the order of _toc.yml, without their endings."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = toc.get("parts", [toc])
    return [toc["root"], *(chapter["file"] for part in parts for chapter in part["chapters"])]


def assemble(build: Path) -> None:
    """Write the book's sources, each file only if it changed, so that rendering is quick."""
    book = build / "book"
    wanted = {ROOT / "_toc.yml": (ROOT / "_toc.yml").read_bytes()}
    from_sample = False
    ran = []
    for page in pages():
        if (ROOT / f"{page}.md").exists():
            wanted[ROOT / f"{page}.md"] = (ROOT / f"{page}.md").read_bytes()
            continue
        notebook = published(
            ROOT / f"{page}.ipynb", build / "executed" / f"{Path(page).name}.ipynb"
        )
        ran.append(Path(page).name)
        from_sample |= mentions(notebook, "SampleDataWarning")
        wanted[ROOT / f"{page}.ipynb"] = nbformat.writes(notebook).encode()
    # What pages include of the run.
    wanted[CHAPTERS / "what-ran.md"] = status_page(build, ran).encode()
    for name, content in (front_page_files(build / "records") | fashion_page_files()).items():
        wanted[CHAPTERS / name] = content
    for path in sorted((build / "draw").glob("*")):  # what pipeline.browser_models packed
        wanted[CHAPTERS / "_static" / "draw" / path.name] = path.read_bytes()
    for path in [CHAPTERS / "references.bib", *CHAPTERS.glob("_static/**/*")]:
        if path.is_file():
            wanted[path] = path.read_bytes()
    config = with_buttons(yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8")))
    if from_sample:
        config["sphinx"]["config"]["html_theme_options"]["announcement"] = SAMPLE_BANNER
    wanted[ROOT / "_config.yml"] = yaml.safe_dump(config, allow_unicode=True).encode()

    for path, content in wanted.items():
        target = book / path.relative_to(ROOT)
        if not target.exists() or target.read_bytes() != content:
            write_whole(target, lambda stream, content=content: stream.write(content))
    names = {book / path.relative_to(ROOT) for path in wanted}
    for path in book.rglob("*"):
        if path.is_file() and path not in names:
            path.unlink()


def with_buttons(config: dict) -> dict:
    """The configuration with the buttons that lead to the repository, if it names one."""
    repository = config["repository"]
    if repository["url"]:
        # Jupyter Book's own keys for these have no effect where html_theme_options is given.
        config["sphinx"]["config"]["html_theme_options"] |= {
            "repository_url": repository["url"],
            "repository_branch": repository["branch"],
            "use_edit_page_button": True,
            "launch_buttons": LAUNCH_BUTTONS,
        }
    return config


def published(chapter: Path, executed: Path) -> nbformat.NotebookNode:
    """A chapter with the outputs of its run, without faults."""
    if not executed.exists():
        raise ChapterError(f"{chapter.stem} has not run: {executed} is missing.")
    try:
        notebook = with_outputs(read(chapter), read(executed))
    except ChapterError as error:
        raise ChapterError(f"{chapter.stem}: {error}") from error
    found = faults(notebook)
    if found:
        executed.unlink()  # else Make would take it for done, and this would fail for ever
        raise ChapterError(f"{chapter.stem}: {'; '.join(found)}. The next make runs it again.")
    return notebook


def render(build: Path) -> None:
    """Render BUILD/book into BUILD/html. Any warning of the renderer is an error."""
    rendered, unfinished = build / "render", build / "render" / ".unfinished"
    if unfinished.exists():  # a run was killed, or failed: what it left is not to be trusted
        shutil.rmtree(rendered)
    rendered.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(build / "book")]
    command += ["-n", "-W", "--keep-going", "-q", "--path-output", str(rendered)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        # _config.yml names pipeline.quiz; Sphinx is to write and say all in UTF-8.
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
    replace_folder(rendered / "_build" / "html", build / "html")
    (build / "html" / "index.html").touch()


def replace_folder(new: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another one, its pages finished."""
    fresh, old = target.with_name(".partial-html"), target.with_name(".old-html")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(new, fresh, copy_function=publish)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    try:
        assemble(Path(sys.argv[1]))
        render(Path(sys.argv[1]))
    except ChapterError as error:
        sys.exit(f"\n{error}\n")
