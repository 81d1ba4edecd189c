"""A chapter is the book's, whatever the machine's settings; each was set by somebody once."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipeline.contents import ROOT
from pipeline.kernel import book_environment, can_fork, has_pidfd
from pipeline.notebooks import code_cells, faults, read
from pipeline.run_chapter import ENCRYPTED, SavesAtTheEnd

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELLS = (
    "seed = 0  # a parameter\nseed\nNone",  # before anything of ours is imported
    "from mnist_helpers.parameters import check_parameters\nchecked = check_parameters(seed=seed)",
    "import matplotlib.pyplot as plt\nby_tex = plt.rcParams['text.usetex']\n"
    "from mnist_helpers.figures import use_house_style\nuse_house_style()",
    "figure, ax = plt.subplots()\nax.plot([1, 2]);",
    "figure.get_facecolor()\nplt.rcParams['text.usetex'], figure.get_facecolor()",
    "from mnist_helpers.progress import progress_bar\n"
    "with progress_bar(3, 'counting') as bar:\n    bar.update(3)",
    "import os, sys\n"
    "sys.executable, os.environ['OMP_NUM_THREADS'], os.environ['KERAS_BACKEND'], by_tex",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> dict[str, str]:
    """Settings that people have: of a cluster, of a dark desktop, of another Keras."""
    folder = tmp_path_factory.mktemp("settings of somebody")
    files = {
        "ipython/profile_default/ipython_config.py": (
            "c.InteractiveShell.ast_node_interactivity = 'all'"
        ),
        "matplotlibrc": "figure.facecolor: black\ntext.usetex: True\n",
        "config/matplotlib/matplotlibrc": "text.usetex: True\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return os.environ | {
        "IPYTHONDIR": str(folder / "ipython"),
        "KERAS_BACKEND": "jax",
        "MATPLOTLIBRC": str(folder),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


@pytest.fixture
def papermill(tmp_path):
    """Run a small chapter in an environment; return its code cells as they then are."""

    def run(*command: str, **environment: str) -> list[nbformat.NotebookNode]:
        notebook = new_notebook(metadata={"kernelspec": KERNEL})
        notebook.cells = [new_code_cell(code) for code in CELLS]
        notebook.cells[3].metadata["mystnb"] = {"figure": {"name": "fig-text"}}
        nbformat.write(notebook, tmp_path / "in.ipynb")
        files = [str(tmp_path / name) for name in ("in.ipynb", "out.ipynb")]
        done = subprocess.run(
            [sys.executable, "-m", *command, *files, "--no-progress-bar"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        executed = read(tmp_path / "out.ipynb")
        assert faults(executed) == []
        return code_cells(executed)

    return run


def shown(cell: nbformat.NotebookNode) -> list[object]:
    return [output.get("data", {}).get("text/plain", output) for output in cell.outputs]


def test_papermill_alone_draws_in_the_house_style_and_leaves_no_stray_output(papermill, hostile):
    first, *_, figure, style, bar, facts = papermill("papermill", **hostile)
    assert shown(first) == ["0"]  # the settings do come from the user's machine, up to here
    assert [list(output.data) for output in figure.outputs] == [["image/svg+xml", "text/plain"]]
    assert shown(style) == ["(False, (1.0, 1.0, 1.0, 1.0))"]
    assert bar.outputs == []
    assert shown(facts) == [str((sys.executable, "1", "tensorflow", True))]


def test_our_own_runs_start_this_interpreter_in_settings_of_their_own(
    papermill, hostile, tmp_path
):
    """Somebody else's kernel of the same name ends at once."""
    spec = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    (tmp_path / "startup.py").write_text("seed\n1 / 0\n", encoding="utf-8")
    foreign = hostile | {
        "JUPYTER_PATH": str(tmp_path / "jupyter"),
        "PYTHONSTARTUP": str(tmp_path / "startup.py"),
    }
    cells = papermill("pipeline.kernel", "papermill", **foreign)
    assert [shown(cell) for cell in cells[:3]] == [[], [], []]
    assert shown(cells[-1]) == [str((sys.executable, "1", "tensorflow", False))]


SLOW_TO_SETTLE = """import time
answers = get_ipython().kernel.shell_handlers
answer = answers["kernel_info_request"]
async def answer_and_linger(*message):
    await answer(*message)
    time.sleep(0.5)
answers["kernel_info_request"] = answer_and_linger"""


def test_a_kernel_is_ended_when_it_has_nothing_more_to_do_and_so_says_nothing(capfd):
    """An interrupt begins its end; while it still works, it complains about that."""
    notebook = new_notebook(metadata={"kernelspec": KERNEL, "papermill": {}})
    notebook.cells = [new_code_cell(SLOW_TO_SETTLE)]
    SavesAtTheEnd.execute_notebook(
        notebook,
        "python3",
        progress_bar=False,
        watch=lambda _: None,
        start_timeout=60,
        execution_timeout=60,
        config=ENCRYPTED,
    )
    assert faults(notebook) == []
    assert capfd.readouterr() == ("", "")


def test_keras_that_has_begun_with_another_backend_is_refused(run_python):
    said = run_python(
        "import sys, types\n"
        "keras = sys.modules['keras'] = types.ModuleType('keras')\n"
        "keras.config = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "try:\n    import mnist_helpers\nexcept RuntimeError as error:\n    print(error)"
    )
    assert 'Keras has already begun with the backend "jax"' in said
    assert "Restart the kernel" in said


@pytest.mark.parametrize(
    "variable",
    ["MPLBACKEND", "PYTHONPATH", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "TF_XLA_FLAGS", "TQDM_NCOLS"],
)
def test_what_steers_a_chapter_stays_outside(variable, tmp_path):
    assert variable not in book_environment({variable: "1"}, tmp_path)


@pytest.mark.parametrize("variable", ["IPYTHONDIR", "KERAS_HOME"])
@pytest.mark.parametrize("is_set", [True, False])
def test_settings_that_are_kept_in_files_are_looked_for_elsewhere(variable, is_set, tmp_path):
    """Where the variable is not set, those of the home folder would be read."""
    theirs = {variable: "somewhere"} if is_set else {}
    assert tmp_path in Path(book_environment(theirs, tmp_path)[variable]).parents


@pytest.mark.parametrize(
    "variable", ["CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH", "HOME"]
)
def test_the_device_the_threads_and_the_machine_are_the_users(variable, tmp_path):
    assert book_environment({variable: "1"}, tmp_path)[variable] == "1"


def test_a_folder_of_data_is_the_same_wherever_a_chapter_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def given(path: str) -> str | None:
        return book_environment({"MNIST_CACHE_DIR": path}, tmp_path).get("MNIST_CACHE_DIR")

    assert given("data") == str(tmp_path / "data")
    assert [given("/data"), given("~/data"), given("")] == ["/data", "~/data", ""]


def test_where_the_system_refuses_descriptors_of_processes_nothing_is_forked(monkeypatch):
    def refused(process: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    assert not has_pidfd() and not can_fork()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for a group of processes")
def test_what_runs_in_the_environment_answers_an_interrupt_itself(tmp_path):
    """As JupyterLab does, which asks whether it is meant."""
    (tmp_path / "asks.py").write_text(
        "import sys, time\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1)\nsys.exit(7)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pipeline.kernel", "asks"]
    started = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        # What runs in the background, as these tests may, ignores it, and so does what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert started.stdout.readline() == "ready\n"
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does
    _, said = started.communicate(timeout=30)
    assert (started.returncode, said) == (7, "")
