"""The file format: what is whole is read, what is not is refused by name."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from mnist_helpers.idx import IdxError, packed_size, parse_idx, unpacked


def header(*shape, zeros=b"\0\0", type_code=8, rank=None):
    rank = len(shape) if rank is None else rank
    return zeros + bytes([type_code, rank]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("shape", [(7,), (2, 28, 28), (0,), (3, 1, 2)])
def test_values_come_back_in_the_shape_of_the_header(shape):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    parsed = parse_idx(header(*shape) + values.tobytes(), "demo")
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, values, strict=True)


def test_sizes_are_big_endian():
    assert parse_idx(bytes([0, 0, 8, 1, 0, 0, 1, 0]) + bytes(256), "demo").shape == (256,)


def test_no_copy_is_made_and_nobody_can_write_into_the_file():
    content = header(3) + b"\1\2\3"
    parsed = parse_idx(content, "demo")
    assert np.shares_memory(parsed, np.frombuffer(content, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        parsed[0] = 9


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not an idx file"),
        (b"\0\0\x08", "not an idx file"),
        (b"<html>404</html>", "not an idx file"),
        (gzip.compress(header(3) + b"\1\2\3"), "not an idx file"),
        (header(3, zeros=b"\0\1") + b"\1\2\3", "not an idx file"),
        (header(3, type_code=0x09) + b"\1\2\3", r"of bytes.*x00\\t\\x01"),
        (header(3, type_code=0x0D) + bytes(12), r"of bytes.*x00\\r\\x01"),
        (header(3, 28)[:10], "truncated"),
        (header(3, rank=3) + b"\1\2\3", "truncated"),
        (header(3), "truncated"),
        (header(3) + b"\1\2", "truncated"),
        (header(2, 28, 28) + bytes(2 * 784 - 1), "truncated"),
        (header(2**32 - 1, 2**32 - 1), "truncated"),
        (header(3) + b"\1\2\3\4", "oversized"),
        (header(0, 28) + b"\1", "oversized"),
    ],
)
def test_a_file_that_is_no_whole_idx_file_is_refused_by_name(content, fault):
    with pytest.raises(IdxError, match=fault) as refusal:
        parse_idx(content, "train-labels")
    assert str(refusal.value).startswith("train-labels ")


def test_what_is_missing_is_said():
    with pytest.raises(IdxError, match=r"size 7 into shape \(1000,\)"):
        parse_idx(header(1000) + bytes(7), "labels")


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_what_is_compressed_comes_out_and_what_is_not_stays(layers):
    content = packed = bytes(range(256)) * 40
    for _ in range(layers):
        packed = gzip.compress(packed)
    assert len(packed) <= packed_size(len(content))
    assert unpacked(packed, "demo.gz", len(content)) == content


SEVEN = gzip.compress(b"seven" * 100)


@pytest.mark.parametrize(
    "content",
    [
        SEVEN[:2],
        SEVEN[:12],
        SEVEN[:-1],
        SEVEN[:-8],
        SEVEN[:-5] + b"\0" + SEVEN[-4:],
        SEVEN[:12] + b"\xff" + SEVEN[13:],
        SEVEN + b"and more",
    ],
)
def test_a_damaged_gzip_file_is_refused_by_name(content):
    with pytest.raises(IdxError, match=r"^demo\.gz is a damaged gzip file"):
        unpacked(content, "demo.gz", size=500)


def test_a_gzip_bomb_never_fills_the_memory():
    bomb = gzip.compress(bytes(64_000_000), 6)
    tracemalloc.start()
    try:
        assert 1_000 < len(unpacked(bomb, "bomb.gz", size=1_000)) < 3_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
