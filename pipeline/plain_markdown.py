"""MyST Markdown, as the site's pages are written in it, turned into what every notebook shows.

Jupyter, Colab and GitHub know plain Markdown, maths and a little HTML. Directives become
quotations, headings and ``<details>``; roles become text and links. What is plain already stays
as it is, letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

PARSER = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(colon_fence_plugin)
    .use(deflist_plugin)
    .use(dollarmath_plugin)
)
DIRECTIVE = re.compile(r"\{([\w:-]+)\}\s*(.*)")
OPTION = re.compile(r":([\w-]+):\s*(.*)")
ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
NAMED = re.compile(r"(.+?)\s*<([^<>]+)>", re.DOTALL)
ANSWER = re.compile(r"- \[([x ])\] (.+?)\n\n(.+)", re.DOTALL)
LETTERS = "ABCDEFGH"
VERDICTS = {"x": "Right.", " ": "Not so."}


class MystError(ValueError):
    """Something of MyST that has no plain form here; the message quotes it."""


@dataclass(frozen=True)
class Directive:
    """A fenced directive: its name, what follows the name, its options and its body."""

    name: str
    title: str
    options: Mapping[str, str]
    body: str


Role = Callable[[str, str], str]  # from the text and the target of a role to plain Markdown


def plain(source: str, roles: Mapping[str, Role], directives: Mapping[str, Callable]) -> str:
    """Turn MyST into plain Markdown.

    Args:
        source: The text of a Markdown cell.
        roles: For each role what it becomes, given its text and its target; without a text of its
            own, such as in ``{doc}`text <target>` ``, both are the same.
        directives: For each directive of the book's own what it becomes, given a `Directive` whose
            body is plain already. Admonitions, folded answers and quizzes are known here.
    Raises MystError if a role or a directive is not known.

    >>> plain("See {doc}`chapter 3 <03-mlp>`.", {"doc": lambda text, to: f"[{text}]({to})"}, {})
    'See [chapter 3](03-mlp).'
    """

    def text_of(source: str) -> str:
        lines = source.split("\n")
        for begin, end, token in reversed(list(_blocks(source))):
            if token.type == "dl_open":
                lines[begin:end] = _definitions(lines[begin:end])
            elif token.type == "directive":
                directive = _directive(token)
                body = directive.body if directive.name == "quiz" else text_of(directive.body)
                render = {**RENDERED, **directives}.get(directive.name)
                if render is None:
                    raise MystError(f"the directive {{{directive.name}}} has no plain form")
                known = Directive(directive.name, directive.title, directive.options, body)
                # Blank lines around it: without, HTML would run into the paragraph before it.
                lines[begin:end] = ["", *render(known).split("\n"), ""]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def role(match: re.Match) -> str:
        name, content = match.groups()
        if name not in roles:
            raise MystError(f"the role {match[0]} has no plain form")
        named = NAMED.fullmatch(content)
        text, target = named.groups() if named else (content, content)
        return roles[name](text, target)

    return _outside_code(text_of(source), lambda text: ROLE.sub(role, text))


def _blocks(source: str) -> Iterator[tuple[int, int, Token]]:
    """The outermost directives and lists of definitions: first line, last line, token."""
    for token in PARSER.parse(source):
        if token.level == 0 and token.map:
            if token.type == "colon_fence" or (
                token.type == "fence" and DIRECTIVE.match(token.info)
            ):
                yield *token.map, Token("directive", "", 0, info=token.info, content=token.content)
            elif token.type == "dl_open":
                yield *token.map, token


def _directive(token: Token) -> Directive:
    match = DIRECTIVE.fullmatch(token.info.strip())
    if match is None:
        raise MystError(f"the fence {token.info!r} names no directive")
    lines = token.content.split("\n")
    options = {}
    while lines and (option := OPTION.fullmatch(lines[0])):
        options[option[1]] = option[2]
        lines = lines[1:]
    return Directive(match[1], match[2].strip(), options, "\n".join(lines).strip("\n"))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change all of a text but its blocks of code."""
    lines = text.split("\n")
    code = [token.map for token in PARSER.parse(text) if token.type in ("fence", "code_block")]
    parts, at = [], 0
    for begin, end in code:
        parts += [change("\n".join(lines[at:begin])), "\n".join(lines[begin:end])]
        at = end
    parts.append(change("\n".join(lines[at:])))
    return "\n".join(part for part in parts if part or len(parts) == 1)


# ---- what each directive becomes ----


def quotation(directive: Directive) -> str:
    """An admonition: a quotation with its title in bold."""
    quoted = f"**{directive.title}**\n\n{directive.body}".split("\n")
    return "\n".join(f"> {line}".rstrip() for line in quoted)


def folded(directive: Directive) -> str:
    """A text that unfolds when its title is clicked."""
    return f"<details><summary>{directive.title}</summary>\n\n{directive.body}\n\n</details>"


def question(directive: Directive) -> str:
    """A quiz: its question, its answers by letter, and below, folded, what each is worth."""
    asked, *answers = re.split(r"\n+(?=- \[[x ]\] )", directive.body)
    choices, verdicts = [], []
    for letter, answer in zip(LETTERS, answers, strict=False):
        match = ANSWER.fullmatch(answer.strip())
        if match is None:
            raise MystError(f"the answer {answer[:60]!r} of a quiz has no explanation")
        mark, text, explanation = match.groups()
        choices.append(f"- **{letter}.** {text.strip()}")
        verdicts.append(f"**{letter}.** {VERDICTS[mark]} {_outdented(explanation)}")
    answers_folded = folded(Directive("dropdown", "Answers", {}, "\n\n".join(verdicts)))
    return "\n\n".join([asked.strip(), "\n".join(choices), answers_folded])


def _outdented(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n")).strip()


RENDERED = {"admonition": quotation, "dropdown": folded, "quiz": question}


def _definitions(lines: list[str]) -> list[str]:
    """A list of terms and what they mean, as paragraphs that begin with the term in bold."""
    text = "\n".join(lines)
    return re.sub(r"^(\S.*)\n:\s+", r"**\1:** ", text, flags=re.MULTILINE).split("\n")
