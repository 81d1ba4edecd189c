"""Which tests `make quick` takes, and that none of them could import TensorFlow unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from quick import TESTS, may_be_quick

from pipeline.contents import ROOT


@pytest.mark.parametrize(
    ("source", "quick"),
    [
        ("import numpy", True),
        ("from importlib.metadata import version", True),
        ("from mnist_helpers.idx import parse_idx", True),
        ("from mnist_helpers import figures", True),  # it imports training for types alone
        ("import tensorflow as tf", False),
        ("def test():\n    from keras.layers import Dense", False),
        ("from mnist_helpers import training", False),
        ("from mnist_helpers.masks import random_mask", False),
        ("from bench.going_further import PARTS", False),  # by bench.tensorflow_side
        ("from pipeline.print_book import joined", False),  # by Playwright
        ("from small_book import make", False),
        ("import importlib", False),
    ],
)
def test_a_test_is_quick_if_all_that_it_imports_is(tmp_path: Path, source: str, quick: bool):
    module = tmp_path / "test_it.py"
    module.write_text(source, encoding="utf-8")
    assert may_be_quick(module) == quick


def test_make_quick_runs_where_tensorflow_cannot_be_imported_by_any_process():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "PYTHONPATH=tests/no_tensorflow $(RUN) pytest -m quick tests" in makefile
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import tensorflow"],
        env=os.environ | {"PYTHONPATH": str(TESTS / "no_tensorflow")},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert "A quick test imports TensorFlow" in done.stderr
