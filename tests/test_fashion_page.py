"""The page on Fashion-MNIST: its table, and that its prose says what the kept runs say."""

from __future__ import annotations

from pipeline.fashion_page import fashion_page_files, kept, mean, ranks, runs_on_digits
from pipeline.systems import SYSTEMS


def test_the_best_has_rank_one():
    assert ranks({"worse": 80.0, "best": 90.0, "worst": 70.0}) == {
        "best": 1,
        "worse": 2,
        "worst": 3,
    }


def test_the_table_has_a_row_for_each_system_and_the_sentence_its_numbers():
    files = {name: content.decode() for name, content in fashion_page_files().items()}
    assert all(f"| {system} |" in files["fashion-table.md"] for system in SYSTEMS.values())
    assert len(SYSTEMS) == 5 and "McNemar" in files["fashion-pair.md"]


def test_the_ranking_is_as_the_page_says():
    digits, clothes = (
        ranks({model: mean(runs[model]) for model in SYSTEMS})
        for runs in (runs_on_digits(), kept("fashion", "fashion_mnist").runs)
    )
    convolutional = {"simple_cnn", "deeper_cnn"}
    assert all(digits[model] < digits["logistic_regression"] for model in convolutional)
    assert all(clothes[model] > clothes["logistic_regression"] for model in convolutional)
    assert {clothes["mlp"], clothes["regularized_mlp"]} == {1, 2}
