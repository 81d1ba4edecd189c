"""What the Makefile promises: its list of targets, and one command for all that is kept."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from mnist_helpers.kept import KEPT_EXPERIMENTS, KEPT_RUNS, KEPT_SWEEPS, kept_experiment
from pipeline.contents import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
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
        whole, _, _ = kept_experiment(path.stem)["command"].partition(" --only ")
        assert f"{whole}\n" in said, path.name


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
