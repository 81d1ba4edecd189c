"""What "Train it here" computes, in a real browser: the numbers of NumPy and TensorFlow.

The page has the engine's scripts, the sample as the build packs it and the policy of the site's
pages, and is opened from its folder, where browsers allow least.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import nbformat
import numpy as np
import pytest
import tensorflow as tf
import yaml
from conftest import open_tab
from nbformat.v4 import new_code_cell
from playwright.sync_api import Page
from test_draw import leave_run

from mnist_helpers.data import load_data
from mnist_helpers.device import set_seed
from mnist_helpers.metrics import mean_interval
from mnist_helpers.parameters import MISTAKES, check_parameters
from mnist_helpers.training import compile_steps, random_mask, train
from pipeline.draw.pack import MODELS
from pipeline.draw.sample import full_table, main, sample_script
from pipeline.notebooks import CHAPTERS, chapter_parameters, definitions, read
from pipeline.site.finish import finished
from pipeline.site.train_panel import SCRIPTS

HOME = "train-trip-home"
MEGABYTES = 1_000_000
ENGINE = SCRIPTS[: SCRIPTS.index("train/runs.js") + 1]


def write_page(folder: Path, body: str = "") -> Path:
    """A page with the engine, and the sample where it looks for it."""
    shutil.copytree(CHAPTERS / "_static", folder / "_static")
    main(folder)
    shutil.copy(folder / "train" / "sample.js", folder / "_static" / "train")
    scripts = "".join(f'<script defer src="../_static/{file}"></script>' for file in ENGINE)
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8" />{scripts}</head>'
    page = folder / "chapters" / "train.html"
    page.parent.mkdir()
    page.write_text(finished(f"{head}<body>{body}</body></html>"), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write_page(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def tab(browser, page) -> Iterator[Page]:
    opened = open_tab(browser, page.as_uri())
    yield opened
    assert opened.complaints == []
    opened.close()


# ---- the sample ----


def test_the_sample_weighs_less_than_one_and_a_half_megabytes():
    engine = sum((CHAPTERS / "_static" / file).stat().st_size for file in ENGINE)
    assert len(sample_script()) + engine < 1.5 * MEGABYTES


def test_the_page_unpacks_what_was_published(tab: Page):
    data = load_data("sample", "official")
    loaded = tab.evaluate("""async () => {
      const { train, test } = await trainHere.load();
      const ink = (pixels) => pixels.reduce((sum, x) => sum + x, 0);
      const facts = ({ pixels, labels }) => [pixels.length, ink(pixels), [...labels]];
      return [...facts(train), ...facts(test)];
    }""")
    train_pixels = np.concatenate([data.valid.pixels, data.train.pixels])
    assert loaded[:2] == [train_pixels.size, train_pixels.sum()]
    assert loaded[2] == [*data.valid.classes, *data.train.classes]
    assert loaded[3:5] == [data.test.pixels.size, data.test.pixels.sum()]
    assert loaded[5] == data.test.classes.tolist()
    assert tab.evaluate("trainHere.NUM_TRAIN") == len(data.train)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("AAAA", "AAAB", 1), "arrived damaged and is not used."),
        (lambda text: text[:-1_000], "arrived damaged and is not used."),
        (None, "could not be loaded."),
    ],
    ids=["a changed letter", "cut off", "not there"],
)
def test_a_damaged_sample_is_refused(browser, tmp_path, damage, message):
    page = write_page(tmp_path)
    script = tmp_path / "_static" / "train" / "sample.js"
    text = script.read_text(encoding="utf-8")
    script.unlink()
    if damage:
        assert damage(text) != text
        script.write_text(damage(text), encoding="utf-8")
    tab = open_tab(browser, page.as_uri())
    said = tab.evaluate(
        """() => new Promise((resolve) => trainHere.start({}, {
          progress: () => resolve("It was used."), failed: ({ message }) => resolve(message) }))"""
    )
    tab.close()
    assert said.startswith("The sample of digits") and said.endswith(message)


def test_the_page_is_told_what_the_full_data_give(sample_mnist, tmp_path):
    assert "left no records" in full_table(tmp_path)
    for model in MODELS[:2]:
        leave_run(tmp_path, model, sample_mnist, np.eye(10)[sample_mnist.test.classes])
    page = full_table(tmp_path)
    assert "| {doc}`MLP <03-mlp>` | the sample | 20 | 10.00 | 100.00 |" in page
    # The solver stops where it has converged.
    assert "<02-logistic-regression>` | the sample | at most 20 | 10.00 | 100.00 |" in page


# ---- random numbers ----


def test_philox_gives_the_words_that_its_authors_published(tab: Page):
    """Salmon, Moraes, Dror and Shaw (2011); the vectors of their library Random123."""
    words = tab.evaluate("""() => {
      const words = new Uint32Array(12);
      const all = 0xffffffff;
      trainHere.philox(0, 0, 0, 0, 0, 0, words, 0);
      trainHere.philox(all, all, all, all, all, all, words, 4);
      const ofPi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0];
      trainHere.philox(...ofPi, words, 8);
      return Array.from(words);
    }""")
    assert words == [
        *(0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
        *(0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        *(0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ]


def test_pcg64_gives_the_numbers_that_its_author_published(tab: Page):
    """O'Neill (2014); the first numbers that the tests of her library print."""
    numbers = tab.evaluate("""() => {
      const next = trainHere.pcg64(42n, 54n);
      return Array.from({ length: 6 }, () => next().toString(16));
    }""")
    assert numbers == [
        "86b1da1d72062b68",
        "1304aa46c9853d39",
        "a3670e9e0dd50358",
        "f9090e529a7dae00",
        "c85b9fd837996f2c",
        "606121f8e3919196",
    ]


