"""Time a training step in the browser: ours, TensorFlow.js, and TensorFlow itself, in turns.

usage: python -m bench.browser TFJS

TFJS is a folder into which npm has put the packages, as by
``npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm``.
All sides train the same network from the same weights on the same batches, and read each loss.
Needs Playwright and a Chromium. Prints milliseconds a step, the median over the rounds.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Page, sync_playwright

from mnist_helpers import without_start_up_remarks
from mnist_helpers.data import load_data
from mnist_helpers.device import set_seed, use_device
from mnist_helpers.tables import table
from mnist_helpers.training import compile_steps
from pipeline.command_line import command_line
from pipeline.draw.sample import main as pack_sample
from pipeline.notebooks import CHAPTERS, chapter_parameters, definitions

with without_start_up_remarks():
    import tensorflow as tf

HOME = "train-trip-home"
ROUNDS, STEPS = 5, 200
# Units of the hidden layer, and images a step.
WORKS = ((0, 32), (16, 32), (128, 32), (128, 128), (256, 128))
WAYS = ("ours", "TensorFlow", "TensorFlow.js, cpu", "TensorFlow.js, wasm")
OURS = ("draw/network", "train/random", "train/arithmetic", "train/settings", "train/engine")
OURS = (*OURS, "train/runs")
THEIRS = ("tfjs/dist/tf", "tfjs-backend-wasm/dist/tf-backend-wasm")

IN_THE_BROWSER = """async ([way, num_hidden, batch_size, steps]) => {
  const { settings } = trainHere.check({ num_hidden, batch_size });
  const sample = await trainHere.load();
  let step;
  if (way === "ours") {
    const run = trainHere.newRun(settings, sample);
    step = () => run.step().loss;
  } else {
    tf.wasm?.setWasmPaths("/theirs/@tensorflow/tfjs-backend-wasm/dist/");
    await tf.setBackend(way);
    await tf.ready();
    step = theirStep(settings, sample);
  }
  const run = () => Array.from({ length: steps }, () => step());
  run(); // compiles
  const began = performance.now();
  const losses = run();
  return { milliseconds: (performance.now() - began) / steps, losses };
}"""

THEIR_STEP = """
function theirStep({ num_hidden, batch_size, seed, learning_rate }, { train }) {
  const heldOut = Math.round(train.labels.length / 12);
  const numTrain = train.labels.length - heldOut;
  const pixels = Float32Array.from(train.pixels.subarray(784 * heldOut), (byte) => byte / 255);
  const images = tf.tensor2d(pixels, [numTrain, 784]);
  const labels = tf.oneHot(tf.tensor1d(Array.from(train.labels.subarray(heldOut)), "int32"), 10);
  const sizes = num_hidden ? [784, num_hidden, 10] : [784, 10];
  const layers = sizes.slice(1).map((units, i) => {
    const size = sizes[i] * units;
    const start = num_hidden
      ? trainHere.truncatedNormal(size, [seed, i + 1], 0.1) : new Float32Array(size);
    return [tf.variable(tf.tensor2d(start, [sizes[i], units])),
      tf.variable(tf.fill([units], num_hidden ? 0.1 : 0))];
  });
  const model = (x) => layers.reduce((values, [weights, biases], i) =>
    tf.add(tf.matMul(i ? tf.relu(values) : values, weights), biases), x);
  const optimizer = tf.train.sgd(learning_rate);
  const rng = trainHere.defaultRng(seed);
  let [order, at] = [rng.permutation(numTrain), 0];
  return () => {
    if (at + batch_size > numTrain) [order, at] = [rng.permutation(numTrain), 0];
    const batch = order.slice(at, at + batch_size);
    at += batch_size;
    return tf.tidy(() => {
      const rows = tf.tensor1d(batch, "int32");
      const [x, y] = [tf.gather(images, rows), tf.gather(labels, rows)];
      const loss = () => tf.losses.softmaxCrossEntropy(y, model(x));
      return optimizer.minimize(loss, true).dataSync()[0];
    });
  };
}
"""


def tensorflow_step(num_hidden: int, batch_size: int) -> tuple[float, np.ndarray]:
    """Milliseconds a step of the notebook's own functions, and the losses of the second run."""
    names = definitions(HOME)
    names.update(chapter_parameters(HOME) | {"num_hidden": num_hidden, "batch_size": batch_size})
    names["num_steps"] = 2 * STEPS
    set_seed(names["seed"])
    data = load_data("sample", "official")
    images, labels = tf.constant(data.train.images), tf.constant(data.train.labels)
    layers = zip(*names["initial_layers"](), strict=True)
    weights, biases = ([tf.Variable(value) for value in values] for values in layers)
    batches = tf.constant(names["positions"](len(data.train)))
    run = compile_steps(names["make_train_step"](weights, biases))
    run(images, labels, batches[:STEPS])[0].numpy()
    began = time.perf_counter()
    losses = run(images, labels, batches[STEPS:])[0].numpy()
    return 1_000 * (time.perf_counter() - began) / STEPS, losses


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of this folder; WebAssembly may not be read from a file."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def write_page(folder: Path, packages: Path) -> None:
    """A page with both engines and the sample."""
    shutil.copytree(CHAPTERS / "_static", folder / "ours")
    pack_sample(folder)
    shutil.copy(folder / "train" / "sample.js", folder / "ours" / "train")
    (folder / "theirs").symlink_to((packages / "node_modules").resolve())
    (folder / "step.js").write_text(THEIR_STEP, encoding="utf-8")
    sources = [f"ours/{name}.js" for name in OURS]
    sources += [f"theirs/@tensorflow/{name}.min.js" for name in THEIRS] + ["step.js"]
    scripts = "".join(f'<script src="{source}"></script>' for source in sources)
    (folder / "index.html").write_text(f"<!doctype html><meta charset=utf-8>{scripts}")


