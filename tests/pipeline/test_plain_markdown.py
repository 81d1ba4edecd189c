"""MyST becomes Markdown that every notebook shows; what is plain already stays as it is."""

from __future__ import annotations

import pytest

from pipeline.plain_markdown import MystError, plain

ROLES = {"doc": lambda text, target: f"[{text}]({target}.html)", "n": lambda text, target: "42"}


def turned(source: str) -> str:
    return plain(source, ROLES, {"solution-end": lambda directive: ""})


PLAIN = """# A title

A sentence with $x_i$ and `code`, and a formula:

$$
a = \\{b\\}`c`
$$

- one
- two

| a | b |
|:--|--:|
| 1 | 2 |

```python
print("{doc}`not a role`")
:::{admonition} not a directive
```"""


def test_what_is_plain_stays_letter_by_letter():
    assert turned(PLAIN) == PLAIN


def test_a_role_becomes_what_its_name_says_with_and_without_a_text():
    assert turned("See {doc}`03-mlp`.") == "See [03-mlp](03-mlp.html)."
    assert turned("See {doc}`the\nthird <03-mlp>`.") == "See [the\nthird](03-mlp.html)."
    assert turned("**{n}`a:.2f` %** {n}`b`") == "**42 %** 42"


def test_an_admonition_becomes_a_quotation_with_its_title():
    assert turned("Before.\n\n:::{admonition} Why\nBecause.\n\n- {n}`a`\n:::\nAfter.") == (
        "Before.\n\n> **Why**\n>\n> Because.\n>\n> - 42\n\nAfter."
    )


def test_an_answer_folds_also_within_an_admonition():
    source = "::::{admonition} Predict\nHow many?\n:::{dropdown} Answer\n{n}`a`.\n:::\n::::"
    assert turned(source) == (
        "> **Predict**\n>\n> How many?\n>\n> <details><summary>Answer</summary>\n>\n> 42.\n>\n"
        "> </details>"
    )


def test_a_quiz_asks_first_and_keeps_its_answers_folded():
    source = (
        ":::{quiz}\nWhat is 6 × 7?\n\n- [ ] 13\n\n  That is the sum.\n- [x] {n}`a`\n\n"
        "  Six sevens,\n  or seven sixes.\n:::"
    )
    asked, folded = turned(source).split("<details><summary>Answers</summary>")
    assert asked == "What is 6 × 7?\n\n- **A.** 13\n- **B.** 42\n\n"
    assert folded == (
        "\n\n**A.** Not so. That is the sum.\n\n**B.** Right. Six sevens,\nor seven sixes.\n\n"
        "</details>"
    )


def test_terms_and_what_they_mean_become_paragraphs():
    source = "Two things.\n\nOne\n: The first {n}`a`.\n\nTwo\n: The second."
    assert turned(source) == "Two things.\n\n**One:** The first 42.\n\n**Two:** The second."


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("{nosuch}`role`", "{nosuch}`role`"),
        (":::{nosuch} title\nbody\n:::", "{nosuch}"),
        (":::{quiz}\nWhat?\n\n- [x] This.\n:::", "This."),
    ],
)
def test_what_has_no_plain_form_is_refused_by_name(source: str, named: str):
    with pytest.raises(MystError) as refused:
        turned(source)
    assert named in str(refused.value)
