"""Make the experiments of chapter 8 that are too long for every build.

usage: python -m experiments.going_further [--only PART] [--records FOLDER]

PART is race, ablation, small, smallest, precise, tried, deep_held_out, deep or book; without
it all are made. Each is written to ``mnist_helpers/kept/experiments/PART.json``, which chapter
8 reads.
On two free cores: ten runs of the recipe in turns with keras.io's example and
chapter 6's network (10 minutes), what each step of the recipe is worth (5), networks
of few parameters (20) and of very few (20), networks of few errors and their ensemble
(20), what else was tried to have fewer (30), and a deeper network that has fewer (65). The
systems of the earlier chapters come from the records of a book, in FOLDER. What
the parts compare is core-seconds, so other programs on the machine do little harm;
OMP_NUM_THREADS=1 keeps one core to a run.

The networks, updates and training runs are the functions of the chapter, not
copies of them. Test images are looked at once a run, when it is over, and no
setting is chosen by what they say.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from bench.tensorflow_side import Book
from mnist_helpers.data import Mnist, load_data, one_hot, reformat
from mnist_helpers.device import set_seed, use_device
from mnist_helpers.files import write_whole
from mnist_helpers.kept import KEPT_EXPERIMENTS
from mnist_helpers.metrics import accuracy
from mnist_helpers.records import Curve, load_records, record_folder, versions
from mnist_helpers.systems import SYSTEMS, comparable, result_of
from mnist_helpers.training import predict, shuffled_batches, train
from pipeline.command_line import command_line
from pipeline.notebooks import definitions

import tensorflow as tf  # isort: skip (after the helpers, which keep its start quiet)

PARTS = (
    "race",
    "ablation",
    "small",
    "smallest",
    "precise",
    "tried",
    "deep_held_out",
    "deep",
    "book",
)
CHAPTER, SIDE_TRIP = "08-going-further", "08-trip-small-and-precise"
SEEDS = range(10)
ROUNDS = range(3)  # of the race: seeds whose run of the recipe is followed by its rivals'
CHAPTER_6_STEPS = 3_001  # what the long run's 20,001 cost is calculated from
TARGET = 99.0  # percent of the validation images: where the race ends
RECIPE = {"num_steps": 350, "batch_size": 100, "learning_rate": 0.01}
SMALL = ((8, 10, 10, 16), (8, 12, 12, 16), (12, 16, 16, 24))  # filters
SMALL_RUN = {"num_steps": 11_000, "batch_size": 100, "learning_rate": 0.01}
SMALLEST = (4, 8, 8, 8)  # as many filters as leave fewer parameters than 1,936, the record of 2018
SMALLEST_RUN = SMALL_RUN | {"num_steps": 22_000}
PRECISE = (32, 64, 64, 96)
PRECISE_RUN = {"num_steps": 13_200, "batch_size": 100, "learning_rate": 0.01, "smoothing": 0.1}
FEW_SEEDS = range(3)
MORE_SEEDS = range(3, 5)  # for what was chosen
ENOUGH = 99.4  # percent of the validation images: what a small network must hold
HELD_OUT = 20_000  # of the 60,000 published training images; the others teach
TRIED_RUN = PRECISE_RUN | {"filters": PRECISE, "num_steps": 9_600}  # 24 epochs of the others
# What else might leave fewer errors: changes of that run, and pixels to bend by.
TRIED = {
    "the recipe": {},
    "bent by half a pixel, too": {"bend": 0.5},
    "twice as many epochs": {"num_steps": 19_200},
    "half as many filters again": {"filters": (48, 96, 96, 144)},
}
# And the change that did: a deeper network. Its steps take less time than 200,000 of chapter 6's.
DEEP_RUN = {
    "num_steps": 20_000,
    "filters": (32, 32, 64, 64, 128, 128),
    "new": "new_deep",
    "network": "deep_network",
    "change": "distort_more",
    "learning_rate": 0.004,
    "batch_size": 50,
    "smoothing": 0.05,
}
DEEP_HELD_OUT_STEPS = 19_200  # 24 epochs, as TRIED_RUN
LOOKS = ("nine_times", "turned")  # the side trip's ways to look at an image more than once
# What is taken back, one at a time: the chapter's functions by their names.
ABLATION = {
    "the recipe": {},
    "batches of 400": {"batch_size": 400, "num_steps": 87},
    "batches of 16, rate ÷ 4": {"batch_size": 16, "num_steps": 2_187, "learning_rate": 0.0025},
    "constant rate": {"shape": "constant"},
    "constant rate ÷ 4": {"shape": "constant", "learning_rate": 0.0025},
    "one-hot labels": {"smoothing": 0.0},
    "usual betas": {"betas": (0.9, 0.999)},
    "initial weights of He's rule": {"weights": "he_weights", "first_bias": 0.0},
}


class Clock:
    """Wall time, and the time that all cores together have worked."""

    def __init__(self):
        self.began = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        wall, cpu = self.began
        return {
            "whole_seconds": round(time.perf_counter() - wall, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
        }


class Bench:
    """The data, the chapter's functions, and the file that is written.

    Args:
        mnist: On the official split.
        records: The folder of the records that `book` reads.
    """

    def __init__(self, mnist: Mnist, records: str | Path):
        self.mnist = mnist
        self.records = records
        self.images = {  # tensors: no run has to copy them again
            name: tf.constant(reformat(getattr(mnist, name).images))
            for name in ("train", "valid", "test")
        }
        self.labels = tf.constant(mnist.train.labels)
        self.chapter = definitions(CHAPTER) | definitions(SIDE_TRIP)

    def score(self, model: Callable, split: str) -> tuple[float, np.ndarray]:
        """Accuracy in percent, and the logits."""
        logits = predict(model, self.images[split])
        return accuracy(logits, getattr(self.mnist, split).labels), logits

    def train(self, function: str, seed: int, **settings) -> tuple[Callable, dict]:
        """Train once with a function of the chapter: the model, and what is kept of the run."""
        return self.train_on((self.images["train"], self.labels), function, seed, **settings)[:2]

    def train_on(
        self, taught: tuple[tf.Tensor, tf.Tensor], function: str, seed: int, **settings
    ) -> tuple[Callable, dict, Curve]:
        """The same on images and labels of one's own; and the curve."""
        settings = {
            name: self.chapter[value] if isinstance(value, str) else value
            for name, value in settings.items()
        }
        clock = Clock()
        model, curve = self.chapter[function](*taught, seed, **settings)
        return model, {"seed": seed, "seconds": round(curve.seconds, 3)} | clock.read(), curve

    def run(self, function: str, seed: int, **settings) -> dict:
        """Train once; say how well the model reads validation and test images."""
        model, facts = self.train(function, seed, **settings)
        facts["validation_accuracy"] = round(self.score(model, "valid")[0], 3)
        return facts | self.test_facts(self.score(model, "test")[1])

    def wrong(self, scores: np.ndarray, split: str) -> np.ndarray:
        """Positions of the images whose largest of scores (N, 10) is not at the label."""
        return np.flatnonzero(scores.argmax(1) != getattr(self.mnist, split).classes)

    def test_facts(self, scores: np.ndarray) -> dict:
        """What is kept of scores (10,000, 10) of the test images: logits or probabilities."""
        wrong = self.wrong(scores, "test")
        return {
            "test_accuracy": round(accuracy(scores, self.mnist.test.labels), 3),
            "wrong": wrong.tolist(),
            "wrong_predictions": scores.argmax(1)[wrong].tolist(),
        }

    def race(self) -> dict:
        """The recipe, ten seeds; in turns with keras.io's example and chapter 6's network.

        All three count the same: building, compiling and training, no validation.
        """
        ours, keras, deeper = [], [], []
        for seed in SEEDS:
            ours.append(self.run("train_fast", seed, **RECIPE))
            report("recipe", ours[-1])
            if seed in ROUNDS:
                keras.append(self.keras_example(seed))
                report("keras.io", keras[-1])
                deeper.append(self.chapter_6(seed))
                report("chapter 6", deeper[-1])
        return {
            "recipe": {"settings": RECIPE, "parameters": self.fast_parameters(), "runs": ours},
            "keras": {
                "settings": "https://keras.io/examples/vision/mnist_convnet/",
                "target": TARGET,
                "parameters": keras_convnet().count_params(),
                "runs": keras,
            },
            "chapter_6": {"settings": {"num_steps": CHAPTER_6_STEPS}, "runs": deeper},
        }

    def chapter_6(self, seed: int) -> dict:
        """Train chapter 6's network as it does, for the time alone."""
        book = Book(self.images["train"], self.labels)
        clock = Clock()
        batches = shuffled_batches(len(self.labels), 16, CHAPTER_6_STEPS, seed)
        train(book.new_step("deeper_cnn"), book.images, book.labels, batches)
        return {"seed": seed} | clock.read()

    def fast_parameters(self) -> int:
        return self.chapter["count_parameters"](self.chapter["new_variables"]())

    def keras_example(self, seed: int) -> dict:
        """Train keras.io's example until it first reads TARGET % of its validation images.

        It learns from the first 54,000 of the 60,000 published training images and validates on
        the other 6,000, as its validation_split=0.1 does.
        """
        set_seed(seed)
        train, valid = self.mnist.train, self.mnist.valid  # valid comes first in the file
        images = reformat(np.concatenate([valid.images, train.images]))
        labels = one_hot(np.concatenate([valid.classes, train.classes]))
        model, stop = keras_convnet(), StopAt(TARGET)
        clock = Clock()
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model.fit(
            images,
            labels,
            batch_size=128,
            epochs=15,
            validation_split=0.1,
            callbacks=[stop],
            verbose=0,
        )
        whole = clock.read()
        return {
            "seed": seed,
            **{unit: round(whole[unit] - stop.validation[unit], 3) for unit in whole},
            "validation_curve": stop.accuracies,
            "training_cpu_seconds": stop.cpu_seconds,
            "reached": stop.accuracies[-1] >= TARGET,
            "test_accuracy": round(self.score(model, "test")[0], 3),
        }

    def ablation(self) -> dict:
        """The recipe, one of its steps taken back, ten seeds each, validation images only."""
        variants = {name: {"changes": changes, "runs": []} for name, changes in ABLATION.items()}
        for seed in SEEDS:  # in turns, so that their core-seconds can be compared
            for name, variant in variants.items():
                model, facts = self.train("train_fast", seed, **RECIPE | variant["changes"])
                percent, scores = self.score(model, "valid")
                facts["validation_accuracy"] = round(percent, 3)
                facts["wrong"] = self.wrong(scores, "valid").tolist()
                variant["runs"].append(facts)
                report(name, facts)
        return {"settings": RECIPE, "validation_size": len(scores), "variants": variants}

    def small(self) -> dict:
        """Normalised networks of several widths: as few parameters as will do.

        The narrowest that is good enough on validation images gets more seeds.
        """

        networks = [self.network_of(filters, FEW_SEEDS, SMALL_RUN) for filters in SMALL]
        chosen = min(
            (network for network in networks if is_good_enough(network["runs"])),
            key=lambda network: network["parameters"],
        )
        chosen["runs"] += self.network_of(chosen["filters"], MORE_SEEDS, SMALL_RUN)["runs"]
        return {"settings": SMALL_RUN, "networks": networks}

    def smallest(self) -> dict:
        """A normalised network of very few parameters, from five seeds: nothing is chosen here."""
        seeds = [*FEW_SEEDS, *MORE_SEEDS]
        return self.network_of(SMALLEST, seeds, SMALLEST_RUN) | {"settings": SMALLEST_RUN}

    def network_of(self, filters: tuple[int, ...], seeds: Iterable[int], settings: dict) -> dict:
        """A normalised network, trained from each seed: its facts, and its runs'."""
        runs = []
        for seed in seeds:
            runs.append(self.run("train_normalised", seed, filters=filters, **settings))
            report(f"filters {filters}", runs[-1])
        return self.normalised_facts(filters) | {"runs": runs}

    def normalised_facts(self, filters: tuple[int, ...]) -> dict:
        variables, _ = self.chapter["new_normalised"](filters)
        return {"filters": filters, "parameters": self.chapter["count_parameters"](variables)}

    def precise(self) -> dict:
        """A wide normalised network, each image read once and read nine times; an ensemble."""
        runs, together = [], {"valid": [], "test": []}
        for seed in FEW_SEEDS:
            model, facts = self.train("train_normalised", seed, filters=PRECISE, **PRECISE_RUN)
            look_nine_times = self.chapter["look_nine_times"](model)
            for look, reader in (("once", model), ("nine_times", look_nine_times)):
                scores = {split: self.score(reader, split) for split in together}
                facts[look] = {
                    "validation_accuracy": round(scores["valid"][0], 3),
                    **self.test_facts(scores["test"][1]),
                }
            for split, (_, probabilities) in scores.items():
                together[split].append(probabilities)
            runs.append(facts)
            report("precise", {name: facts[name] for name in ("seed", "seconds", "cpu_seconds")})
            report("  nine times", facts["nine_times"])
        mean = {split: np.mean(probabilities, axis=0) for split, probabilities in together.items()}
        percent = accuracy(mean["valid"], self.mnist.valid.labels)
        ensemble = {"validation_accuracy": round(percent, 3), **self.test_facts(mean["test"])}
        report("ensemble", ensemble)
        return self.normalised_facts(PRECISE) | {
            "settings": PRECISE_RUN,
            "runs": runs,
            "ensemble": ensemble,
        }

    def tried(self) -> dict:
        """What else might leave fewer errors, from seed 0, on images held out of the training."""
        variants = {}
        for name, changes in TRIED.items():
            settings = TRIED_RUN | changes
            if pixels := settings.pop("bend", None):
                settings["change"] = partial(bend, pixels, self.chapter["random_transforms"])
            variants[name] = {"changes": changes} | self.held_out_run(settings)
            report(name, variants[name])
        return {"settings": TRIED_RUN, "held_out": HELD_OUT, "variants": variants}

    def published(self) -> tuple[np.ndarray, np.ndarray]:
        """All 60,000 published training images and their labels."""
        images = np.concatenate([self.images["train"], self.images["valid"]])
        return images, np.concatenate([self.mnist.train.labels, self.mnist.valid.labels])

    def held_out_run(self, settings: dict, looks: tuple[str, ...] = ()) -> dict:
        """Train from seed 0 on all published images but HELD_OUT; what it reads of either part.

        ``looks`` are ways to look more than once; with them the images held out are read again.
        """
        images, labels = self.published()
        order = np.random.default_rng(123).permutation(len(images))
        parts = {"train": order[:-HELD_OUT], "held_out": order[-HELD_OUT:]}
        taught = tf.constant(images[parts["train"]]), tf.constant(labels[parts["train"]])
        model, facts, curve = self.train_on(taught, "train_normalised", 0, **settings)
        facts["distorted_accuracy"] = round(float(curve.minibatch_accuracy[-500:].mean()), 3)
        for part, chosen in parts.items():
            percent = accuracy(predict(model, images[chosen]), labels[chosen])
            facts[f"{part}_accuracy"] = round(percent, 3)
        for look in looks:
            reader, chosen = self.chapter[f"look_{look}"](model), parts["held_out"]
            percent = accuracy(predict(reader, images[chosen]), labels[chosen])
            facts[f"held_out_accuracy_{look}"] = round(percent, 3)
        return facts

    def deep_held_out(self) -> dict:
        """The deeper network where it was chosen: on the images that `tried` holds out."""
        settings = DEEP_RUN | {"num_steps": DEEP_HELD_OUT_STEPS}
        facts = self.held_out_run(settings, LOOKS)
        report("deep, images held out", facts)
        return {"settings": settings, "held_out": HELD_OUT} | facts

    def deep(self) -> dict:
        """A deeper network on all 60,000 images, five seeds; chapter 6's step, timed in turns."""
        book = Book(*self.published())
        images, labels = tf.constant(book.images), tf.constant(book.labels)
        variables, _ = self.chapter["new_deep"](DEEP_RUN["filters"])
        runs, together = [], []
        for seed in [*FEW_SEEDS, *MORE_SEEDS]:
            step = book.ours("deeper_cnn")["step"]
            model, facts, _ = self.train_on((images, labels), "train_normalised", seed, **DEEP_RUN)
            facts["chapter_6_step_milliseconds"] = round(step, 4)
            readers = {"once": model} | {
                look: self.chapter[f"look_{look}"](model) for look in LOOKS
            }
            scores = {look: self.score(reader, "test")[1] for look, reader in readers.items()}
            facts |= {look: self.test_facts(of_look) for look, of_look in scores.items()}
            together.append(scores["turned"])
            runs.append(facts)
            report("deep", facts)
        return {
            "settings": DEEP_RUN,
            "parameters": self.chapter["count_parameters"](variables),
            "runs": runs,
            "ensemble": self.test_facts(np.mean(together, axis=0)),
        }

    def book(self) -> dict:
        """The systems of chapters 2 to 6, from the records of a book.

        Of one in which each chapter had one core, so that its seconds are core-seconds.
        """
        facts = ("model", "seed", "num_steps", "parameter_count", "device")
        runs = [
            {name: run[name] for name in (*facts, "train_seconds", "test_accuracy", "test_size")}
            for run in load_records(self.records)
            if result_of(run) in SYSTEMS  # chapter 6's long runs are kept apart
            and run["seed"] == 0
            and run["device"] == "CPU, 1 thread"
            and comparable(run)
        ]
        missing = set(SYSTEMS) - {run["model"] for run in runs}
        if missing:
            sys.exit(
                f"No full run of {', '.join(sorted(missing))} on one thread in "
                f"{self.records}: `OMP_NUM_THREADS=1 make book` makes them."
            )
        return {"split": "original", "runs": runs}


