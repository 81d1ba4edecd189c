#!/usr/bin/env bash
# A tensor that tf.constant or tf.convert_to_tensor makes of a large NumPy array leaves as much memory
# again with TensorFlow; tf.identity of the array does not. That memory is not lost: smaller tensors that
# come later live in it, but another array of NumPy's does not.
#
#   tensorflow-cpu 2.21.0, numpy 2.4.6, Python 3.11 on Linux; an array of 172 MB, memory beyond it
#   seen      tf.constant(array)            353 MB; with another array 526; instead with 172 MB of small tensors 362
#             tf.convert_to_tensor(array)   353 MB; 526; 362
#             tf.identity(array)            181 MB; 353; 362
#   so        what a script holds after loading its data says little of its peak: in chapter 4, tf.identity
#             saved 41 MB at first and none in the end. Training images are held as bytes instead, a
#             quarter of their size as float32 (mnist_helpers/training.py, ink)
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
tf.random.uniform([1])
before = resident()
array = np.ones((55_000, 784), np.float32)
size = array.nbytes / 1e6
tensor = make(array)
del array
gc.collect()
alone = resident() - before
another = np.ones((55_000, 784), np.float32)
beside = resident() - before
del another
gc.collect()
small = [tf.random.uniform([1_000, 784]) for _ in range(55)]  # as large together
together = resident() - before
print(f"tf.{sys.argv[1]:18} {alone:4.0f} MB; with an array {beside:.0f}; with small tensors {together:.0f}")
times = 1 if sys.argv[1] == "identity" else 2
assert abs(alone - times * size) < size / 4
assert abs(beside - alone - size) < size / 4 and abs(together - 2 * size) < size / 4
PYTHON
for way in constant convert_to_tensor identity; do
    "$scratch/venv/bin/python" "$scratch/held.py" "$way" 2>/dev/null
done
