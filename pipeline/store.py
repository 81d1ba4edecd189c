"""Files on a disk or in a remote store, by the same few calls."""

from __future__ import annotations

from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mnist_helpers.files import write_whole


class Store:
    """A folder: a path of this machine, or an address such as ``s3://bucket/folder``."""

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self.files, self.root = fsspec.url_to_fs(self.address)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if isinstance(self.files, LocalFileSystem):
            write_whole(Path(self._path(name)), lambda stream: stream.write(content))
        else:  # an object store shows an object when all of it has arrived
            self.files.pipe_file(self._path(name), content)

    def read(self, name: str) -> bytes | None:
        """What a file holds; None if there is none."""
        try:
            return self.files.cat_file(self._path(name))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The files of a folder, in order; none if there is no such folder."""
        self.files.invalidate_cache()
        try:
            found = self.files.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{path.rpartition('/')[2]}" for path in found)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        self.files.invalidate_cache()
        if self.files.exists(self._path(name)):
            self.files.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"
