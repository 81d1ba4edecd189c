"""The chart of the front page shows what the records say, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.site.front_page import front_page_files, results

FACTS = {
    "model": "mlp",
    "data_set": "mnist",
    "data_source": "full",
    "split": "original",
    "seed": 0,
    "num_steps": 3001,
    "test_accuracy": 97.5,
    "test_size": 9000,
    "parameters": {},
}


@pytest.fixture
def record(tmp_path: Path):
    def write(name: str, **facts) -> Path:
        (tmp_path / f"{name}.json").write_text(json.dumps(FACTS | facts), encoding="utf-8")
        return tmp_path

    return write


def test_first_run_of_a_system_stands_beside_what_the_original_printed(record):
    record("03-mlp--mlp--seed-1", seed=1, test_accuracy=10)
    records = record("03-mlp--mlp--seed-0")
    record("03-mlp--mlp_keras--seed-0", model="mlp_keras", test_accuracy=20)
    mlp, _ = results(records)
    assert (mlp.ours, mlp.original) == (97.5, 98.0)
    assert mlp.interval[0] < 97.5 < mlp.interval[1]


def test_long_run_is_the_kept_one_and_the_short_one_is_of_this_book(record):
    name = "06-deeper-cnn--deeper_cnn"
    record(f"{name}--20001-steps", model="deeper_cnn", num_steps=20_001, test_accuracy=10)
    short, long = results(record(f"{name}--3001-steps", model="deeper_cnn"))
    assert (short.ours, short.original) == (97.5, 95.2)
    assert long.ours > 98 and long.original == 98.6


@pytest.mark.parametrize(("beta", "printed"), [(0, 76.4), (0.001, 75.3)])
def test_regularised_mlp_stands_beside_the_same_settings(record, beta: float, printed: float):
    settings = {"keep_prob": 0.8, "beta": beta}
    records = record(
        "04-regularized-mlp--regularized_mlp--a", model="regularized_mlp", parameters=settings
    )
    assert results(records)[0].original == printed


@pytest.mark.parametrize(
    "other", [{"data_set": "fashion_mnist"}, {"split": "official"}, {"data_source": "sample"}]
)
def test_original_is_left_out_where_it_measured_something_else(record, other: dict):
    assert results(record("03-mlp--mlp--a", **other))[0].original is None


def test_alt_text_has_the_numbers_and_the_chart_is_the_same_each_time(record):
    files = front_page_files(record("03-mlp--mlp--a"))
    assert "MLP: 97.5, the original 98.0;" in files["results.md"].decode()
    assert files == front_page_files(record("03-mlp--mlp--a"))
