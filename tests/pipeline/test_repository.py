"""The address of the repository is understood, and what is made from it leads there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydata_sphinx_theme.edit_this_page import setup_edit_url
from sphinx_book_theme.header_buttons import (
    prep_header_buttons,
    update_context_with_repository_info,
)
from sphinx_book_theme.header_buttons.launch import add_launch_buttons
from sphinx_book_theme.header_buttons.source import add_source_buttons

from pipeline.contents import ROOT
from pipeline.repository import Repository, RepositoryError, parse_repository, read_repository
from pipeline.site.render import EDITIONS_BRANCH, with_buttons

PAGE = "chapters/01-data"
COLAB = "https://colab.research.google.com/github/{}/blob/notebooks/chapters/01-data.ipynb"
BINDER = "https://mybinder.org/v2/{}/notebooks?urlpath=lab/tree/chapters/01-data.ipynb"


class Config(dict):
    """As Sphinx has it: each setting by its name in brackets and after a dot."""

    __getattr__ = dict.__getitem__


def buttons(repository: Repository | None) -> dict[str, str]:
    """What the theme puts on a chapter's page for the repository: the links by their tooltips."""
    config = {
        "repository": {"url": "as it was given"},
        "sphinx": {"config": {"html_theme_options": {}, "html_context": {}}},
    }
    config = Config(with_buttons(config, repository)["sphinx"]["config"])
    environment = SimpleNamespace(doc2path=lambda page: f"{page}.ipynb", metadata={PAGE: {}})
    builder = SimpleNamespace(theme_options=config.html_theme_options)
    app = SimpleNamespace(config=config, env=environment, builder=builder)
    update_context_with_repository_info(app)
    context = {"pagename": PAGE, "page_source_suffix": ".ipynb", "sourcename": f"{PAGE}.ipynb"}
    context |= config.html_context
    for step in (prep_header_buttons, setup_edit_url, add_launch_buttons, add_source_buttons):
        step(app, PAGE, "page.html", context, "a page")
    found = context["header_buttons"]
    links = [link for button in found for link in button.get("buttons", [button])]
    return {link["tooltip"].removeprefix("Launch on "): link["url"] for link in links}


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/me/book",
        "https://github.com/me/book/",
        "https://github.com/me/book.git",
        "https://github.com/me/book.git/",
        "  https://GitHub.com/me/book\n",
        "HTTPS://github.com/me/book",
        "http://www.github.com/me/book",
        "https://me@github.com/me/book.git",
        "https://me:ghp_not-for-the-page@github.com/me/book.git",
        "https://github.com:443/me/book",
        "https://github.com/me/book?tab=readme-ov-file#licences",
        "https://github.com/me/book/tree/main/chapters",
        "https://github.com/me/book/blob/main/chapters/a%20page.md",
        "github.com/me/book",
        "www.github.com/me/book",
        "git@github.com:me/book.git",
        "github.com:me/book.git",
        "ssh://git@github.com/me/book.git",
        "ssh://git@ssh.github.com:443/me/book.git",
        "git://github.com/me/book.git",
        "git+https://github.com/me/book.git",
        "git+ssh://git@github.com/me/book.git",
    ],
)
def test_the_forms_in_which_people_copy_an_address_are_one_address(address: str):
    assert parse_repository(address).url == "https://github.com/me/book"


@pytest.mark.parametrize(
    "address, url",
    [
        ("git@gitlab.com:group/part/book.git", "https://gitlab.com/group/part/book"),
        ("https://gitlab.com/me/book/-/tree/main", "https://gitlab.com/me/book"),
        ("https://me@bitbucket.org/me/book/src/main/", "https://bitbucket.org/me/book"),
        ("https://codeberg.org/me/book/src/branch/main", "https://codeberg.org/me/book"),
        ("https://git.example.org:8443/me/book.git", "https://git.example.org:8443/me/book"),
        ("http://gitlab.example.org/me/book", "http://gitlab.example.org/me/book"),
        ("ssh://git@git.example.org:2222/me/book.git", "https://git.example.org/me/book"),
        ("git@git.example.org:2020/book.git", "https://git.example.org/2020/book"),
        ("https://git.sr.ht/~me/book", "https://git.sr.ht/~me/book"),
        ("https://www.example.org/book.git", "https://www.example.org/book"),
    ],
)
def test_other_hosts_have_their_own_forms(address: str, url: str):
    assert parse_repository(address).url == url


