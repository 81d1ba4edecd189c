"""Runs too long for every build, kept in the repository with the command that repeats them.

A kept run is one small JSON file in ``kept_runs``: the facts of its record, the
validation accuracies on the way, and the test images that it got wrong.
``python -m pipeline.keep_run`` makes it of a record.

A kept experiment is one JSON file in ``kept_experiments``: many runs and what
they were compared with. A module of ``bench`` makes it, and it names the command.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mnist_helpers.records import Record

KEPT_RUNS = Path(__file__).parent / "kept_runs"
KEPT_EXPERIMENTS = Path(__file__).parent / "kept_experiments"


def compact(record: Record, command: str) -> dict:
    """Reduce a record to what a page needs of it.

    Parameters
    ----------
    record : Record
        A run, as `load_records` read it.
    command : str
        What a reader types to repeat the run.

    Returns
    -------
    dict
        The record's facts without the curve of each step; ``command``;
        ``wrong``, the positions of the test images that the run got wrong; and
        ``wrong_predictions``, the classes that it took them for.
    """
    facts = dict(record.facts)
    curve = facts.pop("curve") or {}
    wrong = np.flatnonzero(record.predictions != record.labels)
    return facts | {
        "command": command,
        "validation_steps": curve.get("validation_steps", []),
        "validation_curve": curve.get("validation_accuracy", []),
        "wrong": wrong.tolist(),
        "wrong_predictions": record.predictions[wrong].tolist(),
    }


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
        As `compact` made them, in the order of their seeds.

    Raises
    ------
    ValueError
        If no such run is kept; those that are there are named.

    Examples
    --------
    >>> [run["seed"] for run in kept_runs("deeper_cnn", 20_001)]
    [0, 1, 2, 3, 4]
    """
    paths = list(KEPT_RUNS.glob(f"{model}--{num_steps}-steps--seed-*.json"))
    if not paths:
        known = sorted({path.name.split("--seed")[0] for path in KEPT_RUNS.iterdir()})
        raise ValueError(
            f"No run of {model!r} with {num_steps} steps is kept; there is {', '.join(known)}."
        )
    return sorted((json.loads(path.read_text()) for path in paths), key=lambda run: run["seed"])


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
    'python -m bench.going_further --only race'
    """
    path = KEPT_EXPERIMENTS / f"{name}.json"
    if not path.is_file():
        known = sorted(other.name.removesuffix(".json") for other in KEPT_EXPERIMENTS.iterdir())
        raise ValueError(f"No experiment {name!r} is kept; there is {', '.join(known)}.")
    return json.loads(path.read_text())
