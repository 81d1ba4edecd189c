"""The files at the top of the repository are valid, and agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import listed_by_git

from pipeline.contents import ROOT


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_version_date_and_authors_are_told_the_same_everywhere():
    citation = yaml.safe_load(text("CITATION.cff"))
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    released = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", text("CHANGELOG.md"), re.M)
    assert citation["version"] == version
    assert released[0] == (citation["version"], citation["date-released"])
    assert text("CHANGELOG.md").count("\n## [Unreleased]\n") == 1
    config = yaml.safe_load(text("_config.yml"))
    (author,) = citation["authors"]
    assert f"Copyright (c) {config['copyright']} {author['name']}" in text("LICENSE")
    assert author["name"].startswith(config["author"])
    assert citation["title"].startswith(config["title"])


def test_the_citation_has_what_the_format_asks_for():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    assert citation["message"] and citation["title"]


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_has_what_github_asks_for(path: Path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "checkboxes")
        assert field["attributes"]["label"]


def test_hooks_run_what_the_environment_has():
    (repository,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, *rest = hook["entry"].split()
        if program == "make":
            assert re.search(rf"^{rest[0]}:", text("Makefile"), re.M)
        else:
            assert (program, rest[0]) == (".venv/bin/python", "-m")


def test_git_takes_for_binary_what_is_and_ends_all_other_lines_with_lf():
    lines = [line.split(None, 3) for line in listed_by_git("--eol").splitlines()]
    endings = {line[0] for line in lines}
    assert endings <= {"i/lf", "i/-text", "i/none"}
    wrong = [
        line
        for line in lines
        if ("attr/-text" in line) != (line[0] == "i/-text") or line[2] == "attr/"
    ]
    assert wrong == []


def test_the_actions_are_kept_up_to_date():
    (update,) = yaml.safe_load(text(".github/dependabot.yml"))["updates"]
    assert update["package-ecosystem"] == "github-actions"
    assert update["schedule"] == {"interval": "weekly"}


@pytest.mark.parametrize("guide", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_a_guide_names_no_file_that_is_not_there(guide: str):
    """By its path, or by its name alone."""
    listed = listed_by_git("--cached", "--others", "--exclude-standard")
    there = [f"/{name}" for name in listed.splitlines() if (ROOT / name).is_file()]
    named = set(re.findall(r"\b[\w./-]+\.(?:py|yml|md|toml|lock|cff|svg)\b", text(guide)))
    assert len(named) > 1
    assert [name for name in sorted(named) if not any(f.endswith(f"/{name}") for f in there)] == []
