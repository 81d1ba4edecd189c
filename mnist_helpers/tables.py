"""Tables as Markdown has them; numbers and names as tables and sentences write them."""

from collections.abc import Iterable, Mapping, Sequence

from IPython.display import Markdown

from mnist_helpers.data import Mnist
from mnist_helpers.metrics import accuracy_interval
from mnist_helpers.systems import comparable

RULES = {"l": ":--", "c": ":-:", "r": "--:"}


def table(head: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> str:
    """A Markdown table with a cell for each column in every row; what is no text becomes one.

    ``align`` has a letter for each column, ``l``, ``c`` or ``r``; by default all but the first
    stand to the right. Raises ValueError for another, or for more or fewer cells than in ``head``.
    """
    align = align or "l" + "r" * (len(head) - 1)
    if not set(align) <= set(RULES):
        raise ValueError(f"align is {align!r}; it may have the letters {', '.join(RULES)}.")
    lines = [head, [RULES[letter] for letter in align], *rows]
    for line in lines:
        if len(line) != len(head):
            raise ValueError(f"A line has {len(line)} cells, for {len(head)} columns: {line}.")
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def signed(number: float, digits: int = 2) -> str:
    """A number with its sign, as in +1.52 or −0.31; what rounds to nothing is +0.00.

    >>> signed(1.517), signed(-0.31, digits=1), signed(-0.001)
    ('+1.52', '−0.3', '+0.00')
    """
    return f"{number:+z.{digits}f}".replace("-", "−")


def signed_range(middle: float, half: float, digits: int = 2) -> str:
    """The interval of a difference, in words, such as −0.25 to +1.25."""
    return f"{signed(middle - half, digits)} to {signed(middle + half, digits)}"


def p_in_words(p_value: float) -> str:
    """A p-value in two digits, such as 0.031; a very small one as a bound, < 1e-6."""
    return "< 1e-6" if p_value <= 1e-6 else f"{p_value:.2g}"


def leaders(scores: Mapping[str, float]) -> list[str]:
    """All names that share the largest score, in their order; ValueError if there are no scores.

    >>> leaders({"3 and 5": 49, "7 and 9": 41, "4 and 9": 49})
    ['3 and 5', '4 and 9']
    """
    if not scores:
        raise ValueError("scores is empty; there must be one to lead.")
    best = max(scores.values())
    return [name for name, score in scores.items() if score == best]


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them.

    >>> listed([]), listed(["0"]), listed(["0", "1"]), listed(["0", "1", "6"])
    ('none', '0', '0 and 1', '0, 1 and 6')
    """
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def beside_original(rows: Mapping[str, tuple[float | None, float]], data: Mnist) -> Markdown:
    """A table of the original's test accuracies beside ours, with `accuracy_interval`'s of 95 %.

    ``rows`` has by their names the original's figure (None where it has no such run) and ours, in
    percent. Where ``data`` is not `comparable`, the original's are left out; the table says why.
    """
    show_printed = comparable(data)
    cells = []
    for name, (printed, ours) in rows.items():
        low, high = accuracy_interval(ours, len(data.test))
        there = printed if show_printed and printed is not None else "–"
        cells.append([name, there, f"{ours:.2f}", f"{low:.2f} – {high:.2f}"])
    shown = table(["test accuracy (%)", "original", "ours", "95 % interval"], cells, "lrrc")
    if not show_printed:
        shown += "\nThe original's figures are left out: they were measured on MNIST's original "
        shown += f"split, and these on {data}."
    return Markdown(shown)
