"""Nothing is unpickled, nothing comes unchecked, and the workflow may do no more than it must."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import listed_by_git
from packaging.markers import Marker
from packaging.requirements import Requirement

from mnist_helpers.records import WITHOUT_GPU
from pipeline import fetch_data
from pipeline.contents import ROOT, chapters
from pipeline.notebooks import CHAPTERS, code_cells, read

PACKAGES = ("mnist_helpers", "pipeline", "bench", "experiments")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PARTS = ("", "-gpu", "-workshop")  # the book's, and what two others need beside it
NOTEBOOKS = [f"chapters/{chapter}.ipynb" for chapter in chapters()]
RUFF = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json"]
RULES = re.compile(r"S\d+|TID251|PLW1514")  # of those that pyproject.toml asks for

SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    r"\bgithub_pat_\w{30,}",
    r"\bxox[baprs]-[\w-]{10,}",
    r"\bsk-[A-Za-z0-9]{20,}",
    r"\bAIza[\w-]{30,}",
    r"(?i)\b(password|passwd|api_key|secret_key|auth_token)\s*[:=]\s*['\"][^'\"{$<]{6,}",
)


def sources() -> Iterator[tuple[str, str]]:
    """All Python that readers run: the packages' modules and the chapters' cells."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for chapter in chapters():
        for number, cell in enumerate(code_cells(read(CHAPTERS / f"{chapter}.ipynb")), 1):
            yield f"{chapter}, code cell {number}", cell.source


def unsafe(*arguments: str, source: str = "") -> list[dict]:
    """What ruff finds to be dangerous."""
    done = subprocess.run(
        [*RUFF, *arguments], cwd=ROOT, input=source.encode(), capture_output=True
    )
    return [finding for finding in json.loads(done.stdout) if RULES.fullmatch(finding["code"])]


def test_nothing_is_unpickled_and_no_archive_unpacked_on_trust():
    """Nor is a text file read in the code page of whoever runs this."""
    assert unsafe(*PACKAGES, "tests", *NOTEBOOKS) == []


def test_no_array_may_hold_what_is_pickled():
    """That is not among what ruff looks at; without the keyword NumPy refuses it, too."""
    allowed = re.compile(r"allow_pickle\s*=\s*(?!False)")
    assert [place for place, source in sources() if allowed.search(source)] == []


def test_what_is_dangerous_is_found():
    imports = "import pathlib, shutil, tarfile, pandas as pd, torch, yaml"
    dangerous = [
        "import pickle",
        "import dill as d",
        "from pickle import loads",
        "from joblib import load",
        "torch.load('model.pt')",
        "read = torch.load",
        "pd.read_pickle('it')",
        "tarfile.open('it').extractall(folder)",
        "shutil.unpack_archive('it.zip')",
        "yaml.load(text, yaml.Loader)",
        "yaml.unsafe_load(text)",
        "pathlib.Path('it').read_text()",
    ]
    harmless = ["yaml.safe_load(text)", "from joblib import parallel_config"]
    source = "\n".join([imports, *dangerous, *harmless])
    found = unsafe("--stdin-filename=pipeline/it.py", "-", source=source)
    rows = {finding["location"]["row"] for finding in found}
    assert rows == {number for number, _ in enumerate(dangerous, 2)}


# ---- the lock ----


def locked(lock: Path) -> dict[str, list[tuple[str, str]]]:
    """What a lock pins: the versions of each name, with where they are for."""
    pins: dict[str, list[tuple[str, str]]] = {}
    text = lock.read_text(encoding="utf-8")
    for name, version, marker in re.findall(r"^([\w.-]+)==(\S+)(?: ; (.+))? \\$", text, re.M):
        pins.setdefault(name, []).append((version, marker))
    return pins


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes(lock: Path):
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line[:1] not in ("", "#", " ")]
    assert len(requirements) > (100 if lock.name == "requirements.lock" else 10)
    for requirement in requirements:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_what_the_book_asks_for_is_bounded_and_locked():
    book, gpu, workshop = (locked(ROOT / f"requirements{part}.lock") for part in PARTS)
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    package = [line for line in lines if line[:1].isalpha()]
    for asked, pinned in [
        ([*package, *groups.pop("cpu"), *groups.pop("book")], book),
        (groups.pop("gpu"), gpu),
        (chain(*groups.values()), book | workshop),
    ]:
        for requirement in asked:
            bounded = re.fullmatch(r"([\w.-]+)(\[[\w-]+\])?>=[\d.]+,<[\d.]+(; .+)?", requirement)
            assert bounded, requirement
            assert bounded[1].lower() in pinned


