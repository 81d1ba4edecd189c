"""The training loop: which images, how many steps, what is measured, what is left behind."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import python_environment, wait_for
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_helpers import training
from mnist_helpers.data import Split
from mnist_helpers.device import set_seed
from mnist_helpers.metrics import accuracy
from mnist_helpers.records import save_weights
from mnist_helpers.training import ink, predict, random_mask, shuffled_batches, train
from pipeline.draw.weights import load_weights

NUM_IMAGES, NUM_PIXELS, BATCH = 60, 12, 10


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((NUM_IMAGES, NUM_PIXELS), np.float32)


@pytest.fixture(scope="module")
def labels(images):
    """Labels that a linear model can learn."""
    mixing = np.random.default_rng(1).normal(size=(NUM_PIXELS, 10))
    return np.eye(10, dtype=np.float32)[(images @ mixing).argmax(1)]


class Linear:
    """Softmax regression by gradient descent: the smallest model that learns."""

    def __init__(self, seed=0, learning_rate=0.5):
        set_seed(seed)
        self.weights = tf.Variable(tf.random.normal([NUM_PIXELS, 10], stddev=0.1))
        self.biases = tf.Variable(tf.zeros([10]))
        self.updates = tf.Variable(0)
        self.learning_rate = learning_rate
        self.calls_of_python = 0

    def logits(self, images):
        return images @ self.weights + self.biases

    def step(self, images, labels):
        self.calls_of_python += 1
        with tf.GradientTape() as tape:
            logits = self.logits(images)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
        variables = [self.weights, self.biases]
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(self.learning_rate * gradient)
        self.updates.assign_add(1)
        return loss, logits

    def bits(self) -> bytes:
        return self.weights.numpy().tobytes() + self.biases.numpy().tobytes()


def batches_of(num_steps, seed=0):
    return shuffled_batches(NUM_IMAGES, BATCH, num_steps, seed)


# ---- images held as bytes ----


def test_ink_has_the_bits_of_the_images_compiled_or_not():
    greys = np.arange(256, dtype=np.uint8).repeat(4 * 784 // 256 + 1)[: 4 * 784]
    expected = Split(greys.reshape(4, 28, 28), np.zeros(4, np.uint8)).images.ravel().tobytes()
    assert ink(greys).numpy().tobytes() == expected
    assert tf.function(ink)(tf.constant(greys)).numpy().tobytes() == expected


def test_bytes_train_and_are_judged_as_their_ink_is(labels):
    greys = np.random.default_rng(2).integers(0, 256, (NUM_IMAGES, NUM_PIXELS), np.uint8)
    from_ink, from_bytes = Linear(), Linear()
    floats = ink(greys).numpy()
    one = train(from_ink.step, floats, labels, batches_of(50))
    other = train(from_bytes.step, greys, labels, batches_of(50))
    assert from_ink.bits() == from_bytes.bits()
    assert one.loss.tobytes() == other.loss.tobytes()
    judged = [predict(from_ink.logits, held, batch_size=7) for held in (floats, greys)]
    assert judged[0].tobytes() == judged[1].tobytes()


# ---- which images a step sees ----


@pytest.mark.parametrize(("num_images", "batch_size"), [(60, 10), (61, 10), (64, 7), (5, 5)])
def test_an_epoch_shows_no_image_twice(num_images, batch_size):
    steps_per_epoch = num_images // batch_size
    batches = shuffled_batches(num_images, batch_size, 3 * steps_per_epoch, seed=0)
    for epoch in batches.reshape(3, -1):
        assert len(set(epoch.tolist())) == len(epoch) == steps_per_epoch * batch_size
        assert set(epoch.tolist()) <= set(range(num_images))


def test_an_epoch_shows_every_image():
    for epoch in batches_of(24).reshape(4, -1):
        assert sorted(epoch.tolist()) == list(range(NUM_IMAGES))


def test_each_epoch_has_another_order():
    epochs = {tuple(epoch) for epoch in batches_of(60).reshape(10, -1).tolist()}
    assert len(epochs) == 10


def test_the_rest_that_is_left_out_is_another_each_time():
    batches = shuffled_batches(64, 10, 6 * 20, seed=0)
    left_out = {frozenset(range(64)) - frozenset(e.tolist()) for e in batches.reshape(20, -1)}
    assert all(len(rest) == 4 for rest in left_out)
    assert len(left_out) > 10


def test_the_first_epoch_is_shuffled_too():
    assert batches_of(6).ravel().tolist() != list(range(NUM_IMAGES))


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    np.testing.assert_array_equal(batches_of(20, seed=3), batches_of(20, seed=3))
    assert (batches_of(20, seed=3) != batches_of(20, seed=4)).any()


def test_more_steps_begin_with_the_same_images():
    np.testing.assert_array_equal(batches_of(100)[:7], batches_of(7))


@pytest.mark.parametrize("num_steps", [1, 5, 6, 7, 100])
def test_there_are_exactly_as_many_steps_as_asked_for(num_steps):
    batches = batches_of(num_steps)
    assert batches.shape == (num_steps, BATCH)
    assert batches.dtype == np.int32


@pytest.mark.parametrize("batch_size", [61, 100_000, 0, -1])
def test_a_batch_that_the_training_set_does_not_hold_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size:,}; it may be 1 to 60"):
        shuffled_batches(NUM_IMAGES, batch_size, 3, seed=0)


# ---- what training does ----


def test_training_learns(images, labels):
    model = Linear()
    curve = train(model.step, images, labels, batches_of(400))
    assert curve.loss[-20:].mean() < 0.7 * curve.loss[:20].mean()
    assert accuracy(model.logits(images), labels) > 80


@pytest.mark.parametrize("num_steps", [1, 6, 230])
def test_every_step_is_run_once_and_measured(images, labels, num_steps):
    model = Linear()
    curve = train(model.step, images, labels, batches_of(num_steps))
    assert int(model.updates) == num_steps
    assert curve.loss.shape == curve.minibatch_accuracy.shape == (num_steps,)
    assert curve.loss.dtype == curve.minibatch_accuracy.dtype == np.float32
    assert np.isfinite(curve.loss).all()
    assert ((curve.minibatch_accuracy >= 0) & (curve.minibatch_accuracy <= 100)).all()


def eager(model, images, labels, batches):
    """Training as everybody writes it: one step after the other."""
    losses, accuracies = [], []
    for batch in batches:
        loss, logits = model.step(images[batch], labels[batch])
        losses.append(float(loss))
        accuracies.append(accuracy(logits.numpy(), labels[batch]))
    return losses, accuracies


def test_the_curve_equals_a_plain_loop_across_the_seams_of_the_calls(images, labels, monkeypatch):
    monkeypatch.setattr(training, "STEPS_PER_CALL", 7)
    plain, compiled = Linear(), Linear()
    batches = batches_of(40)
    losses, accuracies = eager(plain, images, labels, batches)
    curve = train(compiled.step, images, labels, batches, evaluate=lambda: 50.0, evaluate_every=11)
    np.testing.assert_allclose(curve.loss, losses, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(curve.minibatch_accuracy, accuracies, atol=1e-4)
    np.testing.assert_allclose(compiled.weights, plain.weights, rtol=1e-3, atol=1e-5)


def test_many_steps_are_compiled_into_one_call(images, labels):
    model = Linear()
    train(model.step, images, labels, batches_of(1_000), evaluate=lambda: 50.0)
    assert int(model.updates) == 1_000
    assert model.calls_of_python <= 2, "Python should run when the loop is traced, and not again"


@pytest.mark.parametrize(
    ("num_steps", "every", "expected"),
    [
        (1, 500, [0]),
        (2, 500, [0, 1]),
        (12, 5, [0, 5, 10, 11]),
        (11, 5, [0, 5, 10]),
        (10, 5, [0, 5, 9]),
        (4, 1, [0, 1, 2, 3]),
        (501, 250, [0, 250, 500]),
        (450, 500, [0, 449]),
    ],
)
def test_validation_is_measured_after_exactly_these_steps(
    images, labels, num_steps, every, expected
):
    model = Linear()
    curve = train(
        model.step,
        images,
        labels,
        batches_of(num_steps),
        evaluate=lambda: float(model.updates),
        evaluate_every=every,
    )
    assert curve.validation_steps == expected
    # "After step k": its update was made, and no further one.
    assert curve.validation_accuracy == [step + 1 for step in expected]


def test_without_evaluate_nothing_is_validated(images, labels):
    curve = train(Linear().step, images, labels, batches_of(3))
    assert curve.validation_steps == curve.validation_accuracy == []


def test_the_time_is_that_of_the_steps_alone(images, labels):
    model = Linear()
    began = time.perf_counter()

    def slow():
        time.sleep(0.2)
        return 50.0

    def slow_to_trace(batch_images, batch_labels):
        time.sleep(0.2)
        return model.step(batch_images, batch_labels)

    curve = train(slow_to_trace, images, labels, batches_of(30), evaluate=slow, evaluate_every=10)
    assert 0 < curve.seconds < time.perf_counter() - began - 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("bad_step", [0, 7, 250, 1_234])
def test_a_loss_that_is_no_number_stops_training_and_names_the_step(
    images, labels, value, bad_step
):
    count = tf.Variable(0)

    def step(batch_images, batch_labels):
        loss = tf.where(count >= bad_step, value, 1.0)
        count.assign_add(1)
        return loss, batch_labels

    with pytest.raises(FloatingPointError) as refusal:
        train(step, images, labels, batches_of(1_300))
    assert f"The loss at step {bad_step:,} is {value}" in str(refusal.value)
    assert "learning_rate" in str(refusal.value)  # what to do
    assert int(count) < bad_step + 2 * training.STEPS_PER_CALL, "it should stop soon"


def test_a_learning_rate_that_is_far_too_large_ends_in_that_error(images, labels):
    with pytest.raises(FloatingPointError, match="The loss at step"):
        train(Linear(learning_rate=1e38).step, images, labels, batches_of(50))


def test_predict_takes_250_images_at_a_time_where_nothing_else_is_said():
    """A thousand at a time cost a run of chapter 6 a quarter of a gigabyte."""
    taken = []

    def model(images):
        taken.append(len(images))
        return images

    assert len(predict(model, np.zeros([600, 10], np.float32))) == 600
    assert taken == [250, 250, 100]


def test_predict_takes_some_images_at_a_time_and_gives_all():
    seen = []

    def model(batch):
        seen.append(len(batch))
        return batch[:, :10] * 2

    images = np.random.default_rng(0).random((25, 12), np.float32)
    predicted = predict(model, images, batch_size=10)
    assert seen == [10, 10, 5]
    assert type(predicted) is np.ndarray
    np.testing.assert_array_equal(predicted, images[:, :10] * 2, strict=True)


# ---- random masks: the right share, independent, anew at each draw, from the seed ----


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.8, 0.9, 0.999])
def test_the_share_that_is_kept_is_right_on_average(keep_prob):
    set_seed(0)
    draw = tf.function(lambda: random_mask([1_000, 100], keep_prob))
    shares = [draw().numpy().mean() for _ in range(300)]
    # A mask's own threshold is off by up to 1/256; the mean of 300 masks is not.
    assert np.mean(shares) == pytest.approx(keep_prob, abs=0.0006)
    assert np.ptp(shares) < 0.02


def test_entries_are_independent_of_their_neighbours_and_of_the_mask_before():
    set_seed(0)
    first, second = (random_mask([500, 400], 0.5).numpy() for _ in range(2))
    for other in (np.roll(first, 1, 1), np.roll(first, 4, 1), np.roll(first, 1, 0), second):
        assert np.mean(first == other) == pytest.approx(0.5, abs=0.006)  # five deviations


@pytest.mark.parametrize("shape", [[1], [3], [7, 5], [2, 3, 5], [784, 1_024]])
def test_has_the_shape_that_was_asked_for(shape):
    assert random_mask(shape, 0.7).shape == shape
    assert random_mask(tf.constant(shape), 0.7).shape == shape


def test_the_same_seed_gives_the_same_masks_and_another_seed_others():
    def masks(seed):
        set_seed(seed)
        draw = tf.function(lambda: random_mask([40, 40], 0.5))
        return np.stack([draw().numpy() for _ in range(3)])

    assert np.array_equal(masks(1), masks(1))
    assert not np.array_equal(masks(1), masks(2))


# ---- the same seed, the same bits ----


def test_the_same_seed_gives_the_same_weights_bit_for_bit(images, labels):
    runs = []
    for seed in (4, 4, 5):
        model = Linear(seed)
        curve = train(model.step, images, labels, batches_of(120, seed))
        runs.append((model.bits(), curve.loss.tobytes()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_two_processes_give_the_same_weights_bit_for_bit(one_thread_runs):
    first, second = one_thread_runs
    assert len(first["bits"]) == 64
    assert first["bits"] == second["bits"]
    assert first["loss"] == second["loss"]
    assert first["bits"] != first["bits_of_another_seed"]


def test_what_was_learned_is_saved_from_the_variables(tmp_path):
    model = Linear()
    path = save_weights(tmp_path / "run.json", [model.weights, model.biases])
    assert b"".join(array.tobytes() for array in load_weights(path)) == model.bits()


# ---- progress ----


def test_progress_is_one_line_in_a_terminal_with_nothing_left_behind(one_thread_runs):
    for run in one_thread_runs:
        text = run["progress"]
        assert "\n" not in text, "one line"
        assert "training" in text
        assert "200/300" in text
        assert "loss=" in text
        line = ""
        for part in text.split("\r"):  # each part overwrites the line from its beginning
            line = part + line[len(part) :]
        assert line.strip() == "", "the line should be empty at the end"


# ---- TensorBoard ----


def read_events(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    return events.Reload()


def scalars(folder: Path, tag: str) -> dict[int, float]:
    events = read_events(folder)
    if tag not in events.Tags()["tensors"]:
        return {}
    return {
        event.step: float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)
    }


@pytest.fixture(scope="module")
def logged(images, labels, tmp_path_factory):
    """A run with summaries: its folder, its curve, and what was there half-way."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "not yet there"
    model, seen = Linear(), []

    def evaluate():
        seen.append(
            (scalars(folder / "train", "loss"), scalars(folder / "validation", "accuracy"))
        )
        return float(60 + model.updates)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        curve = train(
            model.step,
            images,
            labels,
            batches_of(25),
            evaluate=evaluate,
            evaluate_every=10,
            log_dir="~/not yet there",
        )
    return folder, curve, seen


