"""Keep a long run's record in the repository, in a compact form.

usage: keep_run.py RECORD.json COMMAND

COMMAND is what made the record, as a reader would type it; the chapters print
it beside the run's figures. Writes mnist_helpers/kept_runs/MODEL--STEPS-steps--seed-SEED.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mnist_helpers.evidence import KEPT_RUNS, compact
from mnist_helpers.files import user_path, write_whole
from mnist_helpers.records import load_record


def keep(record_path: Path, command: str, folder: Path) -> Path:
    """Write the compact form of one record into a folder."""
    kept = compact(load_record(record_path), command)
    name = f"{kept['model']}--{kept['num_steps']}-steps--seed-{kept['seed']}.json"
    text = json.dumps(kept, allow_nan=False) + "\n"
    write_whole(folder / name, lambda stream: stream.write(text.encode()))
    return folder / name


if __name__ == "__main__":
    print(keep(user_path(sys.argv[1]), sys.argv[2], KEPT_RUNS))
