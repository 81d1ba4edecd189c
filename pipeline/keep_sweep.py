"""Keep the records of a sweep in the repository, in a compact form.

usage: keep_sweep.py DEFINITION.yml OUTPUT

OUTPUT is the folder that `python -m pipeline.sweep DEFINITION.yml OUTPUT` left.
Writes mnist_helpers/kept_sweeps/NAME.json, with NAME as in NAME.yml.
"""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from mnist_helpers.evidence import KEPT_SWEEPS, compact_sweep
from mnist_helpers.files import user_path, write_whole
from mnist_helpers.records import load_records
from pipeline.sweep.definition import SweepError, read_definition, runs_of


def keep(definition: Path, output: Path, folder: Path) -> Path:
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
    return f"python -m pipeline.sweep sweeps/{definition.name} OUTPUT"


if __name__ == "__main__":
    try:
        print(keep(Path(sys.argv[1]), user_path(sys.argv[2]), KEPT_SWEEPS))
    except SweepError as error:
        sys.exit(str(error))
