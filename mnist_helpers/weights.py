"""What a run learned, saved beside its record for the page that runs in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnist_helpers.files import write_whole

SUFFIX = ".weights.npz"


def save_weights(record: Path | None, weights: Sequence[np.ndarray]) -> Path | None:
    """Write the weights and biases of a run beside its record, as ``.weights.npz``.

    Args:
        record: What `save_record` returned. With None nothing is written.
        weights: In the order of the layers, the weights of each before its biases: (784, 1024),
            (1024,), (1024, 10), (10,) for the MLP. They are written as float32.
    Raises ValueError if an array does not end in the size of its biases, or holds NaN or infinity.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_weights(Path(folder) / "run.json", [np.eye(3), np.zeros(3)])
    ...     path.name, [array.shape for array in np.load(path, allow_pickle=False).values()]
    ('run.weights.npz', [(3, 3), (3,)])
    >>> save_weights(None, [np.eye(3), np.zeros(3)]) is None
    True
    """
    arrays = [np.asarray(array, np.float32) for array in weights]
    shapes = [array.shape for array in arrays]
    in_pairs = len(arrays) > 0 and len(arrays) % 2 == 0
    if not in_pairs or any(
        len(w) < 2 or b != w[-1:] for w, b in zip(shapes[::2], shapes[1::2], strict=True)
    ):
        raise ValueError(
            f"weights have the shapes {shapes}; expected those of a layer's weights and then of "
            "its biases, such as (784, 10), (10,), layer after layer."
        )
    for position, array in enumerate(arrays):
        if not np.isfinite(array).all():
            raise ValueError(
                f"weights[{position}] holds NaN or infinity; a run that ended so has learned "
                "nothing that is worth saving."
            )
    if record is None:
        return None
    path = record.with_suffix(SUFFIX)
    write_whole(path, lambda stream: np.savez(stream, *arrays))
    return path
