"""Runs too long for every build, kept in the repository with the command that repeats them.

Each is one JSON file. In ``kept/runs``: a run's facts, its validation accuracies on the way, and
the test images that it got wrong. In ``kept/sweeps``: what all runs of a sweep share, and a line
for each run, with the test images that it got right. In ``kept/experiments``: many runs and what
they were compared with. ``python -m experiments.keep`` and the modules beside it make them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_helpers.data import Mnist

KEPT = Path(__file__).with_suffix("")  # the folder beside this module
KEPT_RUNS = KEPT / "runs"
KEPT_SWEEPS = KEPT / "sweeps"
KEPT_EXPERIMENTS = KEPT / "experiments"


def kept_runs(model: str, num_steps: int) -> list[dict]:
    """Read the runs of one recipe that the repository keeps, in the order of their seeds.

    Returns what `experiments.keep` wrote of each record. Raises ValueError if no such run is kept;
    those that are there are named.

    >>> [run["seed"] for run in kept_runs("deeper_cnn", 20_001)]
    [0, 1, 2, 3, 4]
    """
    kept: dict[str, list[Path]] = {}
    for path in KEPT_RUNS.glob("*.json"):
        kept.setdefault(path.name.split("--seed")[0], []).append(path)
    recipe = f"{model}--{num_steps}-steps"
    if recipe not in kept:
        raise ValueError(
            f"No run of {model!r} with {num_steps} steps is kept; "
            f"there is {', '.join(sorted(kept))}."
        )
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in kept[recipe]]
    return sorted(runs, key=lambda run: run["seed"])


def rightly_read(runs: Iterable[Mapping], size: int) -> np.ndarray:
    """Which of ``size`` images each of some kept runs read rightly: bool, shape (runs, size).

    Each run has ``wrong``, the positions of the images that it misread.

    >>> rightly_read([{"wrong": [0]}, {"wrong": []}], size=2).tolist()
    [[False, True], [True, True]]
    """
    return np.array([~np.isin(np.arange(size), run["wrong"]) for run in runs])


def kept_experiment(name: str) -> dict:
    """Read an experiment that the repository keeps, by its file's name without the ending.

    Returns whatever the experiment measured, and with it always ``command``, ``date``, ``device``,
    ``versions``, ``split`` and ``data_sha256``. Raises ValueError if no such experiment is kept;
    those that are there are named.

    >>> kept_experiment("race")["command"]
    'python -m experiments.going_further --only race'
    """
    return _kept(KEPT_EXPERIMENTS, "experiment", name)


@dataclass(frozen=True)
class KeptSweep:
    """The runs of a sweep, read back.

    ``runs`` has those of each model in the order of their seeds. A run is a dict: ``seed``;
    ``test``, ``valid`` and ``train``, its accuracies in percent (``train`` is None where it was
    not measured); ``right``, bool, shape (test_size,), True where it read a test image correctly;
    and the other facts of its record.
    """

    runs: dict[str, list[dict]]
    command: str  # what repeats the sweep

    def __str__(self) -> str:
        if not self.runs:
            return "No kept run did the same work: the figures are those of this page alone."
        number = sum(len(runs) for runs in self.runs.values())
        return f"{number} kept runs of {len(self.runs)} recipes, by\n  {self.command}"


def kept_sweep(
    name: str, data: Mnist | None = None, parameters: Mapping[str, object] | None = None
) -> KeptSweep:
    """Read a sweep that the repository keeps, by the name of its definition.

    A sweep on other data or another split than ``data``, or with other values in ``parameters`` of
    what it did not sweep, did other work: then there are no runs. What the chapter has no
    parameter for is not compared; without ``data``, the page is about the kept runs themselves.
    Raises ValueError if no such sweep is kept; those that are there are named.

    >>> {model: len(runs) for model, runs in kept_sweep("headline").runs.items()}
    {'deeper_cnn': 5, 'logistic_regression': 1, 'mlp': 5, 'simple_cnn': 20}
    """
    kept = _kept(KEPT_SWEEPS, "sweep", name)
    parameters = parameters or {}
    same_data = data is None or (data.sha256, data.split) == (kept["data_sha256"], kept["split"])
    same_work = same_data and all(
        parameters.get(key, value) == value for key, value in kept["parameters"].items()
    )
    runs: dict[str, list[dict]] = {}
    for run in kept["runs"] if same_work else []:
        bits = np.frombuffer(base64.b64decode(run["right"]), np.uint8)
        read = {
            "train": run["train_accuracy"],
            "valid": run["validation_accuracy"],
            "test": run["test_accuracy"],
            "right": np.unpackbits(bits, count=kept["test_size"]).astype(bool),
        }
        runs.setdefault(run["model"], []).append(run | read)
    return KeptSweep(runs, kept["command"])


def _kept(folder: Path, kind: str, name: str) -> dict:
    paths = {path.stem: path for path in folder.glob("*.json")}
    if name not in paths:
        known = ", ".join(sorted(paths)) or "none"
        raise ValueError(f"No {kind} {name!r} is kept; there is {known}.")
    kept = json.loads(paths[name].read_text(encoding="utf-8"))
    # As one types it now; the files keep it as it was typed then.
    command = kept["command"].replace("-m bench.", "-m experiments.")
    return kept | {"command": command.replace(" sweeps/", " experiments/sweeps/")}
