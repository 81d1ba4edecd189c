"""One sentence a line in Markdown, so that a change of one sentence is one line of a diff.

A page looks the same: where a paragraph's lines break makes no difference to it.
"""

from __future__ import annotations

import re

from pipeline.plain_markdown import PARSER

FENCED = ("colon_fence",)
# What begins a line of a paragraph in a list, a quotation or a definition.
MARKERS = re.compile(r"(?:\s*(?:[-*+>:]|\d+[.)])(?=\s))*\s*")
# Code, formulas, roles and addresses: a full stop in them ends no sentence.
UNBROKEN = re.compile(r"(?:\{[\w:-]+\})?`+[^`]*`+|\$[^$]+\$|\]\([^)]*\)|<[^<>]+>")
END = re.compile(r"(?<=[.!?…])[\"”’')\]*_]*\s+(?=[A-Z0-9Δ“‘\"'(\[*_{$`\x00])")
NO_END = re.compile(r"(?:\b(?:e\.g|i\.e|al|cf|vs|Fig|No|Sec|Ch|pp?|ca|St|Dr|etc)\.|\b[A-Z]\.)\s+$")
BLOCK = re.compile(r"(?:[-+*>#:|=]|\d+[.)])\s")  # what would begin a block at the head of a line


def one_a_line(source: str) -> str:
    """Break each paragraph of Markdown after its sentences, and nowhere else.

    >>> one_a_line("One sentence. And\nanother, e.g. this one.")
    'One sentence.\nAnd another, e.g. this one.'
    """
    lines = source.split("\n")
    for token in reversed(PARSER.parse(source)):
        if token.map is None:
            continue
        begin, end = token.map
        if token.type == "paragraph_open":
            lines[begin:end] = _broken(lines[begin:end])
        elif token.type == "colon_fence" and token.level == 0:
            closed = lines[end - 1].strip() == token.markup
            inside = slice(begin + 1, end - closed)
            options, body = _options(lines[inside])
            lines[inside] = options + one_a_line("\n".join(body)).split("\n")
    return "\n".join(lines)


def _options(lines: list[str]) -> tuple[list[str], list[str]]:
    """The options of a directive, which are no paragraph, and the rest."""
    number = 0
    while number < len(lines) and re.match(r":[\w-]+:", lines[number]):
        number += 1
    return lines[:number], lines[number:]


def _broken(lines: list[str]) -> list[str]:
    marker = MARKERS.match(lines[0])[0]
    indent = re.sub(r"[^\s>]", " ", marker)
    text = " ".join([lines[0][len(marker) :], *(line.strip(" >") for line in lines[1:])])
    sentences = sentences_of(text.strip())
    return [(indent if number else marker) + each for number, each in enumerate(sentences)]


def sentences_of(text: str) -> list[str]:
    """The sentences of a paragraph."""
    masked = UNBROKEN.sub(lambda match: "\x00" * len(match[0]), text)
    found, begin = [], 0
    for end in END.finditer(masked):
        if not NO_END.search(masked[: end.end()]) and not BLOCK.match(text[end.end() :]):
            found.append(text[begin : end.end()].strip())
            begin = end.end()
    return [*found, text[begin:]]
