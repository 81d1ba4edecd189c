"""Bytes as scripts that hand them to a page, and what the page checks.

A script loads from a folder, where a browser lets a page read no file in any other way.
"""

from __future__ import annotations

import base64
import zlib


def as_text(content: bytes) -> str:
    """Bytes as they stand in a script."""
    return base64.b64encode(content).decode()


def described(content: bytes) -> dict[str, int]:
    """What the page checks: the length and a CRC-32.

    A CRC finds damage and not malice, as is wanted: anyone who could change these files
    could change the page. The browser's own SHA-256 is not there on a page that came by plain
    http.

    >>> described(b"123456789") == {"bytes": 9, "crc": 0xCBF43926}
    True
    """
    return {"bytes": len(content), "crc": zlib.crc32(content)}
