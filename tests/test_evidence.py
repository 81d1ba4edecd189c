"""Long runs kept in the repository: complete, true to their record, and repeatable."""

import json

import numpy as np
import pytest

from mnist_helpers.evidence import KEPT_RUNS, compact, kept_runs
from mnist_helpers.records import Record
from pipeline.keep_run import keep
from pipeline.notebooks import CHAPTERS, read

NAMES = sorted(path.name.removesuffix(".json") for path in KEPT_RUNS.iterdir())


@pytest.fixture
def record():
    labels = np.arange(20, dtype=np.uint8) % 10
    predictions = labels.copy()
    predictions[[3, 17]] = 0
    facts = {
        "model": "deeper_cnn",
        "num_steps": 6,
        "seed": 1,
        "test_size": 20,
        "test_accuracy": 90.0,
        "curve": {
            "loss": [2.0] * 6,
            "validation_steps": [0, 5],
            "validation_accuracy": [11.0, 88.0],
        },
    }
    return Record(facts, predictions, labels)


def test_the_compact_form_has_the_mistakes_and_not_the_curve_of_each_step(record):
    kept = compact(record, "make book LONG=1")
    assert kept["wrong"] == [3, 17] and kept["wrong_predictions"] == [0, 0]
    assert kept["validation_steps"] == [0, 5] and kept["validation_curve"] == [11.0, 88.0]
    assert kept["command"] == "make book LONG=1"
    assert "curve" not in kept and "loss" not in kept


def test_a_record_is_kept_by_command(record, tmp_path):
    path = tmp_path / "some-record.json"
    path.write_text(json.dumps(record.facts))
    np.savez(path.with_suffix(".npz"), predictions=record.predictions, labels=record.labels)
    written = keep(path, "make book LONG=1", tmp_path / "kept")
    assert written.name == "deeper_cnn--6-steps--seed-1.json"
    assert json.loads(written.read_text()) == compact(record, "make book LONG=1")


def test_an_unknown_run_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match="No run of 'mlp' with 7 steps is kept; there is deeper_"):
        kept_runs("mlp", 7)


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_run_fits_together(name):
    kept = json.loads((KEPT_RUNS / f"{name}.json").read_text())
    right = kept["test_size"] - len(kept["wrong"])
    assert kept["test_accuracy"] == pytest.approx(100 * right / kept["test_size"])
    assert len(kept["wrong"]) == len(kept["wrong_predictions"])
    assert len(kept["validation_steps"]) == len(kept["validation_curve"])
    assert kept["validation_curve"][-1] == pytest.approx(kept["validation_accuracy"], abs=0.01)
    assert kept["validation_steps"][-1] == kept["num_steps"] - 1
    assert name == f"{kept['model']}--{kept['num_steps']}-steps--seed-{kept['seed']}"
    assert kept["command"] and kept["data_sha256"] and kept["versions"]["tensorflow"]


def test_the_runs_of_one_recipe_differ_in_the_seed_alone():
    runs = kept_runs("deeper_cnn", 20_001)
    assert [run["seed"] for run in runs] == [0, 1, 2, 3, 4]
    for same in ("data_sha256", "split", "device", "versions", "chapter", "parameter_count"):
        assert len({json.dumps(run[same]) for run in runs}) == 1
    settings = [{k: v for k, v in run["parameters"].items() if k != "seed"} for run in runs]
    assert all(setting == settings[0] for setting in settings)


def test_every_kept_recipe_is_shown_by_a_chapter():
    recipes = {name.split("--seed")[0] for name in NAMES}
    assert recipes == {"deeper_cnn--20001-steps"}  # a new one: name its chapter here
    assert 'kept_runs("deeper_cnn", 20_001)' in "\n".join(
        cell.source for cell in read(CHAPTERS / "06-deeper-cnn.ipynb").cells
    )
