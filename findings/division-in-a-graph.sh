#!/usr/bin/env bash
# A compiled TensorFlow function divides by a constant otherwise than the same code run eagerly: the graph's
# optimiser makes it a product with the reciprocal, which rounds differently. Of the 256 greys of an image, divided
# by 255, half have other bits, so whoever moves the scaling of images into the graph trains another network.
#
#   tensorflow-cpu 2.21.0, numpy 2.4.6, Python 3.11 on Linux
#   seen      x / 255.0, eager                        as NumPy, all 256
#             x / 255.0, in tf.function               other bits for 126 of 256
#             tf.math.divide_no_nan, in tf.function   as NumPy, all 256
#             x / divisor, an argument of it          as NumPy, all 256
#   so        bytes become numbers by divide_no_nan (mnist_helpers/training.py, ink)
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$scratch/divide.py" <<'PYTHON'
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

greys = np.arange(256, dtype=np.float32)
expected = greys / np.float32(255)


def others(found: tf.Tensor) -> int:
    """How many of the quotients have other bits than NumPy's."""
    return int(np.sum(found.numpy().view(np.uint32) != expected.view(np.uint32)))


x = tf.constant(greys)
seen = {
    "x / 255.0, eager": others(x / 255.0),
    "x / 255.0, in tf.function": others(tf.function(lambda x: x / 255.0)(x)),
    "tf.math.divide_no_nan, in tf.function": others(
        tf.function(lambda x: tf.math.divide_no_nan(x, 255.0))(x)
    ),
    "x / divisor, an argument of it": others(tf.function(lambda x, d: x / d)(x, tf.constant(255.0))),
}
for way, number in seen.items():
    print(f"{way:38} other bits for {number} of 256")
first, compiled, *rest = seen.values()
assert first == 0 and compiled > 50 and rest == [0, 0], seen
PYTHON
"$scratch/venv/bin/python" "$scratch/divide.py" 2>/dev/null
