"""The reader's editions, as `make test` makes them: plain, like the pages, safe to save."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from conftest import wait_for
from playwright.sync_api import Browser, expect
from test_site import page as site_page

from pipeline.contents import ROOT, chapters, is_side_trip
from pipeline.notebooks import CHAPTERS, code_cells, read

BUILD = ROOT / "_build" / "test"
EDITIONS = BUILD / "editions"
MYST = re.compile(r"^:{3,}|^`{3,}\{|\{[\w:-]+\}`|^\([\w-]+\)=", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./html/([^)#]+)#?([^)]*)\)")

every_chapter = pytest.mark.parametrize("name", chapters())


def prose(name: str) -> str:
    cells = read(EDITIONS / f"{name}.ipynb").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@every_chapter
def test_no_construct_of_myst_is_left(name: str):
    text = re.sub(r"^```\w*\n.*?^```", "", prose(name), flags=re.DOTALL | re.MULTILINE)
    assert MYST.findall(text) == []


@every_chapter
def test_figures_and_exercises_have_the_numbers_of_the_pages(name: str):
    captions = [caption.get_text() for caption in site_page(name).find_all("figcaption")]
    figures = [re.match(r"\s*(Fig\. \d+(\.\d+)?)", text)[1] for text in captions]
    exercise_titles = site_page(name).select("div.exercise > .admonition-title")
    titles = [title.get_text() for title in exercise_titles]
    exercises = [re.match(r"\s*(Exercise \d+(\.\d+)?)", text)[1] for text in titles]
    if name == "intro":  # what the front page includes stands on the page alone
        figures = [
            figure
            for figure, text in zip(figures, captions, strict=True)
            if "diamonds" not in text
        ]
    assert re.findall(r"^\*\*(Fig\. [\d.]+)\.\*\*", prose(name), re.MULTILINE) == figures
    assert re.findall(r"^### (Exercise [\d.]+):", prose(name), re.MULTILINE) == exercises


@every_chapter
def test_no_cell_shows_what_its_last_line_returned_by_itself(name: str):
    """A path of this machine, for instance, or a second output beside a figure."""
    bare = [
        cell.source
        for cell in read(EDITIONS / f"{name}.ipynb").cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result" and set(output.data) == {"text/plain"}
    ]
    assert bare == []


@every_chapter
def test_every_link_leads_to_a_place_on_a_page(name: str):
    links = set(LINK.findall(prose(name)))
    assert len(links) > (2 if is_side_trip(name) else 5)
    for page, place in links:
        html = (BUILD / "html" / page).read_text(encoding="utf-8")
        if "=" in place:  # settings of the panel there
            known = (BUILD / "html" / "_static" / "train" / "settings.js").read_text("utf-8")
            assert 'class="train-panel"' in html
            assert all(f"{setting}:" in known for setting in parse_qs(place)), place
        else:
            assert not place or f'id="{place}"' in html, (page, place)


@every_chapter
def test_sentences_with_numbers_are_those_of_the_pages(name: str):
    page = squeezed(site_page(name).find("article").get_text())
    lines = [line for line in prose(name).split("\n") if re.search(r"\d\.\d", line)]
    # Without markup, and without the numbers that the edition adds to a pointer.
    bare = [line for line in lines if not re.search(r"[\[*$`|<>#]|\(Exercise ", line)]
    assert bare or is_side_trip(name)
    assert [line for line in bare if squeezed(line.removeprefix("- ")) not in page] == []


def squeezed(text: str) -> str:
    """Text without white space, and with the plain forms of quotation marks."""
    plain = str.maketrans("“”‘’", "\"\"''")
    return re.sub(r"\s+", "", text).translate(plain)


@every_chapter
def test_what_checked_cells_printed_is_what_git_keeps(name: str):
    """Those of the few-step run; nbval compares the editions' with these."""
    kept, ran = (
        [cell for cell in code_cells(read(path)) if cell.source.startswith("# NBVAL_CHECK_OUTPUT")]
        for path in (CHAPTERS / f"{name}.ipynb", BUILD / "executed" / f"{name}.ipynb")
    )
    assert [shown(cell) for cell in ran] == [shown(cell) for cell in kept]


def shown(cell) -> str:
    """What a cell printed and its last value, as text; it may have come in several pieces."""
    return "".join(output.get("text") or output.data["text/plain"] for output in cell.outputs)


# ---- in JupyterLab ----


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab at work in a folder with one edition: its address, and the notebook."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = folder / "05-simple-cnn.ipynb"
    shutil.copy(EDITIONS / notebook.name, notebook)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "--ServerApp.root_dir": folder,
        "--ServerApp.port": port,
        "--ServerApp.ip": "127.0.0.1",
        "--IdentityProvider.token": "",
        "--LabApp.news_url": "None",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"{name}={value}" for name, value in settings.items()]
    # Their own settings may ask for a password.
    none_of_theirs = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "none")}
    with subprocess.Popen(
        command, env=none_of_theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}/lab/tree/{notebook.name}?reset", notebook
        finally:
            server.kill()  # asked to end, it would first ask whether that is meant


def test_saving_changes_nothing_but_what_the_reader_changed(lab, browser: Browser):
    address, notebook = lab
    before = notebook.read_bytes()
    page = browser.new_page()
    assert wait_for(lambda: answers(page, address)), "JupyterLab did not start"
    first = page.locator(".jp-Notebook .jp-Cell").first
    first.wait_for(timeout=60_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    expect(first).to_contain_text("A simple convolutional network", timeout=60_000)
    written = notebook.stat().st_mtime_ns
    first.click()
    save(page)
    assert wait_for(lambda: is_saved(notebook, written))
    assert notebook.read_bytes() == before

    page.keyboard.press("Enter")  # the chosen cell is text: edit it
    first.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("Mine.")
    written = notebook.stat().st_mtime_ns
    save(page)
    assert wait_for(lambda: is_saved(notebook, written))
    page.close()
    was, now = json.loads(before), json.loads(notebook.read_text(encoding="utf-8"))
    assert "".join(now["cells"][0]["source"]) == "".join(was["cells"][0]["source"]) + "Mine."
    assert now | {"cells": now["cells"][1:]} == was | {"cells": was["cells"][1:]}


def save(page) -> None:
    """Save, and wait until JupyterLab knows that it has: until then it saves nothing more."""

    def is_the_answer(response) -> bool:
        return response.request.method == "PUT" and "/api/contents/" in response.url

    with page.expect_response(is_the_answer, timeout=60_000) as answer:
        page.keyboard.press("Control+s")
    answer.value.finished()


def is_saved(notebook: Path, before: int) -> bool:
    """Whether the whole file was written after a time, in nanoseconds."""
    written = notebook.stat().st_mtime_ns > before
    return written and notebook.read_bytes().endswith(b"}\n")


def answers(page, address: str) -> bool:
    try:
        return page.goto(address).ok
    except Exception:  # nobody listens there yet
        return False
