#!/usr/bin/env bash
# papermill reads the same characters in two ways: -p has rules of its own, -y and -f are YAML 1.1.
# A learning rate of 1e-4 is a number by one way and a text by the other, and nothing says so.
#
#   papermill 2.7.0, PyYAML 6.0.3, Python 3.11 on Linux
#   seen      value   -p value   -y "x: value"
#             1e-4    0.0001     '1e-4'
#             010     10         8
#             on      'on'       True
#             1:30    '1:30'     90
#   so        one reading for every way in that is a program's own (pipeline/values.py), and a
#             refusal that says as what a value came (mnist_helpers/parameters.py)
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet papermill==2.7.0 pyyaml==6.0.3 ipykernel nbformat
cd "$scratch"
venv/bin/python - <<'PYTHON'
import ast
import subprocess

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
cell = new_code_cell("x = None", metadata={"tags": ["parameters"]})
nbformat.write(new_notebook(cells=[cell], metadata=kernel), "in.ipynb")


def injected(*options: str) -> object:
    """The value that papermill puts into the notebook, without running it."""
    command = ["venv/bin/papermill", "--prepare-only", "in.ipynb", "out.ipynb", *options]
    subprocess.run(command, check=True, capture_output=True)
    added = nbformat.read("out.ipynb", 4).cells
    (source,) = [c.source for c in added if "injected-parameters" in c.metadata.get("tags", [])]
    return ast.literal_eval(source.splitlines()[-1].removeprefix("x = "))


seen = {
    text: (injected("-p", "x", text), injected("-y", f"x: {text}"))
    for text in ("1e-4", "010", "on", "1:30")
}
for text, values in seen.items():
    print(text, *map(repr, values), sep="\t")
assert seen == {
    "1e-4": (0.0001, "1e-4"),
    "010": (10, 8),
    "on": ("on", True),
    "1:30": ("1:30", 90),
}, seen
PYTHON
