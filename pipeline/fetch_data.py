"""Fetch and verify MNIST, and say what each source answered.

usage: fetch_data.py STATUS_FILE

The status file is written only if it would change: chapters depend on it, and
run again when the full data set takes the sample's place or the other way round.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from mnist_helpers.data import SampleDataWarning, load_data
from mnist_helpers.files import write_whole


def main(status_file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleDataWarning)  # said below, and in every chapter
        data = load_data()
    for answer in data.answers:
        print(f"  {answer}")
    if data.is_sample:
        print("  WARNING: the book is made from 5,000 digits, not from MNIST, and says so.")
    status = {"data_set": data.data_set, "sha256": data.sha256, "is_sample": data.is_sample}
    text = json.dumps(status, indent=1)
    if not status_file.exists() or status_file.read_text() != text:
        write_whole(status_file, lambda stream: stream.write(text.encode()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
