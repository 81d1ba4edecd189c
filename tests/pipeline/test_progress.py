"""What a reader sees while chapters run: in a terminal, and when a process is killed."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.contents import ROOT, chapters
from pipeline.progress import SECONDS, SILENT, seconds_before, states, waiting

# Runs of four cells; the last waits until it may end, by a file, and may fail.
RUNS = """
import sys, time
from pathlib import Path
from pipeline.progress import Progress
name, build, fails = sys.argv[1], Path(sys.argv[2]), len(sys.argv) > 3
began = time.monotonic()
with Progress(name, build, ["01-data", "03-mlp", "07-comparison"], lambda: (3, 4)):
    while not (build / f"{name} may end").exists():
        time.sleep(0.05)
    if fails:
        sys.exit(f"Chapter {name} stopped: the dog ate it")
"""


def screens(master: int) -> Iterator[str]:
    """What a terminal shows after each piece of output: line ends, and what `draw` uses."""
    rows, row, column = [""], 0, 0
    while True:
        try:
            piece = os.read(master, 65536).decode()
        except OSError:  # nobody writes any more
            return
        for token in re.findall(r"\x1b\[\d*[AJ]|\r|\n|[^\x1b\r\n]+", piece):
            if token == "\r":
                column = 0
            elif token == "\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            elif token == "\x1b[J":
                rows[row:] = [rows[row][:column]]
            elif token.startswith("\x1b"):
                row -= int(token[2:-1])
            else:
                before, after = rows[row][:column], rows[row][column + len(token) :]
                rows[row] = before.ljust(column) + token + after
                column += len(token)
        yield "\n".join(rows)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build in which three runs are to come, of which the first took 50 seconds before."""
    for name in ("01-data", "03-mlp", "07-comparison"):
        (tmp_path / "fingerprints").mkdir(exist_ok=True)
        (tmp_path / "fingerprints" / f"{name}.json").touch()
    (tmp_path / "executed").mkdir()
    executed = tmp_path / "executed" / "01-data.ipynb"
    executed.write_text(json.dumps({"metadata": {"papermill": {"duration": 50.0}}}))
    os.utime(executed, (1, 1))  # older than its fingerprint
    return tmp_path


def test_a_terminal_has_a_line_for_each_chapter_one_for_the_whole_and_at_the_end_none(build: Path):
    """Two processes share it, as Make's do; the one that draws ends first, and the other fails."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", RUNS]
    shown = {"cwd": ROOT, "stdout": slave, "stderr": slave, "env": os.environ | {"TERM": "xterm"}}
    running = [subprocess.Popen([*command, "01-data", str(build)], **shown)]
    one, two = r"the whole +1 chapter runs, 2 wait", r"the whole +2 chapters run, 1 waits"
    left = r": about \d+ (s|min) left"
    steps = [  # what is to be seen, and then to be done
        (rf"01-data +█+·+ cell 3 of 4, about \d+ s left\n{one}{left}", "begin"),
        (rf"01-data .*\n03-mlp .*\n{two}{left}", "01-data"),
        (rf"\A01-data ran in \d+ s\n\n03-mlp .*\n{one}{left}", "03-mlp"),
    ]
    os.write(slave, b"make says\n")
    deadline = time.monotonic() + 60
    try:
        for screen in screens(master):
            assert time.monotonic() < deadline, screen
            screen = screen.removeprefix("make says\n")
            if steps and re.search(steps[0][0], screen):
                _, now = steps.pop(0)
                if now == "begin":
                    more = [*command, "03-mlp", str(build), "fails"]
                    running.append(subprocess.Popen(more, **shown))
                    os.close(slave)
                else:
                    (build / f"{now} may end").touch()
    finally:
        for name in ("01-data", "03-mlp"):
            (build / f"{name} may end").touch()
    assert not steps and [process.wait() for process in running] == [0, 1]
    assert re.fullmatch(
        r"01-data ran in \d+ s\n(Chapter 03-mlp stopped: the dog ate it\n)", screen
    )
    assert list((build / ".progress").iterdir()) == []


def test_a_process_that_was_killed_is_soon_no_longer_shown(tmp_path: Path):
    for name, age in (("01-data", 0.0), ("03-mlp", SILENT + 1)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"run": name, "began": 0.0, "done": 1, "cells": 2}))
        os.utime(path, (1e9 - age, 1e9 - age))
    assert [state.run for state in states(tmp_path, 1e9)] == ["01-data"]


def test_a_run_waits_until_its_output_is_as_new_as_its_fingerprint(build: Path):
    runs = ["01-data", "03-mlp", "07-comparison"]
    assert waiting(build, runs, {"03-mlp"}) == ["01-data", "07-comparison"]
    (build / "executed" / "01-data.ipynb").touch()
    assert waiting(build, runs, set()) == ["03-mlp", "07-comparison"]


def test_a_run_is_expected_to_take_as_long_as_before_or_as_this_machine_lets_expect(build: Path):
    expected = seconds_before(build, ["01-data", "03-mlp"])
    assert expected["01-data"] == 50.0
    assert expected["03-mlp"] == pytest.approx(50.0 / SECONDS["01-data"] * SECONDS["03-mlp"])


def test_every_chapter_has_its_usual_time():
    assert set(chapters()) == set(SECONDS)
