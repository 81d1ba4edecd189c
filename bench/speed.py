"""Time the training of the book's networks beside Keras and PyTorch.

usage: python -m bench.speed [--rounds N] [--peers PYTHON] [--out FILE]

Everything runs on this machine, in this run, in turns: round after round, each
way once a round, so that a slow minute slows all alike. The clock is that of the
processor: the seconds that the cores have worked, whatever else the machine does.
The sides are processes of their own; one waits while the other works. Without
PyTorch (PYTHON is the interpreter of an environment that has it) its rows stay
empty and say so.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.page import RESULTS, ROOT, parts_table, tables
from bench.work import NUM_STEPS, WORKS
from mnist_helpers.data import load_data
from mnist_helpers.files import write_whole
from pipeline.command_line import command_line

TAKEN_APART = ("mlp", "deeper_cnn")  # the works whose step is large enough to take apart
NO_SUCH_LAYER = {("keras", "mlp_weight_dropout"), ("keras_tuned", "mlp_weight_dropout")}


class Side:
    """A process that trains when asked."""

    def __init__(self, command: list[str], threads: int, scratch: str):
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
            "TORCHINDUCTOR_CACHE_DIR": scratch,  # empty: what was compiled before does not count
        }
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            encoding="utf-8",
        )
        self.facts = self._answer()

    def ask(self, way: str, work: str = "") -> dict:
        """Let the process do one piece of work, and wait."""
        self.process.stdin.write(json.dumps({"way": way, "work": work}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[1]} stopped, exit {self.process.wait()}")
        return json.loads(line)


def measure(sides: dict[str, Side], rounds: int) -> dict:
    """Every round's readings: of each work by each way, of the square product, of the parts."""
    jobs = [(work, way) for work in WORKS for way in sides if (way, work) not in NO_SUCH_LAYER]
    works = {work: {} for work in WORKS}
    parts = {work: {} for work in TAKEN_APART}
    rates = []
    with tqdm(total=rounds * len(jobs), unit="run") as progress:
        for _ in range(rounds):
            rates.append(
                max(
                    sides[way].ask("square_product")["operations_per_second"] / 1e9
                    for way in ("ours", "tensors")
                    if way in sides
                )
            )
            for work in TAKEN_APART:
                for name, part in sides["ours"].ask("parts", work)["parts"].items():
                    kept = parts[work].setdefault(
                        name, {"operations": part["operations"], "milliseconds": []}
                    )
                    kept["milliseconds"].append(round(part["milliseconds"], 4))
            for work, way in jobs:
                progress.set_description(f"{work}, {way}")
                answer = sides[way].ask(way, work)
                kept = works[work].setdefault(way, {"step": [], "start": []})
                for kind, readings in kept.items():
                    readings.append(round(answer[kind], 4))
                progress.update()
    return {"gflops": [round(rate, 2) for rate in rates], "works": works, "parts": parts}


def processor() -> str:
    """What the machine says of its processor."""
    try:
        names = [
            line
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def start(options: argparse.Namespace, scratch: str) -> dict[str, Side]:
    """The processes, by the ways that each of them goes."""
    # Keras has a process of its own: our loop asks for operations that repeat bit for bit.
    command = [sys.executable, "-m", "bench.tensorflow_side"]
    book, keras = (Side(command, options.threads, scratch) for _ in range(2))
    sides = {"ours": book, "keras": keras, "keras_tuned": keras}
    if not options.peers:
        print("PyTorch is not installed: its rows stay empty.", file=sys.stderr)
        return sides
    mnist = load_data("mnist")
    arrays = Path(scratch) / "mnist.npz"
    np.savez(arrays, images=mnist.train.images, classes=mnist.train.classes.astype(np.int64))
    script = ROOT / "bench" / "pytorch_side.py"
    command = [options.peers, str(script), str(arrays), str(options.threads)]
    peers = Side(command, options.threads, scratch)
    return sides | dict.fromkeys(("loader", "tensors", "compiled"), peers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        sides = start(options, scratch)
        measured = measure(sides, options.rounds)
    result = {
        "when": datetime.date.today().isoformat(),
        "processor": processor(),
        "threads": options.threads,
        "rounds": options.rounds,
        "num_steps": NUM_STEPS,
        "versions": {
            key: value for side in set(sides.values()) for key, value in side.facts.items()
        },
        **measured,
    }
    text = json.dumps(result, indent=1) + "\n"
    write_whole(options.out, text.encode())
    print(tables(result))
    print(parts_table(result))


if __name__ == "__main__":
    with command_line():
        main()