@pytest.mark.parametrize(
    "address",
    [
        "me/book",
        "book",
        "https://github.com",
        "https://github.com/me",
        "https://github.com/me/.git",
        "https://gitlab.com/-/explore",
        "ftp://github.com/me/book",
        "https://github.com/my book",
        "https://github.com/<owner>/book",
        "https:/github.com/me/book",
        'https://github.com/me/book"',
        ["https://github.com/me/book"],
        12,
    ],
)
def test_what_is_no_address_is_refused_by_name(address: object):
    with pytest.raises(RepositoryError) as refusal:
        parse_repository(address)
    said = str(refusal.value)
    assert f"repository.url is {address!r}" in said
    assert "https://github.com/owner/book" in said


@pytest.mark.parametrize("branch", [1.10, None, "", "two words", "main/", 'a"b', "{file}"])
def test_what_is_no_branch_is_refused_by_name(branch: object):
    with pytest.raises(RepositoryError, match=r'repository\.branch is .*such as "main"'):
        parse_repository("https://github.com/me/book", branch)


@pytest.mark.parametrize(
    "text", ["", "repository:", "repository: {url: '', branch: main}", "repository: {url: null}"]
)
def test_a_book_that_names_no_repository_has_no_buttons(tmp_path: Path, text: str):
    config = tmp_path / "_config.yml"
    config.write_text(f"title: A book\n{text}\n", encoding="utf-8")
    assert read_repository(config) is None
    assert buttons(None) == {}


def test_the_branch_is_the_one_that_is_named_or_main(tmp_path: Path):
    config = tmp_path / "_config.yml"
    config.write_text("repository: {url: github.com/me/book, branch: to/try}\n", encoding="utf-8")
    assert read_repository(config).pip_address == "git+https://github.com/me/book@to/try"
    config.write_text("repository: {url: github.com/me/book}\n", encoding="utf-8")
    assert read_repository(config).branch == "main"


@pytest.mark.parametrize(
    "address, edit, more",
    [
        (
            "git@github.com:me/book.git",
            "https://github.com/me/book/edit/main/{}",
            {"Colab": COLAB.format("me/book"), "Binder": BINDER.format("gh/me/book")},
        ),
        (
            "https://gitlab.com/me/book.git",
            "https://gitlab.com/me/book/-/edit/main/{}",
            {"Binder": BINDER.format("gl/me%2Fbook")},
        ),
        ("gitlab.com/group/part/book", "https://gitlab.com/group/part/book/-/edit/main/{}", {}),
        ("gitlab.lab.org/me/book", "https://gitlab.lab.org/me/book/-/edit/main/{}", {}),
        ("github.lab.org/me/book", "https://github.lab.org/me/book/edit/main/{}", {}),
        ("bitbucket.org/me/book", "https://bitbucket.org/me/book/src/main/{}?mode=edit", {}),
        ("codeberg.org/me/book", "https://codeberg.org/me/book/_edit/main/{}", {}),
        ("https://git.lab.org/me/book", "", {}),
        ("https://notgithub.com/me/book", "", {}),
        ("https://lab.org/github.com/book", "", {}),
    ],
)
def test_each_host_gets_the_buttons_that_lead_somewhere(address: str, edit: str, more: dict):
    expected = {"Suggest edit": edit.format(f"{PAGE}.ipynb")} if edit else {}
    assert buttons(parse_repository(address)) == expected | more


# ---- the branch that Colab and Binder open ----


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


def test_the_branch_for_colab_and_binder_holds_the_editions_and_installs_the_package(
    tmp_path: Path,
):
    editions, repository = tmp_path / "build" / "editions", tmp_path / "repository"
    editions.mkdir(parents=True)
    git(tmp_path, "init", "--bare", "--quiet", str(repository))
    for chapter in ("01-old", "01-data"):
        installs = "git+https://github.com/me/book@main"
        (editions / f"{chapter}.ipynb").write_text(f"{chapter} {installs}", encoding="utf-8")
        package = f"git+https://github.com/me/book@{chapter}"
        command = [".ci/publish-editions", editions.parent, repository, EDITIONS_BRANCH, package]
        subprocess.run(command, cwd=ROOT, check=True)
        (editions / "01-old.ipynb").unlink(missing_ok=True)
    listed = git(repository, "ls-tree", "-r", "--name-only", EDITIONS_BRANCH).split()
    binder = {f".binder/{path.name}" for path in (ROOT / ".binder").iterdir()}
    assert set(listed) == {"LICENSE", "chapters/01-data.ipynb", *binder}
    edition = git(repository, "show", f"{EDITIONS_BRANCH}:chapters/01-data.ipynb")
    assert edition.strip() == f"01-data {package}"
    required = git(repository, "show", f"{EDITIONS_BRANCH}:.binder/requirements.txt")
    assert required == f"{package}\n"


def test_the_workflow_writes_the_branch_that_the_buttons_open():
    workflow = (ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8")
    published = '.ci/publish-editions _build "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"'
    assert f"{published} {EDITIONS_BRANCH}\n" in workflow
