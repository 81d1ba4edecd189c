"""What the Makefile promises: its list of targets, and one command for all that is kept."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_helpers.kept import KEPT_EXPERIMENTS, KEPT_RUNS, KEPT_SWEEPS, kept_experiment
from pipeline.contents import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# Whoever runs these tests by make holds the lock of this folder; they must not wait for it.
HOLDS_THE_LOCK = os.environ | {"MNIST_MAKE_LOCK": str(ROOT)}


def make(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=HOLDS_THE_LOCK | environment,
        timeout=60,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("arguments", [[], ["help"]], ids=["make", "make help"])
def test_make_lists_each_target_that_people_ask_for(arguments: list[str]):
    listed = re.findall(r"^make (?:-j2 )?([\w-]+)", make(*arguments), re.MULTILINE)
    for_people = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(listed) == set(for_people)


def test_readme_and_guides_name_no_target_that_is_not_there():
    there = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^([\w -]+):", MAKEFILE, re.M))))
    for page in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "chapters/intro.ipynb"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = re.findall(r"(?:`|^    )make (?:-j\d |PYTHON=\S+ )?([a-z][a-z-]*)", text, re.M)
        assert set(named) <= there, page


def test_make_kept_makes_all_that_is_kept_by_the_commands_that_it_names(tmp_path: Path):
    said = make("-n", "kept", "MAKE=true", f"BUILD={tmp_path}")
    for path in KEPT_RUNS.iterdir():
        assert json.loads(path.read_text(encoding="utf-8"))["command"] in said, path.name
    for path in KEPT_SWEEPS.iterdir():
        assert f"pipeline.sweep experiments/sweeps/{path.stem}.yml " in said
        assert f"experiments.keep sweep experiments/sweeps/{path.stem}.yml " in said
    for path in KEPT_EXPERIMENTS.iterdir():
        command = re.escape(kept_experiment(path.stem)["command"])
        assert re.search(rf"{command}( --records .*)?\n", said), path.name


def test_the_records_that_make_kept_reads_are_of_chapters_on_one_core_each(tmp_path: Path):
    said = make("-n", "kept", "MAKE=true", f"BUILD={tmp_path}")
    book = f"{tmp_path}/kept/book"
    made = said.index(f'OMP_NUM_THREADS=1 true --no-print-directory --jobs=2 BUILD="{book}"')
    assert made < said.index(f'--only book --records "{book}/records"')


def environment(folder: Path, of: Path, pip: str) -> Path:
    """One that is ready, and whose pip is this script."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "pip").write_text(f"#!/bin/sh\n{pip}\n", encoding="utf-8")
    (folder / "bin" / "pip").chmod(0o755)
    (folder / ".ready").write_text(str(of), encoding="utf-8")
    (folder / ".workshop").touch()
    return folder


@pytest.mark.parametrize("of", [ROOT, ROOT.parent / "another folder"], ids=["here", "another"])
def test_the_environment_of_another_folder_is_made_anew(tmp_path: Path, of: Path):
    venv = environment(tmp_path / "venv", of, "exit")
    is_made = "-m venv --clear" in make("-n", "workshop", f"VENV={venv}")
    assert is_made == (of != ROOT)


def test_a_make_within_one_that_holds_the_lock_does_not_wait_for_it(tmp_path: Path):
    alone = [sys.executable, str(ROOT / "pipeline" / "alone.py")]
    done = subprocess.run(
        [*alone, *alone, "echo", "at work"],
        cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "at work\n"


def test_what_pip_does_not_compile_is_compiled_after_each_installation(tmp_path: Path):
    said = make("-n", "workshop", "GPU=1", f"{tmp_path}/none/.gpu", f"VENV={tmp_path}/none")
    steps = re.findall(r"(?<=pip )install .*--no-compile|compileall", said)
    assert steps and all(step.startswith("install") for step in steps[::2])
    assert steps[1::2] == ["compileall"] * 3


@pytest.mark.parametrize("status", [0, 1], ids=["all goes well", "the fetching fails"])
def test_an_environment_without_tensorflow_is_not_ready(tmp_path: Path, status: int):
    pip = f'case "$1" in install) exit {status};; esac'
    venv = environment(tmp_path / "venv", ROOT, pip)
    done = subprocess.run(
        ["make", f"VENV={venv}", f"{venv}/.gpu"],
        cwd=ROOT, env=HOLDS_THE_LOCK, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == bool(status)
    assert (venv / ".ready").exists() == (venv / ".gpu").exists() == (not status)


def test_the_code_is_tested_before_any_chapter_has_run(tmp_path: Path):
    asked = (f"BUILD={tmp_path}", f"VENV={tmp_path}/none")
    assert "pipeline.run_chapter" not in make("-n", "test-code", *asked)
    assert "pipeline.run_chapter" in make("-n", "test-book", *asked)


def test_make_bench_times_an_older_checkout_where_one_is_named(tmp_path: Path):
    assert "bench.speed" in make("-n", "bench") and "bench.builds" not in make("-n", "bench")
    (tmp_path / ".venv").mkdir()
    said = make("-n", "bench", f"OLD={tmp_path}", "ROUNDS=2")
    beside = re.findall(rf'bench\.builds "{tmp_path}" \. --rounds 2(?: --run \'(.*)\')?\n', said)
    works = ["", "make VENV=", "if [ -e chapters/05-luck", "make -j2 book", "make test"]
    assert [work[: len(start)] for work, start in zip(beside, works, strict=True)] == works
    refused = subprocess.run(
        ["make", "-n", "bench", f"OLD={tmp_path}/gone"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert refused.returncode and "`make test` in that folder makes one" in refused.stderr
    assert "bench.speed" not in refused.stdout  # nothing is measured before


@pytest.mark.parametrize("asked", [[], ["GPU=1"]], ids=["CPU", "GPU"])
def test_the_tensorflow_with_gpu_kernels_takes_the_place_of_the_other_where_it_is_asked_for(
    tmp_path: Path, asked: list[str]
):
    data = f"{tmp_path}/data.json"
    said = make("-n", data, f"BUILD={tmp_path}", f"VENV={tmp_path}/none", *asked)
    ready = said.index("--requirement requirements.lock")
    gone = said.find("uninstall --quiet --yes tensorflow-cpu")
    come = said.find("--requirement requirements-gpu.lock")
    assert (ready < gone < come) if asked else (gone == come == -1)


def test_make_clean_leaves_the_notebooks_that_a_reader_has_worked_on(tmp_path: Path):
    mine, made = tmp_path / "notebooks" / "a.ipynb", tmp_path / "html" / "index.html"
    for path in (mine, made):
        path.parent.mkdir()
        path.touch()
    assert str(tmp_path / "notebooks") in make("clean", f"BUILD={tmp_path}")
    assert mine.exists() and not made.parent.exists()
    laid_out = make("-n", "whole-laid-out", f"BUILD={tmp_path}")
    assert f"pipeline.working_copies {tmp_path}/editions {tmp_path}/notebooks\n" in laid_out
