"""The public repository of the book, as _config.yml names it.

Its address is understood in the forms in which people copy it: from the address bar,
from a host's button, from `git remote -v`. What leads to the repository is made from
what was understood, and nothing is where that is not enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

CONFIG = Path(__file__).parents[1] / "_config.yml"
# What runs the public hosts, and the first name of many a host of an organisation.
PUBLIC_HOSTS = {
    "github.com": "GitHub",
    "gitlab.com": "GitLab",
    "bitbucket.org": "Bitbucket",
    "codeberg.org": "Forgejo",
}
OWN_HOSTS = {"github": "GitHub", "gitlab": "GitLab", "forgejo": "Forgejo", "gitea": "Forgejo"}
# Where they let one edit a file, below the repository's own address.
EDITORS = {
    "GitHub": "edit/{branch}/{file}",
    "GitLab": "-/edit/{branch}/{file}",
    "Bitbucket": "src/{branch}/{file}?mode=edit",
    "Forgejo": "_edit/{branch}/{file}",
}
ADDRESS = re.compile(
    r"(git\+)?((?P<scheme>https?|ssh|git)://)?"
    r"([^@/\s]+@)?"  # a user, with a password perhaps, which no page may show
    r"(?P<host>[\w-]+(\.[\w-]+)+)(?(scheme)(?P<port>:\d+)?)"
    r"[:/]/*(?P<path>[^\s?#]+)([?#]\S*)?",
    re.IGNORECASE,
)


class RepositoryError(ValueError):
    """What _config.yml says of the repository makes no sense."""


@dataclass(frozen=True)
class Repository:
    """Where the book is published.

    Attributes:
        site: The host's address, such as "https://github.com".
        path: Below it, without a slash at either end, such as "owner/book".
        program: What runs the host, one of `EDITORS`; "" if that is not known.
    """

    site: str
    path: str
    branch: str
    program: str

    @property
    def url(self) -> str:
        """The address of the repository's own page."""
        return f"{self.site}/{self.path}"

    @property
    def pip_address(self) -> str:
        """What pip installs the book's package from."""
        return f"git+{self.url}@{self.branch}"

    @property
    def opens_in_colab(self) -> bool:
        """Colab fetches notebooks from GitHub's public site alone."""
        return self.site == "https://github.com"

    @property
    def opens_in_binder(self) -> bool:
        """The theme knows Binder's addresses for two hosts, there without groups in groups."""
        of_known_form = self.site in ("https://github.com", "https://gitlab.com")
        return of_known_form and self.path.count("/") == 1

    def edit_url(self, file: str) -> str:
        """Where a file of the repository can be edited; "" if that is not known."""
        if not self.program:
            return ""
        return f"{self.url}/{EDITORS[self.program]}".format(branch=self.branch, file=file)


def read_repository(config: Path = CONFIG) -> Repository | None:
    """The repository that _config.yml names; None if it names none.

    Raises RepositoryError if what it says is no address, or no branch.
    """
    settings = yaml.safe_load(config.read_text(encoding="utf-8")).get("repository") or {}
    address, branch = settings.get("url"), settings.get("branch", "main")
    return parse_repository(address, branch) if address else None


def parse_repository(address: object, branch: object = "main") -> Repository:
    """Understand the address of a repository, in any of its usual forms.

    >>> parse_repository("git@github.com:owner/book.git").url
    'https://github.com/owner/book'
    >>> parse_repository("gitlab.example.org/group/part/book/").edit_url("README.md")
    'https://gitlab.example.org/group/part/book/-/edit/main/README.md'

    Raises RepositoryError if it is no address, or the branch no name of one.
    """
    if not isinstance(branch, str) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", branch):
        raise RepositoryError(
            f"_config.yml, repository.branch is {branch!r}, which names no branch. Expected is a "
            'text such as "main".'
        )
    found = isinstance(address, str) and ADDRESS.fullmatch(address.strip())
    if found:
        site, program = _site(**found.groupdict())
        path = _path(found["path"], program)
        if path:
            return Repository(site, path, branch, program)
    raise RepositoryError(
        f"_config.yml, repository.url is {address!r}, which leads to no repository. Expected is "
        'an address such as "https://github.com/owner/book" or "git@gitlab.com:owner/book.git", '
        'or "" for a book that is in no public repository.'
    )


def _site(scheme: str | None, host: str, port: str | None, path: str) -> tuple[str, str]:
    """The address of a host's pages, and what runs it."""
    host = host.lower()
    public = re.sub(r"^(www|ssh|altssh)\.", "", host)
    if public in PUBLIC_HOSTS:
        return f"https://{public}", PUBLIC_HOSTS[public]
    program = OWN_HOSTS.get(host.split(".")[0], "")
    if scheme and scheme.lower().startswith("http"):
        return f"{scheme.lower()}://{host}{port or ''}", program
    return f"https://{host}", program  # a port of ssh's is not that of the pages


def _path(path: str, program: str) -> str:
    """The repository's own part of a path, without what follows it on its pages; "" if none."""
    parts = f"/{path}".split("/-/")[0].strip("/").split("/")
    if program in ("GitHub", "Bitbucket", "Forgejo"):
        parts = parts[:2]
    parts[-1] = parts[-1].removesuffix(".git")
    complete = len(parts) > 1 or not program
    return "/".join(parts) if complete and all(map(_is_name, parts)) else ""


def _is_name(part: str) -> bool:
    return re.fullmatch(r"[\w.~-]+", part) is not None
