"""The figures that a full run must give. Most need `make book`, and say so."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn

import numpy as np
import pytest

from experiments.going_further import FEW_SEEDS, is_good_enough
from mnist_helpers.data import WRITERS
from mnist_helpers.kept import KEPT_SWEEPS, kept_experiment, kept_runs, kept_sweep, rightly_read
from mnist_helpers.metrics import (
    accuracy_interval,
    mean_interval,
    paired_difference,
    spread_of_images,
    standard_error,
)
from mnist_helpers.records import Record, load_records
from mnist_helpers.sources import PUBLICATIONS
from pipeline.notebooks import CHAPTERS

RECORDS = CHAPTERS.parent / "_build" / "records"


@pytest.fixture(scope="module")
def runs() -> list[Record]:
    records = [
        record
        for record in load_records(RECORDS)
        if record["data_source"] == "full" and record["test_size"] == 9_000
    ]
    if not records:
        lacking(f"no records of a full run in {RECORDS}: `make book` makes them")
    return records


def lacking(what: str) -> NoReturn:
    """There is nothing to test; where a whole book was made for it, that is a failure."""
    (pytest.fail if os.environ.get("WHOLE_BOOK") else pytest.skip)(what)


def accuracies(runs: list[Record], wanted: Callable[[Record], bool]) -> list[float]:
    found = [record["test_accuracy"] for record in runs if wanted(record)]
    if not found:
        lacking("no such run among the records")
    return found


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [
        ("logistic_regression", 92.0, 93.0),
        ("mlp", 97.8, 100.0),
        ("mlp_keras", 97.8, 100.0),
        ("regularized_mlp", 97.0, 100.0),
    ],
)
def test_a_model_comes_out_where_it_must(runs: list[Record], model: str, low: float, high: float):
    (accuracy,) = accuracies(runs, lambda record: record["model"] == model)
    assert low <= accuracy <= high


def test_the_bug_of_chapter_4_costs_what_it_cost_the_original(runs: list[Record]):
    found = accuracies(runs, lambda record: "_bug_" in record["model"])
    assert min(found) >= 73 and max(found) <= 78


def of_grid(part: str) -> dict[str, list[float]]:
    """Test accuracies of chapter 4's kept recipes, by model, five seeds each."""
    kept = json.loads((KEPT_SWEEPS / "chapter-4-grid.json").read_text(encoding="utf-8"))
    found: dict[str, list[float]] = {}
    for run in kept["runs"]:
        if part in run["model"]:
            found.setdefault(run["model"], []).append(run["test_accuracy"])
    return found


def test_the_bug_costs_as_much_over_seeds():
    found = of_grid("_bug_")
    assert len(found) == 10 and all(len(seeds) >= 5 for seeds in found.values())
    assert all(73 <= np.mean(seeds) <= 78 for seeds in found.values())


def test_without_the_bug_every_recipe_is_back_over_seeds():
    found = of_grid("dropconnect")
    assert len(found) == 10 and all(len(seeds) >= 5 for seeds in found.values())
    assert all(np.mean(seeds) > 94 for seeds in found.values())


@pytest.fixture(scope="module")
def kept() -> dict[str, list[dict]]:
    """The kept runs on digits, by model, in the order of their seeds."""
    digits = SimpleNamespace(sha256=PUBLICATIONS["mnist"].sha256, split="original")
    sweeps = (kept_sweep(name, digits, {}).runs for name in ("chapter-4-grid", "headline"))
    return {model: runs for sweep in sweeps for model, runs in sweep.items()}


def part(runs: list[dict], name: str) -> np.ndarray:
    return np.array([run[name] for run in runs])


def test_no_regularised_mlp_beats_the_plain_one_by_more_than_luck(kept):
    """By the luck of the seeds alone one did: that of the images is larger."""
    plain = kept["regularized_mlp_plain"]
    by_seeds_alone = []
    for model, runs in kept.items():
        if model.startswith("regularized_mlp_") and not re.search("_(bug|plain)", model):
            gain, seeds = mean_interval(part(runs, "test") - part(plain, "test"))
            _, images = paired_difference(part(runs, "right"), part(plain, "right"))
            assert gain < np.hypot(seeds, images), model
            by_seeds_alone += [model] if gain > seeds else []
    assert by_seeds_alone == ["regularized_mlp_l2_all_tenth"]


@pytest.mark.parametrize(
    ("model", "by_images", "by_people"),
    [("logistic_regression", 0.27, 0.50), ("mlp", 0.144, 0.219)],
)
def test_other_people_move_an_accuracy_farther_than_other_images(
    kept, model, by_images, by_people
):
    """Chapter 2 measures it for its own fits; these are the kept runs."""
    writers = np.loadtxt(WRITERS, dtype=int).ravel()[1_000:]
    right = kept[model][0]["right"]
    assert 100 * standard_error(right) == pytest.approx(by_images, abs=0.005)
    assert 100 * standard_error(right, writers) == pytest.approx(by_people, abs=0.005)


