"""Nonsense is refused at once, in a sentence that a reader understands."""

import ast
import math
from pathlib import Path

import nbformat
import pytest
import yaml
from papermill.cli import _resolve_type
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mnist_helpers.parameters import RULES, ParameterError, check_parameters, refusal, unknown
from pipeline.sweep.definition import read_definition, read_options
from pipeline.values import ValuesError, read_parameters, read_values

FOLDER = 'the path of a folder, or "" for none'
NONSENSE = {
    "num_steps": (
        "a whole number, 1 or more",
        [-1, 0, 2.5, 3.0, "many", "20", True, None, [20], math.nan, math.inf],
    ),
    "batch_size": (
        "a whole number from 1 to 55,000",
        [0, -16, 100_000, 55_001, 16.0, "16", True, None],
    ),
    "learning_rate": (
        "a number above 0",
        [0, 0.0, -0.5, "0.5", "", True, None, math.inf, -math.inf, math.nan, [0.5]],
    ),
    "C": ("a number above 0", [0, -1.0, "1", math.inf, 10**400]),  # no float holds the last
    "beta": ("a number, 0 or more", [-0.001, "0", math.nan, math.inf, None]),
    "keep_prob": (
        "a number above 0, up to 1",
        [0, 0.0, 1.5, -0.5, math.nan, "0.5", True, None, 1 + 1e-9],
    ),
    "keep_probs": (
        "a list of numbers above 0, up to 1, such as [0.5, 0.9]",
        [[], (), "0.5", "[0.5, 0.9]", [0.5, 2], [0.5, "0.9"], [0], [math.nan], 0.5],
    ),
    "seed": ("a whole number from 0 to 4,294,967,295", [-1, 2**32, 0.5, "0", True, None]),
    "num_seeds": ("a whole number from 2 to 1,000", [0, 1, 1_001, 2.0, "5"]),
    "device": ('"auto" or "cpu" or "gpu"', ["tpu", "", "CPU", "cuda:0", 0, None, True]),
    "data_set": (
        '"mnist" or "fashion_mnist" or "sample"',
        ["cifar", "MNIST", "", None, 3, ["mnist"]],
    ),
    "split": ('"original" or "official"', ["test", "", None, 0.1]),
    "drop": ('"weights" or "units"', ["hidden", "", None, 0.5]),
    "num_hidden": ("a whole number from 0 to 10,000", [-1, 1.0, "16", None]),
    "mistakes": (
        "a list with any of modulo, file_order, test_head,",
        ["modulo", ["% 10"], [None], None, 3],
    ),
    "record_dir": (FOLDER, [3, None, True, ["_build"]]),
    "log_dir": (FOLDER, [3, None, True, ["_build"]]),
}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [(name, value, words) for name, (words, values) in NONSENSE.items() for value in values],
)
def test_nonsense_is_refused_with_name_value_and_what_it_may_be(name, value, words):
    with pytest.raises(ParameterError) as refusal:
        check_parameters(**{name: value})
    message = str(refusal.value)
    assert message.startswith(f"{name} is ")
    assert f"{value!r}; it may be " in message
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "called", "write"),
    [
        ("num_steps", 1e3, "the floating-point number 1000.0", "1000"),
        ("num_steps", 2.5, "the floating-point number 2.5", None),
        ("num_steps", 1e300, "the floating-point number 1e+300", None),
        ("num_steps", "1e3", "the text '1e3'", "1000"),
        ("num_steps", "1_000", "the text '1_000'", "1000"),
        ("num_steps", "20,000", "the text '20,000'", "20000"),
        ("num_steps", "many", "the text 'many'", None),
        ("num_steps", True, "the truth value True", None),
        ("num_steps", [20], "the list [20]", "20"),
        ("num_steps", -1, "-1", None),
        ("learning_rate", "1e-4", "the text '1e-4'", "0.0001"),
        ("learning_rate", "1e-6", "the text '1e-6'", "1.0e-06"),
        ("learning_rate", "0,5", "the text '0,5'", "0.5"),
        ("learning_rate", "nan", "the text 'nan'", None),
        ("learning_rate", None, "None", None),
        ("keep_probs", 0.5, "the floating-point number 0.5", "[0.5]"),
        ("keep_probs", "0.5,0.9", "the text '0.5,0.9'", "[0.5, 0.9]"),
        ("keep_probs", "[0.5, 0.9]", "the text '[0.5, 0.9]'", "[0.5, 0.9]"),
        ("keep_probs", ["5e-1", 0.9], "['5e-1', 0.9]", "[0.5, 0.9]"),
        ("keep_probs", [2], "[2]", None),
        ("data_set", "Fashion-MNIST", "'Fashion-MNIST'", '"fashion_mnist"'),
        ("device", 0, "the whole number 0", None),
        ("record_dir", 3, "the whole number 3", '"./3"'),
        ("record_dir", None, "None", '""'),
    ],
)
def test_a_value_read_otherwise_is_called_by_its_kind_and_the_refusal_says_what_to_write(
    name: str, value: object, called: str, write: str | None
):
    advice = f" Write {write} instead." if write else ""
    expected = f"{name} is {called}; it may be {RULES[name].words}.{advice}"
    assert refusal(name, value) == expected
    if write:
        for read in (ast.literal_eval, yaml.safe_load, read_values):
            assert check_parameters(**{name: read(write)})


