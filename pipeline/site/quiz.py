"""The ``{quiz}`` directive: a question whose answers unfold and say whether they are right.

:::{quiz}
What is 6 × 7?

- [x] 42

  Six sevens.
- [ ] 13

  That is the sum.
:::

Each answer becomes a ``<details>`` element, so a quiz works without JavaScript,
from the keyboard and with a screen reader. ``quiz.js`` adds the score.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

MARKS = {"[x] ": "right", "[ ] ": "wrong"}
VERDICTS = {"right": "Right.", "wrong": "Not so."}


class quiz(nodes.General, nodes.Element):
    """A question and its answers."""


class quiz_answer(nodes.General, nodes.Element):
    """An answer: first the answer itself, then the explanation."""


class Quiz(Directive):
    """Reads a question and a list of answers, each marked ``[x]`` or ``[ ]`` and explained."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        question = [node for node in parsed if not isinstance(node, nodes.bullet_list)]
        lists = [node for node in parsed if isinstance(node, nodes.bullet_list)]
        if not question or len(lists) != 1:
            raise self.error("A quiz is a question and then one list of answers.")
        answers = [self.answer(item) for item in lists[0]]
        if [answer["verdict"] for answer in answers].count("right") != 1:
            raise self.error("One answer of a quiz must begin with [x], the others with [ ].")
        return [quiz("", *question, *answers)]

    def answer(self, item: nodes.list_item) -> quiz_answer:
        """Take the mark off an answer, and see that an explanation follows."""
        text = item.next_node(nodes.Text)
        mark = text.astext()[:4] if text else ""
        if mark not in MARKS or len(item) < 2:
            raise self.error(
                "An answer begins with [x] or [ ], and its explanation follows as a paragraph of "
                f"its own: {item.astext()[:60]!r}"
            )
        text.parent.replace(text, nodes.Text(text.astext()[4:]))
        return quiz_answer("", *item.children, verdict=MARKS[mark])


def visit_quiz(html, node: quiz) -> None:
    html.body.append('<div class="quiz" role="group" aria-label="Quiz question">\n')


def depart_quiz(html, node: quiz) -> None:
    html.body.append("</div>\n")


def visit_answer(html, node: quiz_answer) -> None:
    """Open the element; the answer's first paragraph is what can be clicked."""
    html.body.append(f'<details class="quiz-answer quiz-{node["verdict"]}"><summary>')
    node.children[0].walkabout(html)
    html.body.append(f'</summary>\n<p class="quiz-verdict">{VERDICTS[node["verdict"]]}</p>\n')
    for explanation in node.children[1:]:
        explanation.walkabout(html)
    html.body.append("</details>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_answer, html=(visit_answer, None))
    app.add_directive("quiz", Quiz)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
