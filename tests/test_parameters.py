"""Nonsense is refused at once, in a sentence that a reader understands."""

import math

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mnist_helpers.parameters import RULES, ParameterError, check_parameters, unknown

ABOVE_0 = "a number above 0"
KEEP_PROB = "a number above 0, up to 1"

NONSENSE = [
    *(
        ("num_steps", value, "a whole number, 1 or more")
        for value in (-1, 0, 2.5, 3.0, "many", "20", True, None, [20], math.nan, math.inf)
    ),
    *(
        ("batch_size", value, "a whole number from 1 to 55,000")
        for value in (0, -16, 100_000, 55_001, 16.0, "16", True, None)
    ),
    *(
        ("learning_rate", value, ABOVE_0)
        for value in (0, 0.0, -0.5, "0.5", "", True, None, math.inf, -math.inf, math.nan, [0.5])
    ),
    *(("C", value, ABOVE_0) for value in (0, -1.0, "1", math.inf)),
    *(("beta", value, "a number, 0 or more") for value in (-0.001, "0", math.nan, math.inf, None)),
    *(
        ("keep_prob", value, KEEP_PROB)
        for value in (0, 0.0, 1.5, -0.5, math.nan, "0.5", True, None, 1 + 1e-9)
    ),
    *(
        ("keep_probs", value, "a list of numbers above 0, up to 1, such as [0.5, 0.9]")
        for value in ([], (), "0.5", "[0.5, 0.9]", [0.5, 2], [0.5, "0.9"], [0], [math.nan], 0.5)
    ),
    *(
        ("seed", value, "a whole number from 0 to 4,294,967,295")
        for value in (-1, 2**32, 0.5, "0", True, None)
    ),
    *(("num_seeds", value, "a whole number from 2 to 1,000") for value in (0, 1, 1_001, 2.0, "5")),
    *(
        ("device", value, '"auto" or "cpu" or "gpu"')
        for value in ("tpu", "", "CPU", "cuda:0", 0, None, True)
    ),
    *(
        ("data_set", value, '"mnist" or "fashion_mnist"')
        for value in ("cifar", "MNIST", "", None, 3, ["mnist"])
    ),
    *(("split", value, '"original" or "official"') for value in ("test", "", None, 0.1)),
    *(
        (name, value, 'the path of a folder, or "" for none')
        for name in ("record_dir", "log_dir")
        for value in (3, None, True, ["_build"])
    ),
]


@pytest.mark.parametrize(
    ("name", "value", "words"), NONSENSE, ids=[f"{name}={value!r}" for name, value, _ in NONSENSE]
)
def test_nonsense_is_refused_with_name_value_and_what_it_may_be(name, value, words):
    with pytest.raises(ParameterError) as refusal:
        check_parameters(**{name: value})
    message = str(refusal.value)
    assert message.startswith(f"{name} is {value!r}; it may be ")
    assert words in message
    assert "\n" not in message


def test_a_whole_number_that_no_float_can_hold_is_refused():
    with pytest.raises(ParameterError, match="learning_rate is 1000"):
        check_parameters(learning_rate=10**400)


SENSE = {
    "data_set": ["mnist", "fashion_mnist"],
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
    "record_dir": ["", "_build/records"],
    "log_dir": ["", "/tmp/logs"],
}


def test_every_rule_is_tested_here():
    assert set(SENSE) == set(RULES) == {name for name, _, _ in NONSENSE}


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


def test_a_refusal_is_a_value_error():
    assert issubclass(ParameterError, ValueError)


# ---- misspelt ----


def test_a_misspelt_name_is_answered_with_the_one_that_was_meant():
    message = unknown("batchsize", ["num_steps", "batch_size", "seed"])
    assert message == (
        "batchsize is not a parameter of this chapter; did you mean batch_size? "
        "It has num_steps, batch_size, seed."
    )


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


def test_nonsense_given_by_papermill_is_refused(run_chapter, capsys):
    assert run_chapter(num_steps="200").startswith("num_steps is '200'; it may be ")


def test_a_chapter_that_papermill_did_not_touch_runs(run_chapter):
    assert run_chapter() == ""


def test_a_readers_own_variables_are_no_parameters(shell, run_chapter):
    shell.run_cell("num_stepz = 3", store_history=True)
    assert run_chapter(seed=1) == ""
