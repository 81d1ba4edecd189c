"""The idx file format, in which MNIST has been published since 1998.

A file is a header and then the values, one unsigned byte each. The header is a magic number (two
zero bytes, a type code, the number of dimensions) and the size of each dimension as a big-endian
32-bit integer.
"""

import gzip
import io
import struct
import zlib

import numpy as np

UNSIGNED_BYTES = b"\0\0\x08"  # and then the number of dimensions
GZIP_MAGIC = b"\x1f\x8b"  # an idx file never begins so


class IdxError(ValueError):
    """A file that is not the idx file it should be."""


def packed_size(size: int) -> int:
    """How long a gzip file of ``size`` bytes may be, even if they do not compress at all."""
    return size + size // 1_000 + 1_000


def unpacked(content: bytes, name: str, size: int) -> bytes:
    """Decompress a file that should have ``size`` bytes, if it is gzip; ``name`` is for errors.

    Where a server compressed once more what was compressed already, both layers come off. Little
    more than ``size`` bytes ever do, so a file made to fill the memory is only a byte too long.
    Raises IdxError if ``content`` is damaged.
    """
    for most in (packed_size(size), size):
        if content.startswith(GZIP_MAGIC):
            try:
                with gzip.open(io.BytesIO(content)) as stream:
                    content = stream.read(most + 1)
            except (OSError, EOFError, zlib.error) as error:
                raise IdxError(f"{name} is a damaged gzip file: {error}.") from error
    return content


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """Read the values of an uncompressed idx file; ``name`` is for errors.

    Returns uint8, read-only, in the shape that the header gives: (N, 28, 28) for images, (N,) for
    labels. No copy is made. Raises IdxError if the file does not begin as it should, or is shorter
    or longer than its header says.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), "labels")
    array([5, 0, 4], dtype=uint8)
    """
    if len(content) < 4 or not content.startswith(UNSIGNED_BYTES):
        raise IdxError(f"{name} is not an idx file of bytes: it begins with {content[:4]!r}.")
    try:
        shape = struct.unpack_from(f">{content[3]}I", content, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (struct.error, ValueError) as error:
        raise IdxError(f"{name} is truncated or oversized: {error}.") from error