def test_the_locks_are_parts_of_one_solution():
    book, gpu, workshop = (locked(ROOT / f"requirements{part}.lock") for part in PARTS)
    for part in (gpu, workshop):
        for name in part.keys() & book.keys():
            assert {v for v, _ in part[name]} == {v for v, _ in book[name]}, name
            assert all(marker for _, marker in book[name])
    assert "tensorflow" in gpu and not {"tensorflow", "tensorflow-cpu"} & workshop.keys()
    assert "tensorflow-cpu" not in gpu and len(book) > 100


def test_what_the_locks_install_has_all_that_it_requires():
    lacking = []
    for name in {name for lock in LOCKS for name in locked(lock)}:
        try:
            needed = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:  # of another system
            continue
        for requirement in needed:
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            if find_distribution(requirement.name) is None:
                lacking.append(f"{name} requires {requirement.name}")
    assert lacking == []


def find_distribution(name: str) -> Distribution | None:
    """An installed distribution; TensorFlow's may be the one without GPU kernels."""
    for called in (name, WITHOUT_GPU.get(name, name)):
        with suppress(PackageNotFoundError):
            return distribution(called)
    return None


def test_linux_gets_tensorflow_without_gpu_kernels_and_others_the_only_one_there_is():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.findall(r"^(tensorflow\S*)==\S+ ; (.+) \\$", text, re.MULTILINE)
    markers = {name: Marker(marker) for name, marker in found}
    for system, machine in [
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("darwin", "arm64"),
        ("win32", "AMD64"),
    ]:
        here = {"sys_platform": system, "platform_machine": machine}
        installed = [name for name, marker in markers.items() if marker.evaluate(here)]
        without_gpu = (system, machine) == ("linux", "x86_64")
        assert installed == ["tensorflow-cpu" if without_gpu else "tensorflow"]


@pytest.mark.parametrize("place", ["Makefile", "README.md"])
def test_the_lock_is_installed_with_its_hashes(place: str):
    installs = [
        line
        for line in (ROOT / place).read_text(encoding="utf-8").splitlines()
        if re.search(r"pip\S* install.* (-r|--requirement)\b", line) and "PEERS" not in line
    ]
    assert installs and all("--require-hashes" in line for line in installs)


# ---- the workflow ----


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> tuple[str, dict]:
    text = request.param.read_text(encoding="utf-8")
    return text, yaml.safe_load(text)


def test_workflows_may_read_and_only_the_publisher_may_publish(workflow):
    _, content = workflow
    assert content["permissions"] == {"contents": "read"}
    jobs = content["jobs"]
    more = {name: job["permissions"] for name, job in jobs.items() if "permissions" in job}
    publisher = {"publish": {"contents": "write", "pages": "write", "id-token": "write"}}
    assert more == (publisher if content["name"] == "book" else {})
    its_own_branch = "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    assert not more or jobs["publish"]["if"] == its_own_branch


def test_tests_and_publication_share_no_file_with_a_schedule():
    """GitHub switches off a file that has one where nobody works on the repository any more."""
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS}
    assert "publish" in found["book"]["jobs"] and "test" in found["book"]["jobs"]
    scheduled = {name for name, content in found.items() if "schedule" in content[True]}  # "on"
    assert scheduled == {"weekly"}


