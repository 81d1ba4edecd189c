"""Cores that a process may use, and the threads that it computes with."""

import os
import re

import pytest

from mnist_helpers import threads
from mnist_helpers.threads import core_count, thread_count
from pipeline.contents import ROOT
from pipeline.run_chapter import threads_for_one_job


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be withheld here")
def test_cores_that_the_process_may_not_use_do_not_count():
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert core_count() == 1
    finally:
        os.sched_setaffinity(0, mine)


@pytest.mark.parametrize(
    ("given", "count"), [("1", 1), ("4,2", 4), (" 3 , 1", 3), ("64", 64), ("", 8), (None, 8)]
)
def test_as_many_threads_as_asked_for_or_one_for_each_core(given, count, monkeypatch):
    monkeypatch.setattr(threads, "core_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert thread_count() == count


@pytest.mark.parametrize("given", ["many", "0", "-1", "2.5", "4;2", ",2", "4,", "4,0", "99999"])
def test_a_number_of_threads_that_makes_no_sense_is_refused_by_name(given, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    says = f"OMP_NUM_THREADS is {re.escape(repr(given))}; it may be a whole number from 1"
    with pytest.raises(ValueError, match=says):
        thread_count()


@pytest.mark.parametrize(
    ("makeflags", "share"),
    [
        ("", 8),
        (" -j2 --jobserver-auth=3,4", 4),
        ("k -j4", 2),
        (" -j16", 1),
        (" -j", 1),
        (" -j --no-print-directory", 1),
        (" --no-print-directory -- X=-j2", 8),
    ],
)
def test_chapters_side_by_side_share_the_cores(makeflags, share, monkeypatch):
    monkeypatch.setattr(threads, "core_count", lambda: 8)
    monkeypatch.setenv("MAKEFLAGS", makeflags)
    assert threads_for_one_job() == share


def test_cores_are_counted_in_one_place():
    counts = re.compile(r"cpu_count\(|CPU_COUNT|sched_getaffinity")
    paths = [
        path
        for folder in ("bench", "chapters", "experiments", "mnist_helpers", "pipeline")
        for path in (ROOT / folder).rglob("*.[pi]*")
        if path.suffix in (".py", ".ipynb")
    ]
    found = {p.name for p in paths if counts.search(p.read_text(encoding="utf-8"))}
    assert found == {"threads.py"}
