"""Pack the sample of MNIST into a script, for networks that learn in the browser.

Writes BUILD/train/sample.js: the published files of the sample without their headers, gzipped;
and full.md, what the chapters' runs came to from the data that they had.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from mnist_helpers.files import write_whole
from mnist_helpers.idx import parse_idx
from mnist_helpers.sources import SAMPLE, deliver
from mnist_helpers.tables import table
from pipeline.draw.pack import MODELS, Model, chapters_run
from pipeline.draw.script import as_text, described


def sample_script() -> bytes:
    """The script: pixels and classes to learn from, then those to judge by, a byte each."""
    arrays = [
        parse_idx(content, file.name)
        for content, file in zip(deliver(SAMPLE).contents, SAMPLE.files, strict=True)
    ]
    packed = gzip.compress(b"".join(array.tobytes() for array in arrays), mtime=0)
    facts = described(packed) | {"train": len(arrays[1]), "test": len(arrays[3])}
    return f'trainHere.receive({json.dumps(facts)}, "{as_text(packed)}");\n'.encode()


def full_table(records: Path) -> str:
    """What the same kinds of network came to in the chapters, as a table in Markdown."""
    runs = [(model, run[0]) for model in MODELS[:3] if (run := chapters_run(model, records))]
    if not runs:
        return "The run that made this copy left no records.\n"
    rows = [
        [
            f"{{doc}}`{model.title} <{model.chapter}>`",
            "the sample" if record["data_source"] == "sample" else "all of it",
            steps_of(model, record),
            f"{record['validation_accuracy']:.2f}",
            f"{record['test_accuracy']:.2f}",
        ]
        for model, record in runs
    ]
    return table(["network", "data", "steps", "validation (%)", "test (%)"], rows)


def steps_of(model: Model, record: dict) -> str:
    """Of scikit-learn's solver the record has the cap alone; it may stop sooner."""
    cap = "at most " if model.name == "logistic_regression" else ""
    return f"{cap}{record['num_steps']:,}"


def main(build: Path) -> None:
    write_whole(build / "train" / "full.md", full_table(build / "records").encode())
    write_whole(build / "train" / "sample.js", sample_script())