@pytest.mark.parametrize("entropy", [[0], [3], [2**32 - 1], [7, 1]])
def test_orders_are_numpys(tab: Page, entropy):
    ours = tab.evaluate(
        """(entropy) => {
          const rng = trainHere.defaultRng(...entropy);
          return [10, 3667, 1].map((size) => Array.from(rng.permutation(size)));
        }""",
        entropy,
    )
    rng = np.random.default_rng(entropy if len(entropy) > 1 else entropy[0])
    assert ours == [rng.permutation(size).tolist() for size in (10, 3_667, 1)]


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_initial_weights_are_tensorflows(tab: Page, seed):
    ours = tab.evaluate(
        "(seed) => Array.from(trainHere.truncatedNormal(784 * 128 + 2, [seed, 1], 0.1))", seed
    )
    theirs = tf.random.stateless_truncated_normal(
        [784 * 128 + 2], tf.constant([seed, 1], tf.int64), stddev=0.1
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-8)


@pytest.mark.parametrize(("seed", "keep_prob"), [(0, 0.37), (3, 0.8), (2**32 - 1, 0.999)])
def test_masks_are_those_that_a_training_step_draws(tab: Page, seed, keep_prob):
    """In the loop of `train`, a step that draws two masks of sizes that no word fills."""
    variables = [tf.Variable(tf.zeros([5, 1_001])), tf.Variable(tf.zeros([5, 30]))]
    done = tf.Variable(0)

    def train_step(images, labels):
        for variable in variables:
            mask = tf.cast(random_mask(tf.shape(variable)[1:], keep_prob), tf.float32)
            variable.scatter_update(tf.IndexedSlices(mask, done))
        done.assign_add(1)
        return tf.reduce_sum(images), labels

    set_seed(seed)
    train(train_step, np.ones((1, 784), np.float32), np.eye(1, 10), np.zeros((5, 1), np.int32))
    ours = tab.evaluate(
        """([seed, keepProb]) => [1001, 30].map((size, number) => {
          const draw = trainHere.maskDrawer(seed, number, size, keepProb);
          return Array.from({ length: 5 }, () => {
            const mask = new Float32Array(size);
            draw(mask);
            return Array.from(mask);
          });
        })""",
        [seed, keep_prob],
    )
    for mask, variable in zip(ours, variables, strict=True):
        np.testing.assert_array_equal(mask, variable.numpy() / np.float32(keep_prob))


# ---- the same losses ----

SHORT = {"batch_size": 16, "num_hidden": 16, "learning_rate": 0.1, "num_steps": 300}
ON_RAW_PIXELS = 3e-6  # the learning rate that does on them what 0.2 does on scaled ones

