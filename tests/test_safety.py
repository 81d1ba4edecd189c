"""What nobody should have to look for in a review: pickles, secrets, actions that can change."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from pipeline.notebooks import CHAPTERS, code_cells, read

ROOT = CHAPTERS.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MODULES = [
    path
    for folder in ("mnist_helpers", "pipeline", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
SOURCES = {str(path.relative_to(ROOT)): path.read_text() for path in MODULES} | {
    path.name: "\n".join(
        re.sub(r"^[%!].*$", "pass", cell.source, flags=re.M) for cell in code_cells(read(path))
    )
    for path in sorted(CHAPTERS.glob("*.ipynb"))
}
LOADS_CODE = {"pickle", "cPickle", "dill", "joblib.load", "torch.load", "shelve", "marshal"}


def called(tree: ast.AST) -> set[str]:
    """Names that are imported or called, with what they hang on: joblib.load."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_is_loaded_that_could_run_code(name: str):
    tree = ast.parse(SOURCES[name])
    assert not called(tree) & LOADS_CODE
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        allowed = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert allowed.get("allow_pickle", "False") == "False"
        if ast.unparse(node.func) == "yaml.load":  # with a kind of SafeLoader, which loads no code
            assert [ast.unparse(value) for value in node.args[1:]] == ["_Loader"]
        assert ast.unparse(node.func) != "yaml.unsafe_load"


def test_a_pickle_would_be_noticed():
    assert called(ast.parse("import pickle")) & LOADS_CODE
    assert called(ast.parse("import joblib\njoblib.load('x')")) & LOADS_CODE
    assert called(ast.parse("from joblib import load")) & LOADS_CODE


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_pinned_actions_with_no_more_rights_than_it_needs(workflow: Path):
    text = workflow.read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert uses and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action) for action in uses)
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    rights = {
        name: job["permissions"] for name, job in content["jobs"].items() if "permissions" in job
    }
    assert rights == {"publish": {"pages": "write", "id-token": "write"}}
    assert "secrets." not in text and "pull_request_target" not in text


def test_packages_are_installed_by_their_hashes_and_looked_up_every_week():
    installs = re.findall(r"pip install .*", (ROOT / "Makefile").read_text())
    assert any("--require-hashes" in line and "requirements.lock" in line for line in installs)
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[a-z0-9].*==.*\\\n(?:    --hash=sha256:[0-9a-f]{64}.*\n)+", lock, re.M)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", lock, re.M)) > 100
    assert (
        "pip-audit --require-hashes" in (ROOT / ".github" / "workflows" / "book.yml").read_text()
    )


SECRETS = re.compile(
    r"ghp_\w{30}|github_pat_\w{30}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|xox[bp]-\w{10}"
)


@pytest.mark.parametrize("name", [*SOURCES, *(str(path.relative_to(ROOT)) for path in WORKFLOWS)])
def test_no_secret_lies_about(name: str):
    text = SOURCES[name] if name in SOURCES else (ROOT / name).read_text()
    assert not SECRETS.search(text)
