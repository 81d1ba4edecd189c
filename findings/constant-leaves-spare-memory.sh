#!/usr/bin/env bash
# A tensor that tf.constant or tf.convert_to_tensor makes of a NumPy array takes twice its size, for as
# long as it lives, also when the array is gone; one that comes out of an operation takes it once.
#
#   tensorflow-cpu 2.21.0, numpy 2.4.6, Python 3.11 on Linux; an array of 172 MB, memory beyond it
#   seen      tf.constant(array)            345 MB, and 345 without the array
#             tf.convert_to_tensor(array)   345 MB, and 345 without the array
#             tf.identity(array)            173 MB, and 173 without the array
#   so        training images are held as bytes, a quarter of their size as float32
#             (mnist_helpers/training.py, ink)
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$scratch/held.py" <<'PYTHON'
import gc
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf


def resident() -> float:
    """Megabytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as numbers:
        return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


make = getattr(tf, sys.argv[1])
make(np.ones(1, np.float32))  # what TensorFlow takes when it is first used
before = resident()
array = np.ones((55_000, 784), np.float32)
size = array.nbytes / 1e6
tensor = make(array)
beside = resident() - before - size
del array
gc.collect()
alone = resident() - before
print(f"tf.{sys.argv[1]:18} {beside:4.0f} MB beside the array, {alone:4.0f} MB without it")
times = 1 if sys.argv[1] == "identity" else 2
assert abs(beside - times * size) < size / 4 and abs(alone - times * size) < size / 4
PYTHON
for way in constant convert_to_tensor identity; do
    "$scratch/venv/bin/python" "$scratch/held.py" "$way" 2>/dev/null
done
