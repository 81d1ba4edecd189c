"""The chapters as git keeps them: tidy, parameterised, with captions for every figure."""

from __future__ import annotations

import ast
import builtins
import itertools
import re
import subprocess
from pathlib import Path

import papermill
import pytest

from mnist_helpers.parameters import RULES
from pipeline.contents import ROOT, chapters, main_line, numbers
from pipeline.names import statements
from pipeline.notebooks import CHAPTERS, CHECKED, code_cells, read
from pipeline.quoted import expressions, to_evaluate
from pipeline.repository import read_repository
from pipeline.tidy_notebooks import tidy

PATHS = [CHAPTERS / f"{chapter}.ipynb" for chapter in chapters()]
MAIN_LINE = [path for path in PATHS if f"chapters/{path.stem}" in main_line()[1:]]

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
every_chapter = pytest.mark.parametrize("path", MAIN_LINE, ids=lambda path: path.stem)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.fixture
def as_git_keeps_it(path: Path, tmp_path: Path) -> Path:
    """A copy of the notebook as it was added to git; where it was not, as it is.

    A reader's editor adds metadata when it saves, and outputs when it runs a
    cell. That is no fault, before somebody adds it to git.
    """
    shown = subprocess.run(
        ["git", "show", f":{path.relative_to(ROOT).as_posix()}"], cwd=ROOT, capture_output=True
    )
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes() if shown.returncode else shown.stdout)
    return copy


@every_notebook
def test_is_tidy(as_git_keeps_it: Path):
    notebook = read(as_git_keeps_it)
    tidied = tidy(notebook, read_repository())
    assert tidied == notebook, f"run `make format`: {as_git_keeps_it.name} is not tidy"


@every_notebook
def test_has_the_newest_format_and_unique_cell_ids(path: Path):
    notebook = read(path)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@every_notebook
def test_checked_cells_have_an_output_to_check(path: Path):
    checked = [cell for cell in code_cells(read(path)) if cell.source.startswith(CHECKED)]
    assert checked, "no cell begins with # NBVAL_CHECK_OUTPUT"
    assert all(cell.outputs for cell in checked)


@every_notebook
def test_first_code_cell_holds_the_parameters_and_the_second_checks_them_all(path: Path):
    first, second = code_cells(read(path))[:2]
    assert tags(first)[0] == "parameters" and set(tags(first)) <= {"parameters", "hide-input"}
    names = set(papermill.inspect_notebook(path))
    assert names and names <= set(RULES)
    calls = [node for node in ast.walk(ast.parse(second.source)) if isinstance(node, ast.Call)]
    checks = [call for call in calls if getattr(call.func, "id", "") == "check_parameters"]
    assert len(checks) == 1
    assert {keyword.arg for keyword in checks[0].keywords} == names


@every_notebook
def test_every_parameter_is_a_literal_with_a_comment(path: Path):
    first = code_cells(read(path))[0]
    for line in first.source.splitlines():
        assert re.match(r"\w+ = .+ {2}# \S", line), line
    for statement in ast.parse(first.source).body:
        ast.literal_eval(statement.value)


@every_notebook
def test_no_record_and_no_summary_is_written_by_default(path: Path):
    parameters = papermill.inspect_notebook(path)
    for name in ("record_dir", "log_dir"):
        if name in parameters:
            assert parameters[name]["default"] in ('""', "''")


@every_notebook
def test_every_figure_has_a_name_a_caption_and_a_text_for_who_cannot_see_it(path: Path):
    draws = re.compile(r"plt\.|show_digits\(|plot_\w+\(")
    names = []
    for cell in code_cells(read(path)):
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure is None:
            defines = "def " in cell.source or "import" in cell.source
            assert defines or not draws.search(cell.source), f"no caption:\n{cell.source}"
            continue
        assert figure["name"].startswith("fig-")
        assert len(figure["caption"]) > 20
        assert len(cell.metadata["mystnb"]["image"]["alt"]) > 20
        names.append(figure["name"])
    assert names and len(set(names)) == len(names)


@every_notebook
def test_captions_name_no_shade_that_the_dark_page_reverses(path: Path):
    """The dark page inverts lightness and keeps hues: blue stays blue, and white turns black."""
    shade = re.compile(r"\b(white|black|pale|(?:dark|light|bright)(?:er|est)?)\b")
    for cell in code_cells(read(path)):
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown:
            words = f"{shown['figure']['caption']} {shown['image']['alt']}"
            assert not shade.search(words), words


@every_notebook
def test_every_figure_is_read_in_the_prose(path: Path):
    prose = prose_of(path)
    for cell in code_cells(read(path)):
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure:
            assert f"{{numref}}`{figure['name']}`" in prose


PARTS = (
    "{admonition} What you will be able to do",
    "{admonition} Predict",
    "## Summary",
    "## Where to read on",
)


