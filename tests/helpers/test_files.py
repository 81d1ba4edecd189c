"""A file is whole or not there, whatever happens while it is written."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from conftest import names

from mnist_helpers.files import PARTIAL, remove_leftovers, user_path, write_whole


def test_a_tilde_is_the_home_folder_and_one_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/logs") == tmp_path / "logs"
    assert user_path("logs/~") == Path("logs/~")
    with pytest.raises(FileNotFoundError, match="no home folder for '~nobody-of-that-name/logs'"):
        user_path("~nobody-of-that-name/logs")


def test_the_folder_is_made_and_nothing_but_the_file_is_left_in_it(tmp_path):
    path = tmp_path / "not" / "yet" / "file"
    write_whole(path, b"seven")
    assert path.read_bytes() == b"seven"
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
@pytest.mark.parametrize("before", [None, b"whole"])
def test_a_failure_in_the_middle_leaves_things_as_they_were(tmp_path, fault, before):
    path = tmp_path / "file"
    if before:
        path.write_bytes(before)

    def fail(stream):
        stream.write(b"half")
        stream.flush()
        raise fault

    with pytest.raises(type(fault)):
        write_whole(path, fail)
    assert names(tmp_path) == (["file"] if before else [])
    if before:
        assert path.read_bytes() == before


def test_a_disk_that_is_full_when_the_last_bytes_are_flushed_leaves_nothing(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnist_helpers.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"seven")
    assert names(tmp_path) == []


def test_the_bytes_are_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    sync = os.fsync

    def watch(handle):
        seen.append((os.fstat(handle).st_size, path.exists()))
        sync(handle)

    monkeypatch.setattr("mnist_helpers.files.os.fsync", watch)
    write_whole(path, b"seven")
    assert seen == [(5, False)]


KILLED_WRITER = """if True:
    import sys, time
    from pathlib import Path
    from mnist_helpers.files import write_whole

    def write(stream):
        stream.write(b"half")
        stream.flush()
        print("half is written", flush=True)
        time.sleep(60)

    write_whole(Path(sys.argv[1]), write)
    """


@pytest.mark.parametrize("before", [None, b"whole"])
def test_kill_9_in_the_middle_leaves_no_half_file(tmp_path, start_python, before):
    path = tmp_path / "file"
    if before:
        path.write_bytes(before)
    with start_python(KILLED_WRITER, path) as child:
        try:
            assert child.stdout.readline() == "half is written\n"
        finally:
            child.kill()
    assert (path.read_bytes() if path.exists() else None) == before
    write_whole(path, b"next")  # and the next run is not hindered
    assert path.read_bytes() == b"next"


def test_whoever_reads_while_others_write_sees_a_whole_file(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([letter]) * 300_000 for letter in b"abc"]
    write_whole(path, contents[0])
    over = threading.Event()

    def write_again_and_again(content):
        while not over.is_set():
            write_whole(path, content)

    writers = [threading.Thread(target=write_again_and_again, args=(c,)) for c in contents]
    for writer in writers:
        writer.start()
    seen, began = set(), time.monotonic()
    while time.monotonic() < began + (0.5 if len(seen) > 1 else 20):
        seen.add(path.read_bytes())
    over.set()
    for writer in writers:
        writer.join()
    assert seen <= set(contents)
    assert len(seen) > 1, "the writers never got a turn; the test showed nothing"
    assert names(tmp_path) == ["file"]


def test_what_a_killed_process_leaves_is_known_as_a_leftover(tmp_path, start_python):
    with start_python(KILLED_WRITER, tmp_path / "file") as child:
        try:
            child.stdout.readline()
        finally:
            child.kill()
    assert len(names(tmp_path)) == 1  # the half file, under another name
    remove_leftovers(tmp_path, older_than=-1)
    assert names(tmp_path) == []


def test_a_leftover_that_cannot_be_removed_stops_nobody(tmp_path):
    (tmp_path / f"{PARTIAL}folder").mkdir()
    removable = tmp_path / f"{PARTIAL}zzz"
    removable.write_bytes(b"half")
    remove_leftovers(tmp_path, older_than=-1)
    assert not removable.exists()
    remove_leftovers(tmp_path / "no such folder")  # nor does a folder that is not there


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "file", b"seven")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
