"""Finish the theme's pages: a strict policy for what they load, no script to no purpose, and
markup that a screen reader understands."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

# It draws the icons that the theme's style sheet draws too, and weighs more than a chapter.
ICON_SCRIPT = re.compile(r"<script[^>]*scripts/fontawesome\.js[^>]*></script>")
CHARSET = '<meta charset="utf-8" />'
LEARNS = "/train/runs.js"  # the script of a page on which a network learns
# The page that only leads to the first one names no icon, and a browser would ask for one in vain.
NO_ICON = '<link rel="icon" href="data:," />'

# What the theme and docutils write that a screen reader stumbles over.
REPAIRS = {
    # The corner of a table heads nothing.
    r"<th[^>]*><p></p></th>": "<td></td>",
    # A role that is deprecated, and was never allowed within this list.
    r'role="doc-biblioentry"': 'role="listitem"',
    # The button that shows the pages below one in the side bar.
    r'<summary>(?=<span class="toctree-toggle")': '<summary aria-label="Pages below">',
    # Anyone who leaps from landmark to landmark finds the side bar, too.
    r'<div id="pst-primary-sidebar"': r'\g<0> role="complementary" aria-label="Book"',
}


class InlineCode(HTMLParser):
    """Collects the scripts and event handlers that stand in a page itself."""

    def __init__(self, page: str):
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script" and "src" not in dict(attributes)
        if self.inside:
            self.scripts.append("")
        self.handlers += [code or "" for name, code in attributes if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def policy(page: str) -> str:
    """The Content-Security-Policy of a page: this site alone, and the page's own code by its hash.

    Styles may stand in the page, for the theme and the tables of a run put them there; scripts may
    not, but for those that were there when the page was made. A page on which a network learns
    makes its worker from functions that it has, for no file may be read from a folder; and it may
    compile WebAssembly.
    """
    code = InlineCode(page)
    hashes = sorted({sha256(script) for script in code.scripts})
    if code.handlers:
        hashes += ["'unsafe-hashes'", *sorted({sha256(handler) for handler in code.handlers})]
    learns = LEARNS in page
    if learns:
        hashes.append("'wasm-unsafe-eval'")
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            *["worker-src blob:"] * learns,
        ]
    )


def sha256(code: str) -> str:
    """How a policy names a piece of code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def finished(page: str) -> str:
    """A page as it is published. The policy comes before anything that it governs."""
    page = ICON_SCRIPT.sub("", page)
    for fault, repair in REPAIRS.items():
        page = re.sub(fault, repair, page)
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy(page)}" />'
    if CHARSET in page:
        return page.replace(CHARSET, f"{CHARSET}\n    {tag}", 1)
    return f"{tag}\n{NO_ICON}\n{page}"


def publish(source: str, target: str) -> None:
    """Copy a file of the site; a page is finished on the way."""
    if source.endswith(".html") and "_static" not in Path(source).parts:
        # Bytes, for a change of line ends would change the hashes.
        Path(target).write_bytes(finished(Path(source).read_bytes().decode()).encode())
    else:
        shutil.copy2(source, target)
