"""A book that one finishes: no page is too long, and neither is the whole."""

import pytest

from pipeline.contents import is_side_trip, main_line, page_file, pages
from pipeline.reading import (
    LARGEST_MACHINERY,
    LONGEST_CHAPTER,
    LONGEST_MAIN_LINE,
    LONGEST_SIDE_TRIP,
    length,
    sum_of,
)
from pipeline.site.route import route_files


@pytest.mark.parametrize("page", main_line())
def test_a_chapter_can_be_read_in_half_an_hour(page: str):
    it = length(page_file(page))
    too_long = {
        name: (getattr(it, name), limit)
        for name, limit in LONGEST_CHAPTER.items()
        if getattr(it, name) > limit
    }
    assert not too_long, (
        f"{page} has more than it may: {too_long}; what goes deeper is a side trip"
    )
    assert it.minutes <= 30


@pytest.mark.parametrize("page", filter(is_side_trip, pages()))
def test_a_side_trip_is_short(page: str):
    assert length(page_file(page)).words <= LONGEST_SIDE_TRIP


def test_the_main_line_is_not_longer_than_a_reader_has_patience_for():
    assert sum_of(main_line()).words <= LONGEST_MAIN_LINE


def test_little_of_the_code_is_machinery_that_no_page_shows():
    assert 0 < sum_of(pages()).machinery <= LARGEST_MACHINERY


def test_the_route_takes_at_most_three_hours_and_leads_through_every_chapter():
    rows = route_files()["route.md"].decode().splitlines()[2:]
    *pages_of_it, together = [row.split("|") for row in rows]
    assert 100 < int(together[3]) <= 180
    assert len(pages_of_it) >= 8
