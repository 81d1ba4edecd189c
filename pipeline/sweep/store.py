"""Files on a disk or in a remote store, by the same few calls."""

from __future__ import annotations

from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from mnist_helpers.files import write_whole
from pipeline.sweep.definition import SweepError


class Store:
    """A folder: a path of this machine, or an address such as ``s3://bucket/folder``."""

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        try:
            # Other programs write there, too: each look is a look at what is there now.
            self.files, self.root = fsspec.url_to_fs(self.address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise SweepError(f"{address!r} is no folder or store that we know: {error}") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self._path(name)
        try:
            if isinstance(self.files, LocalFileSystem):
                write_whole(Path(path), content)
            else:  # an object store shows an object when all of it has arrived
                self.files.pipe_file(path, content)
        except Exception as error:  # each kind of store has exceptions of its own
            raise SweepError(f"{path} cannot be written: {error!r}") from error

    def read(self, name: str) -> bytes | None:
        """What a file holds; None if there is none."""
        try:
            return self.files.cat_file(self._path(name))
        except FileNotFoundError:
            return None

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
