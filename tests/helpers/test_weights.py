"""The weights that a run leaves beside its record."""

import numpy as np
import pytest

from mnist_helpers.records import RecordError, load_records, save_weights
from pipeline.draw.weights import load_weights

LAYER = [np.arange(6.0).reshape(3, 2), np.array([0.5, -0.5])]


def test_what_was_saved_is_read_back_in_order_as_float32(tmp_path):
    path = save_weights(tmp_path / "a--b--seed-0.json", [*LAYER, *LAYER[::-1][1:], LAYER[1]])
    assert path == tmp_path / "a--b--seed-0.weights.npz"
    read = load_weights(path)
    assert [array.dtype for array in read] == [np.float32] * 4
    np.testing.assert_array_equal(read[0], LAYER[0])
    np.testing.assert_array_equal(read[3], LAYER[1])


def test_takes_the_variables_of_tensorflow(tmp_path):
    import tensorflow as tf

    path = save_weights(tmp_path / "run.json", [tf.Variable(array) for array in LAYER])
    np.testing.assert_array_equal(load_weights(path)[1], LAYER[1])


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
