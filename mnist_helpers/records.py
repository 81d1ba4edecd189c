"""What a run leaves behind, so that chapter 7 can compare runs.

A record is two files of the same name: ``.json`` for the facts and the learning curve, ``.npz``
for the test predictions, image by image.
"""

from __future__ import annotations

import json
import platform
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_helpers.data import Mnist
from mnist_helpers.files import user_path, write_whole
from mnist_helpers.metrics import accuracy

if TYPE_CHECKING:  # chapter 7 reads records without waiting for TensorFlow
    from mnist_helpers.training import Curve

DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError)
LIBRARIES = ("tensorflow", "keras", "scikit-learn", "numpy")
# What the package without GPU kernels is called, which holds the same TensorFlow otherwise.
WITHOUT_GPU = {"tensorflow": "tensorflow-cpu"}


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that compute, by name.

    >>> sorted(versions())
    ['keras', 'numpy', 'python', 'scikit-learn', 'tensorflow']
    """
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = version(WITHOUT_GPU.get(name, name))
    return found


class RecordError(ValueError):
    """A run record that cannot be read."""


@dataclass(frozen=True)
class Record:
    """A run, read back: ``record["model"]`` reads ``facts["model"]``."""

    facts: dict  # what the JSON file holds
    predictions: np.ndarray  # uint8, shape (test_size,): the class predicted
    labels: np.ndarray  # the same of the true ones

    def __getitem__(self, name: str):
        return self.facts[name]


def save_record(
    record_dir: str,
    *,
    model: str,
    chapter: str,
    parameters: Mapping[str, object],
    data: Mnist,
    validation_accuracy: float,
    test_predictions: np.ndarray,
    parameter_count: int,
    train_seconds: float,
    device: str,
    seed: int | None = None,
    num_steps: int | None = None,
    train_accuracy: float | None = None,
    curve: Curve | None = None,
) -> Path | None:
    """Write what a run was and what came out of it; return the JSON file.

    It is written after the predictions, each file whole or not at all, so a record that is there
    is complete.

    Args:
        record_dir: The folder to write to. With "" nothing is written: reading and playing leaves
            no file.
        model: The system, such as "mlp"; a variant adds to it, such as "mlp_keras".
        chapter: The chapter's file name without its ending.
        parameters: The chapter's parameters, as `check_parameters` returned them.
        data: What the run learned from and was tested on.
        validation_accuracy, train_accuracy: In percent.
        test_predictions: Logits or probabilities on the test split, shape (test_size, 10). The
            test accuracy is computed from them.
        parameter_count: How many numbers the model learned.
        train_seconds: Wall time of training.
        device: As `use_device` named it.
        seed, num_steps: Where they differ from ``parameters``.
    """
    if not record_dir:
        return None
    seed = parameters["seed"] if seed is None else seed
    facts = {
        "model": model,
        "chapter": chapter,
        "parameters": {k: v for k, v in parameters.items() if k not in ("record_dir", "log_dir")},
        "seed": seed,
        "data_set": data.data_set,
        "data_sha256": data.sha256,
        "data_source": "sample" if data.is_sample else "full",
        "split": data.split,
        "num_steps": parameters.get("num_steps") if num_steps is None else num_steps,
        "test_accuracy": accuracy(test_predictions, data.test.labels),
        "validation_accuracy": validation_accuracy,
        "train_accuracy": train_accuracy,
        "test_size": len(data.test),
        "parameter_count": parameter_count,
        "train_seconds": round(train_seconds, 3),
        "device": device,
        "versions": versions(),
        "curve": _curve_as_lists(curve) if curve else None,
    }
    folder = user_path(record_dir)
    steps = "" if facts["num_steps"] is None else f"--{facts['num_steps']}-steps"
    name = re.sub(r"[^\w.-]+", "_", f"{chapter}--{model}{steps}--seed-{seed}")
    predicted = np.argmax(test_predictions, 1).astype(np.uint8)
    # The old facts go before the new predictions come: never a record of two runs.
    (folder / f"{name}.json").unlink(missing_ok=True)
    write_whole(
        folder / f"{name}.npz",
        lambda stream: np.savez_compressed(
            stream, predictions=predicted, labels=data.test.classes
        ),
    )
    text = json.dumps(facts, indent=1, allow_nan=False)
    write_whole(folder / f"{name}.json", text.encode())
    return folder / f"{name}.json"


def record_folder(record_dir: str = "") -> Path:
    """The folder of run records: ``record_dir``, else where `make book` puts them.

    That is in the checkout that the package belongs to; where there is none, as in Colab, in the
    current folder.

    >>> record_folder("somewhere").name
    'somewhere'
    >>> record_folder().parts[-2:]
    ('_build', 'records')
    """
    if record_dir:
        return user_path(record_dir)
    root = Path(__file__).parents[1]
    in_checkout = (root / "pyproject.toml").exists()
    return (root if in_checkout else Path.cwd()) / "_build" / "records"


def load_records(record_dir: str | Path) -> list[Record]:
    """Read every record of a folder, if there is one, in the order of chapters and names.

    Raises RecordError if a record is damaged, or its predictions are missing; it is named.
    """
    return [load_record(path) for path in sorted(user_path(record_dir).glob("*.json"))]


def load_record(path: Path) -> Record:
    """Read one record, given its JSON file.

    Raises RecordError if it is damaged, or its predictions are missing.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            record = Record(facts, arrays["predictions"], arrays["labels"])
        if not len(record.predictions) == len(record.labels) == record["test_size"]:
            raise ValueError(f"{len(record.predictions)} predictions")
        return record
    except (*DAMAGED_ARCHIVE, OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"The run record {path} cannot be read ({error}). Remove it and run `make book` again."
        ) from error


def _curve_as_lists(curve: Curve) -> dict[str, list]:
    return {
        "loss": [round(float(value), 5) for value in curve.loss],
        "minibatch_accuracy": [round(float(value), 3) for value in curve.minibatch_accuracy],
        "validation_steps": list(curve.validation_steps),
        "validation_accuracy": [round(float(value), 3) for value in curve.validation_accuracy],
    }
