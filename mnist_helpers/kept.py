"""Runs too long for every build, kept in the repository with the command that repeats them.

A kept run is one small JSON file in ``kept/runs``: the facts of its record, the
validation accuracies on the way, and the test images that it got wrong.
``python -m experiments.keep run`` makes it of a record.

A kept sweep is one JSON file in ``kept/sweeps``: what all its runs share, and a
line for each run, with the test images that it got right.
``python -m experiments.keep sweep`` makes it of a sweep's records.

A kept experiment is one JSON file in ``kept/experiments``: many runs and what
they were compared with. A module of ``experiments`` makes it, and it names the command.
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
    """Read the runs of one recipe that the repository keeps, one for each seed.

    Parameters
    ----------
    model : str
        As in the runs' records.
    num_steps : int
        How long they trained.

    Returns
    -------
    list of dict
        What `experiments.keep` wrote of each record, in the order of their seeds.

    Raises
    ------
    ValueError
        If no such run is kept; those that are there are named.

    Examples
    --------
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
    """Which images each of some kept runs read rightly.

    Parameters
    ----------
    runs : iterable of mapping
        Each with ``wrong``, the positions of the images that it misread.
    size : int
        How many images there were.

    Returns
    -------
    numpy.ndarray
        bool, shape (runs, size).

    Examples
    --------
    >>> rightly_read([{"wrong": [0]}, {"wrong": []}], size=2).tolist()
    [[False, True], [True, True]]
    """
    return np.array([~np.isin(np.arange(size), run["wrong"]) for run in runs])


def kept_experiment(name: str) -> dict:
    """Read an experiment that the repository keeps.

    Parameters
    ----------
    name : str
        Its file's name without the ending.

    Returns
    -------
    dict
        Whatever the experiment measured, and with it always ``command``,
        ``date``, ``device``, ``versions``, ``split`` and ``data_sha256``.

    Raises
    ------
    ValueError
        If no such experiment is kept; those that are there are named.

    Examples
    --------
    >>> kept_experiment("race")["command"]
    'python -m experiments.going_further --only race'
    """
    return _kept(KEPT_EXPERIMENTS, "experiment", name)


@dataclass(frozen=True)
class KeptSweep:
    """The runs of a sweep, read back.

    Attributes
    ----------
    runs : dict
        From the name of a model to its runs, in the order of their seeds. A run
        is a dict: ``seed``; ``test``, ``valid`` and ``train``, its accuracies in
        percent (``train`` is None where it was not measured); ``right``, bool,
        shape (test_size,), True where it read a test image correctly; and the
        other facts of its record.
    command : str
        What repeats the sweep.
    """

    runs: dict[str, list[dict]]
    command: str

    def __str__(self) -> str:
        if not self.runs:
            return "No kept run did the same work: the figures are those of this page alone."
        number = sum(len(runs) for runs in self.runs.values())
        return f"{number} kept runs of {len(self.runs)} recipes, by\n  {self.command}"


def kept_sweep(name: str, data: Mnist, parameters: Mapping[str, object]) -> KeptSweep:
    """Read a sweep that the repository keeps.

    Parameters
    ----------
    name : str
        As that of its definition in the folder ``experiments/sweeps``.
    data : Mnist
        What the page is about. A sweep on other data or another split, or with
        other values of what it did not sweep, did other work: then there are no
        runs.
    parameters : mapping
        The chapter's parameters, as `check_parameters` returned them. What the
        chapter has no parameter for is not compared.

    Raises
    ------
    ValueError
        If no such sweep is kept; those that are there are named.
    """
    kept = _kept(KEPT_SWEEPS, "sweep", name)
    same_work = (kept["data_sha256"], kept["split"]) == (data.sha256, data.split) and all(
        parameters.get(key, value) == value for key, value in kept["parameters"].items()
    )
    runs: dict[str, list[dict]] = {}
    for run in kept["runs"] if same_work else []:
        right = _unpacked(run["right"], kept["test_size"])
        accuracies = {part: run[f"{long}_accuracy"] for part, long in _PARTS.items()}
        runs.setdefault(run["model"], []).append(run | accuracies | {"right": right})
    return KeptSweep(runs, kept["command"])


def _kept(folder: Path, kind: str, name: str) -> dict:
    paths = {path.stem: path for path in folder.glob("*.json")}
    if name not in paths:
        known = ", ".join(sorted(paths)) or "none"
        raise ValueError(f"No {kind} {name!r} is kept; there is {known}.")
    kept = json.loads(paths[name].read_text(encoding="utf-8"))
    return kept | {"command": _as_it_is_today(kept["command"])}


def _as_it_is_today(command: str) -> str:
    """A kept command as one types it now; the files keep it as it was typed then."""
    return command.replace("-m bench.", "-m experiments.").replace(
        " sweeps/", " experiments/sweeps/"
    )


_PARTS = {"train": "train", "valid": "validation", "test": "test"}


def _unpacked(text: str, size: int) -> np.ndarray:
    bits = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(bits, count=size).astype(bool)
