"""The five systems that the book builds: their names, and which figures stand for them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from mnist_helpers.data import Mnist
from mnist_helpers.kept import KeptSweep
from mnist_helpers.records import Record

Run = Mapping | Record  # the facts of one run


class System(NamedTuple):
    """A system of the book."""

    title: str  # as a sentence calls it
    chapter: str  # that builds it

    @property
    def numbered(self) -> str:
        """Its name with the number of its chapter, as in ``MLP (3)``."""
        return f"{self.title} ({int(self.chapter[:2])})"


# By their names in the records, in the order of the book.
SYSTEMS = {
    "logistic_regression": System("logistic regression", "02-logistic-regression"),
    "mlp": System("MLP", "03-mlp"),
    "regularized_mlp": System("regularised MLP", "04-regularized-mlp"),
    "simple_cnn": System("simple CNN", "05-simple-cnn"),
    "deeper_cnn": System("deeper CNN", "06-deeper-cnn"),
}

# The original trained its last network a second time, for longer: a result of its own.
LONG = "deeper_cnn_long"
LONG_STEPS = 20_001
RESULTS = SYSTEMS | {LONG: System("deeper CNN, long", "06-deeper-cnn")}

# What the original notebook printed: test accuracy in percent, on 9,000 images.
PRINTED = {
    "logistic_regression": 92.11,
    "mlp": 98.0,
    "simple_cnn": 92.1,
    "deeper_cnn": 95.2,
    LONG: 98.6,
}

# Chapter 4's grids, by keep_prob: dropout alone, and dropout with an L2 penalty.
PRINTED_DROPOUT = {0.5: 75.3, 0.6: 76.7, 0.7: 76.8, 0.8: 76.4, 0.9: 74.1}
PRINTED_DROPOUT_L2 = {0.5: 75.9, 0.6: 76.0, 0.7: 75.8, 0.8: 75.3, 0.9: 75.5}


def comparable(data: Mnist | Run) -> bool:
    """Whether the original's figures may stand beside ours, on this data or of this run."""
    if isinstance(data, Mnist):
        facts = data.data_set, data.split, "sample" if data.is_sample else "full"
    else:
        facts = data["data_set"], data["split"], data["data_source"]
    return facts == ("mnist", "original", "full")


def printed(result: str, parameters: Mapping[str, object]) -> float | None:
    """What the original printed for one of `RESULTS`, or None.

    ``keep_prob`` and ``beta`` in ``parameters`` say which setting the regularised MLP has.
    """
    if result != "regularized_mlp":
        return PRINTED.get(result)
    grid = PRINTED_DROPOUT_L2 if parameters.get("beta") else PRINTED_DROPOUT
    return grid.get(parameters.get("keep_prob"))


def result_of(run: Run) -> str:
    """Which of `RESULTS` a run's record counts for; other models by their own names."""
    is_long = run["model"] == "deeper_cnn" and run["num_steps"] > LONG_STEPS // 2
    return LONG if is_long else run["model"]


def by_result(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Sort runs by the one of `RESULTS` that they count for; the first of each stands for it.

    The smallest seed comes first, and of one seed the shortest run. Other models are left out.
    """
    found: dict[str, list[Run]] = {name: [] for name in RESULTS}
    for run in runs:
        found.setdefault(result_of(run), []).append(run)
    return {
        name: sorted(found[name], key=lambda run: (run["seed"], run["num_steps"]))
        for name in RESULTS
        if found[name]
    }


def kept_systems(*sweeps: KeptSweep) -> dict[str, list[dict]]:
    """The runs of kept sweeps that stand for each system, in the order of the book.

    Of the regularised MLP those of the setting with the best mean validation accuracy, as chapter
    4 chooses it, among those that the sweeps have.
    """
    runs = {model: found for sweep in sweeps for model, found in sweep.runs.items()}
    settings = [found for model, found in runs.items() if "_dropconnect" in model]
    if settings:
        runs["regularized_mlp"] = max(
            settings, key=lambda found: np.mean([run["valid"] for run in found])
        )
    return {model: runs[model] for model in SYSTEMS if model in runs}