LOSSES = """async (given) => {
  const { settings, refused } = trainHere.check(given);
  if (refused.length) throw new Error(refused[0].words);
  const run = trainHere.newRun(settings, await trainHere.load());
  const losses = [];
  while (run.stepsDone < settings.num_steps) {
    losses.push(run.step().loss);
    if (!Number.isFinite(losses.at(-1))) break;
  }
  return { losses: losses.map(String), firstNaN: run.signs().firstNaN };
}"""


class Theirs:
    """The notebook's own functions; what was compiled once is used again."""

    def __init__(self):
        self.names = definitions(HOME)
        self.compiled = {}
        self.data = load_data("sample", "official")

    def losses(self, given: dict) -> np.ndarray:
        """The losses that the notebook's training step has with these settings."""
        settings = {**chapter_parameters(HOME), **given}
        self.names.update(settings)
        set_seed(settings["seed"])
        images, labels = self.names["images_of"](self.data.train), self.data.train.labels
        if "shuffled_labels" in settings["mistakes"]:
            rng = np.random.default_rng([settings["seed"], 1])
            labels = labels[rng.permutation(len(labels))]
        batches = self.names["positions"](len(images))
        layers = self.names["initial_layers"]()
        # All that a compiled step has in it; the rest comes in from outside.
        built = ("num_hidden", "batch_size", "learning_rate", "keep_prob", "drop", "beta")
        key = (*map(settings.get, built), "log_softmax" in settings["mistakes"])
        if settings["keep_prob"] < 1 or key not in self.compiled:
            weights, biases = (
                [tf.Variable(value) for value in values] for values in zip(*layers, strict=True)
            )
            run = compile_steps(self.names["make_train_step"](weights, biases))
            self.compiled[key] = weights, biases, run
        weights, biases, run = self.compiled[key]
        for pair, layer in zip(zip(weights, biases, strict=True), layers, strict=True):
            for variable, value in zip(pair, layer, strict=True):
                variable.assign(value)
        return run(tf.constant(images), tf.constant(labels), tf.constant(batches))[0].numpy()


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    return Theirs()


def compare(tab: Page, theirs: Theirs, given: dict, atol: float = 1e-4) -> float:
    """The largest difference of a loss; up to the first that is no number, which is the same."""
    expected = theirs.losses(given)
    found = tab.evaluate(LOSSES, given)
    ours = np.array([float(loss) for loss in found["losses"]])
    if np.isfinite(expected).all():
        assert found["firstNaN"] is None and len(ours) == len(expected)
    else:
        first = int(np.isfinite(expected).argmin())
        assert found["firstNaN"]["step"] == first == len(ours) - 1
        ours, expected = ours[:-1], expected[:first]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=atol, err_msg=str(given))
    return float(np.abs(ours - expected).max(initial=0))


COMBINATIONS = [
    {
        **SHORT,
        "num_hidden": num_hidden,
        "beta": beta,
        "mistakes": [name for name in (order, *wrong) if name],
        "learning_rate": ON_RAW_PIXELS if "unscaled" in wrong else SHORT["learning_rate"],
    }
    for num_hidden, beta, order, *wrong in itertools.product(
        (0, 16),
        (0, 0.01),
        (None, "modulo", "file_order"),
        *((None, name) for name in ("log_softmax", "all_zero", "unscaled", "shuffled_labels")),
    )
]


@pytest.mark.parametrize("num_hidden", [0, 16])
def test_losses_are_tensorflows_for_every_combination(tab: Page, theirs: Theirs, num_hidden):
    """Those that no mask and no other split enters: 300 steps each."""
    those = [given for given in COMBINATIONS if given["num_hidden"] == num_hidden]
    assert len(those) == 96
    for given in those:
        compare(tab, theirs, given)


@pytest.mark.parametrize(
    "given",
    [
        {"keep_prob": 0.8},
        {"keep_prob": 0.5, "drop": "units", "beta": 0.01},
        {"keep_prob": 0.9, "beta": 0.01, "num_hidden": 0, "mistakes": ["log_softmax"]},
        {"keep_prob": 0.7, "num_hidden": 17, "seed": 7},
        {"num_hidden": 256, "batch_size": 128, "seed": 1},
        {"num_hidden": 128, "batch_size": 32, "seed": 2**32 - 1},
    ],
    ids=str,
)
def test_losses_are_tensorflows_with_masks_too(tab: Page, theirs: Theirs, given):
    compare(tab, theirs, SHORT | given)


