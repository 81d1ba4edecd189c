"""What a run leaves behind: everything promised, whole, and readable again."""

import errno
import json
import math
from pathlib import Path

import numpy as np
import pytest
from conftest import names

from mnist_helpers import records
from mnist_helpers.files import PARTIAL
from mnist_helpers.records import RecordError, load_records, record_folder, save_record


class Curve:
    """What the training loop returns, without waiting for TensorFlow."""

    def __init__(self, num_steps=6):
        self.loss = np.linspace(2.302585, 0.1, num_steps, dtype=np.float32)
        self.minibatch_accuracy = np.linspace(10, 100, num_steps, dtype=np.float32)
        self.validation_steps = [0, num_steps - 1]
        self.validation_accuracy = [12.3456, 98.7654]
        self.seconds = 1.0


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
            "curve": Curve(),
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
    facts = json.loads(save().read_text(encoding="utf-8"))
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


def test_the_accuracy_on_training_images_is_kept_where_it_was_measured(save):
    assert (
        json.loads(save(train_accuracy=99.1).read_text(encoding="utf-8"))["train_accuracy"] == 99.1
    )


def test_a_record_does_not_depend_on_where_it_was_written(save, tmp_path):
    """So a book that was built elsewhere has the same records."""
    assert str(tmp_path) not in save().read_text(encoding="utf-8")


@pytest.mark.parametrize("curve", [Curve(1), None])
def test_a_record_comes_back_as_it_was_saved(save, toy_data, predictions, curve):
    path = save(curve=curve)
    (record,) = load_records(path.parent)
    assert record.facts == json.loads(path.read_text(encoding="utf-8"))
    assert record["model"] == "simple_cnn"
    assert (record["curve"] is None) == (curve is None)
    expected = predictions.argmax(1).astype(np.uint8)
    np.testing.assert_array_equal(record.predictions, expected, strict=True)
    np.testing.assert_array_equal(record.labels, toy_data().test.classes, strict=True)
    right = np.mean(record.predictions == record.labels)
    assert 100 * right == record["test_accuracy"]


def test_the_test_accuracy_is_computed_from_the_predictions(save, toy_data):
    perfect = toy_data().test.labels
    assert (
        json.loads(save(test_predictions=perfect).read_text(encoding="utf-8"))["test_accuracy"]
        == 100.0
    )
    worst = np.roll(perfect, 1, axis=1)
    assert (
        json.loads(save(test_predictions=worst).read_text(encoding="utf-8"))["test_accuracy"]
        == 0.0
    )


def test_the_sample_is_called_so(save, toy_data):
    assert (
        json.loads(save(data=toy_data(is_sample=True)).read_text(encoding="utf-8"))["data_source"]
        == "sample"
    )


def test_the_seed_may_differ_from_the_parameters(save):
    assert json.loads(save(seed=7).read_text(encoding="utf-8"))["seed"] == 7
    assert json.loads(save(seed=0).read_text(encoding="utf-8"))["seed"] == 0  # 0 is a seed


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


@pytest.mark.parametrize("full_at", [1, 2])
def test_a_full_disk_leaves_no_record_and_nothing_half_written(
    save, tmp_path, monkeypatch, full_at
):
    count = 0

    def full(handle):
        nonlocal count
        count += 1
        if count == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnist_helpers.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save()
    left = names(tmp_path / "records")
    assert not [name for name in left if name.endswith(".json") or name.startswith(PARTIAL)]
    assert load_records(tmp_path / "records") == []


def test_the_json_comes_last_so_that_a_record_that_is_there_is_complete(save, monkeypatch):
    from mnist_helpers import records

    order = []
    write_whole = records.write_whole

    def watch(path, write):
        order.append(path.suffix)
        write_whole(path, write)

    monkeypatch.setattr(records, "write_whole", watch)
    save()
    assert order == [".npz", ".json"]


def test_a_rewrite_cut_short_leaves_no_record_of_two_runs(save, monkeypatch, toy_data):
    folder = save().parent
    count = 0

    def full(handle):
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnist_helpers.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(test_predictions=toy_data().test.labels)
    for record in load_records(folder):
        right = np.mean(record.predictions == record.labels)
        assert 100 * right == record["test_accuracy"]


# ---- damaged ----


def arrays(**content) -> bytes:
    import io

    stream = io.BytesIO()
    np.savez_compressed(stream, **content)
    return stream.getvalue()


TWENTY = np.zeros(20, np.uint8)
NPZ = arrays(predictions=TWENTY, labels=TWENTY)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        pytest.param(".json", b"", id="json-empty"),
        pytest.param(".json", b'{"model": "mlp", "test_size"', id="json-truncated"),
        pytest.param(".json", b"<html>", id="json-html"),
        pytest.param(".json", b"\xff\xfe\x00", id="json-no-text"),
        pytest.param(".json", b"[1, 2]", id="json-a-list"),
        pytest.param(".json", b"20", id="json-a-number"),
        pytest.param(".json", b"{}", id="json-without-facts"),
        pytest.param(".json", b'{"test_size": 19}', id="json-another-size"),
        pytest.param(".npz", None, id="npz-missing"),
        pytest.param(".npz", b"", id="npz-empty"),
        pytest.param(".npz", NPZ[:-30], id="npz-truncated"),
        pytest.param(".npz", NPZ[:100], id="npz-half"),
        pytest.param(
            ".npz",
            arrays(predictions=np.arange(20, dtype=np.uint8), labels=TWENTY).replace(
                b"predictions", b"predictiomz", 1
            ),
            id="npz-bits-flipped",
        ),
        pytest.param(".npz", b"no zip file", id="npz-no-zip"),
        pytest.param(".npz", arrays(predictions=TWENTY), id="npz-without-labels"),
        pytest.param(".npz", arrays(predictions=TWENTY[1:], labels=TWENTY), id="npz-one-missing"),
        pytest.param(".npz", arrays(predictions=TWENTY, labels=TWENTY[1:]), id="npz-label-short"),
        pytest.param(
            ".npz", arrays(predictions=TWENTY[1:], labels=TWENTY[1:]), id="npz-both-short"
        ),
        pytest.param(".npz", arrays(predictions=np.uint8(3), labels=TWENTY), id="npz-no-array"),
    ],
)
def test_a_damaged_record_is_refused_by_name_and_says_what_to_do(save, ending, content):
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
