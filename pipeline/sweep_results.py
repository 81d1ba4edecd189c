"""The tables and the figure of a sweep."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import nbformat
import pandas as pd
from matplotlib.figure import Figure

from mnist_helpers.figures import COLOURS, GREY, STYLE, WIDTH
from pipeline.sweep_definition import Run

if TYPE_CHECKING:
    from pipeline.store import Store
    from pipeline.sweep import Outcome

FACTS = (
    "model",
    "seed",
    "data_set",
    "data_source",
    "split",
    "num_steps",
    "test_accuracy",
    "validation_accuracy",
    "test_size",
    "parameter_count",
    "train_seconds",
    "device",
)
CHANCE = ("seed", "num_seeds")  # parameters that change the luck of a run, and no more


def write_results(runs: list[Run], failures: Mapping[str, Outcome], store: Store) -> pd.DataFrame:
    """Write a table of runs, one of records, and a figure; return the first.

    Everything is read back from the store, so a sweep that was resumed gives
    the same tables as one that was not.
    """
    records = record_table(runs, failures, store)
    table = run_table(runs, failures, records, store)
    for name, content in (("sweep", table), ("records", records)):
        store.write(f"{name}.parquet", content.to_parquet(index=False))
        store.write(f"{name}.csv", content.to_csv(index=False).encode())
    if len(records):
        figure = plot_summary(records, varied(runs))
        for kind in ("svg", "png"):
            store.write(f"summary.{kind}", drawn(figure, kind))
    return table


def record_table(runs: list[Run], failures: Mapping[str, Outcome], store: Store) -> pd.DataFrame:
    """One row a record: run, chapter, the run's parameters, and the record's facts."""
    rows = []
    for run in runs:
        if run.name in failures:
            continue
        for name in store.names(f"records/{run.name}"):
            if name.endswith(".json"):
                facts = json.loads(store.read(name))
                rows.append(
                    {"run": run.name, "chapter": run.chapter}
                    | {name: plain(value) for name, value in run.parameters.items()}
                    | {name: facts.get(name) for name in FACTS}
                )
    return pd.DataFrame(rows)


def run_table(
    runs: list[Run], failures: Mapping[str, Outcome], records: pd.DataFrame, store: Store
) -> pd.DataFrame:
    """One row a run: how it ended, its parameters, and each model's mean test accuracy."""
    rows = []
    for run in runs:
        failure = failures.get(run.name)
        row = {
            "run": run.name,
            "chapter": run.chapter,
            "status": "failed" if failure else "done",
            "message": failure.message if failure else "",
            "seconds": failure.seconds if failure else duration(store, run),
        }
        rows.append(row | {name: plain(value) for name, value in run.parameters.items()})
    table = pd.DataFrame(rows)
    if len(records):
        means = records.pivot_table("test_accuracy", "run", "model", sort=False)
        means.columns = [f"test_accuracy_{model}" for model in means.columns]
        table = table.merge(means.reset_index(), on="run", how="left")
    return table


def duration(store: Store, run: Run) -> float:
    """How long a finished run took, in seconds, as papermill wrote it down."""
    notebook = nbformat.reads(store.read(f"executed/{run.name}.ipynb").decode(), as_version=4)
    return notebook.metadata.papermill.duration


def plain(value: object) -> object:
    """A value that fits a table's column: lists become their text."""
    return json.dumps(value) if isinstance(value, (list, tuple, dict)) else value


def varied(runs: list[Run]) -> list[str]:
    """The parameters that differ between runs, but for those of chance."""
    names = dict.fromkeys(name for run in runs for name in run.parameters)
    return [
        name
        for name in names
        if name not in CHANCE and len({str(run.parameters.get(name)) for run in runs}) > 1
    ]


def plot_summary(records: pd.DataFrame, parameters: list[str]) -> Figure:
    """Each record's test accuracy as a point, a line a model and setting, with the mean."""
    groups = list(records.groupby(["chapter", "model", *parameters], sort=False, dropna=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.8 + 0.24 * len(groups)))
        ax = figure.subplots()
        for place, (_, group) in enumerate(groups):
            accuracies = group["test_accuracy"]
            ax.plot(accuracies, [place] * len(group), "o", color=COLOURS[0], alpha=0.5, mew=0)
            ax.plot(accuracies.mean(), place, "|", color=GREY, markersize=12, mew=2)
        labels = [
            ", ".join([key[1], *(f"{n} = {v}" for n, v in zip(parameters, key[2:], strict=True))])
            for key, _ in groups
        ]
        ax.set_yticks(range(len(groups)), labels)
        ax.invert_yaxis()
        ax.set_xlabel("test accuracy in %: each record a point, the mean a bar")
    return figure


def drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file, the same bytes for the same figure."""
    stream = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format=kind, dpi=150, metadata=metadata)
    return stream.getvalue()
