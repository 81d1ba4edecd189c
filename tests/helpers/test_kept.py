"""Long runs kept in the repository: complete, true to their record, and repeatable."""

import base64
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import papermill
import pytest

from experiments import keep
from experiments.going_further import PARTS, pretty
from experiments.keep import compact, compact_sweep
from mnist_helpers.kept import (
    KEPT_EXPERIMENTS,
    KEPT_RUNS,
    KEPT_SWEEPS,
    kept_experiment,
    kept_runs,
    kept_sweep,
    rightly_read,
)
from mnist_helpers.records import Record
from mnist_helpers.sources import PUBLICATIONS
from mnist_helpers.systems import LONG_STEPS
from pipeline.contents import ROOT, chapters
from pipeline.notebooks import CHAPTERS, code_cells, read
from pipeline.sweep.definition import SweepError, read_definition, runs_of

NAMES = sorted(path.name.removesuffix(".json") for path in KEPT_RUNS.iterdir())
OTHER_EXPERIMENTS = ("parts", "twins")
EXPERIMENTS = sorted(path.name.removesuffix(".json") for path in KEPT_EXPERIMENTS.iterdir())


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
    path.write_text(json.dumps(record.facts), encoding="utf-8")
    np.savez(path.with_suffix(".npz"), predictions=record.predictions, labels=record.labels)
    written = keep.keep_run(path, "make book LONG=1", tmp_path / "kept")
    assert written.name == "deeper_cnn--6-steps--seed-1.json"
    assert json.loads(written.read_text(encoding="utf-8")) == compact(record, "make book LONG=1")