@pytest.mark.parametrize("num_hidden", [0, 16])
def test_the_loss_by_hand_breaks_at_the_step_at_which_tensorflows_breaks(
    tab: Page, theirs: Theirs, num_hidden
):
    given = SHORT | {"num_hidden": num_hidden, "learning_rate": 2, "mistakes": ["log_softmax"]}
    with pytest.raises(AssertionError):
        compare(tab, theirs, given | {"mistakes": []}, atol=-1)  # without it all are numbers
    assert not np.isfinite(theirs.losses(given | {"learning_rate": 20})).all()
    compare(tab, theirs, given | {"learning_rate": 20})


@pytest.mark.parametrize(
    ("leaders", "gaps"),
    [
        # Where oneDNN computes it, one leader's softmax is 0 a little earlier, from 86.64 on.
        (1, [80, 84, 86, 86.5, 87.4, 88, 100]),
        (2, [85.9, 86.3, 86.6, 86.7, 87]),
        (9, [80, 84.9, 85.1, 85.2, 85.6, 86, 86.5, 88]),
    ],
)
def test_a_softmax_is_0_where_tensorflows_is(tab: Page, theirs: Theirs, leaders, gaps):
    """By images of one pixel: the first step makes some classes leaders, by such a gap."""
    labels = [*range(leaders)] * 2  # a batch of the leaders, and again
    rates = [gap * leaders / 2 for gap in gaps]  # the pixel and the bias learn the same
    given = {"num_hidden": 0, "batch_size": leaders, "mistakes": ["log_softmax", "file_order"]}
    ours = tab.evaluate(
        """([given, labels, rates]) => rates.map((learning_rate) => {
          const part = (labels) => ({ labels: Uint8Array.from(labels),
            pixels: new Uint8Array(784 * labels.length).map((_, i) => (i % 784 ? 0 : 255)) });
          const heldOut = Array(Math.round(labels.length / 11)).fill(0);
          const sample = { train: part([...heldOut, ...labels]), test: part(labels) };
          const { settings } = trainHere.check({ ...given, learning_rate });
          const run = trainHere.newRun(settings, sample);
          return [0, 1].map(() => Number.isFinite(run.step().loss));
        })""",
        [given, labels, rates],
    )
    theirs.names.update({**chapter_parameters(HOME), **given})
    images = np.zeros((leaders, 784), np.float32)
    images[:, 0] = 1
    found = []
    for rate in rates:
        theirs.names["learning_rate"] = rate
        (weights, biases), *_ = theirs.names["initial_layers"]()
        variables = [tf.Variable(weights)], [tf.Variable(biases)]
        run = compile_steps(theirs.names["make_train_step"](*variables))
        batches = np.tile(np.arange(leaders, dtype=np.int32), (2, 1))
        losses, _ = run(
            tf.constant(images), tf.one_hot(labels[:leaders], 10), tf.constant(batches)
        )
        found.append(np.isfinite(losses).tolist())
    assert ours == found
    assert {second for _, second in ours} == {True, False}  # some of these gaps are too large


