"""Words for sentences that a run completes: ties and lists read as English, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


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
