"""Runs too long for every build, kept in the repository with the command that repeats them.

Each is one JSON file. In ``kept/runs``: a run's facts, its validation accuracies on the way, and
the test images that it got wrong. In ``kept/sweeps``: what all runs of a sweep share, and a line
for each run, with the test images that it got right. In ``kept/experiments``: many runs and what
they were compared with. ``python -m experiments.keep`` and the modules beside it make them. What
is not kept is a ValueError, which names what is.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_helpers.data import Mnist

KEPT = Path(__file__).with_suffix("")  # the folder beside this module
KEPT_RUNS, KEPT_SWEEPS, KEPT_EXPERIMENTS = KEPT / "runs", KEPT / "sweeps", KEPT / "experiments"


def kept_runs(model: str, num_steps: int) -> list[dict]:
    """Read the runs of one recipe, in the order of their seeds, as `experiments.keep` has them."""
    runs = _kept(KEPT_RUNS, f"{model}--{num_steps}-steps")
    return sorted(runs, key=lambda run: run["seed"])


def rightly_read(runs: Iterable[Mapping], size: int) -> np.ndarray:
    """Which of ``size`` images each kept run read rightly: bool, shape (runs, size).

    >>> rightly_read([{"wrong": [0]}, {"wrong": []}], size=2).tolist()
    [[False, True], [True, True]]
    """
    return np.array([~np.isin(np.arange(size), run["wrong"]) for run in runs])


def kept_experiment(name: str) -> dict:
    """Read an experiment, by its file's name without the ending.

    Returns whatever the experiment measured, and with it always ``command``, ``date``, ``device``,
    ``versions``, ``split`` and ``data_sha256``.
    """
    (kept,) = _kept(KEPT_EXPERIMENTS, name)
    return kept


@dataclass(frozen=True)
class KeptSweep:
    """The runs of a sweep, read back.

    A run is a dict: ``test``, ``valid`` and ``train``, its accuracies in percent (``train`` is
    None where it was not measured); ``right``, bool, shape (test_size,), True where it read a test
    image correctly; and the other facts of its record, such as ``seed``.
    """

    runs: dict[str, list[dict]]  # of each model, in the order of their seeds
    command: str  # what repeats the sweep

    def __str__(self) -> str:
        if not self.runs:
            return "No kept run did the same work: the figures are those of this page alone."
        number = sum(len(runs) for runs in self.runs.values())
        return f"{number} kept runs of {len(self.runs)} recipes, by\n  {self.command}"


def kept_sweep(
    name: str, data: Mnist | None = None, parameters: Mapping[str, object] | None = None
) -> KeptSweep:
    """Read a sweep, by the name of its definition.

    A sweep on other data or another split than ``data``, or with other values in ``parameters`` of
    what it did not sweep, did other work: then there are no runs. What the chapter has no
    parameter for is not compared; without ``data``, the page is about the kept runs themselves.
    """
    (kept,) = _kept(KEPT_SWEEPS, name)
    same_data = data is None or (data.sha256, data.split) == (kept["data_sha256"], kept["split"])
    theirs = kept["parameters"]
    ours = {name: (parameters or {}).get(name, value) for name, value in theirs.items()}
    runs: dict[str, list[dict]] = {}
    for run in kept["runs"] if same_data and ours == theirs else []:
        bits = np.frombuffer(base64.b64decode(run["right"]), np.uint8)
        right = np.unpackbits(bits, count=kept["test_size"]).astype(bool)
        read = {"right": right, "test": run["test_accuracy"]}
        read |= {"train": run["train_accuracy"], "valid": run["validation_accuracy"]}
        runs.setdefault(run["model"], []).append(run | read)
    return KeptSweep(runs, kept["command"])


def _kept(folder: Path, name: str) -> list[dict]:
    """What a folder keeps under a name, from each seed; ValueError if there is nothing."""
    paths: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.json")):
        paths.setdefault(path.stem.split("--seed")[0], []).append(path)
    if name not in paths:
        raise ValueError(f"No {name!r} is kept; there is {', '.join(paths) or 'none'}.")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths[name]]
    for kept in found:  # as one types it now; the files keep it as it was typed then
        command = kept["command"].replace("-m bench.", "-m experiments.")
        kept["command"] = command.replace(" sweeps/", " experiments/sweeps/")
    return found
