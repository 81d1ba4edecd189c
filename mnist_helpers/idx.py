"""The idx file format, in which MNIST has been published since 1998.

A file is a header and then the values, one unsigned byte each. The header is a magic number (two
zero bytes, a type code, the number of dimensions) and the size of each dimension as a big-endian
32-bit integer.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib

import numpy as np

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


class IdxError(ValueError):
    """A file that is not the idx file it should be."""


def is_gzip(content: bytes) -> bool:
    """Whether bytes begin as a gzip file does; an idx file never does.

    >>> is_gzip(gzip.compress(b"seven")), is_gzip(b"seven")
    (True, False)
    """
    return content[:2] == GZIP_MAGIC


def packed_size(size: int) -> int:
    """How long a gzip file of ``size`` bytes may be, even if they do not compress at all.

    >>> packed_size(60_000)
    61060
    """
    return size + size // 1_000 + 1_000


def gunzip(content: bytes, name: str, size: int) -> bytes:
    """Decompress a gzip file that should hold exactly ``size`` bytes; ``name`` is for errors.

    Where a server compressed once more what was compressed already, both layers come off. Little
    more than ``size`` bytes are ever decompressed, so a file made to fill the memory is refused
    like any other that is too long. Raises IdxError if ``content`` is not gzip, is damaged, or
    holds more or fewer bytes.

    >>> gunzip(gzip.compress(b"seven"), "demo.gz", size=5)
    b'seven'
    """
    data = _without_one_layer(content, name, packed_size(size))
    if is_gzip(data):
        data = _without_one_layer(data, name, size)
    if len(data) != size:
        found = "more than that" if len(data) > size else f"{len(data):,}"
        raise IdxError(f"{name} should unpack to {size:,} bytes; it has {found}.")
    return data


def _without_one_layer(content: bytes, name: str, most: int) -> bytes:
    """Decompress up to one byte more than ``most``."""
    if not is_gzip(content):
        raise IdxError(
            f"{name} is not a gzip file: it begins with {content[:4]!r}, "
            f"and gzip begins with {GZIP_MAGIC!r}."
        )
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            return stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise IdxError(f"{name} is a damaged gzip file: {error}.") from error


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """Read the values of an uncompressed idx file; ``name`` is what to call it in an error.

    Returns: uint8, read-only, in the shape that the header gives: (N, 28, 28) for images, (N,) for
        labels. No copy is made.
    Raises IdxError if the magic number or type is wrong, the file is shorter or longer than its
        header says, or no array can have the shape that the header gives.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), "labels")
    array([5, 0, 4], dtype=uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise IdxError(
            f"{name} is not an idx file: it begins with {content[:4]!r}, "
            f"and an idx file begins with two zero bytes."
        )
    type_code, rank = content[2], content[3]
    if type_code != UNSIGNED_BYTE:
        raise IdxError(
            f"{name} holds values of idx type 0x{type_code:02x}; "
            f"expected unsigned bytes, 0x{UNSIGNED_BYTE:02x}."
        )
    header = 4 + 4 * rank
    if len(content) < header:
        raise IdxError(f"{name} is truncated: it ends within its {header}-byte header.")
    shape = struct.unpack(f">{rank}I", content[4:header])
    expected = header + math.prod(shape)
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "oversized"
        raise IdxError(
            f"{name} is {fault}: its header announces {expected:,} bytes, it has {len(content):,}."
        )
    try:
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    except ValueError as error:
        raise IdxError(f"{name} has a shape of {rank} dimensions: {error}.") from error