def prose_of(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


@every_chapter
def test_has_the_parts_that_every_chapter_has(path: Path):
    prose = prose_of(path)
    assert prose.startswith("# ") and prose.count(":::{quiz}") >= 3
    assert [part for part in PARTS if part not in prose] == []
    halves = [page for page, number in numbers().items() if number == numbers()[path.stem]]
    if path.stem == halves[0]:  # a second half rebuilds nothing of the original's
        assert "{admonition} What the original did" in prose


@every_chapter
def test_has_exercises_and_each_has_its_solution(path: Path):
    prose = prose_of(path)
    exercises = re.findall(r":::\{exercise\}.*\n:label: (\S+)", prose)
    solutions = re.findall(r":::\{solution(?:-start)?\} (\S+)\n:class: dropdown", prose)
    assert len(exercises) >= 2
    assert solutions == exercises
    assert prose.count("{solution-start}") == prose.count("{solution-end}") >= 1


@every_notebook
def test_solutions_with_code_hold_code_that_the_tests_run(path: Path):
    inside, has_code = False, True
    for cell in read(path).cells:
        if cell.cell_type == "code":
            has_code = True
        if "{solution-end}" in cell.source:
            assert inside and has_code
            inside = False
        if "{solution-start}" in cell.source:
            inside, has_code = True, False
    assert not inside


@every_notebook
def test_numbers_in_prose_that_look_measured_come_from_the_run(path: Path):
    """Percentages with two decimals are measurements, and these are quoted, never typed."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"`[^`]*`", "", cell.source)
            typed = re.findall(r"\b\d\d\.\d\d %", prose)
            # The original's own figure, and a cited one.
            assert set(typed) <= {"92.11 %", "99.03 %"}, typed


@every_notebook
def test_what_sentences_quote_is_short_and_some_cell_gives_it(path: Path):
    """What is longer, or says one thing or another, is a variable with a name."""
    for expression in itertools.chain(*to_evaluate(read(path))):
        branches = any(isinstance(node, ast.IfExp) for node in ast.walk(ast.parse(expression)))
        assert len(expression) <= 60 and not branches, expression


@every_notebook
def test_a_bound_is_rounded_to_its_safe_side(path: Path):
    """At least 90.8 is not "at least 91", as it would be rounded to the nearest."""
    prose = " ".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    bounds = re.findall(r"\bat (least|most) \{eval\}`([^`]*):[^`]*f`", prose)
    for bound, quoted in bounds:
        assert {"least": "floor", "most": "ceil"}[bound] in quoted, f"at {bound} {quoted}"


@every_notebook
def test_hidden_cells_give_no_name_that_nobody_uses(path: Path):
    notebook = read(path)
    sources = [cell.source for cell in code_cells(notebook)] + expressions(notebook)
    used = {name for source in sources for each in statements(source) for name in each.used}
    hidden = [cell.source for cell in code_cells(notebook) if "remove-input" in tags(cell)]
    given = {name for source in hidden for each in statements(source) for name in each.replaced}
    assert sorted(given - used - {"_"}) == []


@every_notebook
def test_functions_that_the_package_has_too_are_the_same(path: Path):
    """A function built on the page and offered by the package must not drift."""
    package = {
        node.name: node
        for module in ("data", "metrics", "training")
        for node in ast.parse((ROOT / "mnist_helpers" / f"{module}.py").read_bytes()).body
        if isinstance(node, ast.FunctionDef)
    }
    for cell in code_cells(read(path)):
        if "def " not in cell.source:
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef) and node.name in package:
                assert bare(node) == bare(package[node.name]), node.name


def bare(function: ast.FunctionDef) -> str:
    """A function's code without its docstring and annotations."""
    function = ast.parse(ast.unparse(function)).body[0]
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:]
    return ast.unparse(function)


@every_notebook
def test_code_on_the_page_uses_nothing_that_the_page_does_not_show(path: Path):
    """Whoever types along must not meet a name that only a hidden cell defines."""
    shown: set[str] = set(dir(builtins))
    missing = []
    for cell in code_cells(read(path)):
        if "remove-input" in tags(cell):
            continue
        here = statements(cell.source)
        shown |= {name for statement in here for name in statement.set}
        missing += sorted({name for statement in here for name in statement.used} - shown)
    assert missing == []


@every_notebook
def test_networks_are_trained_from_bytes(path: Path):
    """As float32 all of them take 172 MB, and each copy that TensorFlow makes as much again."""
    scaled_otherwise = path.stem == "06-trip-numbers"
    if "03" <= path.stem[:2] <= "06" and not scaled_otherwise:
        for cell in code_cells(read(path)):
            assert not re.search(r"\btrain\.images\b", cell.source), cell.source
            # Nor is the test set made into numbers at once, to be read a part at a time.
            assert not re.search(
                r"(?<!\.)\b(predict|reformat)\(.*\btest\.images\b", cell.source
            ), cell.source


@every_notebook
def test_names_no_path_of_a_machine(as_git_keeps_it: Path):
    assert not re.search(
        r"/(home|root|Users|work|tmp)/|[A-Z]:\\\\", as_git_keeps_it.read_text(encoding="utf-8")
    )


def test_functions_that_two_pages_of_a_chapter_have_are_the_same():
    """A side trip and a second half show what the chapter built, and not what it was once."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for path in PATHS:
        for cell in code_cells(read(path)):
            if "def " not in cell.source:
                continue
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef):
                    page, code = first.setdefault(
                        (path.stem[:2], node.name), (path.stem, bare(node))
                    )
                    # Within a page an exercise may have another one of that name.
                    assert page == path.stem or code == bare(node), f"{path.stem}: {node.name}"
