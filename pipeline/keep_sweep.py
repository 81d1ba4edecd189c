"""Keep the records of a sweep in the repository, in a compact form.

usage: keep_sweep.py DEFINITION.yml OUTPUT

DEFINITION says what was run and by which command; OUTPUT/records holds what the
runs left. Writes mnist_helpers/kept_sweeps/NAME.json, with NAME as in NAME.yml.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from mnist_helpers.evidence import KEPT_SWEEPS, compact_sweep
from mnist_helpers.files import write_whole
from mnist_helpers.records import load_record


def keep(definition: Path, output: Path, folder: Path) -> Path:
    """Write the compact form of a sweep's records into a folder."""
    records = [load_record(path) for path in sorted((output / "records").rglob("*.json"))]
    facts = yaml.safe_load(definition.read_text())
    left_out = facts.get("not_kept", [])
    records = [record for record in records if record["model"] not in left_out]
    kept = compact_sweep(records, facts["grid"], facts["command"])
    # A line for each run: a change of one is a change of one line.
    runs = ",\n".join(json.dumps(run, allow_nan=False) for run in kept.pop("runs"))
    text = json.dumps(kept, indent=1, allow_nan=False)[:-2] + f',\n "runs": [\n{runs}\n]\n}}\n'
    target = folder / f"{definition.stem}.json"
    write_whole(target, lambda stream: stream.write(text.encode()))
    return target


if __name__ == "__main__":
    print(keep(Path(sys.argv[1]), Path(sys.argv[2]), KEPT_SWEEPS))