def test_no_book_of_the_sample_is_published_and_no_older_one():
    (path,) = (path for path in WORKFLOWS if path.stem == "book")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    group = {"group": "book-${{ github.ref }}", "cancel-in-progress": True}
    assert content["concurrency"] == group
    job = content["jobs"]["publish"]
    runs = [step.get("run", step.get("uses", "")) for step in job["steps"]]
    made, looked = runs.index("make --jobs=2 book"), runs.index(SAYS_FULL)
    assert made < looked < min(i for i, run in enumerate(runs) if "publish-editions" in run)


SAYS_FULL = """grep --quiet '"is_sample": false' _build/data.json"""


@pytest.mark.parametrize(("sample", "status"), [(False, 0), (True, 1)])
def test_what_says_that_the_data_are_mnist_can_say_that_they_are_not(
    tmp_path, monkeypatch, sample, status
):
    data = SimpleNamespace(data_set="mnist", sha256="5" * 64, is_sample=sample, answers=())
    monkeypatch.setattr(fetch_data, "fetch", lambda: data)
    fetch_data.main(tmp_path / "_build" / "data.json")
    assert subprocess.run(["sh", "-c", SAYS_FULL], cwd=tmp_path).returncode == status


def test_what_runs_pytest_has_installed_it(workflow):
    """`make book` installs what the book needs, and no more."""
    _, content = workflow
    for job in content["jobs"].values():
        runs = [step.get("run", "") for step in job["steps"]]
        for i, run in enumerate(runs):
            assert "-m pytest" not in run or "make workshop" in runs[:i]


def test_only_the_step_that_pushes_the_editions_is_given_the_token(workflow):
    """What is built runs in the same job, and with it the code of many packages."""
    text, content = workflow
    if "publish" not in content["jobs"]:
        assert "github.token" not in text
        return
    (step,) = (s for s in content["jobs"]["publish"]["steps"] if "github.token" in str(s))
    assert step["run"].startswith(".ci/publish-editions ")
    assert step["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}
    assert text.count("github.token") == 1


def test_actions_are_pinned_by_commit_with_their_version_beside(workflow):
    text, content = workflow
    used = re.findall(r"uses:\s*(.+)", text)
    assert len(used) == sum("uses" in s for job in content["jobs"].values() for s in job["steps"])
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_each_job_names_its_system_and_its_python_and_make_uses_that(workflow):
    _, content = workflow
    assert content["env"] == {"PYTHON": "python"}
    for job in content["jobs"].values():
        assert re.fullmatch(r"[a-z]+-\d+\.\d+", job["runs-on"])
        (setup,) = (s for s in job["steps"] if "setup-python" in s.get("uses", ""))
        versions = job.get("strategy", {"matrix": {"python": [setup["with"]["python-version"]]}})
        assert set(versions["matrix"]["python"]) <= {"3.11", "3.12", "3.13"}


def test_workflows_keep_no_credentials_and_run_nothing_that_others_wrote(workflow):
    text, content = workflow
    assert "secrets." not in text
    assert "pull_request_target" not in text
    for job in content["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            assert "github.event." not in step.get("run", "")  # such as the title of an issue


def test_no_file_of_the_repository_holds_a_secret():
    found = {}
    for name in filter(None, listed_by_git("-z").split("\0")):
        path = ROOT / name
        if path == Path(__file__) or not path.is_file() or path.suffix == ".gz":
            continue
        text = path.read_bytes().decode(errors="replace")
        hits = [pattern for pattern in SECRETS if re.search(pattern, text)]
        if hits:
            found[name] = hits
    assert found == {}


@pytest.mark.parametrize("secret", ["AKIA" + "A" * 16, "ghp_" + "a" * 36, "password = 'hunter22'"])
def test_what_is_a_secret_is_found(secret: str):
    assert any(re.search(pattern, secret) for pattern in SECRETS)


# ---- code pages ----


def test_what_a_child_says_is_read_with_its_encoding_named():
    """That is not among what ruff looks at."""
    unnamed = []
    folders = [ROOT / name for name in (*PACKAGES, "tests")]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("subprocess."):
                keywords = {keyword.arg for keyword in call.keywords}
                if keywords & {"text", "universal_newlines"} and "encoding" not in keywords:
                    unnamed.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert unnamed == []
