"""Time the training of the book's networks beside Keras and PyTorch.

usage: speed.py [--rounds N] [--peers PYTHON] [--out FILE]

Everything runs on this machine, in this run, in turns: round after round, each
way once a round, so that a slow minute slows all alike. The sides are processes
of their own; one waits while the other works. Without PyTorch (PYTHON is the
interpreter of an environment that has it) its columns stay empty and say so.
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
from statistics import median

import numpy as np
from tqdm import tqdm

from bench.page import RESULTS, ROOT, parts_table, table
from bench.work import NUM_STEPS, WAYS, WORKS
from mnist_helpers.data import load_data
from mnist_helpers.files import write_whole
from mnist_helpers.threads import core_count

TAKEN_APART = ("mlp", "deeper_cnn")  # the works whose step is large enough to take apart
NOT_OFFERED = {("keras", "mlp_weight_dropout")}  # Keras has no such layer


class Side:
    """A process that trains when asked."""

    def __init__(self, command: list[str], threads: int):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
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


def measure(sides: dict[str, Side], rounds: int) -> tuple[dict, list[float], dict]:
    """Seconds of every round by work and way, the peak of each, and the parts of our steps."""
    jobs = [(work, way) for work in WORKS for way in sides if (way, work) not in NOT_OFFERED]
    seconds = {job: {"whole": [], "steps": []} for job in jobs}
    peaks = []
    parts = {work: {} for work in TAKEN_APART}
    with tqdm(total=rounds * len(jobs), unit="run") as progress:
        for _ in range(rounds):
            peaks.append(
                max(side.ask("peak")["operations_per_second"] for side in set(sides.values()))
            )
            for work, found in parts.items():
                for name, part in sides["ours"].ask("parts", work)["parts"].items():
                    found.setdefault(name, part | {"rounds": []})
                    found[name]["rounds"].append(part["milliseconds"])
            for work, way in jobs:
                progress.set_description(f"{work}, {way}")
                answer = sides[way].ask(way, work)
                for kind in ("whole", "steps"):
                    seconds[work, way][kind].append(answer[kind])
                progress.update()
    for found in parts.values():
        for part in found.values():
            part["milliseconds"] = median(part.pop("rounds"))
    return seconds, peaks, parts


def summary(seconds: dict, peaks: list[float]) -> list[dict]:
    """One row a work: medians in seconds, and ratios to ours, round by round."""
    peak = max(peaks)
    rows = []
    for name, work in WORKS.items():
        row = {"work": name, "title": work.title, "limit": work.operations / peak}
        for way in WAYS:
            times = seconds.get((name, way))
            if times:
                ratios = np.divide(times["whole"], seconds[name, "ours"]["whole"])
                row[way] = {
                    "whole": median(times["whole"]),
                    "steps": median(times["steps"]),
                    "whole_rounds": times["whole"],
                    "steps_rounds": times["steps"],
                    "ratio": float(np.median(ratios)),
                    "ratio_range": [float(ratios.min()), float(ratios.max())],
                }
        rows.append(row)
    return rows


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=min(2, core_count()))
    parser.add_argument("--peers", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    book = Side([sys.executable, "-m", "bench.tensorflow_side"], options.threads)
    sides = {"ours": book, "keras": book}
    if options.peers:
        mnist = load_data("mnist")
        with tempfile.TemporaryDirectory() as scratch:
            arrays = Path(scratch) / "mnist.npz"
            np.savez(
                arrays, images=mnist.train.images, classes=mnist.train.classes.astype(np.int64)
            )
            script = ROOT / "bench" / "pytorch_side.py"
            peers = Side(
                [options.peers, str(script), str(arrays), str(options.threads)], options.threads
            )
        sides |= {"tensors": peers, "loader": peers}
    else:
        print("PyTorch is not installed: its columns stay empty.", file=sys.stderr)

    seconds, peaks, parts = measure(sides, options.rounds)
    result = {
        "when": datetime.date.today().isoformat(),
        "processor": processor(),
        "threads": options.threads,
        "rounds": options.rounds,
        "num_steps": NUM_STEPS,
        "peak_gflops": max(peaks) / 1e9,
        "versions": {
            key: value for side in set(sides.values()) for key, value in side.facts.items()
        },
        "rows": summary(seconds, peaks),
        "parts": parts,
    }
    text = json.dumps(result, indent=1) + "\n"
    write_whole(options.out, lambda stream: stream.write(text.encode()))
    print(table(result))
    print(parts_table(result))


if __name__ == "__main__":
    main()
