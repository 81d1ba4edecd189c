"""Which tests `make quick` takes, and that none of them could import TensorFlow unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from quick import NO_TENSORFLOW, TESTS, may_be_quick, only_quick


@pytest.mark.parametrize(
    ("source", "quick"),
    [
        ("import numpy", True),
        ("from importlib.metadata import version", True),
        ("from mnist_helpers.idx import parse_idx", True),
        ("from mnist_helpers import figures", True),
        ("import tensorflow as tf", False),
        ("def test():\n    from keras.layers import Dense", False),
        ("from mnist_helpers import training", False),
        ("from mnist_helpers.training import random_mask", False),
        ("from experiments.going_further import PARTS", False),  # by bench.tensorflow_side
        ("from pipeline.site.pdf import joined", False),  # by Playwright
        ("from small_book import make", False),
        ("from test_safety import sources", True),
        ("from test_kept import NAMES", False),  # it lies in a folder of the tests
        ("import importlib", False),
    ],
)
def test_a_test_is_quick_if_all_that_it_imports_is(tmp_path: Path, source: str, quick: bool):
    module = tmp_path / "test_it.py"
    module.write_text(source, encoding="utf-8")
    assert may_be_quick(module) == quick


IMPORTS = """import subprocess, sys
def test_here():
    import tensorflow
def test_in_another_process():
    done = subprocess.run([sys.executable, "-c", "import " + "tensorflow"], stderr=-1)
    assert done.returncode == 0, done.stderr.decode()
"""


def test_where_quick_tests_alone_are_wanted_every_import_of_tensorflow_fails(tmp_path: Path):
    # Without the tests' own hooks, which would see the first import and leave the module out.
    source = f"import quick\nquick.forbid_tensorflow()\n{IMPORTS}"
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), "-c", os.devnull, "-q", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert "2 failed" in done.stdout
    assert done.stdout.count("ImportError: A quick test imports TensorFlow") >= 2


def test_the_tests_here_forbid_it_where_quick_tests_alone_are_wanted(request):
    """As `make quick` does, which runs this test, too."""
    forbidden = str(NO_TENSORFLOW) in sys.path
    assert forbidden == only_quick(request.config)
    assert forbidden == (os.environ.get("PYTHONPATH") == str(NO_TENSORFLOW))
