"""Sentences that a run completes read as English whatever comes out."""

import pytest

from mnist_helpers.words import leaders, listed


def test_a_tie_has_two_leaders():
    """Chapter 2 once named one pair as the worst where two were mixed up equally often."""
    assert leaders({"3 and 5": 49, "4 and 9": 49, "7 and 9": 48}) == ["3 and 5", "4 and 9"]
    assert leaders({"a": 0.5}) == ["a"]


def test_nobody_leads_where_there_is_nobody():
    with pytest.raises(ValueError, match="scores is empty"):
        leaders({})


@pytest.mark.parametrize(
    ("names", "words"),
    [("", "none"), ("a", "a"), ("ab", "a and b"), ("abcd", "a, b, c and d")],
)
def test_a_list_reads_as_a_sentence_lists_it(names, words):
    assert listed(names) == words
    assert listed(iter(names)) == words
