"""What the page on Fashion-MNIST includes: the five systems on digits and on clothes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy import stats

from mnist_helpers.kept import kept_experiment, kept_sweep
from mnist_helpers.metrics import mean_interval, paired_difference
from mnist_helpers.sources import PUBLICATIONS
from mnist_helpers.systems import SYSTEMS, kept_systems
from mnist_helpers.tables import signed, table

HEAD = ["system", "seeds", "digits (%)", "rank", "clothes (%)", "rank"]

# Of each system its kept runs, in the order of their seeds.
Runs = dict[str, list[dict]]


def runs_on(data_set: str, *sweeps: str) -> Runs:
    """The runs of the five systems on a data set, from the kept sweeps that have them."""
    data = SimpleNamespace(sha256=PUBLICATIONS[data_set].sha256, split="original")
    return kept_systems(*(kept_sweep(sweep, data, {}) for sweep in sweeps))


def runs_on_digits() -> Runs:
    """The runs that chapter 7 shows."""
    return runs_on("mnist", "headline", "chapter-4-grid")


def runs_on_clothes() -> Runs:
    return runs_on("fashion_mnist", "fashion")


def part(runs: list[dict], name: str = "test") -> np.ndarray:
    """The accuracies of some runs on a part of the data, in percent."""
    return np.array([run[name] for run in runs])


def ranks(runs: Runs) -> dict[str, int]:
    """The system with the best mean has rank 1."""
    best_first = sorted(runs, key=lambda model: part(runs[model]).mean(), reverse=True)
    return {model: place for place, model in enumerate(best_first, start=1)}


def mean_over_seeds(runs: list[dict]) -> str:
    """With its interval, where there are several runs."""
    if len(runs) == 1:
        return f"{runs[0]['test']:.2f}"
    mean, half_width = mean_interval(part(runs))
    return f"{mean:.2f} ± {half_width:.2f}"


def systems_table(digits: Runs, clothes: Runs) -> str:
    """Both accuracies of each system, and its rank by each, in Markdown."""
    rows = []
    for model, system in SYSTEMS.items():
        row = [system.title, len(clothes[model])]
        for runs in (digits, clothes):
            row += [mean_over_seeds(runs[model]), ranks(runs)[model]]
        rows.append(row)
    return table(HEAD, rows)


def compared(one: str, other: str, clothes: Runs) -> str:
    """The difference of two systems on the same images, in a sentence.

    Their seeds make no pairs: the two draw other initial weights. So Welch's interval holds the
    seeds' luck.
    """
    accuracies = [part(clothes[model]) for model in (one, other)]
    low, high = stats.ttest_ind(*accuracies, equal_var=False).confidence_interval(0.95)
    gain, seeds = (low + high) / 2, (high - low) / 2
    hits = ([run["right"] for run in clothes[model]] for model in (one, other))
    _, images = paired_difference(*map(np.array, hits))
    if np.hypot(seeds, images) < abs(gain):
        verdict = f"the {SYSTEMS[one if gain > 0 else other].title} is ahead"
    else:
        verdict = "we cannot tell which of the two is better"
    return (
        f"The {SYSTEMS[one].title} minus the {SYSTEMS[other].title} "
        f"is {signed(gain)} points, "
        f"± {seeds:.2f} for other seeds and ± {images:.2f} for other images, so {verdict}.\n"
    )


def nearest_twins() -> str:
    """The test image that stands nearest to a training image, in a sentence."""
    twins = kept_experiment("twins")
    pairs = twins["pairs"]
    nearest = min(pairs, key=lambda pair: pair["apart"])
    number = "only pair" if len(pairs) == 1 else f"nearest of {len(pairs)} pairs"
    return (
        f"Test image {nearest['test']} and training image {nearest['train']}, counted from 0 as "
        f"published, differ by at most {nearest['apart']} of 255 in any pixel. That is the "
        f"{number} within {twins['largest']}.\n"
    )


def fashion_page_files() -> dict[str, bytes]:
    """The table and the sentence that chapters/fashion.md includes, by file name."""
    clothes = runs_on_clothes()
    return {
        "fashion-table.md": systems_table(runs_on_digits(), clothes).encode(),
        "fashion-pair.md": compared("mlp", "regularized_mlp", clothes).encode(),
        "fashion-twins.md": nearest_twins().encode(),
    }
