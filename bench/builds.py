"""Time two checkouts' chapters side by side.

usage: python -m bench.builds OLD NEW [--rounds N] [--chapters NAME,NAME] [--full]
       python -m bench.builds OLD NEW [--rounds N] --run COMMAND [COMMAND_OF_NEW]

OLD and NEW are folders, each with its own `.venv`. In each round papermill runs every chapter of
one training step (with --full: of as many as the book has) once in each, in turns, so that a slow
minute slows both. Needs an operating system that counts what children use: not Windows.

With --run it is a command of the shell that is timed, such as "make -j2 book BUILD={scratch}", in
each folder; {scratch} is an empty one. Of it only the clock counts: kernels that are forks are not
the command's children.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO

from mnist_helpers.tables import table
from pipeline.command_line import command_line

STEPS = "num_steps = "  # the parameter of the chapters that train


@dataclass(frozen=True)
class Reading:
    """What one run took: on the clock, of the cores, and at most of memory in one process.

    The last two are None where they cannot be known.
    """

    seconds: float
    cpu_seconds: float | None = None
    megabytes: float | None = None


def trained_by_both(trees: Iterable[Path]) -> list[str]:
    """The chapters of all checkouts that have a number of training steps, in order."""
    found = [
        {
            page.stem
            for page in (tree / "chapters").glob("*.ipynb")
            if STEPS in page.read_text("utf-8")
        }
        for tree in trees
    ]
    return sorted(set.intersection(*found))


def run(tree: Path, chapter: str, full: bool) -> Reading:
    """Run a chapter in a checkout.

    Raises RuntimeError if it fails; the message has the end of what papermill said.
    """
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "said").open("w+b") as said:
        command = [tree / ".venv" / "bin" / "python", "-m", "papermill", "--no-progress-bar"]
        command += [tree / "chapters" / f"{chapter}.ipynb", Path(scratch) / "out.ipynb"]
        command += [] if full else ["-p", "num_steps", "1"]
        return timed(command, tree, said, chapter)


def run_command(tree: Path, command: str) -> Reading:
    """Run a command of the shell in a checkout, and look at the clock alone.

    Raises RuntimeError if it fails; the message has the end of what it said.
    """
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "said").open("w+b") as said:
        out = Path(scratch) / "out"
        out.mkdir()
        shell = ["sh", "-c", command.replace("{scratch}", str(out))]
        return Reading(timed(shell, tree, said, command).seconds)


def timed(command: Sequence[str | Path], tree: Path, said: BinaryIO, name: str) -> Reading:
    """Run a command in a checkout, with what it says in a file."""
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=tree, stdout=said, stderr=said)
    _, status, used = os.wait4(child.pid, 0)  # also of its children, such as the kernel
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        said.seek(0)
        raise RuntimeError(f"{name} in {tree}: {said.read().decode()[-500:]}")
    scale = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return Reading(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / scale)


def side_by_side(rounds: Mapping[str, Sequence[tuple[Reading, Reading]]]) -> str:
    """A Markdown table: for each piece of work the medians of old and new, and of their ratio."""
    rows = []
    for work, pairs in rounds.items():
        kinds = [
            compared([(getattr(old, kind.name), getattr(new, kind.name)) for old, new in pairs])
            for kind in fields(Reading)
        ]
        rows.append([work.replace("|", r"\|"), *kinds])
    return table(["work", "seconds", "seconds of the cores", "megabytes"], rows)


def compared(pairs: Sequence[tuple[float | None, float | None]]) -> str:
    """Old and new, with the ratio new / old and its range over rounds; a dash for the unknown.

    >>> compared([(2.0, 1.0), (4.0, 1.0), (4.0, 3.0)])
    '4.0 → 1.0 (0.50; 0.25 to 0.75)'
    """
    if None in pairs[0]:
        return "–"
    old, new = map(statistics.median, zip(*pairs, strict=True))
    ratios = [after / before for before, after in pairs]
    middle = statistics.median(ratios)
    return f"{old:.1f} → {new:.1f} ({middle:.2f}; {min(ratios):.2f} to {max(ratios):.2f})"


def main(arguments: list[str]) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--chapters", help="names with commas between; all that train if not given"
    )
    parser.add_argument("--full", action="store_true", help="train at full length")
    parser.add_argument(
        "--run", nargs="+", metavar="COMMAND", help="one for both, or one for each"
    )
    asked = parser.parse_args(arguments)
    if asked.run and (len(asked.run) > 2 or asked.chapters or asked.full):
        parser.error(
            f"--run has {len(asked.run)} commands; it takes one for both checkouts, or one for "
            "each, and goes with --rounds alone."
        )
    trees = asked.old.resolve(), asked.new.resolve()
    for tree in trees:
        if not (tree if asked.run else tree / ".venv").is_dir():
            parser.error(
                f"{tree} is no checkout with a .venv of its own; `make test` makes one there."
            )
    if asked.run:
        commands = asked.run[0], asked.run[-1]
        works = {
            " → ".join(dict.fromkeys(commands)): lambda which: run_command(
                trees[which], commands[which]
            )
        }
    else:
        chapters = asked.chapters.split(",") if asked.chapters else trained_by_both(trees)
        works = {
            chapter: lambda which, chapter=chapter: run(trees[which], chapter, asked.full)
            for chapter in chapters
        }
    rounds = {work: [] for work in works}
    for number in range(asked.rounds):
        for work, time_in in works.items():
            order = ((0, 1), (1, 0))[number % 2]  # neither is always the first
            read = {which: time_in(which) for which in order}
            rounds[work].append((read[0], read[1]))
            print(f"round {number + 1}: {work}", file=sys.stderr, flush=True)
    print(side_by_side(rounds), end="")


if __name__ == "__main__":
    with command_line(RuntimeError):
        main(sys.argv[1:])
