"""Shows which chapters run: lines that move in a terminal, a line at each begin and end in a log.

Make runs chapters in processes of their own. Each leaves a small file in
BUILD/.progress that says how far it is, and the one that began first draws for all.
It draws below the cursor, which stays where it was: what other programs print goes
there, as ever, and when a process is killed nothing is left that draws.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from mnist_helpers.files import write_whole

TICK = 0.5  # seconds between two drawings
SILENT = 5.0  # seconds after which a file of progress is that of a process which was killed
CLEAR = "\x1b[J"  # everything below the cursor
BAR = 20  # characters

# Seconds of each chapter on one of two cores, two at a time; only what they are to each
# other matters as soon as one chapter has run here.
SECONDS = {
    "intro": 12,
    "01-data": 19,
    "01-trip-look-closer": 19,
    "02-logistic-regression": 100,
    "02-how-sure": 6,
    "02-trip-where-training-stops": 90,
    "02-trip-intervals": 30,
    "03-mlp": 83,
    "03-trip-engine": 50,
    "04-does-it-help": 60,
    "04-regularized-mlp": 80,
    "04-trip-masks": 15,
    "05-luck": 75,
    "05-simple-cnn": 60,
    "05-trip-chaos": 45,
    "05-trip-variance": 75,
    "06-deeper-cnn": 115,
    "06-trip-numbers": 30,
    "06-trip-pools": 38,
    "07-comparison": 7,
    "08-going-further": 20,
    "08-trip-race": 8,
    "08-trip-small-and-precise": 35,
    "train-trip-home": 8,
}


@dataclass(frozen=True)
class State:
    """How far a run is: when it began, in seconds since 1970, and how many cells are done."""

    run: str
    began: float
    done: int = 0
    cells: int = 0


class Progress:
    """Shows one run, from ``with`` to its end.

    Args:
        run: Its name.
        build: The folder of the build.
        runs: Everything that the build wants, in order; for the line of the whole.
        cells: How many cells of the run are done, and of how many.
    """

    def __init__(
        self, run: str, build: Path, runs: Sequence[str], cells: Callable[[], tuple[int, int]]
    ):
        self.run, self.runs, self.cells = run, runs, cells
        self.build = build.resolve()  # papermill runs a chapter in another folder
        self.file = self.build / ".progress" / f"{run}.json"
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._draw_until_the_end, daemon=True)

    def __enter__(self) -> Progress:
        self.began = time.time()
        if in_a_terminal():
            self.thread.start()
        else:
            print(f"{self.run} begins", flush=True)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join()
            self.file.unlink(missing_ok=True)
            print(end=CLEAR, flush=True)  # of the others, the first to draw does so again
        if kind is None:
            print(f"{self.run} ran in {in_words(time.time() - self.began)}", flush=True)

    def _draw_until_the_end(self) -> None:
        before = seconds_before(self.build, self.runs)
        while not self.ended.wait(TICK):
            with contextlib.suppress(OSError):  # such as a full disk: the run itself may go on
                state = State(self.run, self.began, *self.cells())
                text = json.dumps(asdict(state))
                write_whole(self.file, text.encode())
                running = states(self.file.parent, self.file.stat().st_mtime)
                if running[0].run == self.run:
                    left = waiting(self.build, self.runs, {state.run for state in running})
                    draw(lines(running, left, before, time.time()))


def in_a_terminal() -> bool:
    """Whether the output goes to a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and os.name != "nt"


def draw(lines: Sequence[str]) -> None:
    """Write lines below the cursor's, and put it back; at once, so that nothing gets between."""
    width = shutil.get_terminal_size().columns - 1
    text = "".join(f"\n{line[:width]}" for line in lines)
    sys.stdout.write(f"\r{CLEAR}{text}\r\x1b[{len(lines)}A")
    sys.stdout.flush()


def lines(
    running: Sequence[State], left: Sequence[str], before: dict[str, float], now: float
) -> list[str]:
    """A line for each running chapter, and one for all that is left with the time for it.

    Args:
        left: The runs that have not begun.
        before: How many seconds each run is expected to take.
        now: In seconds since 1970.

    >>> runs = [State("03-mlp", 0.0, 10, 40), State("01-data", 30.0, 10, 20)]
    >>> for line in lines(runs, ["07-comparison"], dict.fromkeys(SECONDS, 90.0), 60.0):
    ...     print(line)
    03-mlp                  █████··············· cell 10 of 40, about 30 s left
    01-data                 ██████████·········· cell 10 of 20, about 60 s left
    the whole               2 chapters run, 1 waits: about 90 s left
    """
    rest = [max(0.0, before[state.run] - (now - state.began)) for state in running]
    drawn = []
    for state, seconds in zip(running, rest, strict=True):
        bar = "█" * (BAR * state.done // max(state.cells, 1))
        cells = f"cell {state.done} of {state.cells}"
        drawn.append(f"{state.run:24}{bar:·<{BAR}} {cells}, {time_left(seconds)}")
    work = sum(rest) + sum(before[run] for run in left)
    seconds = max(*rest, work / len(running))  # not sooner than the longest alone
    run = "1 chapter runs" if len(running) == 1 else f"{len(running)} chapters run"
    wait = "1 waits" if len(left) == 1 else f"{len(left)} wait"
    return [*drawn, f"{'the whole':24}{run}, {wait}: {time_left(seconds)}"]


def time_left(seconds: float) -> str:
    """What is left of the time that was expected."""
    return f"about {in_words(seconds)} left" if seconds >= 1 else "longer than expected"


def in_words(seconds: float) -> str:
    """A duration, as exact as anyone wants it.

    >>> in_words(7.3), in_words(100), in_words(3700)
    ('7 s', '100 s', '62 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def states(folder: Path, now: float) -> list[State]:
    """The runs that are at work, the one that began first before the others.

    ``now`` is the time by the clock of the file system, which need not be this machine's.
    """
    found = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            if now - path.stat().st_mtime < SILENT:
                found.append(State(**json.loads(path.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda state: (state.began, state.run))


def waiting(build: Path, runs: Sequence[str], running: set[str]) -> list[str]:
    """The runs that are still to begin: those without an output as new as their fingerprint."""

    def changed(path: Path) -> float:
        return path.stat().st_mtime if path.exists() else 0.0

    return [
        run
        for run in runs
        if run not in running
        and changed(build / "executed" / f"{run}.ipynb")
        < changed(build / "fingerprints" / f"{run}.json")
    ]


def seconds_before(build: Path, runs: Sequence[str]) -> dict[str, float]:
    """How long each run is expected to take: as long as the last time it ran here.

    One that has not run here takes what it usually takes, on a machine as fast as those that have
    run make this one.
    """
    here = {}
    for run in runs:
        path = build / "executed" / f"{run}.ipynb"
        if path.exists():
            notebook = json.loads(path.read_text(encoding="utf-8"))
            here[run] = notebook["metadata"]["papermill"]["duration"]
    usual = {run: SECONDS.get(run, median(SECONDS.values())) for run in runs}
    pace = median([here[run] / usual[run] for run in here] or [1.0])
    return {run: here.get(run, usual[run] * pace) for run in runs}