def test_rows_are_added_by_webassembly_as_by_the_plain_loops(tab: Page):
    """Any number of columns, any part of a list, and not a bit beyond the columns."""
    wrong = tab.evaluate("""() => {
      const plain = plainArithmetic();
      const fast = fastArithmetic(plain);
      if (!fast.isFast) return "there is no WebAssembly";
      let last = 1;
      const random = () => (last = (last * 16807) % 2147483647) / 2 ** 31 - 0.5;
      const wrong = [];
      for (let columns = 1; columns <= 70; columns++) {
        for (const [first, length, scale] of [[0, 0, 1], [2, 1, 1], [3, 9, -0.25]]) {
          const both = [plain, fast].map(({ floats, wholes }) => ({
            to: floats(columns + 40), from: floats(12 * columns),
            list: { rows: wholes(12), times: floats(12), first, length } }));
          const set = (of, value) => { for (const each of both) of(each).set(value); };
          set(({ to }) => to, both[0].to.map(random));
          set(({ from }) => from, both[0].from.map(random));
          set(({ list }) => list.times, both[0].list.times.map(random));
          set(({ list }) => list.rows, both[0].list.rows.map((_, k) => (7 * k) % 12));
          if (columns % 3 === 0) both[1].to.fill(NaN, 10 + columns);
          const rest = both[1].to.slice();
          [plain, fast].forEach(({ addRows }, i) =>
            addRows(both[i].to, 10, columns, both[i].from, both[i].list, scale));
          both[1].to.forEach((x, i) => {
            const isColumn = i >= 10 && i < 10 + columns;
            const isRight = isColumn ? Math.abs(x - both[0].to[i]) < 1e-6 : Object.is(x, rest[i]);
            if (!isRight) wrong.push([columns, i]);
          });
        }
      }
      return wrong;
    }""")
    assert wrong == []


@pytest.mark.parametrize("num_hidden", [0, 256])
def test_the_largest_network_has_room_for_all_images_in_one_batch(tab: Page, num_hidden):
    given = {"num_hidden": num_hidden, "batch_size": 3_667, "keep_prob": 0.5, "num_steps": 2}
    losses = tab.evaluate(LOSSES, given)["losses"]
    assert len(losses) == 2 and all(np.isfinite(float(loss)) for loss in losses)


def test_without_webassembly_the_losses_are_the_same(tab: Page, theirs: Theirs):
    given = SHORT | {"keep_prob": 0.8, "beta": 0.01}
    plain = tab.evaluate(
        """async (given) => {
          const none = () => fastArithmetic(plainArithmetic());
          const Real = WebAssembly.Module;
          WebAssembly.Module = function refused() { throw new Error("no WebAssembly here"); };
          try {
            if (none().isFast) throw new Error("it is compiled");
            const { newRun } = trainingEngine(forwardPasses, none, trainHere);
            const run = newRun(trainHere.check(given).settings, await trainHere.load());
            return Array.from({ length: 300 }, () => run.step().loss);
          } finally {
            WebAssembly.Module = Real;
          }
        }""",
        given,
    )
    np.testing.assert_allclose(plain, theirs.losses(given), rtol=0, atol=1e-4)
    assert tab.evaluate("fastArithmetic(plainArithmetic()).isFast")


# ---- settings, links and commands ----

SOME_SETTINGS = [
    {},
    {"num_hidden": 0, "batch_size": 3_667},
    {"learning_rate": 1e-7, "seed": 2**32 - 1, "mistakes": ["shuffled_labels", "modulo"]},
    {"keep_prob": 0.5, "drop": "units", "beta": 0.001, "num_steps": 1_001},
]


def test_settings_are_the_notebooks_parameters(tab: Page):
    defaults = tab.evaluate("trainHere.DEFAULTS")
    parameters = chapter_parameters(HOME)
    assert defaults == {name: parameters[name] for name in defaults}
    assert set(parameters) - set(defaults) == {"data_set", "device"}
    assert tab.evaluate("trainHere.MISTAKES.map(({ name }) => name)") == list(MISTAKES)


@pytest.mark.parametrize("given", SOME_SETTINGS, ids=str)
def test_a_link_brings_the_settings_back(tab: Page, given):
    there_and_back = """(given) => {
      const { settings } = trainHere.check(given);
      const link = trainHere.toLink(settings);
      return [link, settings, trainHere.fromLink(`#${link}`)];
    }"""
    link, settings, back = tab.evaluate(there_and_back, given)
    assert back == {"settings": settings, "refused": []}
    assert len(link.split("&")) == max(1, len(given))  # what is as ever is not in it


@pytest.mark.parametrize("given", SOME_SETTINGS, ids=str)
def test_a_command_hands_the_settings_to_the_notebook(tab: Page, given):
    command = tab.evaluate("(given) => trainHere.command(given)", given)
    assert shlex.split(command)[:3] == ["papermill", f"chapters/{HOME}.ipynb", "out.ipynb"]
    handed = from_options(shlex.split(command)[3:])
    check_parameters(**{**chapter_parameters(HOME), **handed})
    for settings in (handed, given := dict(given)):
        settings["mistakes"] = sorted(settings.get("mistakes", []))
    assert handed == given


