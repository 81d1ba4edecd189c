"""Make chapter 6's ablation over more seeds than a build has time for.

usage: python -m experiments.parts

Writes ``mnist_helpers/kept/experiments/parts.json``, which chapter 6 reads: which of the
validation images each run misread. The runs are the chapter's own functions, not copies.
Ten minutes on one core.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from experiments.going_further import provenance, write
from mnist_helpers.data import load_data, reformat
from mnist_helpers.device import use_device
from pipeline.command_line import command_line
from pipeline.notebooks import definitions

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)

CHAPTER = "06-deeper-cnn"
SEEDS = range(10)


def main() -> None:
    device = use_device("cpu")
    os.environ["TQDM_DISABLE"] = "1"
    mnist = load_data("mnist", "original")
    if mnist.is_sample:
        sys.exit("The sample is no MNIST: this experiment needs the full data set.")
    num_steps = definitions(CHAPTER)["ABLATION_STEPS"]
    chapter = definitions(
        CHAPTER,
        mnist=mnist,
        ablation_steps=num_steps,
        train_images=mnist.train.images,
        valid_images=reformat(mnist.valid.images),
        images_tensor=tf.constant(reformat(mnist.train.images)),
        labels_tensor=tf.constant(mnist.train.labels),
    )
    rate = chapter["learning_rate"]
    faster = chapter["variants"](10 * rate)
    variants = chapter["variants"](rate) | {
        f"{name}, 10 × rate": faster[name] for name in ("+ Adam", "all three")
    }
    kept = {}
    for name, variant in variants.items():
        right = chapter["measure"](*variant, SEEDS)  # bool, (10, 1000)
        kept[name] = [
            {"seed": seed, "wrong": np.flatnonzero(~row).tolist()}
            for seed, row in zip(SEEDS, right, strict=True)
        ]
        print(f"{name:22} {100 * right.mean():.2f} %", flush=True)
    facts = provenance("parts", mnist, device) | {"command": "python -m experiments.parts"}
    settings = {name: chapter[name] for name in ("batch_size", "learning_rate", "keep_prob")}
    settings["num_steps"] = num_steps
    write("parts", facts | {"settings": settings, "variants": kept})


if __name__ == "__main__":
    with command_line():
        main()
