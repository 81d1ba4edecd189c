"""The page on Fashion-MNIST: its table, and that its prose says what the kept runs say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.twins import near_twins
from mnist_helpers.metrics import mean_interval
from mnist_helpers.systems import SYSTEMS
from pipeline.site.fashion_page import (
    compared,
    fashion_page_files,
    mean_over_seeds,
    part,
    ranks,
    runs_on_clothes,
    runs_on_digits,
)


def test_the_best_mean_has_rank_one():
    runs = {"worse": [80.0, 80.0], "best": [95.0, 70.0], "worst": [70.0, 75.0]}
    of_tests = {name: [{"test": percent} for percent in found] for name, found in runs.items()}
    assert ranks(of_tests) == {"best": 1, "worse": 2, "worst": 3}


def test_the_table_has_a_row_for_each_system_with_mean_and_interval_over_seeds():
    table = fashion_page_files()["fashion-table.md"].decode()
    for runs in (runs_on_digits(), runs_on_clothes()):
        for model, system in SYSTEMS.items():
            row = next(
                line for line in table.splitlines() if line.startswith(f"| {system.title} |")
            )
            assert mean_over_seeds(runs[model]) in row
    assert mean_over_seeds([{"test": 90.0}, {"test": 92.0}]) == "91.00 ± 12.71"


@pytest.mark.parametrize("model", SYSTEMS)
def test_the_same_seeds_on_both_and_five_or_more_of_all_that_draws_at_random(model):
    digits, clothes = (
        [run["seed"] for run in runs[model]] for runs in (runs_on_digits(), runs_on_clothes())
    )
    assert digits == clothes == list(range(len(clothes)))
    assert len(clothes) >= 5 or model == "logistic_regression"


def test_the_ranking_is_as_the_page_says():
    digits, clothes = ranks(runs_on_digits()), ranks(runs_on_clothes())
    convolutional = {"simple_cnn", "deeper_cnn"}
    assert all(digits[model] < digits["logistic_regression"] for model in convolutional)
    assert all(clothes[model] > clothes["logistic_regression"] for model in convolutional)
    assert {clothes["mlp"], clothes["regularized_mlp"]} == {1, 2}


def test_the_intervals_are_as_the_page_says():
    clothes = runs_on_clothes()
    for model in ("simple_cnn", "deeper_cnn"):
        mean, half_width = mean_interval(part(clothes[model]))
        assert mean + half_width < clothes["logistic_regression"][0]["test"]
    for runs in (runs_on_digits(), clothes):
        gain, half_width = mean_interval(part(runs["mlp"]) - part(runs["regularized_mlp"]))
        assert abs(gain) < half_width


def test_the_pair_is_compared_as_independent_runs():
    clothes = runs_on_clothes()
    one, other = part(clothes["mlp"]), part(clothes["regularized_mlp"])
    gain = one.mean() - other.mean()
    error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    half_width = stats.t.ppf(0.975, stats.ttest_ind(one, other, equal_var=False).df) * error
    sentence = fashion_page_files()["fashion-pair.md"].decode()
    assert f"{abs(gain):.2f} points, ± {half_width:.2f} for other seeds" in sentence
    assert np.sign(gain) == (1 if "is +" in sentence else -1)


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0.0, "we cannot tell"), (50.0, "the MLP is ahead"), (-50.0, "MLP is ahead")],
)
def test_the_sentence_on_a_pair_says_what_its_numbers_say(ahead, verdict):
    rng = np.random.default_rng(0)

    def runs(percent: float) -> list[dict]:
        hits = [rng.random(1_000) < percent / 100 for _ in range(5)]
        return [{"right": right, "test": 100 * right.mean()} for right in hits]

    clothes = {"mlp": runs(50 + ahead / 2), "regularized_mlp": runs(50 - ahead / 2)}
    sentence = compared("mlp", "regularized_mlp", clothes)
    assert verdict in sentence
    assert ("regularised MLP is ahead" in sentence) == (ahead < 0)


def test_a_near_twin_is_found_among_images_that_are_none():
    rng = np.random.default_rng(0)
    train = rng.integers(0, 250, (40, 28, 28), np.uint8)
    test = rng.integers(0, 250, (30, 28, 28), np.uint8)
    test[7] = train[3] + rng.integers(0, 5, (28, 28), np.uint8)
    test[7, 0, 0] = train[3, 0, 0] + 4
    assert near_twins(test, train, largest=8) == [(7, 3, 4)]
    assert near_twins(test, train, largest=3) == []
