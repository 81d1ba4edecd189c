"""The benchmark: it times the chapters' own functions, and its page shows what it measured."""

import json
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from bench import builds, page
from bench.work import WAYS, WORKS, dense, found, inked
from pipeline.contents import ROOT


@pytest.fixture(scope="module")
def book():
    from bench.tensorflow_side import Book

    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(256, 784), dtype=np.uint8)
    return Book(images, np.eye(10, dtype=np.float32)[rng.integers(10, size=256)])


@pytest.mark.parametrize("work", WORKS)
def test_our_side_trains_the_chapters_networks(book, work):
    result = book.ours(work, num_steps=3)
    assert result["step"] > 0 and result["start"] > 0
    assert np.isfinite(result["loss"])


def test_keras_tuned_takes_many_steps_a_call_and_no_other_network(book):
    from bench.tensorflow_side import keras_model

    default, tuned = (keras_model("simple_cnn", tuned) for tuned in (False, True))
    assert (default.steps_per_execution, tuned.steps_per_execution) == (1, 200)
    assert default.count_params() == tuned.count_params()
    for tuned in (False, True):
        assert np.isfinite(book.keras("simple_cnn", num_steps=2, tuned=tuned)["loss"])


def test_each_way_sees_the_same_numbers(book):
    from bench.tensorflow_side import keras_model, shaped

    rescaled = keras_model("simple_cnn", tuned=True).layers[0](shaped(book.images, "simple_cnn"))
    np.testing.assert_allclose(rescaled, shaped(book.as_numbers, "simple_cnn"), rtol=1e-6)
    assert book.as_numbers.max() == 1.0


def test_the_start_is_what_the_first_steps_take_beyond_later_ones():
    answer = found([10.0, 13.0, 13.4], loss=0.5)  # 400 steps in 3 s, the same again in 0.4
    assert answer == pytest.approx({"step": 1.0, "start": 2.6, "loss": 0.5})


def test_keras_trains_the_same_number_of_weights(book):
    from bench.tensorflow_side import keras_model

    assert keras_model("mlp").count_params() == 814_090
    assert keras_model("simple_cnn").count_params() == 57_722
    assert keras_model("deeper_cnn").count_params() == 253_514


def test_the_arithmetic_has_forward_and_backward_but_no_gradient_of_the_images():
    assert dense(784, 1_024, first=True) == 2 * 784 * 1_024
    assert WORKS["mlp"].operations == 2 * 128 * (2 * 784 * 1_024 + 3 * 1_024 * 10)