def lead_and_root(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, float]:
    """By how many images one model leads, and the root of the number on which they disagree."""
    return int(np.sum(ours)) - int(np.sum(theirs)), float(np.sqrt(np.sum(ours != theirs)))


def test_the_softmax_model_leads_the_ten_questions_by_four_times_the_root(runs: list[Record]):
    """As "How sure is a score?" says of chapter 2's two models."""
    right = {record["model"]: record.predictions == record.labels for record in runs}
    models = ("logistic_regression", "logistic_regression_one_vs_rest")
    if not right.keys() >= set(models):
        lacking("no such run among the records")
    lead, root = lead_and_root(*(right[model] for model in models))
    assert lead / root == pytest.approx(4, abs=0.5)


def test_two_runs_of_one_recipe_contradict_each_other_about_a_third_model(kept):
    """Each is clear of twice the root, as in the table of "How sure is a score?"."""
    linear = kept["logistic_regression"][0]["right"]
    (behind, root), (ahead, other_root) = (
        lead_and_root(kept["simple_cnn"][seed]["right"], linear) for seed in (0, 8)
    )
    assert behind < -2 * root and ahead > 2 * other_root


def test_the_difference_of_like_models_hardly_suffers_from_writers_and_of_unlike_ones_does(kept):
    writers = np.loadtxt(WRITERS, dtype=int).ravel()[1_000:]
    linear, large, plain, penalised = (
        kept[model][0]["right"].astype(float)
        for model in (
            "logistic_regression",
            "mlp",
            "regularized_mlp_plain",
            "regularized_mlp_l2_output",
        )
    )
    suffers = [
        standard_error(difference, writers) / standard_error(difference)
        for difference in (penalised - plain, large - linear)
    ]
    assert suffers[0] < 1.1 and suffers[1] > 1.4


def test_without_the_bug_no_network_is_near_75(runs: list[Record]):
    fixed = accuracies(
        runs, lambda r: r["model"].startswith("regularized_mlp") and "_bug_" not in r["model"]
    )
    assert min(fixed) > 85


def test_the_simple_cnn_lies_where_it_must_over_several_seeds(runs: list[Record]):
    found = accuracies(runs, lambda record: record["model"] == "simple_cnn")
    assert len(found) >= 5
    assert 91 <= np.mean(found) <= 95


def test_the_deeper_cnn(runs: list[Record]):
    (short,) = accuracies(runs, lambda r: r["model"] == "deeper_cnn" and r["num_steps"] < 20_000)
    assert short >= 95


def test_the_deeper_cnn_after_20_001_steps(runs: list[Record]):
    """One run has its luck: a second thread moved seed 0 from 98.66 to 98.40 %."""
    (long,) = accuracies(runs, lambda r: r["model"] == "deeper_cnn" and r["num_steps"] >= 20_000)
    _, high = accuracy_interval(long, size=9_000)
    assert high >= 98.5


def test_the_deeper_cnn_after_20_001_steps_over_seeds():
    found = [run["test_accuracy"] for run in kept_runs("deeper_cnn", 20_001)]
    assert len(found) >= 5
    assert np.mean(found) >= 98.5


def part_of_the_test_set(right: np.ndarray) -> float:
    """Of the variance over seeds, as chapter 5 defines it."""
    return (spread_of_images(right) / (100 * right.mean(axis=1).std(ddof=1))) ** 2


def test_more_test_images_would_help_the_better_networks_and_not_the_simple_one():
    """Chapter 5 once said of all that more test images do not help."""
    data = SimpleNamespace(sha256=PUBLICATIONS["mnist"].sha256, split="original")
    simple = kept_sweep("headline", data, {}).runs["simple_cnn"]
    assert part_of_the_test_set(np.array([run["right"] for run in simple])) < 0.1
    long = rightly_read(kept_runs("deeper_cnn", 20_001), 9_000)
    recipe = rightly_read(kept_experiment("race")["recipe"]["runs"], 10_000)
    assert part_of_the_test_set(long) > 0.5 and part_of_the_test_set(recipe) > 0.5


# ---- chapter 8: from kept experiments, so these always run ----


def mean_of(runs: list[dict], fact: str) -> float:
    return float(np.mean([run[fact] for run in runs]))


def test_the_recipe_reads_99_percent_over_ten_seeds():
    runs = kept_experiment("race")["recipe"]["runs"]
    assert len(runs) == 10
    assert mean_of(runs, "test_accuracy") >= 99.0


