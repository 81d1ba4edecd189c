"""Read what a run learned, as `mnist_helpers.records.save_weights` left it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_helpers.records import DAMAGED_ARCHIVE, RecordError


def load_weights(path: Path) -> list[np.ndarray]:
    """The weights and biases of a run.

    Returns: float32, in the order of the layers.
    Raises RecordError if the file is damaged or not there; it is named.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[f"arr_{position}"] for position in range(len(arrays.files))]
    except (*DAMAGED_ARCHIVE, OSError, ValueError, KeyError) as error:
        raise RecordError(
            f"The weights {path} cannot be read ({error}). Remove the file and run `make book` "
            "again."
        ) from error
