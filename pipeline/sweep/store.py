"""Files on a disk or in a remote store, by the same few calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mnist_helpers.files import write_whole
from pipeline.sweep.definition import SweepError

VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "md5Hash")


@dataclass(frozen=True)
class Entry:
    """A file as a listing has it.

    Attributes:
        size: In bytes.
        mark: What is another for any other content of the file; "" where a store tells nothing.
    """

    size: int
    mark: str


class Store:
    """A folder: a path of this machine, or an address such as ``s3://bucket/folder``."""

    def __init__(self, address: str):
        try:
            # Other programs write there, too: each look is a look at what is there now.
            self.files, root = fsspec.url_to_fs(address.rstrip("/"), use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise SweepError(f"{address!r} is no folder or store that we know: {error}") from error
        self.root = root.rstrip("/")
        self.is_local = isinstance(self.files, LocalFileSystem)
        # Workers stand in other folders than we do: a path is one from the root of the disk.
        self.address = self.root if self.is_local else address.rstrip("/")

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self._path(name)
        try:
            if self.is_local:
                write_whole(Path(path), content)
            else:  # an object store shows an object when all of it has arrived
                self.files.pipe_file(path, content)
        except Exception as error:  # each kind of store has exceptions of its own
            raise SweepError(f"{path} cannot be written: {error!r}") from error

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Write files at once, each whole or not at all; stores can share the waiting."""
        with ThreadPoolExecutor(min(8, max(1, len(contents)))) as pool:
            list(pool.map(self.write, contents.keys(), contents.values()))

    def read(self, name: str) -> bytes | None:
        """What a file holds; None if there is none."""
        try:
            return self.files.cat_file(self._path(name))
        except FileNotFoundError:
            return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """What files hold, asked for at once; without those that are not there."""
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        found = self.files.cat(list(paths), on_error="omit")
        if isinstance(found, bytes):  # of one
            return dict.fromkeys(paths.values(), found)
        return {paths[path]: content for path, content in found.items()}

    def listing(self) -> dict[str, Entry]:
        """Every file that is there, by name: one question, however many there are."""
        try:
            found = self.files.find(self.root, detail=True)
        except FileNotFoundError:
            return {}
        return {path[len(self.root) + 1 :]: _entry(info) for path, info in found.items()}

    def mark(self, name: str) -> str:
        """What tells a file from any other that bears its name, as a listing has it."""
        return _entry(self.files.info(self._path(name))).mark

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return self.files.exists(self._path(name))

    def names(self, folder: str) -> list[str]:
        """The files of a folder, in order; none if there is no such folder."""
        try:
            found = self.files.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{path.rpartition('/')[2]}" for path in found)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        if self.exists(name):
            self.files.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


def _entry(info: dict) -> Entry:
    version = next((str(info[key]) for key in VERSIONS if info.get(key)), "")
    return Entry(info["size"], f"{version} {info['size']} {info.get('ino', '')}" * bool(version))