def test_the_recipe_takes_at_most_a_20th_of_the_work_of_its_rival():
    """Like for like, both without their validation; its wall time was once 29 times as long."""
    race = kept_experiment("race")
    rival = race["keras"]["runs"]
    ratios = [
        theirs["cpu_seconds"] / ours["cpu_seconds"]
        for ours, theirs in zip(race["recipe"]["runs"], rival, strict=False)
    ]
    assert all(run["reached"] for run in rival)
    assert np.median(ratios) >= 20


def test_no_step_of_the_recipe_is_a_loss():
    """He's rule may be the better reason; the table of chapter 8 has no gain to offer."""
    variants = kept_experiment("ablation")["variants"]
    whole = [run["validation_accuracy"] for run in variants["the recipe"]["runs"]]
    for variant in variants.values():
        changes = np.subtract([run["validation_accuracy"] for run in variant["runs"]], whole)
        if changes.any():
            mean, half = mean_interval(changes)
            assert mean - half <= 0


def test_the_map_of_chapter_8_is_as_its_text_says():
    """Only the simple CNN trains in less time than the recipe, and all err more."""
    race = kept_experiment("race")["recipe"]["runs"]
    took = np.median([run["cpu_seconds"] for run in race])
    book = {run["model"]: run for run in kept_experiment("book")["runs"]}
    assert [name for name, run in book.items() if run["train_seconds"] < took] == ["simple_cnn"]
    assert all(run["test_accuracy"] < mean_of(race, "test_accuracy") for run in book.values())


def test_a_network_of_few_parameters_chosen_on_validation_reads_99_4_percent():
    """By the seeds of the choice. With two more it came to 99.39, and the chapter says so."""
    good = [
        network
        for network in kept_experiment("small")["networks"]
        if is_good_enough(network["runs"])
    ]
    chosen = min(good, key=lambda network: network["parameters"])
    assert chosen["parameters"] < 10_000 and len(chosen["runs"]) >= 5
    others = [each for each in kept_experiment("small")["networks"] if each != chosen]
    assert max(len(each["runs"]) for each in others) < len(chosen["runs"])  # so it is found
    assert mean_of(chosen["runs"][: len(FEW_SEEDS)], "test_accuracy") >= 99.4
    mean, half_width = mean_interval([run["test_accuracy"] for run in chosen["runs"]])
    assert mean >= 99.38 and mean + half_width >= 99.4


def test_a_network_with_fewer_parameters_than_the_record_of_2018_reads_99_percent():
    smallest = kept_experiment("smallest")
    assert smallest["parameters"] < 1_936 and len(smallest["runs"]) == 5
    assert mean_of(smallest["runs"], "test_accuracy") >= 99.0


def test_a_precise_network_reads_99_6_percent_within_15_minutes():
    """99.70 was the aim; three seeds came to 99.65, and the chapter says so."""
    runs = kept_experiment("precise")["runs"]
    assert len(runs) >= 3
    assert mean_of([run["nine_times"] for run in runs], "test_accuracy") >= 99.6
    assert max(run["cpu_seconds"] for run in runs) / 2 <= 15 * 60  # on two cores


def test_a_deep_network_reads_99_72_percent_in_the_time_of_200_000_steps_of_chapter_6():
    """With nine turned looks, five seeds; its time is core-seconds, both measured in one run."""
    deep = kept_experiment("deep")
    runs = deep["runs"]
    assert len(runs) == 5
    assert mean_of([run["turned"] for run in runs], "test_accuracy") >= 99.72
    step = np.median([run["chapter_6_step_milliseconds"] for run in runs]) / 1_000
    assert max(run["cpu_seconds"] for run in runs) <= 200_000 * step


def test_the_deep_network_was_chosen_where_the_others_were_tried():
    """On the same images held out, after as many epochs; on all images it learns for fewer."""
    chosen, tried, deep = (kept_experiment(name) for name in ("deep_held_out", "tried", "deep"))
    assert chosen["held_out"] == tried["held_out"]
    seen, theirs, at_last = (
        one["settings"]["num_steps"] * one["settings"]["batch_size"]
        for one in (chosen, tried, deep)
    )
    assert seen == theirs
    assert at_last / 60_000 < seen / (60_000 - chosen["held_out"])  # epochs
    length = {"num_steps": deep["settings"]["num_steps"]}
    assert chosen["settings"] | length == deep["settings"]
    recipe = tried["variants"]["the recipe"]["held_out_accuracy"]
    assert recipe < chosen["held_out_accuracy"] < chosen["held_out_accuracy_turned"]