def kept_file(folder: Path, name: str) -> dict:
    """What was kept, as it stands in its file."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_run_fits_together(name):
    kept = kept_file(KEPT_RUNS, name)
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
    assert recipes == {f"deeper_cnn--{LONG_STEPS}-steps"}  # a new one: name its chapter here
    assert 'kept_runs("deeper_cnn", LONG_STEPS)' in "\n".join(
        cell.source for cell in read(CHAPTERS / "06-deeper-cnn.ipynb").cells
    )


SWEEPS = sorted(path.stem for path in KEPT_SWEEPS.glob("*.json"))
DEFINITIONS = ROOT / "experiments" / "sweeps"


def swept(seed: int, **changed) -> Record:
    """One record of a sweep over learning rates and seeds, on data that `same_data` describes."""
    labels = np.arange(20, dtype=np.uint8) % 10
    predictions = labels.copy()
    predictions[[3, 17]] = 0
    facts = {
        "model": "mlp_rate_0.5",
        "chapter": "03-mlp",
        "parameters": {"seed": seed, "device": "auto", "num_steps": 6, "learning_rate": 0.5},
        "seed": seed,
        "data_set": "mnist",
        "data_sha256": "a1b2",
        "data_source": "full",
        "split": "original",
        "num_steps": 6,
        "test_accuracy": 90.0,
        "validation_accuracy": 88.0,
        "train_accuracy": 93.0,
        "test_size": 20,
        "parameter_count": 7,
        "train_seconds": 1.5,
        "device": "CPU, 1 thread",
        "versions": {"tensorflow": "2.21.0"},
    }
    return Record(facts | changed, predictions, labels)


class SameData:
    sha256, split = "a1b2", "original"


@pytest.fixture
def small_sweep(tmp_path, monkeypatch):
    """Two seeds of one recipe, kept by the command and read back from its folder."""
    for record in (swept(1), swept(0), swept(1, model="mlp_keras")):
        run = f"03-mlp--learning_rate-0.5--seed-{record['seed']}"
        path = tmp_path / "out" / "records" / run / f"{record['model']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record.facts), encoding="utf-8")
        np.savez(path.with_suffix(".npz"), predictions=record.predictions, labels=record.labels)
    definition = tmp_path / "grid.yml"
    definition.write_text(
        "chapter: 03-mlp\ngrid: {seed: [0, 1], learning_rate: [0.5]}\nnot_kept: [mlp_keras]\n",
        encoding="utf-8",
    )
    with pytest.raises(SweepError, match=r"no run 03-mlp--learning_rate-0\.5--seed-0; python"):
        keep.keep_sweep(definition, tmp_path / "out", tmp_path / "kept")
    (tmp_path / "out" / "finished").mkdir()
    for run in (tmp_path / "out" / "records").iterdir():
        (tmp_path / "out" / "finished" / f"{run.name}.json").touch()
    keep.keep_sweep(definition, tmp_path / "out", tmp_path / "kept")
    monkeypatch.setattr("mnist_helpers.kept.KEPT_SWEEPS", tmp_path / "kept")
    return "grid"


def test_a_sweep_is_kept_and_read_back_image_by_image(small_sweep):
    kept = kept_sweep(small_sweep, SameData, {"num_steps": 6, "seed": 5, "learning_rate": 0.9})
    assert [run["seed"] for run in kept.runs["mlp_rate_0.5"]] == [0, 1]
    run = kept.runs["mlp_rate_0.5"][0]
    assert (run["train"], run["valid"], run["test"]) == (93.0, 88.0, 90.0)
    assert np.flatnonzero(~run["right"]).tolist() == [3, 17] and len(run["right"]) == 20
    assert "2 kept runs of 1 recipes" in str(kept)
    assert "python -m pipeline.sweep experiments/sweeps/grid.yml OUTPUT" in str(kept)


@pytest.mark.parametrize(
    ("attribute", "value"), [("sha256", "other"), ("split", "official"), ("steps", 7)]
)
def test_a_sweep_of_other_work_has_no_runs_for_the_page(small_sweep, attribute, value):
    data = type("Data", (SameData,), {attribute: value})
    kept = kept_sweep(small_sweep, data, {"num_steps": value if attribute == "steps" else 6})
    assert kept.runs == {} and "No kept run did the same work" in str(kept)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no records"),
        ([swept(0), swept(0)], "same model and seed"),
        ([swept(0), swept(1, split="official")], "differ in split"),
        ([swept(0), swept(1, data_sha256="c3")], "differ in data_sha256"),
    ],
)
def test_records_that_are_not_one_sweep_are_refused(records, message):
    with pytest.raises(ValueError, match=message):
        compact_sweep(records, ["learning_rate"], "command")


@pytest.mark.parametrize("name", SWEEPS)
def test_a_kept_sweep_fits_together_and_has_its_definition(name):
    kept = kept_file(KEPT_SWEEPS, name)
    grids = read_definition(DEFINITIONS / f"{name}.yml")
    wanted = [(run.chapter, run.parameters.get("seed")) for run in runs_of(grids)]
    assert {run["chapter"] for run in kept["runs"]} == {chapter for chapter, _ in wanted}
    command = kept_sweep(name, SameData, {}).command
    assert command == keep.command(DEFINITIONS / f"{name}.yml")
    assert kept["data_source"] == "full" and kept["versions"]["tensorflow"]
    made = {(run["chapter"], run["model"], run["seed"]) for run in kept["runs"]}
    for chapter, seed in wanted:  # without a seed a chapter takes its own, or several
        of_run = {model for each, model, own in made if each == chapter and seed in (None, own)}
        assert of_run == {model for each, model, _ in made if each == chapter}
    for run in kept["runs"]:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(run["right"]), np.uint8))
        assert run["test_accuracy"] == pytest.approx(100 * bits.sum() / kept["test_size"])


@cache
def what_pages_show() -> str:
    """The source of the chapters, and of the page on clothes."""
    notebooks = [read(CHAPTERS / f"{chapter}.ipynb") for chapter in chapters()]
    page = ROOT / "pipeline" / "site" / "fashion_page.py"
    cells = [cell.source for notebook in notebooks for cell in notebook.cells]
    return "\n".join([*cells, page.read_text(encoding="utf-8")])


@pytest.mark.parametrize("name", SWEEPS)
def test_every_kept_sweep_is_shown_by_a_page(name):
    assert re.search(rf'(kept_sweep|runs_on)\([^)]*"{name}"', what_pages_show())


def test_what_the_experiments_make_is_kept_and_no_other():
    assert sorted([*PARTS, *OTHER_EXPERIMENTS]) == EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_kept_experiment_says_how_it_was_made(name):
    kept = kept_experiment(name)
    module = name if name in OTHER_EXPERIMENTS else f"going_further --only {name}"
    assert kept["command"] == f"python -m experiments.{module}"
    for fact in ("date", "device", "split"):
        assert kept[fact]
    data_set = "fashion_mnist" if name == "twins" else "mnist"
    assert kept["data_sha256"] == PUBLICATIONS[data_set].sha256
    assert kept["versions"]["tensorflow"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_kept_experiment_can_be_read_by_a_person_too(name):
    text = (KEPT_EXPERIMENTS / f"{name}.json").read_text(encoding="utf-8")
    assert text == pretty(kept_file(KEPT_EXPERIMENTS, name)) + "\n"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_kept_experiment_is_shown_by_a_page(name):
    assert f'kept_experiment("{name}")' in what_pages_show()


def results_on_test_images(name: str) -> list[dict]:
    """Every result on the test images that an experiment keeps."""
    kept = kept_experiment(name)
    if name == "race":
        return kept["recipe"]["runs"]
    if name == "small":
        return [run for network in kept["networks"] for run in network["runs"]]
    looks = ("once", "nine_times", "turned") if name == "deep" else ("once", "nine_times")
    return [run[look] for run in kept["runs"] for look in looks] + [kept["ensemble"]]


@pytest.mark.parametrize("name", ["race", "small", "precise", "deep"])
def test_an_accuracy_fits_the_images_that_were_read_wrongly(name):
    for result in results_on_test_images(name):
        assert result["test_accuracy"] == pytest.approx(100 - len(result["wrong"]) / 100)
        assert len(result["wrong_predictions"]) == len(result["wrong"])


def test_each_run_has_the_seed_of_its_place():
    race, small = kept_experiment("race"), kept_experiment("small")
    several = [race["recipe"]["runs"], *(network["runs"] for network in small["networks"])]
    several += [kept_experiment(name)["runs"] for name in ("precise", "smallest", "deep")]
    several += [variant["runs"] for variant in kept_experiment("ablation")["variants"].values()]
    for runs in several:
        assert [run["seed"] for run in runs] == list(range(len(runs)))
    assert len(race["recipe"]["runs"]) == 10 and min(map(len, several)) >= 3


def test_the_rival_of_the_race_was_stopped_when_it_first_reached_the_target():
    rival = kept_experiment("race")["keras"]
    for run in rival["runs"]:
        *before, last = run["validation_curve"]
        assert all(percent < rival["target"] for percent in before)
        assert run["reached"] == (last >= rival["target"])
        # What comes after the last epoch, and building before the first, is on the clock, too.
        assert 0 <= run["cpu_seconds"] - run["training_cpu_seconds"][-1] < 0.1 * run["cpu_seconds"]


def test_the_race_was_run_in_turns_from_the_same_seeds():
    race = kept_experiment("race")
    rounds = [run["seed"] for run in race["keras"]["runs"]]
    assert len(rounds) >= 3
    assert rounds == [run["seed"] for run in race["chapter_6"]["runs"]]
    assert rounds == [run["seed"] for run in race["recipe"]["runs"]][: len(rounds)]


def test_the_ablation_is_of_the_recipe_on_the_page_and_looked_at_no_test_image():
    ablation, recipe = kept_experiment("ablation"), kept_experiment("race")["recipe"]
    assert ablation["settings"] == recipe["settings"]
    whole = ablation["variants"]["the recipe"]["runs"]
    for run, again in zip(whole, recipe["runs"], strict=True):
        assert run["seed"] == again["seed"]
        assert run["validation_accuracy"] == again["validation_accuracy"]
    for variant in ablation["variants"].values():
        for run in variant["runs"]:
            assert "test_accuracy" not in run
            share = len(run["wrong"]) / ablation["validation_size"]
            assert run["validation_accuracy"] == pytest.approx(100 * (1 - share), abs=1e-3)


def test_each_image_that_the_ensemble_misreads_was_looked_up_among_the_published_votes():
    (cell,) = (
        cell
        for cell in code_cells(read(CHAPTERS / "08-trip-small-and-precise.ipynb"))
        if "UPHELD" in cell.source
    )
    wrong = kept_experiment("precise")["ensemble"]["wrong"]
    names = {"together": {"wrong": wrong}}
    exec(cell.source, names)
    found = [names[name] for name in ("UPHELD", "DOUBTFUL", "NOT_SHOWN")]
    assert sum(map(len, found)) == len(set.union(*found)) == len(wrong)
    assert [len(names["wrong"] & names[name]) for name in ("UPHELD", "DOUBTFUL")] == [14, 8]


def test_nothing_that_was_tried_stands_out():
    """As the chapter says: each change leaves as many errors as the recipe, within their luck."""
    tried = kept_experiment("tried")
    settings, taught = tried["settings"], 60_000 - tried["held_out"]
    assert settings["num_steps"] * settings["batch_size"] / taught == 24  # epochs
    errors = {
        name: tried["held_out"] * (1 - run["held_out_accuracy"] / 100)
        for name, run in tried["variants"].items()
    }
    recipe = errors.pop("the recipe")
    assert len(errors) == 3 and all(abs(n - recipe) < recipe**0.5 for n in errors.values())
    assert all(run["train_accuracy"] > 99.8 for run in tried["variants"].values())


def test_the_chapter_and_the_kept_runs_have_the_same_recipe():
    """The settings of the kept runs are the chapter's defaults."""
    settings = kept_experiment("race")["recipe"]["settings"]
    defaults = papermill.inspect_notebook(CHAPTERS / "08-going-further.ipynb")
    for name, value in settings.items():
        assert float(defaults[name]["default"]) == value


def test_the_ablation_of_chapter_6_has_ten_seeds_of_each_variant_and_the_chapters_settings():
    kept = kept_experiment("parts")
    defaults = papermill.inspect_notebook(CHAPTERS / "06-deeper-cnn.ipynb")
    for name in ("batch_size", "learning_rate", "keep_prob"):
        assert float(defaults[name]["default"]) == kept["settings"][name]
    assert len(kept["variants"]) == 7
    for runs in kept["variants"].values():
        assert [run["seed"] for run in runs] == list(range(10))
        assert all(max(run["wrong"]) < 1_000 for run in runs)  # validation images


def test_the_right_images_are_those_that_are_not_wrong():
    runs = kept_runs("deeper_cnn", 20_001)
    right = rightly_read(runs, 9_000)
    assert right.shape == (5, 9_000)
    accuracies = [run["test_accuracy"] for run in runs]
    np.testing.assert_allclose(100 * right.mean(axis=1), accuracies)