def from_options(options: list[str]) -> dict:
    """The parameters, as papermill reads its options ``-p`` and ``-y``."""
    from papermill.cli import _resolve_type

    handed = {}
    while options:
        match options:
            case ["-p", name, value, *options]:
                handed[name] = _resolve_type(value)
            case ["-y", text, *options]:
                handed |= yaml.safe_load(text)
    return handed


def test_nonsense_in_a_link_is_refused_with_name_value_and_what_it_may_be(tab: Page):
    link = "num_hidden=8&learning_rate=fast&seed=-1&mistakes=modulo,haste&depth=3&beta=0.5"
    found = tab.evaluate("(link) => trainHere.fromLink(link)", link)
    assert found["settings"] == tab.evaluate("({ ...trainHere.DEFAULTS, beta: 0.5 })")
    assert [each["words"].split(";")[0] for each in found["refused"]] == [
        "num_hidden is 8",
        "learning_rate is NaN",
        "seed is -1",
        "mistakes is modulo,haste",
        "depth is not a setting of this page.",
    ]


def test_the_interval_of_several_seeds_is_that_of_chapter_2(tab: Page):
    for values in ([92.0, 93.5], [90.1, 91.7, 92.2, 89.9, 93.0], list(range(10))):
        ours = tab.evaluate("(values) => trainHere.meanInterval(values)", values)
        np.testing.assert_allclose(ours, mean_interval(values), rtol=1e-5)


# ---- runs, each in a worker ----

RUN = """(given) => new Promise((resolve, failed) => {
  const told = [];
  const run = trainHere.start(given, { failed, progress(message) {
    told.push(message);
    if (told.length === 1) run.train();
    else if (!message.training) run.look().then((seen) => {
      run.end();
      const loss = told.flatMap(({ curve }) => Array.from(curve.loss));
      const evaluations = told.flatMap((message) => message.evaluations);
      resolve({ ...told.at(-1), evaluations, loss, seen: { ...seen, model: null, weights: null },
        weights: Array.from(seen.weights), again: seen.misread.map(({ pixels }) =>
          trainHere.read(seen.model, pixels).answer) });
    });
  } });
})"""