def test_every_way_in_that_is_ours_reads_the_same_characters_alike(tmp_path: Path):
    """As papermill's -p does, and lists besides; every value differs in YAML 1.1."""
    characters = {"1e-4": 1e-4, "1e3": 1e3, "010": 10, "on": "on", "1:30": "1:30"}
    characters |= {"2026-11-28": "2026-11-28", "None": None, "no": "no"}
    for text, value in characters.items():
        assert _resolve_type(text) == value != yaml.safe_load(text)
        (tmp_path / "parameters.yml").write_text(f"03-mlp: {{C: {text}}}", encoding="utf-8")
        (tmp_path / "sweep.yml").write_text(f"chapter: c\ngrid: {{C: [{text}]}}", encoding="utf-8")
        ways = [
            read_parameters(tmp_path / "parameters.yml", ["03-mlp"])["03-mlp"]["C"],
            read_definition(tmp_path / "sweep.yml")[0].values["C"][0],
            read_options("03-mlp", [("C", text)]).values["C"][0],
        ]
        assert [(each, type(each)) for each in ways] == [(value, type(value))] * 3


@pytest.mark.parametrize("text", ["03-mlp", "03-mlp: 3", "[03-mlp]", "03-mlp: ["])
def test_a_file_of_parameters_of_another_form_is_refused_by_name(tmp_path: Path, text: str):
    path = tmp_path / "parameters.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValuesError, match=r"The parameters in .*parameters\.yml"):
        read_parameters(path, ["03-mlp"])


def test_a_file_of_parameters_names_chapters_of_the_book_alone(tmp_path: Path):
    path = tmp_path / "parameters.yml"
    path.write_text("01-data: {}\n03-mpl: {num_steps: 20}\n", encoding="utf-8")
    with pytest.raises(ValuesError) as refusal:
        read_parameters(path, ["01-data", "03-mlp"])
    assert str(refusal.value) == (
        f"The parameters in {path}: There is no chapter '03-mpl'; did you mean 03-mlp? "
        "The book has 01-data, 03-mlp."
    )


SENSE = {
    "data_set": ["mnist", "fashion_mnist", "sample"],
    "split": ["original", "official"],
    "seed": [0, 3, 2**32 - 1],
    "num_seeds": [2, 5, 1_000],
    "device": ["auto", "cpu", "gpu"],
    "num_steps": [1, 3_001, 20_001],
    "batch_size": [1, 128, 55_000],
    "learning_rate": [0.5, 1, 1e-6],
    "C": [1.0, 1, 1e6],
    "beta": [0, 0.0, 0.001, 2],
    "keep_prob": [1, 1.0, 0.5, 1e-3],
    "keep_probs": [[0.5], [0.5, 0.6, 1], (0.5, 0.9)],
    "num_hidden": [0, 16, 1_024],
    "drop": ["weights", "units"],
    "mistakes": [[], ["modulo"], ("unscaled", "all_zero")],
    "record_dir": ["", "_build/records"],
    "log_dir": ["", "/tmp/logs"],
}


