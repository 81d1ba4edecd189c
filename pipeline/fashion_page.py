"""What the page on Fashion-MNIST includes: the five systems on digits and on clothes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy import stats

from mnist_helpers.evidence import KeptSweep, kept_sweep
from mnist_helpers.metrics import accuracy_interval
from mnist_helpers.sources import PUBLICATIONS
from pipeline import markdown
from pipeline.systems import SYSTEMS

HEAD = ["system", "digits (%)", "rank", "clothes (%)", "95 % interval", "rank"]


def kept(sweep: str, data_set: str) -> KeptSweep:
    """A kept sweep on a data set in the original's split."""
    data = SimpleNamespace(sha256=PUBLICATIONS[data_set].sha256, split="original")
    return kept_sweep(sweep, data, {})


def mean(runs: list[dict], part: str = "test") -> float:
    """Mean accuracy of some runs in percent."""
    return float(np.mean([run[part] for run in runs]))


def runs_on_digits() -> dict[str, list[dict]]:
    """The runs that chapter 7 shows, by model."""
    runs = kept("headline", "mnist").runs
    grid = kept("chapter-4-grid", "mnist").runs
    settings = [found for model, found in grid.items() if "_dropconnect" in model]
    # Chosen as in chapter 4.
    runs["regularized_mlp"] = max(settings, key=lambda found: mean(found, "valid"))
    return runs


def ranks(accuracies: dict[str, float]) -> dict[str, int]:
    """The best model has rank 1."""
    best_first = sorted(accuracies, key=accuracies.__getitem__, reverse=True)
    return {model: place for place, model in enumerate(best_first, start=1)}


def table(digits: dict[str, list[dict]], clothes: dict[str, list[dict]]) -> str:
    """Both accuracies of each system, and its rank by each, in Markdown."""
    means = [{model: mean(runs[model]) for model in SYSTEMS} for runs in (digits, clothes)]
    places = [ranks(accuracies) for accuracies in means]
    rows = []
    for model, system in SYSTEMS.items():
        on_digits, on_clothes = (accuracies[model] for accuracies in means)
        low, high = accuracy_interval(on_clothes, len(clothes[model][0]["right"]))
        interval = f"{low:.1f} – {high:.1f}"
        row = [system, f"{on_digits:.1f}", places[0][model], f"{on_clothes:.1f}", interval]
        rows.append([str(entry) for entry in (*row, places[1][model])])
    return markdown.table(HEAD, rows)


def paired(one: str, other: str, clothes: dict[str, list[dict]]) -> str:
    """McNemar's test of two systems on the same clothes, in a sentence (chapter 7)."""
    right, others_right = (clothes[model][0]["right"] for model in (one, other))
    wins, losses = int((right & ~others_right).sum()), int((~right & others_right).sum())
    p_value = stats.binomtest(wins, wins + losses).pvalue
    return (
        f"On {wins + losses} of the test images the {SYSTEMS[one]} and the {SYSTEMS[other]} "
        f"differ, and on {wins} of these the {SYSTEMS[one]} is right "
        f"({{term}}`McNemar's test`: $p = {p_value:.2g}$).\n"
    )


def fashion_page_files() -> dict[str, bytes]:
    """The table and the sentence that chapters/fashion.md includes, by file name."""
    digits, clothes = runs_on_digits(), kept("fashion", "fashion_mnist").runs
    return {
        "fashion-table.md": table(digits, clothes).encode(),
        "fashion-pair.md": paired("mlp", "regularized_mlp", clothes).encode(),
    }
