"""Pack the networks that the chapters trained into files that a web page can run.

Reads the records and weights in BUILD/records. Writes BUILD/draw: a script for
each network, one with test digits, ``manifest.js``, which says what there is,
and what the build measured for the page: ``cost.md``, what the packing costs,
``steps.md``, ``nudges.md`` and ``shifts.md``, what the networks withstand, and
``warning.md``, what is wrong with them. The page "Draw a digit" loads the scripts by script
elements, because that works from a folder, where a browser lets a page read no
file in any other way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_helpers import without_start_up_remarks
from mnist_helpers.data import Mnist, reformat
from mnist_helpers.files import write_whole
from mnist_helpers.metrics import accuracy
from mnist_helpers.records import WEIGHTS, Record, load_record
from mnist_helpers.systems import SYSTEMS
from mnist_helpers.tables import table
from pipeline.draw.robustness import (
    DIGITS,
    Read,
    nudge_scores,
    nudges_figure,
    nudges_table,
    shifts_table,
    steps_table,
    widest,
)
from pipeline.draw.script import as_text, described
from pipeline.draw.weights import load_weights
from pipeline.fetch_data import fetch
from pipeline.notebooks import ChapterError, chapter_parameters

LARGE = 10_000  # an array of more numbers than that travels in 8 bits a number
RANDOM_DIGITS, WRONG_DIGITS = 120, 8  # test images that the page carries
SAME_ANSWERS = 0.999  # of the record's, or these are not the weights that made it

CONV = {"op": "conv", "relu": True}
HIDDEN, OUTPUT = {"op": "dense", "relu": True}, {"op": "dense", "relu": False}
POOL = {"op": "pool"}


@dataclass(frozen=True)
class Model:
    """A network of the book, and its layers."""

    name: str
    layers: tuple[dict, ...]

    @property
    def chapter(self) -> str:
        """Where it is trained."""
        return SYSTEMS[self.name].chapter

    @property
    def title(self) -> str:
        """Its name at the beginning of a line."""
        title = SYSTEMS[self.name].title
        return title[0].upper() + title[1:]


MODELS = (
    Model("logistic_regression", (OUTPUT,)),
    Model("mlp", (HIDDEN, OUTPUT)),
    Model("regularized_mlp", (HIDDEN, OUTPUT)),
    Model("simple_cnn", (CONV | {"stride": 2}, CONV | {"stride": 2}, HIDDEN, OUTPUT)),
    Model("deeper_cnn", (CONV | {"stride": 1}, POOL, CONV | {"stride": 1}, POOL, HIDDEN, OUTPUT)),
)


def logits(layers: Sequence[dict], weights: Sequence[np.ndarray], images: np.ndarray):
    """TensorFlow's logits, float32 (N, 10), of images, float32 (N, 784)."""
    with without_start_up_remarks():  # seconds, which a build without networks need not wait
        import tensorflow as tf

    answers = []
    for start in range(0, len(images), 500):
        x, arrays = tf.constant(reformat(images[start : start + 500])), iter(weights)
        for layer in layers:
            if layer["op"] == "pool":
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
                continue
            w, b = next(arrays), next(arrays)
            if layer["op"] == "conv":
                x = tf.nn.conv2d(x, w, layer["stride"], "SAME") + b
            else:
                x = tf.reshape(x, [len(x), -1]) @ w + b
            x = tf.nn.relu(x) if layer["relu"] else x
        answers.append(x.numpy())
    return np.concatenate(answers)


def pack(array: np.ndarray) -> tuple[dict, bytes, np.ndarray]:
    """An array's description, its bytes, and what the page will make of them, float32.

    A large array becomes 8-bit integers and a scale for each unit or filter, float32; any other
    becomes float16.
    """
    if array.size <= LARGE:
        small = array.astype("<f2")
        return {"shape": array.shape, "type": "float16"}, small.tobytes(), small.astype("f4")
    per_unit = np.abs(array.reshape(-1, array.shape[-1])).max(axis=0)
    scale = np.where(per_unit > 0, per_unit / 127, 1).astype("<f4")
    whole = np.rint(array / scale).astype(np.int8)
    unpacked = whole.astype("f4") * scale
    return {"shape": array.shape, "type": "int8"}, scale.tobytes() + whole.tobytes(), unpacked