def is_good_enough(runs: list[dict]) -> bool:
    """By the first seeds, which every width has."""
    first = [run["validation_accuracy"] for run in runs[: len(FEW_SEEDS)]]
    return np.mean(first) >= ENOUGH


def bend(pixels: float, random_transforms: Callable, images: tf.Tensor) -> tf.Tensor:
    """The chapter's distortions, and a random bending that varies from place to place.

    Elastic distortions, after Simard and others (2003): each pixel is moved by a smooth random
    field. Its standard deviation is on average 0.86 times that of its 5 x 5 coarse values, which
    is the number of pixels given.
    """
    count = tf.shape(images)[0]
    transforms = tf.unstack(random_transforms(count)[:, :6], axis=1)
    a, b, c, d, e, f = (number[:, None, None] for number in transforms)
    steps = tf.range(28.0)
    x, y = steps[None, None, :], steps[None, :, None]
    coarse = pixels * tf.random.normal([count, 5, 5, 2])
    field = tf.image.resize(coarse, [28, 28], method="bicubic")
    from_x = tf.clip_by_value(a * x + b * y + c + field[..., 0], 0.0, 26.999)
    from_y = tf.clip_by_value(d * x + e * y + f + field[..., 1], 0.0, 26.999)
    left, top = tf.floor(from_x), tf.floor(from_y)
    to_right, to_bottom = from_x - left, from_y - top
    corner = tf.reshape(tf.cast(28 * top + left, tf.int32), [count, 784])
    flat = tf.reshape(images, [count, 784])

    def ink(offset: int) -> tf.Tensor:
        return tf.reshape(tf.gather(flat, corner + offset, batch_dims=1), [count, 28, 28])

    upper = (1 - to_right) * ink(0) + to_right * ink(1)
    lower = (1 - to_right) * ink(28) + to_right * ink(29)
    return ((1 - to_bottom) * upper + to_bottom * lower)[..., None]


