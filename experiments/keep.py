"""Keep results that took too long for every build: in the repository, in a compact form.

usage: python -m experiments.keep run RECORD.json COMMAND
       python -m experiments.keep sweep DEFINITION.yml OUTPUT

COMMAND is what made the record, as a reader would type it; the chapters print it beside the
run's figures. It goes to mnist_helpers/kept/runs/MODEL--STEPS-steps--seed-SEED.json. OUTPUT is
the folder that `python -m pipeline.sweep DEFINITION.yml OUTPUT` left; its records go to
mnist_helpers/kept/sweeps/NAME.json, with NAME as in NAME.yml.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from mnist_helpers.files import user_path, write_whole
from mnist_helpers.kept import KEPT_RUNS, KEPT_SWEEPS
from mnist_helpers.records import Record, RecordError, load_record, load_records
from pipeline.command_line import command_line
from pipeline.sweep.definition import SweepError, read_definition, runs_of

# What the runs of one sweep have in common, and what each has of its own.
SHARED = ("data_set", "data_sha256", "data_source", "split", "test_size", "versions")
OF_A_RUN = (
    "chapter",
    "model",
    "seed",
    "num_steps",
    "device",
    "parameter_count",
    "test_accuracy",
    "validation_accuracy",
    "train_accuracy",
    "train_seconds",
)


def keep_run(record_path: Path, command: str, folder: Path = KEPT_RUNS) -> Path:
    """Write the compact form of one record into a folder."""
    kept = compact(load_record(record_path), command)
    name = f"{kept['model']}--{kept['num_steps']}-steps--seed-{kept['seed']}.json"
    text = json.dumps(kept, allow_nan=False) + "\n"
    write_whole(folder / name, text.encode())
    return folder / name


def compact(record: Record, command: str) -> dict:
    """Reduce a record to what a page needs of it.

    The facts without the curve of each step; ``command``, which repeats the run; ``wrong``, the
    positions of the test images that it got wrong; and ``wrong_predictions``, the classes that it
    took them for.
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


def keep_sweep(definition: Path, output: Path, folder: Path = KEPT_SWEEPS) -> Path:
    """Write the compact form of a sweep's records into a folder."""
    grids = read_definition(definition)
    records = []
    for run in runs_of(grids):
        if not (output / "finished" / f"{run.name}.json").exists():
            raise SweepError(f"{output} has no run {run.name}; {command(definition)} makes it.")
        records += load_records(output / "records" / run.name)
    left_out = [pattern for grid in grids for pattern in grid.not_kept]
    swept = [name for grid in grids for name in grid.values]
    records = [
        record
        for record in records
        if not any(fnmatchcase(record["model"], pattern) for pattern in left_out)
    ]
    kept = compact_sweep(records, swept, command(definition))
    # A line for each run: a change of one is a change of one line.
    runs = ",\n".join(json.dumps(run, allow_nan=False) for run in kept.pop("runs"))
    text = json.dumps(kept, indent=1, allow_nan=False)[:-2] + f',\n "runs": [\n{runs}\n]\n}}\n'
    target = folder / f"{definition.stem}.json"
    write_whole(target, text.encode())
    return target


def command(definition: Path) -> str:
    """What a reader types to repeat the sweep."""
    return f"python -m pipeline.sweep experiments/sweeps/{definition.name} OUTPUT"


def compact_sweep(
    records: Iterable[Record], swept: Iterable[str], command: str
) -> dict[str, object]:
    """Reduce the records of a sweep to what the pages need of them.

    Args:
        records: As `load_records` read them; all of one data set and split.
        swept: The parameters that the sweep varied.
        command: What repeats the sweep.
    Raises SweepError if there are no records, if they differ in more than what was swept, or if a
        model has two runs of one seed.
    """
    records = sorted(records, key=lambda record: (record["model"], record["seed"]))
    if not records:
        raise SweepError("The sweep has no records: there is nothing to keep.")
    left_out = {*swept, "seed", "device"}
    of_models = {(record["model"], record["seed"]) for record in records}
    if len(of_models) < len(records):
        raise SweepError("Two records have the same model and seed: keep one sweep at a time.")
    chapter_parameters = [
        {name: value for name, value in record["parameters"].items() if name not in left_out}
        for record in records
    ]
    # A run may add settings of its own (chapter 4 does); what all have is the chapter's.
    common = {
        name: value
        for name, value in chapter_parameters[0].items()
        if all(name in parameters for parameters in chapter_parameters)
        and all(parameters[name] == value for parameters in chapter_parameters)
    }
    for name in SHARED:
        values = {json.dumps(record[name]) for record in records}
        if len(values) > 1:
            raise SweepError(f"The records differ in {name}: {', '.join(sorted(values))}.")
    return {
        "command": command,
        **{name: records[0][name] for name in SHARED},
        "parameters": common,
        "runs": [
            {name: record[name] for name in OF_A_RUN}
            | {"right": packed(record.predictions == record.labels)}
            for record in records
        ],
    }


def packed(flags: np.ndarray) -> str:
    """Eight flags to a byte, in Base64; `mnist_helpers.kept` unpacks them."""
    return base64.b64encode(np.packbits(flags).tobytes()).decode()


if __name__ == "__main__":
    with command_line(RecordError, SweepError):
        match sys.argv[1:]:
            case ["run", record, how]:
                print(keep_run(user_path(record), how))
            case ["sweep", definition, output]:
                print(keep_sweep(user_path(definition), user_path(output)))
            case _:
                sys.exit(__doc__)