def test_the_notebook_gives_what_the_page_shows(tab: Page, tmp_path):
    """The command of the page, run; its table and its two losses are those of the page."""
    given = {"seed": 3, "num_hidden": 32, "keep_prob": 0.9, "mistakes": ["test_head", "unscaled"]}
    given |= {"learning_rate": ON_RAW_PIXELS, "num_steps": 120}
    shown = tab.evaluate(RUN, given)
    options = shlex.split(tab.evaluate("(given) => trainHere.command(given)", given))[3:]
    notebook = read(CHAPTERS / f"{HOME}.ipynb")
    notebook.cells.append(new_code_cell("print(seen, curve.loss[0], curve.loss[-1])"))
    nbformat.write(notebook, tmp_path / "in.ipynb")
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb"]
    subprocess.run(
        [*command, "--no-progress-bar", "--log-level", "ERROR", *options], cwd=tmp_path, check=True
    )
    outputs = [
        output
        for cell in read(tmp_path / "out.ipynb").cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    printed = "".join(output.get("text", "") for output in outputs)
    rows = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [0, 1, 51, 101, 120]
    parts = ("training", "validation", "test")
    for (_, *theirs), ours in zip(rows, shown["evaluations"], strict=True):
        for part, percent in zip(parts, theirs, strict=True):
            assert ours[part] is None or f"{ours[part]['accuracy']:.1f}" == percent
    best = shown["chosen"]
    assert f"chosen on validation: after {best['step']} updates" in printed
    assert f"validation  {best['accuracy']:.1f} %" in printed
    assert f"test        {best['others']['accuracy']:.1f} %" in printed
    ours = [shown["signs"]["imagesSeen"], shown["loss"][0], shown["loss"][-1]]
    theirs = [float(number) for number in outputs[-1].text.split()]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_run_tells_what_it_saw(tab: Page):
    told = tab.evaluate(RUN, SHORT | {"batch_size": 32, "mistakes": ["modulo"]})
    assert (told["step"], told["training"], told["done"]) == (300, False, True)
    assert len(told["loss"]) == 300
    signs = told["signs"]
    steps = np.arange(300)
    offsets = (32 * steps) % (3_667 - 32) % 10
    assert signs["imagesSeen"] == np.unique(offsets[:, None] + np.arange(32)).size == 41
    assert (signs["imagesThere"], signs["units"], signs["differentUnits"]) == (3_667, 16, 16)
    assert signs["firstLoss"] == told["loss"][0] and signs["firstNaN"] is None
    steps_measured = [each["step"] for each in told["evaluations"]]
    assert steps_measured == [0, 1, 51, 101, 151, 201, 251, 300]
    seen = told["seen"]
    assert (seen["step"], seen["units"], seen["validationCount"]) == (300, 16, 333)
    assert len(told["weights"]) == 784 * 16
    accuracy = told["evaluations"][-1]["validation"]["accuracy"]
    assert seen["misreadCount"] == round(333 * (1 - accuracy / 100))
    assert [each["answer"] for each in seen["misread"]] == told["again"]
    assert all(each["answer"] != each["label"] for each in seen["misread"])


def test_units_that_begin_with_nothing_stay_alike_and_dead(tab: Page):
    signs = tab.evaluate(RUN, SHORT | {"mistakes": ["all_zero"], "num_steps": 30})["signs"]
    assert (signs["differentUnits"], signs["deadUnits"], signs["units"]) == (1, 16, 16)


def test_a_loss_that_is_no_number_stops_the_run(tab: Page):
    told = tab.evaluate(RUN, SHORT | {"mistakes": ["log_softmax", "unscaled"]})
    assert not told["done"]
    assert told["signs"]["firstNaN"] == {"step": told["step"] - 1, "what": "loss"}


def test_choosing_on_test_reports_what_nobody_chose_on(tab: Page):
    given = SHORT | {"mistakes": ["choose_on_test", "modulo"]}
    told = tab.evaluate(RUN, given)
    best = max(told["evaluations"], key=lambda each: each["test"]["accuracy"])
    assert told["chosen"] == {
        "on": "test",
        "step": best["step"],
        "accuracy": best["test"]["accuracy"],
        "others": {"on": "validation", "accuracy": best["validation"]["accuracy"]},
    }


def test_a_run_pauses_goes_step_by_step_and_goes_on_as_if_nothing_had_been(tab: Page):
    """And several at once, each in a worker of its own."""
    losses = tab.evaluate(
        """async (given) => {
          const told = [];
          let heard = () => {};
          const run = trainHere.start(given, {
            progress(message) {
              told.push(message);
              heard();
            },
          });
          const rests = () => new Promise((resolve) => {
            heard = () => told.at(-1).training || resolve(told.at(-1));
          });
          await rests();
          const steps = [];
          for (const act of [() => run.step(), () => run.step(), () => run.train(40), () => {
            run.train(100000);
            setTimeout(() => run.pause(), 100);
          }]) {
            const resting = rests();
            act();
            steps.push((await resting).step);
          }
          run.end();
          return { steps, losses: told.flatMap(({ curve }) => Array.from(curve.loss)),
            starts: told.map(({ curve }) => curve.from) };
        }""",
        SHORT,
    )
    assert losses["steps"][:3] == [1, 2, 40] and 40 < losses["steps"][3] < 100_000
    assert len(losses["losses"]) == losses["steps"][-1]
    straight = tab.evaluate(RUN, SHORT)["loss"]
    common = min(len(straight), len(losses["losses"]))
    np.testing.assert_array_equal(losses["losses"][:common], straight[:common])


def test_five_runs_at_once_do_not_hold_up_the_page(tab: Page):
    five_at_once = """async ([run, given]) => {
          const tasks = [];
          const watch = new PerformanceObserver((list) => tasks.push(...list.getEntries()));
          watch.observe({ type: "longtask" });
          const ends = await Promise.all([0, 1, 2, 3, 4].map((seed) => run({ ...given, seed })));
          await new Promise((resolve) => setTimeout(resolve, 100));
          watch.disconnect();
          return {
            tasks: tasks.map(({ duration }) => duration),
            losses: ends.map(({ loss }) => loss.at(-1)),
          };
        }""".replace("run(", f"({RUN})(").replace("[run, given]", "given")
    settings = SHORT | {"num_hidden": 128, "batch_size": 32, "num_steps": 100}
    for _ in range(4):  # on a busy machine any task may take long, now and then
        found = tab.evaluate(five_at_once, settings)
        if not found["tasks"]:
            break
    assert found["tasks"] == []
    assert len(set(found["losses"])) == 5


def test_a_hundred_steps_a_second_at_least(tab: Page):
    fastest = tab.evaluate("""async () => {
      const run = trainHere.newRun(trainHere.check({}).settings, await trainHere.load());
      const times = Array.from({ length: 12 }, () => {
        const began = performance.now();
        for (let i = 0; i < 25; i++) run.step();
        return performance.now() - began;
      });
      return 25_000 / Math.min(...times);
    }""")
    assert fastest > 100


# ---- in Firefox, too ----


@pytest.fixture
def in_firefox(page: Path, tmp_path: Path) -> Callable[[str], object]:
    """What an expression gives in Firefox, which Playwright does not drive as it is packaged.

    The page is served from here, and tells what it found by a script of its own.
    """
    firefox = shutil.which("firefox-esr") or shutil.which("firefox")
    if firefox is None:
        pytest.skip("no Firefox is installed")
    told: Queue = Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self):
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    folder = page.parents[1]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/chapters/asked.html"
    (tmp_path / "user.js").write_text(
        'user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);\n'
        'user_pref("browser.shell.checkDefaultBrowser", false);\n',
        encoding="utf-8",
    )

    def evaluate(expression: str) -> object:
        (folder / "_static" / "asked.js").write_text(
            f"""const tell = (answer) =>
              fetch("told", {{ method: "POST", body: JSON.stringify(answer) }});
            addEventListener("load", () => ({expression})().then(
              (found) => tell({{ found }}), ({{ message }}) => tell({{ message }})));
            """,
            encoding="utf-8",
        )
        asked = '<script defer src="../_static/asked.js"></script></head>'
        text = page.read_text(encoding="utf-8").replace("</head>", asked)
        (page.parent / "asked.html").write_text(text, encoding="utf-8")
        command = [firefox, "--headless", "--no-remote", "--profile", tmp_path, address]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as started:
            try:
                answer = told.get(timeout=120)
            finally:
                started.terminate()
        assert "found" in answer, answer
        return answer["found"]

    yield evaluate
    server.shutdown()
    server.server_close()


