"""What a run leaves behind, so that chapter 7 can compare runs.

A record is two files of the same name: ``.json`` for the facts and the learning curve, ``.npz``
for the test predictions, image by image. What some runs learned is in ``.weights.npz``, for the
pages that compute in the browser.
"""

import json
import platform
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from mnist_helpers.data import Mnist
from mnist_helpers.files import user_path, write_whole
from mnist_helpers.metrics import accuracy

WEIGHTS = ".weights.npz"
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError)
# What the package without GPU kernels is called, which holds the same TensorFlow otherwise.
WITHOUT_GPU = {"tensorflow": "tensorflow-cpu"}


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that compute, by name."""
    found = {"python": platform.python_version()}
    for name in ("tensorflow", "keras", "scikit-learn", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = version(WITHOUT_GPU.get(name, name))
    return found


@dataclass
class Curve:
    """What was measured while training."""

    loss: np.ndarray  # float32, shape (num_steps,): of each minibatch, before its update
    minibatch_accuracy: np.ndarray  # float32, shape (num_steps,), percent: the same
    validation_steps: list[int] = field(default_factory=list)  # after whose update was measured
    validation_accuracy: list[float] = field(default_factory=list)  # percent, one for each
    seconds: float = 0.0  # wall time of the training steps: no tracing, no validation


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
    train_accuracy: float | None = None,
    curve: Curve | None = None,
) -> Path | None:
    """Write what a run was and what came out of it; return the JSON file.

    It is written after the predictions, each file whole or not at all, so a record that is there
    is complete. With "" for ``record_dir`` nothing is written: reading and playing leaves no file.

    Args:
        model: The system, such as "mlp"; a variant adds to it, such as "mlp_keras".
        chapter: The chapter's file name without its ending.
        parameters: The chapter's, as `check_parameters` returned them; ``seed`` may differ.
        validation_accuracy, train_accuracy: In percent; that on the test images is computed.
        test_predictions: Logits or probabilities on the test split, shape (test_size, 10).
        parameter_count: How many numbers the model learned.
        train_seconds: Wall time of training.
        device: As `use_device` named it.
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
        "num_steps": parameters.get("num_steps"),
        "test_accuracy": accuracy(test_predictions, data.test.labels),
        "validation_accuracy": validation_accuracy,
        "train_accuracy": train_accuracy,
        "test_size": len(data.test),
        "parameter_count": parameter_count,
        "train_seconds": round(train_seconds, 3),
        "device": device,
        "versions": versions(),
        "curve": None,
    }
    if curve:
        facts["curve"] = {
            "loss": [round(float(value), 5) for value in curve.loss],
            "minibatch_accuracy": [round(float(value), 3) for value in curve.minibatch_accuracy],
            "validation_steps": list(curve.validation_steps),
            "validation_accuracy": [round(float(value), 3) for value in curve.validation_accuracy],
        }
    steps = "" if facts["num_steps"] is None else f"--{facts['num_steps']}-steps"
    name = re.sub(r"[^\w.-]+", "_", f"{chapter}--{model}{steps}--seed-{seed}")
    path = user_path(record_dir) / f"{name}.json"
    predicted = np.argmax(test_predictions, 1).astype(np.uint8)
    arrays = {"predictions": predicted, "labels": data.test.classes}
    path.unlink(missing_ok=True)  # before the new predictions come: never a record of two runs
    write_whole(path.with_suffix(".npz"), lambda file: np.savez_compressed(file, **arrays))
    write_whole(path, json.dumps(facts, indent=1, allow_nan=False).encode())
    return path


def save_weights(record: Path | None, weights: Sequence[np.ndarray]) -> Path | None:
    """Write the weights and biases of a run beside what `save_record` returned, as float32.

    With None nothing is written. ``weights`` are in the order of the layers, the weights of each
    before its biases: (784, 1024), (1024,), (1024, 10), (10,) for the MLP. Raises ValueError if an
    array does not end in the size of its biases, or holds NaN or infinity.
    """
    arrays = [np.asarray(array, np.float32) for array in weights]
    shapes = [array.shape for array in arrays]
    layers = list(zip(shapes[::2], shapes[1::2], strict=False))
    fit = all(len(weights) > 1 and weights[-1:] == biases for weights, biases in layers)
    if not (layers and fit) or len(shapes) % 2:
        raise ValueError(
            f"weights have the shapes {shapes}; expected those of a layer's weights and then of "
            "its biases, such as (784, 10), (10,), layer after layer."
        )
    for position, array in enumerate(arrays):
        if not np.isfinite(array).all():
            raise ValueError(f"weights[{position}] holds NaN or infinity, which nobody can use.")
    if record is None:
        return None
    path = record.with_suffix(WEIGHTS)
    write_whole(path, lambda file: np.savez(file, *arrays))
    return path


def record_folder(record_dir: str = "") -> Path:
    """The folder of run records: ``record_dir``, else where `make book` puts them.

    That is in the package's checkout; where there is none, as in Colab, in the current folder.
    """
    if record_dir:
        return user_path(record_dir)
    root = Path(__file__).parents[1]
    in_checkout = (root / "pyproject.toml").exists()
    return (root if in_checkout else Path.cwd()) / "_build" / "records"


def load_records(record_dir: str | Path) -> list[Record]:
    """Read every record of a folder, if there is one, in the order of chapters and names."""
    return [load_record(path) for path in sorted(user_path(record_dir).glob("*.json"))]


def load_record(path: Path) -> Record:
    """Read one record, given its JSON file.

    Raises RecordError, which names it, if it is damaged, or its predictions are missing.
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