@pytest.mark.parametrize(("size", "stride"), [(28, 1), (14, 1), (28, 2), (14, 2)])
def test_the_arithmetic_leaves_out_the_zeros_of_the_padding(size, stride):
    import tensorflow as tf

    ones = tf.ones([1, size, size, 1])  # each sum counts the pixels under the kernel
    counted = tf.reduce_sum(tf.nn.conv2d(ones, tf.ones([5, 5, 1, 1]), stride, "SAME"))
    assert inked(size, stride) ** 2 == counted < (-(-size // stride) * 5) ** 2


@pytest.fixture(scope="module")
def results():
    return json.loads(page.RESULTS.read_text(encoding="utf-8"))


def test_the_page_shows_the_results_that_are_kept(results):
    assert list(results["works"]) == list(WORKS)
    assert results["rounds"] >= 5 and len(results["gflops"]) == results["rounds"]
    assert (page.OUT / "speed.md").read_text(encoding="utf-8") == page.tables(results)
    assert (page.OUT / "parts.md").read_text(encoding="utf-8") == page.parts_table(results)
    for work, ways in results["works"].items():
        missing = set(WAYS) - set(ways)
        assert missing == ({"keras", "keras_tuned"} if work == "mlp_weight_dropout" else set())
        for readings in ways.values():
            assert {len(of_rounds) for of_rounds in readings.values()} == {results["rounds"]}


def test_what_the_page_says_of_the_arithmetic_is_in_its_results(results):
    """The square product is no limit, and products make up most of a step."""
    rate = np.array(results["gflops"]) * 1e6  # operations a millisecond

    def pace(part):
        return np.max(part["operations"] / np.array(part["milliseconds"]) / rate)

    parts = results["parts"]
    assert max(pace(part) for part in parts["deeper_cnn"].values()) > 1
    for work, of_step in parts.items():
        step = np.array(results["works"][work]["ours"]["step"])
        shares = {name: np.median(part["milliseconds"] / step) for name, part in of_step.items()}
        products = sum(shares[name] for name, part in of_step.items() if part["operations"])
        assert products > 0.5
    multiples = {
        work: page.median_of(results, work, "ours") / page.arithmetic_of(results, work)
        for work in WORKS
    }
    assert max(multiples, key=multiples.get) == "simple_cnn"


def test_a_way_that_was_not_measured_is_a_dash_and_a_tie_has_several_in_bold():
    ours = {"step": [2.0, 4.0, 6.0], "start": [1.0, 1.0, 1.0]}
    rival = {"step": [3.0, 5.0, 5.0], "start": [0.0, 0.0, 0.0]}
    slow = {"step": [20.0, 40.0, 60.0], "start": [0.0, 0.0, 0.0]}
    readings = {"ours": ours, "keras": rival, "loader": slow}
    assert page.cell(readings, "tensors", "step") == "–"
    assert page.cell(readings, "ours", "step") == "**4.00**"
    assert page.cell(readings, "keras", "step") == "**5.00 (1.25; 0.83 to 1.50)**"
    assert page.cell(readings, "loader", "step") == "40.00 (10.00; 10.00 to 10.00)"
    # 1,000 steps with the start: 3, 5, 7 s; the rival: 3, 5, 5
    assert page.cell(readings, "ours", "together") == "**5.00**"
    assert page.cell(readings, "keras", "together") == "**5.00 (1.00; 0.71 to 1.00)**"
    compiled = {"start": [30.0, 2.0, 2.1]}
    assert page.cell(readings | {"compiled": compiled}, "compiled", "start") == "2.1 (30.0)"


@pytest.mark.parametrize("work", ["mlp", "deeper_cnn"])
def test_a_step_is_taken_apart_into_operations_of_its_own_shapes(book, work):
    from bench.tensorflow_side import parts

    measured = parts(book, work, repeats=1)["parts"]
    assert all(part["milliseconds"] > 0 for part in measured.values())
    counted = sum(part["operations"] for part in measured.values())
    assert 0.9 < counted / WORKS[work].operations <= 1


def test_each_repetition_of_a_part_is_done():
    import tensorflow as tf

    from bench.tensorflow_side import repeated

    count = tf.Variable(0)
    repeated(lambda: count.assign_add(1))(7)
    assert count.numpy() == 7


def test_the_rivals_validation_is_not_on_the_clock():
    from experiments.going_further import StopAt

    def work(seconds):
        began = time.process_time()
        while time.process_time() - began < seconds:
            pass

    stop = StopAt(99.0)
    stop.set_model(SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    work(0.1)
    stop.on_test_begin()
    work(0.4)
    stop.on_test_end()
    stop.on_epoch_end(0, {"val_accuracy": 0.991})
    assert 0.1 <= stop.cpu_seconds[0] < 0.3 and stop.validation["cpu_seconds"] >= 0.4
    assert stop.model.stop_training


def test_bending_by_nothing_leaves_the_chapters_distortion(book):
    import tensorflow as tf

    from experiments.going_further import bend

    images = tf.reshape(book.as_numbers[:2], [2, 28, 28, 1])
    a_pixel_to_the_left = tf.constant([[1, 0, 1, 0, 1, 0, 0, 0]] * 2, tf.float32)
    moved = bend(0.0, lambda count: a_pixel_to_the_left, images)
    np.testing.assert_allclose(moved[:, :27, :26], images[:, :27, 1:27], atol=1e-4)
    bent = bend(1.0, lambda count: a_pixel_to_the_left, images)
    assert bent.shape == images.shape and not np.allclose(bent, moved, atol=0.1)


def test_two_builds_are_compared_round_by_round():
    old, new = builds.Reading(4.0, 8.0, 1000.0), builds.Reading(1.0, 6.0, 900.0)
    slow = builds.Reading(4.0, 8.0, 1000.0), builds.Reading(2.0, 8.0, 900.0)
    rows = builds.side_by_side({"03-mlp": [(old, new), slow, slow]}).splitlines()
    assert rows[2:] == [
        "| 03-mlp | 4.0 → 2.0 (0.50; 0.25 to 0.50) | 8.0 → 8.0 (1.00; 0.75 to 1.00) "
        "| 1000.0 → 900.0 (0.90; 0.90 to 0.90) |"
    ]
    assert rows[1].count("|") == rows[0].count("|") == rows[2].count("|")


def test_a_command_is_timed_in_both_checkouts_by_the_clock_alone(tmp_path, capsys):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    trees = [str(tmp_path / name) for name in ("old", "new")]
    builds.main([*trees, "--rounds=2", "--run", "touch {scratch}/a && sleep 0.4", "ls > here"])
    row = capsys.readouterr().out.splitlines()[-1]
    old, new, ratio = re.search(r"\| ([\d.]+) → ([\d.]+) \(([\d.]+); ", row).groups()
    assert float(old) >= 0.4 > float(new) and float(ratio) < 1
    assert row.endswith("| – | – |")
    assert (tmp_path / "new" / "here").exists() and not (tmp_path / "old" / "here").exists()
    with pytest.raises(RuntimeError, match=r"exit 3 in .*old: gone"):
        builds.main([*trees, "--rounds=1", "--run", "echo gone; exit 3"])


def test_a_pipe_in_a_command_is_no_new_cell(tmp_path, capsys):
    builds.main([str(tmp_path), str(tmp_path), "--rounds=1", "--run", "echo a | cat"])
    assert capsys.readouterr().out.splitlines()[-1].startswith(r"| echo a \| cat | 0.")


@pytest.mark.parametrize("run", [[], ["--run", "true"]])
def test_a_folder_that_is_no_checkout_is_refused_before_anything_runs(run, tmp_path, capsys):
    missing = tmp_path / "gone"
    with pytest.raises(SystemExit):
        builds.main([str(missing), str(tmp_path), *run])
    assert f"{missing} is no checkout with a .venv of its own" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["b", "c"], ["--full"], ["--chapters=03-mlp"]])
def test_a_command_is_one_or_two_and_no_chapter(more, capsys):
    with pytest.raises(SystemExit):
        builds.main(["old", "new", "--run", "a", *more])
    assert "one for each, and goes with --rounds alone" in capsys.readouterr().err


def test_a_build_is_timed_with_the_memory_of_what_it_starts(tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    hungry = "import time; held = b'x' * 200_000_000; time.sleep(0.2)"
    python.write_text(f'#!/bin/sh\n"{sys.executable}" -c "{hungry}"\n', encoding="utf-8")
    python.chmod(0o755)
    # In a process of its own: a child counts as large as its parent until it is another program.
    command = [sys.executable, "-m", "bench.builds", tmp_path, tmp_path, "--rounds=1"]
    done = subprocess.run(
        [*command, "--chapters=any"], cwd=ROOT, capture_output=True, check=True, encoding="utf-8"
    )
    row = done.stdout.splitlines()[-1]
    seconds, of_cores, megabytes = re.findall(r"([\d.]+) → ([\d.]+) \(", row)
    assert all(0.2 <= float(each) < 60 for each in seconds)
    assert all(190 < float(each) < 400 for each in megabytes)
    assert all(float(each) < 60 for each in of_cores)
    python.write_text("#!/bin/sh\necho no such chapter >&2; exit 3\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"any in .*no such chapter"):
        builds.run(tmp_path, "any", full=False)