def test_summaries_are_written_while_training(logged):
    _, _, seen = logged
    # At each validation, what came before the last call has been written.
    assert [sorted(loss) for loss, _ in seen[1:]] == [[0], list(range(11)), list(range(21))]
    assert [sorted(validation) for _, validation in seen[1:]] == [[0], [0, 10], [0, 10, 20]]


def test_summaries_hold_every_step_and_what_was_measured(logged):
    folder, curve, _ = logged
    steps = range(25)
    loss = scalars(folder / "train", "loss")
    assert loss == {step: float(curve.loss[step]) for step in steps}
    minibatch = scalars(folder / "train", "accuracy")
    assert minibatch == {step: float(curve.minibatch_accuracy[step]) for step in steps}
    validation = scalars(folder / "validation", "accuracy")
    assert validation == dict(zip(curve.validation_steps, curve.validation_accuracy, strict=True))
    assert sorted(validation) == [0, 10, 20, 24]


def test_summaries_hold_the_graph(logged):
    folder, _, _ = logged
    events = read_events(folder / "train")
    assert events.Tags()["graph"]
    graph = events.Graph()
    operations = {node.op for node in graph.node} | {
        node.op for function in graph.library.function for node in function.node_def
    }
    assert {"While", "GatherV2", "MatMul"} <= operations  # the loop, and the model in it


