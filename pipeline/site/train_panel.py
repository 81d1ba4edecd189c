"""The ``{train}`` directive: a panel that trains a network in the reader's browser.

:::{train}
:settings: num_hidden=0&learning_rate=0.05
:controls: learning_rate
:signs: nan
:::

``settings`` are those that the panel begins with, as in an address of the page "Train it here";
``controls`` what a reader can change on it, and ``signs`` what it counts beside the curves.
Without ``controls`` it is that page's own panel, which has them all. Scripts build it in the
browser; on paper and without JavaScript there is a sentence in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PAGE = "train"
STATIC = "../_static"
# In the order in which they need each other.
SCRIPTS = (
    "draw/network.js",
    "train/random.js",
    "train/arithmetic.js",
    "train/settings.js",
    "train/engine.js",
    "train/runs.js",
    "train/choices.js",
    "train/curves.js",
    "train/panel.js",
    "train/signs.js",
)
# What the page's own panel has beside the curves: the board, the weights, the misread digits.
MORE_SCRIPTS = ("draw/prepare.js", "draw/layers.js", "draw/board.js", "train/inside.js")
STYLES = ("train/train.css",)
MORE_STYLES = ("draw/draw.css",)


def panel(options: Mapping[str, str]) -> str:
    """The HTML that the scripts build a panel in, and what stands there without them."""
    settings = options.get("settings", "")
    if "controls" in options:
        data = {"settings": settings, "page": f"{PAGE}.html"}
        data |= {name: options[name] for name in ("controls", "signs") if name in options}
        address = escape(f"{PAGE}.html#{settings}")
        without = (
            f'With JavaScript on, you can train a network here, or on <a href="{address}">'
            "a page of its own</a>."
        )
    else:
        data = {}
        without = "On the site, in a browser with JavaScript on, you can train a network here."
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return (
        f'<div class="train-panel" role="group" aria-label="Train it here"{attributes}>'
        f'<p class="train-without">{without}</p></div>\n'
    )


def scripts(whole: bool) -> str:
    """The HTML that loads what a panel needs, and what the page's own panel needs beside it."""
    styles = STYLES + (MORE_STYLES if whole else ())
    files = SCRIPTS + (MORE_SCRIPTS if whole else ())
    return "".join(
        [f'<link rel="stylesheet" href="{STATIC}/{file}">\n' for file in styles]
        + [f'<script defer src="{STATIC}/{file}"></script>\n' for file in files]
    )


class Train(SphinxDirective):
    """Puts a panel on the page, and before the first one what all of them need."""

    option_spec = dict.fromkeys(("settings", "controls", "signs"), directives.unchanged)

    def run(self) -> list[nodes.Node]:
        html = panel(self.options)
        if not self.env.temp_data.get("has_train_panel"):
            self.env.temp_data["has_train_panel"] = True
            html = scripts(whole="controls" not in self.options) + html
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("train", Train)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
