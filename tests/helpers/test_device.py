"""Where TensorFlow computes, with how many threads, and from which seed."""

import random
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from mnist_helpers.device import DeviceError, set_seed, use_device

HAS_GPU = bool(tf.config.list_physical_devices("GPU"))


@pytest.fixture(autouse=True)
def threads_are_left_alone(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU here")
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_a_gpu_it_is_the_cpu_with_all_its_cores(device, pools, monkeypatch):
    monkeypatch.setattr("mnist_helpers.threads.core_count", lambda: 12)
    assert use_device(device) == "CPU, 12 threads"
    assert pools == {"intra_op": 12, "inter_op": 12}


@pytest.fixture
def pools(monkeypatch) -> dict[str, int]:
    """TensorFlow's pools of threads, which the tests fill and TensorFlow does not."""
    pools = {}
    for pool in ("intra_op", "inter_op"):
        setter, getter = (f"{what}_{pool}_parallelism_threads" for what in ("set", "get"))
        monkeypatch.setattr(tf.config.threading, setter, partial(pools.__setitem__, pool))
        monkeypatch.setattr(tf.config.threading, getter, partial(pools.get, pool, 0))
    return pools


@pytest.fixture
def gpu(pools, monkeypatch):
    """A GPU as TensorFlow would show it; what is made visible is written down."""
    visible = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda devices, kind: visible.append((devices, kind))
    )
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "Tesla"}
    )
    return visible


@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_a_gpu_is_taken_if_there_is_one(gpu, device):
    assert use_device(device) == "GPU, Tesla"
    assert ([], "GPU") not in gpu


def test_cpu_means_the_cpu_even_if_there_is_a_gpu(gpu):
    assert use_device("cpu").startswith("CPU, ")
    assert ([], "GPU") in gpu


def test_threads_that_cannot_be_set_any_more_are_an_error_that_says_what_to_do(monkeypatch):
    tf.constant(1.0) + 1.0  # TensorFlow has begun
    now = tf.config.threading.get_intra_op_parallelism_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(now + 1))
    with pytest.raises(DeviceError, match="Restart the kernel"):
        use_device("cpu")


def test_threads_come_from_the_environment(one_thread_runs):
    for run in one_thread_runs:
        assert run["threads"] == run["threads_between"] == 1
        assert run["device"] == "CPU, 1 thread"


def test_keras_has_the_books_settings_and_not_the_users(one_thread_runs):
    for run in one_thread_runs:
        assert run["keras"] == ["tensorflow", "channels_last", "float32"]


def draw() -> list[float]:
    dropped = tf.nn.dropout(tf.ones([50]), 0.5)
    return [
        random.random(),
        float(np.random.rand()),  # noqa: NPY002
        *tf.random.normal([5]).numpy().tolist(),
        *dropped.numpy().tolist(),
        *tf.keras.initializers.GlorotUniform()((3, 3)).numpy().ravel().tolist(),
    ]


def test_a_seed_repeats_everything_that_is_random():
    set_seed(5)
    first = draw()
    set_seed(5)
    assert draw() == first
    set_seed(6)
    other = draw()
    assert all(a != b for a, b in zip(first[:7], other[:7], strict=True))


def test_a_seed_asks_for_operations_that_give_the_same_bits(monkeypatch):
    asked = []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: asked.append(True)
    )
    set_seed(0)
    assert asked == [True]
