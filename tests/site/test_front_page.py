"""The chart of the front page shows what the records say, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.contents import page_file, pages
from pipeline.notebooks import CHAPTERS, read
from pipeline.site.fashion_page import runs_on_digits
from pipeline.site.front_page import front_page_files, results

FACTS = {
    "model": "mlp",
    "data_set": "mnist",
    "data_source": "full",
    "split": "original",
    "seed": 0,
    "num_steps": 300,  # no such run is kept
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
    assert (mlp.ours, mlp.original) == (97.5, (98.0, 98.0))
    assert mlp.interval[0] < 97.5 < mlp.interval[1]


def test_where_runs_of_several_seeds_are_kept_their_mean_is_drawn(record):
    """One run of the simple CNN may lie below logistic regression; its mean does not."""
    for chapter, model, steps in (
        ("02-logistic-regression", "logistic_regression", 2_000),
        ("05-simple-cnn", "simple_cnn", 1_001),
    ):
        records = record(
            f"{chapter}--{model}--a", model=model, num_steps=steps, test_accuracy=91.6
        )
    linear, cnn, _ = results(records)
    kept = [run["test"] for run in runs_on_digits()["simple_cnn"]]
    assert len(kept) == 20
    assert cnn.ours == pytest.approx(np.mean(kept))
    assert linear.ours < cnn.ours


def test_long_run_is_the_kept_one_and_the_short_one_is_of_this_book(record):
    name = "06-deeper-cnn--deeper_cnn"
    record(f"{name}--20001-steps", model="deeper_cnn", num_steps=20_001, test_accuracy=10)
    short, long = results(record(f"{name}--300-steps", model="deeper_cnn"))
    assert (short.ours, short.original) == (97.5, (95.2, 95.2))
    assert long.ours > 98 and long.original == (98.6, 98.6)


def test_regularised_mlp_stands_beside_all_ten_that_the_original_printed(record):
    """Not beside one of them: 74.1, the lowest, made the original look worse than it was."""
    settings = {"keep_prob": 0.9, "beta": 0}
    records = record(
        "04-regularized-mlp--regularized_mlp--a", model="regularized_mlp", parameters=settings
    )
    assert results(records)[0].original == (74.1, 76.8)
    assert "the original 74.1 to 76.8;" in front_page_files(records)["results.md"].decode()


@pytest.mark.parametrize(
    "other", [{"data_set": "fashion_mnist"}, {"split": "official"}, {"data_source": "sample"}]
)
def test_original_is_left_out_where_it_measured_something_else(record, other: dict):
    assert results(record("03-mlp--mlp--a", **other))[0].original is None


def test_alt_text_has_the_numbers_and_the_chart_is_the_same_each_time(record):
    files = front_page_files(record("03-mlp--mlp--a"))
    assert "MLP: 97.5, the original 98.0;" in files["results.md"].decode()
    assert files == front_page_files(record("03-mlp--mlp--a"))


def test_the_front_page_names_every_chapter_that_shows_runs_that_are_kept():
    text = "\n".join(cell.source for cell in read(CHAPTERS / "intro.ipynb").cells)
    (kept,) = (line for line in text.splitlines() if "is kept with the code" in line)
    showing = {
        str(int(page[9:11]))
        for page in pages()
        if page_file(page).suffix == ".ipynb"
        and re.search(
            r"\bkept_(sweep|runs|experiment)\(", page_file(page).read_text(encoding="utf-8")
        )
    }
    named = set(re.findall(r"\b\d\b", kept))
    assert named == showing