def test_train_and_validation_are_two_runs_in_the_readers_folder(logged):
    folder, _, _ = logged
    assert sorted(path.name for path in folder.iterdir()) == ["train", "validation"]


def test_without_a_log_dir_no_file_is_written(images, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(Linear().step, images, labels, batches_of(12), evaluate=lambda: 1.0, evaluate_every=5)
    assert list(tmp_path.iterdir()) == []


def test_summaries_do_not_change_what_is_learned(logged, images, labels):
    _, curve, _ = logged
    without = train(
        Linear().step, images, labels, batches_of(25), evaluate=lambda: 1.0, evaluate_every=10
    )
    assert without.loss.tobytes() == curve.loss.tobytes()


@pytest.fixture
def tensorboard(logged):
    """The real TensorBoard, on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Told that there is no TensorFlow, it starts in a second and shows the same.
    code = "import sys, types; name = 'tensorboard.compat.notf'; "
    code += "sys.modules[name] = types.ModuleType(name); "
    code += "from tensorboard.main import run_main; run_main()"
    command = [sys.executable, "-c", code, "--logdir", str(logged[0]), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--reload_interval", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=python_environment()
    ) as server:
        # No proxy: the machine asks itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def ask(path: str):
            with opener.open(f"http://127.0.0.1:{port}/data/plugin/{path}", timeout=20) as answer:
                return answer.read().decode()

        try:
            yield ask
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()


def test_tensorboard_shows_the_scalars_and_the_graph(tensorboard, logged):
    _, curve, _ = logged

    def all_tags():
        try:
            tags = json.loads(tensorboard("scalars/tags"))
        except OSError:
            return None
        return tags if {"train", "validation"} <= set(tags) else None

    tags = wait_for(all_tags)
    assert tags, "TensorBoard showed no runs"
    assert set(tags["train"]) == {"loss", "accuracy"}
    assert set(tags["validation"]) == {"accuracy"}
    points = json.loads(tensorboard("scalars/scalars?run=train&tag=loss"))
    assert [step for _, step, _ in points] == list(range(25))
    assert [value for _, _, value in points] == pytest.approx(curve.loss.tolist())
    assert json.loads(tensorboard("graphs/info"))["train"]["run_graph"] is True
    graph = tensorboard("graphs/graph?run=train&limit_attr_size=1024&large_attrs_key=x")
    assert re.search(r'op: "\w*While\w*"', graph)
    assert 'op: "MatMul"' in graph


# ---- starting up ----


def test_importing_the_package_does_not_wait_for_tensorflow(run_python):
    modules = ["data", "sources", "idx", "files", "metrics", "parameters", "records"]
    modules += ["systems", "tables", "figures"]
    out = run_python(
        """if True:
        import importlib, sys
        import mnist_helpers
        loaded = [name for name in sys.modules if name.startswith("mnist_helpers.")]
        print("package", loaded, "tensorflow" in sys.modules)
        for name in sys.argv[1:]:
            importlib.import_module("mnist_helpers." + name)
            print(name, "tensorflow" in sys.modules)
        """,
        *modules,
    )
    assert out.splitlines() == [
        "package [] False",
        *(f"{name} False" for name in modules),
    ]


def test_tensorflow_says_nothing_into_the_readers_page(one_thread_runs):
    for run in one_thread_runs:
        assert run["said_while_importing"] == ""
