#!/usr/bin/env bash
# XLA, on a processor, computes a convolution by fast routines if it knows the order of the axes. It puts the axes
# into that order, but not within a loop: there the derivative of a convolution by its kernels, whose axes TensorFlow
# writes in another order, stays plain nested loops. So `jit_compile=True` around a whole loop of training steps makes
# a convolutional network many times slower, though the same step compiled by itself is not.
#
#   tensorflow-cpu 2.21.0, keras 3.15.1, Python 3.11 on Linux; 16 x 14 x 14 x 32 images, 5 x 5 kernels, one thread
#   seen              axes in the compiled code       milliseconds a derivative
#             once    b01f_01io->b01f                 5.3
#             loop    f01b_i01o->01bf                 164
#             loop, not by XLA                        2.6
#   also      https://github.com/jax-ml/jax/issues/12868, of a forward convolution, open since 2022
#   so        the training loop is a graph without XLA (mnist_helpers/training.py, compile_steps)
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cat > "$scratch/loop.py" <<'PYTHON'
import os
import re
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
TURNS = 5
images = tf.random.normal([16, 14, 14, 32])
slopes = tf.random.normal([16, 14, 14, 64])
kernels = tf.random.normal([5, 5, 32, 64])


def derivative(images, slopes):
    """Of a convolution by its kernels, as a tape gives it."""
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        maps = tf.nn.conv2d(images, kernels, 1, "SAME")
    return tape.gradient(maps, kernels, slopes)


def in_a_loop(images, slopes):
    """Turn after turn, each of which needs the one before."""
    def turn(number, total):
        return number + 1, total + derivative(images + total[0, 0, 0, 0], slopes)

    return tf.while_loop(lambda number, _: number < TURNS, turn, (0, tf.zeros(kernels.shape)))[1]


def milliseconds(function, turns):
    function(images, slopes)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        function(images, slopes).numpy()
        times.append(1_000 * (time.perf_counter() - began) / turns)
    return min(times)


def axes(function):
    code = function.experimental_get_compiler_ir(images, slopes)(stage="optimized_hlo")
    return re.findall(r" convolution\(.*dim_labels=([^,\s]+)", code)


once = tf.function(derivative, jit_compile=True)
loop = tf.function(in_a_loop, jit_compile=True)
plain = tf.function(in_a_loop)
one, many, without = milliseconds(once, 1), milliseconds(loop, TURNS), milliseconds(plain, TURNS)
print(f"once  {axes(once)}  {one:.1f} ms")
print(f"loop  {axes(loop)}  {many:.1f} ms")
print(f"loop, not by XLA  {without:.1f} ms")
assert axes(once) == ["b01f_01io->b01f"]
assert axes(loop) == ["f01b_i01o->01bf"]
assert many > 5 * one and many > 5 * without
PYTHON
"$scratch/venv/bin/python" "$scratch/loop.py"
