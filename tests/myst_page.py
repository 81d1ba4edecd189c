"""A page that Sphinx makes from MyST text, to test a directive of the book's own."""

from __future__ import annotations

import io
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


def rendered(folder: Path, extension: str, text: str) -> tuple[BeautifulSoup, str]:
    """The page, and what Sphinx complained about."""
    (folder / "conf.py").write_text(
        f"extensions = ['myst_parser', {extension!r}]\nmyst_enable_extensions = ['colon_fence']\n",
        encoding="utf-8",
    )
    (folder / "index.md").write_text(f"# Page\n{text}", encoding="utf-8")
    said, build = io.StringIO(), folder / "build"
    with docutils_namespace():
        app = Sphinx(
            folder, folder, build, build, "html", status=None, warning=said, freshenv=True
        )
        app.build()
    page = BeautifulSoup((build / "index.html").read_text(encoding="utf-8"), "html.parser")
    return page, said.getvalue()
