"""Fetch and verify MNIST, and say what each source answered.

usage: python -m pipeline.fetch_data STATUS_FILE

The status file is written only if it would change: chapters depend on it, and
run again when the full data set takes the sample's place or the other way round.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from mnist_helpers.data import Mnist, SampleDataWarning, load_data
from mnist_helpers.files import write_whole
from pipeline.command_line import command_line


def fetch(data_set: str = "mnist", split: str = "original") -> Mnist:
    """Load a data set; a sample in its place is for the caller to report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleDataWarning)
        return load_data(data_set, split)


def identity(data: Mnist) -> dict[str, object]:
    """What tells a data set from any other."""
    return {"data_set": data.data_set, "sha256": data.sha256, "is_sample": data.is_sample}


def main(status_file: Path) -> None:
    data = fetch()
    for answer in data.answers:
        print(f"  {answer}")
    if data.is_sample:
        print("  WARNING: the book is made from 5,000 digits, not from MNIST, and says so.")
    text = json.dumps(identity(data), indent=1)
    if not status_file.exists() or status_file.read_text(encoding="utf-8") != text:
        write_whole(status_file, text.encode())


if __name__ == "__main__":
    with command_line():
        main(Path(sys.argv[1]))