def measure(tab: Page, way: str, num_hidden: int, batch_size: int) -> tuple[float, np.ndarray]:
    """Milliseconds a step one of the ways, and losses."""
    if way == "TensorFlow":
        return tensorflow_step(num_hidden, batch_size)
    found = tab.evaluate(IN_THE_BROWSER, [way.split(", ")[-1], num_hidden, batch_size, STEPS])
    return found["milliseconds"], np.array(found["losses"])


def main(packages: Path) -> None:
    """Measure all ways in turns, and print the table."""
    print("TensorFlow on", use_device("cpu"))
    rows = []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        write_page(Path(scratch), packages)
        chromium = shutil.which("chromium")
        options = {"executable_path": chromium, "args": ["--no-sandbox", "--disable-gpu"]}
        browser = playwright.chromium.launch(**options)
        with served(Path(scratch)) as address:
            for num_hidden, batch_size in WORKS:
                times, losses = {way: [] for way in WAYS}, {}
                for _ in range(ROUNDS):
                    for way in WAYS:
                        tab = browser.new_page()
                        tab.goto(address)
                        took, losses[way] = measure(tab, way, num_hidden, batch_size)
                        times[way].append(took)
                        tab.close()
                for way in WAYS:  # all did the same work
                    np.testing.assert_allclose(losses[way], losses["ours"], rtol=0, atol=1e-2)
                ours = times["ours"]
                cells = [
                    f"{median(each):.2f} ({median(map(float.__truediv__, each, ours)):.2f})"
                    for each in times.values()
                ]
                rows.append([f"{num_hidden or 'no'} units, {batch_size} images", *cells])
                print(rows[-1], flush=True)
        print(f"Chromium {browser.version}, TensorFlow {tf.__version__}, {ROUNDS} rounds")
        browser.close()
    print(table(["milliseconds a step (times ours)", *WAYS], rows))


if __name__ == "__main__":
    with command_line():
        main(Path(sys.argv[1]))