def script(name: str, content: bytes) -> bytes:
    """A script that hands these bytes to the page."""
    return f'drawADigit.receive("{name}", "{as_text(content)}");\n'.encode()


def chapters_run(model: Model, records: Path) -> tuple[Record, list[np.ndarray]] | None:
    """A network's record and weights; of several the run of fewest steps.

    That is the run whose figures its chapter shows. The other one is the long run of `make book
    LONG=1`.
    """
    found = [
        (load_record(path.with_name(path.name.replace(WEIGHTS, ".json"))), path)
        for path in sorted(records.glob(f"{model.chapter}--{model.name}--*{WEIGHTS}"))
    ]
    if not found:
        return None
    record, path = min(found, key=lambda pair: pair[0]["num_steps"])
    return record, load_weights(path)


def test_data(records: Sequence[Record]) -> Mnist:
    """The data that all these runs were tested on."""
    facts = {(record["data_set"], record["split"], record["data_sha256"]) for record in records}
    if len(facts) != 1:
        raise ChapterError(
            f"the networks were tested on different data, {sorted(facts)}; run all chapters with "
            "the same data_set and split"
        )
    data_set, split, _ = facts.pop()
    return fetch(data_set, split)  # that it may be a sample, the page says


def choose_digits(records: dict[str, Record], seed: int = 0) -> tuple[np.ndarray, dict]:
    """Positions of test images for the page, and which of them who misreads.

    ``random`` and each list of ``wrong`` hold places in the array of positions; ``wrong["all"]``
    are those that every network misreads.
    """
    rng = np.random.default_rng(seed)
    mistakes = {name: record.predictions != record.labels for name, record in records.items()}
    mistakes["all"] = np.logical_and.reduce(list(mistakes.values()))
    size = len(mistakes["all"])
    random = rng.choice(size, min(RANDOM_DIGITS, size), replace=False)
    wrong = {
        name: rng.permutation(np.flatnonzero(those))[:WRONG_DIGITS]
        for name, those in mistakes.items()
    }
    positions = np.unique(np.concatenate([random, *wrong.values()]))
    places = {name: np.searchsorted(positions, those).tolist() for name, those in wrong.items()}
    return positions, {"random": np.searchsorted(positions, random).tolist(), "wrong": places}


def packed_model(model: Model, record: Record, weights: list[np.ndarray], data: Mnist):
    """A network's entry of the manifest, its bytes, and the page's network as a function."""
    packed = [pack(array) for array in weights]
    content = b"".join(part for _, part, _ in packed)
    unpacked = [array for *_, array in packed]
    full = logits(model.layers, weights, data.test.images)
    same = np.mean(full.argmax(1) == record.predictions)
    if same < SAME_ANSWERS:
        raise ChapterError(
            f"{model.chapter}: the weights of {model.name} give {100 * same:.1f} % of the answers "
            "in its record; remove the record and run the chapter again"
        )
    small = logits(model.layers, unpacked, data.test.images)
    facts = {
        "name": model.name,
        "title": model.title,
        "chapter": model.chapter,
        "layers": model.layers,
        "arrays": [description for description, *_ in packed],
        "steps": record["num_steps"],
        "accuracy": accuracy(full, data.test.labels),
        "packedAccuracy": accuracy(small, data.test.labels),
        "otherAnswers": int(np.sum(full.argmax(1) != small.argmax(1))),
        "largestChange": float(np.abs(full - small).max()),
    }

    def read(images: np.ndarray) -> np.ndarray:
        return logits(model.layers, unpacked, images).argmax(1)

    return facts | described(content), content, read


def cost_table(models: Sequence[dict], test_size: int) -> str:
    """A Markdown table of what packing the weights costs."""
    head = ["network", "steps", "packed (kB)", "accuracy (%)", "packed (%)", "other answers"]
    rows = [
        [
            f"{{doc}}`{m['title']} <{m['chapter']}>`",
            f"{m['steps']:,}",
            f"{m['bytes'] / 1000:,.0f}",
            f"{m['accuracy']:.2f}",
            f"{m['packedAccuracy']:.2f}",
            f"{m['otherAnswers']} of {test_size:,}",
            f"{m['largestChange']:.3f}",
        ]
        for m in models
    ]
    return table([*head, "largest change of a logit"], rows)