def test_firefox_gives_the_losses_that_chromium_gives(tab: Page, in_firefox):
    """In workers, under the page's policy, with WebAssembly."""
    those = [{}, SHORT | {"keep_prob": 0.8, "beta": 0.01}, {"num_hidden": 0, "seed": 7}]
    losses = f"""() => Promise.all({json.dumps(those)}.map(
      (given) => ({RUN})(given).then(({{ loss }}) => loss)))"""
    assert in_firefox("async () => fastArithmetic(plainArithmetic()).isFast")
    found, expected = in_firefox(losses), tab.evaluate(losses)
    assert [len(each) for each in found] == [300] * 3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# ---- the policy ----


def test_policy_allows_a_worker_and_webassembly_on_these_pages_alone(page: Path):
    text = page.read_text(encoding="utf-8")
    assert "worker-src blob:" in text and "'wasm-unsafe-eval'" in text
    other = finished("<html><head></head><body></body></html>")
    assert "worker-src" not in other and "wasm" not in other


def test_the_engine_loads_nothing_and_has_one_forward_pass():
    engine = "".join((CHAPTERS / "_static" / file).read_text(encoding="utf-8") for file in ENGINE)
    assert not re.search(r"\beval\(|new Function|innerHTML|https?://|importScript|fetch\(", engine)
    forward = re.findall(r"function (?:dense|convolve|maxPool|softmax|run)\(", engine)
    assert len(forward) == 5  # network.js has each, and no other file has a second one
