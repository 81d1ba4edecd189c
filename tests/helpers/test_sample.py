"""The sample is genuine MNIST: it is made here again from the full set."""

import gzip
import hashlib

import numpy as np
import pytest
from conftest import FILE_NAMES, to_idx

from mnist_helpers.sources import PUBLICATIONS, SAMPLE, SAMPLE_FOLDER, deliver

EVERY = (15, 15, 10, 10)  # every 15th of the training files, every 10th of the test files


@pytest.fixture(scope="module")
def sample():
    return [gzip.decompress((SAMPLE_FOLDER / f"{name}.gz").read_bytes()) for name in FILE_NAMES]


@pytest.mark.parametrize("position", range(4), ids=FILE_NAMES)
def test_the_sample_is_every_nth_image_of_the_full_set(full_mnist, sample, position):
    content = deliver(PUBLICATIONS["mnist"]).contents[position]
    if position % 2:
        full = np.frombuffer(content, np.uint8, offset=8)
    else:
        full = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)
    assert sample[position] == to_idx(full[:: EVERY[position]])


@pytest.mark.parametrize("position", range(4), ids=FILE_NAMES)
def test_the_sample_is_checked_like_any_other_publication(sample, position):
    file = SAMPLE.files[position]
    assert file.name == FILE_NAMES[position]
    assert file.size == len(sample[position])
    assert file.sha256 == hashlib.sha256(sample[position]).hexdigest()


def test_the_sample_is_5_000_digits_of_every_class(sample):
    classes = np.frombuffer(sample[1][8:] + sample[3][8:], np.uint8)
    assert len(classes) == 5_000
    counts = np.bincount(classes)
    assert len(counts) == 10
    assert counts.min() > 400  # 454 of the rarest in proportion to MNIST


def test_the_sample_is_small_enough_for_a_package():
    paths = sorted(SAMPLE_FOLDER.iterdir())
    assert [path.name for path in paths] == sorted(f"{name}.gz" for name in FILE_NAMES)
    assert sum(path.stat().st_size for path in paths) < 1_000_000