def warning(models: Sequence[dict], missing: Sequence[Model], is_sample: bool) -> str:
    """What a reader must know of this copy of the page; nothing if all is as it should be."""
    few = [
        f"{model['title']} ({model['steps']:,})"
        for model in models
        if model["steps"] < chapter_parameters(model["chapter"])["num_steps"]
    ]
    lines = []
    if is_sample:
        lines.append("The networks of this copy learned from a sample of MNIST.")
    if few:
        lines.append(f"Trained for few steps, and so poor readers: {', '.join(few)}.")
    if missing:
        titles = ", ".join(model.title for model in missing)
        lines.append(f"This copy has no weights of: {titles}.")
    return f":::{{warning}}\n{' '.join(lines)}\n:::\n" if lines else ""


def measured(networks: dict[str, Read], data: Mnist) -> dict[str, bytes]:
    """What the networks withstand, as files of the page."""
    scores = nudge_scores(networks, data.test)
    digits = min(DIGITS, len(data.test))
    nudges = (
        NUDGES_PAGE.replace("TABLE", nudges_table(scores))
        .replace("DIGITS", f"{digits:,}")
        .replace("WIDEST", f"{widest(digits):.1f}")
    )
    return {
        "steps.md": steps_table(networks, data.test).encode(),
        "shifts.md": shifts_table(networks, data.test).encode(),
        "nudges.md": nudges.encode(),
        "nudges.svg": nudges_figure(scores, data),
    }


NUDGES_PAGE = """```{figure} _static/draw/nudges.svg
:alt: Percent of digits read against shift, turn and stroke; the table below has the numbers.

Percent of DIGITS digits that are read when the prepared image is nudged; the 95 % interval of a
point is ± WIDEST at most. A stroke of 1 makes each pixel as dark as its darkest neighbour, −1 as
light as its lightest.
```

:::{dropdown} The numbers of the figure, in percent
TABLE
:::
"""
NO_WEIGHTS = b"The run that made this copy left no weights.\n"


def browser_files(records: Path) -> dict[str, bytes]:
    """The files of the page, by name; without any weights, a manifest that says so."""
    there = [(model, *run) for model in MODELS if (run := chapters_run(model, records))]
    found = [model for model, *_ in there]
    missing = [model for model in MODELS if model not in found]
    if not there:
        tables = dict.fromkeys(["cost.md", "steps.md", "nudges.md", "shifts.md"], NO_WEIGHTS)
        return tables | {
            "manifest.js": manifest_script({"models": [], "digits": None}),
            "warning.md": warning([], missing, is_sample=False).encode(),
        }
    data = test_data([record for _, record, _ in there])
    files, entries, networks = {}, [], {}
    for model, record, weights in there:
        entry, content, networks[model.title] = packed_model(model, record, weights, data)
        entries.append(entry)
        files[f"{model.name}.js"] = script(model.name, content)
    positions, lists = choose_digits({model.name: record for model, record, _ in there})
    pixels = data.test.pixels[positions].tobytes()
    files["digits.js"] = script("digits", pixels)
    digits = {"labels": data.test.classes[positions].tolist(), "positions": positions.tolist()}
    manifest = {"models": entries, "digits": described(pixels) | digits | lists}
    files["manifest.js"] = manifest_script(manifest)
    files["warning.md"] = warning(entries, missing, data.is_sample).encode()
    files["cost.md"] = cost_table(entries, len(data.test)).encode()
    return files | measured(networks, data)


def manifest_script(manifest: dict) -> bytes:
    return f"drawADigit.receiveManifest({json.dumps(manifest, allow_nan=False)});\n".encode()


def main(build: Path) -> None:
    folder = build / "draw"
    files = browser_files(build / "records")
    for path in folder.glob("*"):
        if path.name not in files:
            path.unlink()
    for name, content in sorted(files.items(), key=lambda file: file[0] == "manifest.js"):
        write_whole(folder / name, content)