def test_every_rule_is_tested_here():
    assert set(SENSE) == set(RULES) == set(NONSENSE)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n in SENSE for v in SENSE[n]])
def test_sense_is_accepted_up_to_its_limits(name, value):
    assert check_parameters(**{name: value}) == {name: value}


def test_the_parameters_come_back_for_the_record():
    parameters = {name: values[0] for name, values in SENSE.items()}
    assert check_parameters(**parameters) == parameters


def test_the_one_that_is_wrong_among_many_is_named():
    parameters = {name: values[0] for name, values in SENSE.items()}
    with pytest.raises(ParameterError, match=r"^keep_prob is 0; "):
        check_parameters(**parameters | {"keep_prob": 0})


def test_a_parameter_without_a_rule_is_a_fault_of_the_chapter():
    with pytest.raises(KeyError, match="num_layers has no rule"):
        check_parameters(num_layers=3)


# ---- misspelt ----


def test_a_name_like_no_other_is_answered_with_all_that_there_are():
    message = unknown("zzz", ["num_steps", "seed"])
    assert message == "zzz is not a parameter of this chapter. It has num_steps, seed."


CHAPTER = [
    "num_steps = 1_001  # steps of training\nseed = 0",
    "from mnist_helpers.parameters import check_parameters\n"
    "checked = check_parameters(num_steps=num_steps, seed=seed)",
]


@pytest.fixture
def run_chapter(shell, tmp_path):
    """Run a chapter as papermill would, and return what its second cell raised."""

    def run(**given) -> str:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in CHAPTER],
            metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": ""}},
        )
        notebook.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(notebook, tmp_path / "chapter.ipynb")
        notebook = load_notebook_node(str(tmp_path / "chapter.ipynb"))
        if given:
            notebook = parameterize_notebook(notebook, given)
        for cell in notebook.cells:
            error = shell.run_cell(cell.source, store_history=True).error_in_exec
            if error is not None:
                return str(error)
        return ""

    return run


def test_a_misspelt_parameter_given_by_papermill_is_refused(run_chapter, capsys):
    message = run_chapter(num_step=200)
    assert message == (
        "num_step is not a parameter of this chapter; did you mean num_steps? "
        "It has num_steps, seed."
    )


def test_a_misspelt_parameter_beside_right_ones_is_refused(run_chapter, capsys):
    assert "sead is not a parameter" in run_chapter(num_steps=20, sead=3)


def test_a_right_parameter_given_by_papermill_is_used(shell, run_chapter):
    assert run_chapter(num_steps=200) == ""
    assert shell.user_ns["checked"] == {"num_steps": 200, "seed": 0}


def test_nonsense_given_by_papermill_is_refused_with_the_option_that_gives_what_was_meant(
    run_chapter, capsys
):
    message = run_chapter(num_steps="200")
    assert message == (
        "num_steps is the text '200'; it may be a whole number, 1 or more. "
        "Write -p num_steps 200 instead."
    )


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("keep_probs", 0.5, "-y 'keep_probs: [0.5]'"),
        ("data_set", "MNIST", "-p data_set mnist"),
        ("record_dir", None, '-p record_dir ""'),
    ],
)
def test_the_advice_is_an_option_of_papermill_where_the_value_came_from_it(name, value, option):
    assert refusal(name, value, set_by_papermill=True).endswith(f" Write {option} instead.")
    assert option not in refusal(name, value)


def test_the_paths_that_papermill_adds_itself_are_no_parameters(shell, run_chapter, capsys):
    assert run_chapter(PAPERMILL_INPUT_PATH="in.ipynb", PAPERMILL_OUTPUT_PATH="out.ipynb") == ""
    assert shell.user_ns["checked"] == {"num_steps": 1_001, "seed": 0}


def test_a_chapter_that_papermill_did_not_touch_runs(run_chapter):
    assert run_chapter() == ""


def test_a_readers_own_variables_are_no_parameters(shell, run_chapter):
    shell.run_cell("num_stepz = 3", store_history=True)
    assert run_chapter(seed=1) == ""