class StopAt(tf.keras.callbacks.Callback):
    """End the training with the epoch that reaches a validation accuracy.

    ``validation`` sums up the time of all validations so far; ``cpu_seconds`` holds, for each
    epoch, the core-seconds of training up to its end, without them.
    """

    def __init__(self, percent: float):
        super().__init__()
        self.percent, self.cpu_seconds, self.accuracies = percent, [], []
        self.validation = {"whole_seconds": 0.0, "cpu_seconds": 0.0}

    def on_train_begin(self, logs=None):
        self.training = Clock()

    def on_test_begin(self, logs=None):
        self.validating = Clock()

    def on_test_end(self, logs=None):
        for unit, seconds in self.validating.read().items():
            self.validation[unit] += seconds

    def on_epoch_end(self, epoch, logs=None):
        worked = self.training.read()["cpu_seconds"] - self.validation["cpu_seconds"]
        self.cpu_seconds.append(round(worked, 3))
        self.accuracies.append(round(100 * logs["val_accuracy"], 3))
        self.model.stop_training = self.accuracies[-1] >= self.percent


def keras_convnet() -> tf.keras.Model:
    """The network of keras.io's "Simple MNIST convnet", from its published settings."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def report(name: str, facts: dict) -> None:
    shown = {key: value for key, value in facts.items() if not isinstance(value, list)}
    print(name, shown, flush=True)


def provenance(part: str, mnist: Mnist, device: str) -> dict:
    """What made a part: enough to make it again, and to see when it no longer fits."""
    return {
        "command": f"python -m experiments.going_further --only {part}",
        "date": datetime.date.today().isoformat(),
        "device": device,
        "split": mnist.split,
        "data_sha256": mnist.sha256,
        "versions": versions(),
    }


def write(part: str, kept: dict) -> None:
    """Write a part as JSON that a person can read, whole or not at all."""
    text = pretty(kept) + "\n"
    path = KEPT_EXPERIMENTS / f"{part}.json"
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text.encode())


def pretty(value: object, indent: str = "") -> str:
    """JSON with a line for each fact, and lists of plain numbers on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{json.dumps(k)}: {pretty(v, deeper)}" for k, v in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        lines = [pretty(item, deeper) for item in value]
    else:
        return json.dumps(value, allow_nan=False)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inside = ",\n".join(deeper + line for line in lines)
    return f"{opening}\n{inside}\n{indent}{closing}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the kept experiments of chapter 8.")
    parser.add_argument("--only", choices=PARTS, help="make this part and no other")
    parser.add_argument("--records", default=record_folder(), help="of a book on one thread")
    asked = parser.parse_args()
    parts = [asked.only] if asked.only else PARTS
    device = use_device("cpu")
    os.environ["TQDM_DISABLE"] = "1"
    mnist = load_data("mnist", "official")
    if mnist.is_sample:
        sys.exit("The sample is no MNIST: these experiments need the full data set.")
    bench = Bench(mnist, asked.records)
    for part in parts:
        write(part, provenance(part, mnist, device) | getattr(bench, part)())


if __name__ == "__main__":
    with command_line():
        main()
