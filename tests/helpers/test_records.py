"""What a run leaves behind: everything promised, whole, and readable again."""

import errno
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import names

from mnist_helpers import records
from mnist_helpers.files import PARTIAL
from mnist_helpers.records import (
    Curve,
    RecordError,
    load_records,
    record_folder,
    save_record,
    save_weights,
)
from pipeline.draw.weights import load_weights


def a_curve(num_steps: int = 6) -> Curve:
    loss, percent = np.linspace([2.302585, 10], [0.1, 100], num_steps, dtype=np.float32).T
    return Curve(loss, percent, [0, num_steps - 1], [12.3456, 98.7654], 1.0)


PARAMETERS = {
    "data_set": "mnist",
    "split": "original",
    "seed": 3,
    "device": "auto",
    "num_steps": 6,
    "keep_probs": [0.5, 0.9],
    "record_dir": "/somewhere/_build/records",
    "log_dir": "",
}


@pytest.fixture
def predictions(toy_data):
    """Logits that are right for 15 of the 20 test images."""
    classes = toy_data().test.classes.copy()
    classes[:5] = (classes[:5] + 1) % 10
    return np.eye(10, dtype=np.float32)[classes] * 4 - 1


def facts_in(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def save(tmp_path, toy_data, predictions):
    """Save a record; what is given stands in for what a chapter would say."""

    def save(record_dir=None, **more):
        given = {
            "model": "simple_cnn",
            "chapter": "05-simple-cnn",
            "parameters": PARAMETERS,
            "data": toy_data(),
            "validation_accuracy": 97.5,
            "test_predictions": predictions,
            "parameter_count": 1_234,
            "train_seconds": 12.34567,
            "device": "CPU, 2 threads",
            "curve": a_curve(),
        }
        folder = str(tmp_path / "records") if record_dir is None else record_dir
        return save_record(folder, **(given | more))

    return save


def test_by_default_nothing_is_written(save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save(record_dir="") is None
    assert names(tmp_path) == []


def test_a_record_is_two_files_in_a_folder_that_is_made(save, tmp_path):
    path = save()
    assert path.suffix == ".json"
    assert path.parent == tmp_path / "records"
    assert names(path.parent) == [path.name, path.with_suffix(".npz").name]


def test_a_long_run_does_not_take_the_place_of_a_short_one(save):
    paths = {save(parameters=PARAMETERS | {"num_steps": steps}) for steps in (3_001, 20_001)}
    assert len(paths) == 2
    assert {record["num_steps"] for record in load_records(paths.pop().parent)} == {3_001, 20_001}


def test_a_tilde_is_the_home_folder(save, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert save(record_dir="~/mine").parent == tmp_path / "mine"


def test_everything_promised_is_in_the_record(save):
    facts = facts_in(save())
    versions = facts.pop("versions")
    assert facts == {
        "model": "simple_cnn",
        "chapter": "05-simple-cnn",
        "parameters": {
            "data_set": "mnist",
            "split": "original",
            "seed": 3,
            "device": "auto",
            "num_steps": 6,
            "keep_probs": [0.5, 0.9],
        },
        "seed": 3,
        "data_set": "mnist",
        "data_sha256": "5" * 64,
        "data_source": "full",
        "split": "original",
        "num_steps": 6,
        "test_accuracy": 75.0,
        "validation_accuracy": 97.5,
        "train_accuracy": None,
        "test_size": 20,
        "parameter_count": 1_234,
        "train_seconds": 12.346,
        "device": "CPU, 2 threads",
        "curve": {
            "loss": pytest.approx([2.302585, 1.862068, 1.421551, 0.981034, 0.540517, 0.1], 1e-4),
            "minibatch_accuracy": [10, 28, 46, 64, 82, 100],
            "validation_steps": [0, 5],
            "validation_accuracy": [12.346, 98.765],
        },
    }
    assert {"python", "tensorflow", "keras", "scikit-learn", "numpy"} <= set(versions)
    assert versions["numpy"] == np.__version__


def test_a_record_does_not_depend_on_where_it_was_written(save, tmp_path):
    """So a book that was built elsewhere has the same records."""
    assert str(tmp_path) not in save().read_text(encoding="utf-8")


@pytest.mark.parametrize("curve", [a_curve(1), None])
def test_a_record_comes_back_as_it_was_saved(save, toy_data, predictions, curve):
    path = save(curve=curve)
    (record,) = load_records(path.parent)
    assert record.facts == facts_in(path)
    assert record["model"] == "simple_cnn"
    assert (record["curve"] is None) == (curve is None)
    expected = predictions.argmax(1).astype(np.uint8)
    np.testing.assert_array_equal(record.predictions, expected, strict=True)
    np.testing.assert_array_equal(record.labels, toy_data().test.classes, strict=True)
    right = np.mean(record.predictions == record.labels)
    assert 100 * right == record["test_accuracy"]


def test_the_test_accuracy_is_computed_from_the_predictions(save, toy_data):
    perfect = toy_data().test.labels
    for predicted, percent in ((perfect, 100.0), (np.roll(perfect, 1, axis=1), 0.0)):
        assert facts_in(save(test_predictions=predicted))["test_accuracy"] == percent


def test_what_differs_from_the_usual_is_in_the_record(save, toy_data):
    assert facts_in(save(data=toy_data(is_sample=True)))["data_source"] == "sample"
    assert facts_in(save(train_accuracy=99.1))["train_accuracy"] == 99.1
    assert [facts_in(save(seed=seed))["seed"] for seed in (7, 0)] == [7, 0]  # 0 is a seed


def test_runs_of_several_models_and_seeds_do_not_overwrite_each_other(save):
    saved = {save(model=m, seed=s) for m in ("mlp", "mlp_keras") for s in (0, 1, 2)}
    assert len(saved) == 6
    (folder,) = {path.parent for path in saved}
    records = load_records(folder)
    assert {(r["model"], r["seed"]) for r in records} == {
        (m, s) for m in ("mlp", "mlp_keras") for s in (0, 1, 2)
    }


def test_the_same_run_again_replaces_its_record(save):
    first = save(validation_accuracy=1.0)
    second = save(validation_accuracy=2.0)
    assert first == second
    (record,) = load_records(first.parent)
    assert record["validation_accuracy"] == 2.0


def test_a_name_with_odd_characters_stays_in_the_folder(save, tmp_path):
    path = save(model="mlp/../../x y")
    assert path.parent == tmp_path / "records"
    assert names(tmp_path) == ["records"]


def test_records_come_in_the_order_of_chapters(save):
    for chapter in ("05-simple-cnn", "03-mlp", "04-regularized-mlp"):
        folder = save(chapter=chapter).parent
    order = [record["chapter"] for record in load_records(str(folder))]
    assert order == ["03-mlp", "04-regularized-mlp", "05-simple-cnn"]


def test_a_folder_that_is_not_there_holds_no_records(tmp_path):
    assert load_records(tmp_path / "no such folder") == []


# ---- no NaN ----


def test_nan_predictions_are_refused(save, tmp_path, predictions):
    predictions[3, 3] = math.nan
    with pytest.raises(ValueError, match="predictions holds NaN"):
        save()
    assert names(tmp_path / "records") == []


@pytest.mark.parametrize("name", ["validation_accuracy", "train_seconds"])
def test_no_record_holds_nan(save, tmp_path, name):
    with pytest.raises(ValueError, match=r"nan|NaN|not JSON compliant"):
        save(**{name: math.nan})
    assert not list((tmp_path / "records").glob("*.json"))
    assert load_records(tmp_path / "records") == []


# ---- whole or not at all ----


@pytest.fixture
def full_at(monkeypatch):
    """Have the disk full when the so many-th file from now on is written."""

    def full_at(number: int) -> None:
        files = iter(range(1, 10))

        def sync(handle):
            if next(files) == number:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("mnist_helpers.files.os.fsync", sync)

    return full_at


@pytest.mark.parametrize("number", [1, 2])
def test_a_full_disk_leaves_no_record_and_nothing_half_written(save, tmp_path, full_at, number):
    full_at(number)
    with pytest.raises(OSError, match="No space left"):
        save()
    left = names(tmp_path / "records")
    assert not [name for name in left if name.endswith(".json") or name.startswith(PARTIAL)]
    assert load_records(tmp_path / "records") == []


def test_the_json_comes_last_so_that_a_record_that_is_there_is_complete(save, monkeypatch):
    order = []
    write_whole = records.write_whole

    def watch(path, write):
        order.append(path.suffix)
        write_whole(path, write)

    monkeypatch.setattr(records, "write_whole", watch)
    save()
    assert order == [".npz", ".json"]


def test_a_rewrite_cut_short_leaves_no_record_of_two_runs(save, full_at, toy_data):
    folder = save().parent
    full_at(2)
    with pytest.raises(OSError, match="No space left"):
        save(test_predictions=toy_data().test.labels)
    for record in load_records(folder):
        right = np.mean(record.predictions == record.labels)
        assert 100 * right == record["test_accuracy"]


# ---- damaged ----


def arrays(**content) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **content)
    return stream.getvalue()


TWENTY = np.zeros(20, np.uint8)
NPZ = arrays(predictions=TWENTY, labels=TWENTY)


DAMAGED = {
    "empty.json": b"",
    "truncated.json": b'{"model": "mlp", "test_size"',
    "html.json": b"<html>",
    "no text.json": b"\xff\xfe\x00",
    "a list.json": b"[1, 2]",
    "a number.json": b"20",
    "without facts.json": b"{}",
    "another size.json": b'{"test_size": 19}',
    "missing.npz": None,
    "empty.npz": b"",
    "truncated.npz": NPZ[:-30],
    "half.npz": NPZ[:100],
    "bits flipped.npz": NPZ.replace(b"predictions", b"predictiomz", 1),
    "no zip.npz": b"no zip file",
    "without labels.npz": arrays(predictions=TWENTY),
    "one missing.npz": arrays(predictions=TWENTY[1:], labels=TWENTY),
    "label short.npz": arrays(predictions=TWENTY, labels=TWENTY[1:]),
    "both short.npz": arrays(predictions=TWENTY[1:], labels=TWENTY[1:]),
    "no array.npz": arrays(predictions=np.uint8(3), labels=TWENTY),
}


@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_record_is_refused_by_name_and_says_what_to_do(save, damaged):
    ending, content = Path(damaged).suffix, DAMAGED[damaged]
    path = save()
    whole = save(chapter="03-mlp")
    if content is None:
        path.with_suffix(ending).unlink()
    else:
        path.with_suffix(ending).write_bytes(content)
    with pytest.raises(RecordError) as refusal:
        load_records(path.parent)
    message = str(refusal.value)
    assert str(path) in message
    assert str(whole) not in message
    assert "make book" in message


class WritesAFile:
    """Something that does harm when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_record_is_never_unpickled(save, tmp_path):
    path = save()
    harm = tmp_path / "harm"
    trojan = np.array([WritesAFile(harm)] * 20, dtype=object)
    path.with_suffix(".npz").write_bytes(arrays(predictions=trojan, labels=TWENTY))
    with pytest.raises(RecordError, match="allow_pickle"):
        load_records(path.parent)
    assert not harm.exists()


def test_a_leftover_of_a_killed_run_is_no_record(save):
    folder = save().parent
    (folder / f"{PARTIAL}abc").write_bytes(b"{")
    assert len(load_records(folder)) == 1


def test_records_are_kept_in_the_checkout_and_never_among_installed_packages(
    tmp_path, monkeypatch
):
    checkout, installed, here = (tmp_path / name for name in ("book", "site-packages", "here"))
    for folder in (checkout, installed, here):
        folder.mkdir()
    (checkout / "pyproject.toml").touch()
    monkeypatch.chdir(here)
    monkeypatch.setattr(records, "__file__", str(checkout / "mnist_helpers" / "records.py"))
    assert record_folder() == checkout / "_build" / "records"
    monkeypatch.setattr(records, "__file__", str(installed / "mnist_helpers" / "records.py"))
    assert record_folder() == here / "_build" / "records"
    assert record_folder("some/folder") == Path("some/folder")


# ---- what a run learned ----

LAYER = [np.arange(6.0).reshape(3, 2), np.array([0.5, -0.5])]


def test_what_was_saved_is_read_back_in_order_as_float32(tmp_path):
    path = save_weights(tmp_path / "a--b--seed-0.json", [*LAYER, *LAYER[::-1][1:], LAYER[1]])
    assert path == tmp_path / "a--b--seed-0.weights.npz"
    read = load_weights(path)
    assert [array.dtype for array in read] == [np.float32] * 4
    np.testing.assert_array_equal(read[0], LAYER[0])
    np.testing.assert_array_equal(read[3], LAYER[1])


def test_without_a_record_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save_weights(None, LAYER) is None
    assert not list(tmp_path.iterdir())


def test_weights_are_no_record(tmp_path):
    save_weights(tmp_path / "run.json", LAYER)
    assert load_records(tmp_path) == []


@pytest.mark.parametrize("arrays", [[], LAYER[:1], LAYER[::-1], [LAYER[0], np.zeros(3)]])
def test_arrays_that_are_no_layers_are_named_and_refused(tmp_path, arrays):
    with pytest.raises(ValueError, match="expected those of a layer's weights"):
        save_weights(tmp_path / "run.json", arrays)
    assert not list(tmp_path.iterdir())


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"weights\[1\] holds NaN"):
        save_weights(tmp_path / "run.json", [LAYER[0], np.array([1.0, np.nan])])


def test_a_damaged_file_is_named(tmp_path):
    path = save_weights(tmp_path / "run.json", LAYER)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match=r"run\.weights\.npz cannot be read"):
        load_weights(path)
