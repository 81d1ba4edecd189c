"""Fetch and verify MNIST, and say what each source answered.

usage: python -m pipeline.fetch_data STATUS_FILE
       python -m pipeline.fetch_data --every-mirror

The status file is written only if it would change: chapters depend on it, and
run again when the full data set takes the sample's place or the other way round.
With --every-mirror, each mirror of each data set is asked, and the exit status is 1 if one fails:
where one after another is asked, the next hides that one is gone.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from mnist_helpers.data import Mnist, SampleDataWarning, load_data
from mnist_helpers.files import write_whole
from mnist_helpers.sources import PUBLICATIONS, download
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


def ask_every_mirror() -> None:
    failed = []
    for publication in PUBLICATIONS.values():
        for mirror in publication.mirrors:
            try:
                download(publication, mirror)
            except Exception as error:  # whatever is wrong with one, the next is asked, too
                failed.append(f"{publication.name}, {mirror}: {error}")
    if failed:
        sys.exit("\n".join(["Mirrors that do not have the data:", *failed]))


if __name__ == "__main__":
    with command_line():
        if sys.argv[1] == "--every-mirror":
            ask_every_mirror()
        else:
            main(Path(sys.argv[1]))
