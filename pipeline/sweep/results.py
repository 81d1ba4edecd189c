"""The tables and the figure of a sweep."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from mnist_helpers.figures import COLOURS, GREY, STYLE, WIDTH
from mnist_helpers.metrics import mean_interval
from pipeline.sweep.definition import Run
from pipeline.sweep.store import Store
from pipeline.sweep.worker import Outcome

LUCK = ("seed", "num_seeds")  # parameters that change the luck of a run, and no more


def write_results(
    runs: list[Run],
    failures: Mapping[str, Outcome],
    finished: Mapping[str, dict],
    store: Store,
) -> pd.DataFrame:
    """Write a table of runs, one of records, one of settings with its figure; return the first.

    Everything else is as the store has it in ``finished``, by the run's name, so a sweep that was
    resumed gives the same tables as one that was not.
    """
    records = record_table([run for run in runs if run.name not in failures], finished)
    tables = {"sweep": run_table(runs, failures, records, finished), "records": records}
    if len(records):
        # What only failed runs had is no column.
        setting = ["chapter", "model", *(name for name in varied(runs) if name in records)]
        tables["summary"] = summary_table(records, setting)
        figure = plot_summary(records, setting)
        for kind in ("svg", "png"):
            store.write(f"summary.{kind}", drawn(figure, kind))
    for name, table in tables.items():
        store.write(f"{name}.parquet", table.to_parquet(index=False))
        store.write(f"{name}.csv", table.to_csv(index=False).encode())
    return tables["sweep"]


def record_table(runs: list[Run], finished: Mapping[str, dict]) -> pd.DataFrame:
    """One row a record: run, chapter, the record's facts, and the run's parameters.

    ``seed`` is the record's: a run of 05-luck leaves a record for each of many.
    """
    return as_table(
        [
            {"run": run.name, "chapter": run.chapter}
            | {fact: value for fact, value in record.items() if fact != "seed"}
            | in_columns(run.parameters)
            | {"seed": record["seed"]}
            for run in runs
            for record in finished[run.name]["records"]
        ]
    )


def run_table(
    runs: list[Run],
    failures: Mapping[str, Outcome],
    records: pd.DataFrame,
    finished: Mapping[str, dict],
) -> pd.DataFrame:
    """One row a run: how it ended, its parameters, and each model's mean test accuracy."""
    rows = []
    for run in runs:
        if run.name in failures:
            status, outcome = "failed", failures[run.name]
            message, seconds = outcome.message, outcome.seconds
        else:
            status, message = "done", ""
            seconds = finished[run.name]["seconds"]
        rows.append(
            {"run": run.name, "chapter": run.chapter}
            | {"status": status, "message": message, "seconds": seconds}
            | in_columns(run.parameters)
        )
    table = as_table(rows)
    if len(records):
        means = records.pivot_table("test_accuracy", "run", "model", sort=False)
        means.columns = [f"test_accuracy_{model}" for model in means.columns]
        table = table.merge(means.reset_index(), on="run", how="left")
    return table


def as_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table in which whole numbers stay whole where others are missing.

    pandas would turn them into floating-point numbers: a batch size of 64.0.

    >>> print(as_table([{"batch_size": 64}, {}]).to_csv(index=False))
    batch_size
    64
    ""
    <BLANKLINE>
    """
    table = pd.DataFrame(rows)
    for name in table:
        given = [row[name] for row in rows if name in row and pd.notna(row[name])]
        if 0 < len(given) < len(rows) and all(map(pd.api.types.is_integer, given)):
            table[name] = table[name].astype("Int64")
    return table


def in_columns(parameters: Mapping[str, object]) -> dict[str, object]:
    """Parameters as a table has them: lists become their text."""
    return {
        name: json.dumps(value) if isinstance(value, (list, tuple)) else value
        for name, value in parameters.items()
    }


def varied(runs: list[Run]) -> list[str]:
    """The parameters that differ between runs, but for those of luck."""
    names = dict.fromkeys(name for run in runs for name in run.parameters)
    return [
        name
        for name in names
        if name not in LUCK and len({str(run.parameters.get(name)) for run in runs}) > 1
    ]


def one_a_seed(records: pd.DataFrame, setting: list[str]) -> pd.api.typing.DataFrameGroupBy:
    """The records of each setting, each seed once.

    Two runs of 05-luck may hold the same seed. The second record is a copy of the first, and no
    more evidence.
    """
    once = records.drop_duplicates([*setting, "seed"])
    return once.groupby(setting, sort=False, dropna=False)


def summary_table(records: pd.DataFrame, setting: list[str]) -> pd.DataFrame:
    """One row a setting: how many seeds, the mean test accuracy, half its 95 % interval.

    Student's interval, over seeds; one seed has none.
    """
    rows = []
    for key, group in one_a_seed(records, setting):
        accuracies = group["test_accuracy"]
        several = len(group) > 1
        mean, half_width = mean_interval(accuracies) if several else (accuracies.mean(), None)
        rows.append(
            dict(zip(setting, key, strict=True))
            | {"seeds": len(group), "test_accuracy": mean, "half_width": half_width}
        )
    return as_table(rows).astype({"half_width": float})


def plot_summary(records: pd.DataFrame, setting: list[str]) -> Figure:
    """A line a setting: the test accuracy of each seed, and their mean with its interval."""
    summary = summary_table(records, setting)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.8 + 0.24 * len(summary)))
        ax = figure.subplots()
        for place, (_, group) in enumerate(one_a_seed(records, setting)):
            accuracies = group["test_accuracy"]
            ax.plot(accuracies, [place] * len(group), "o", color=COLOURS[0], alpha=0.5, mew=0)
        ax.errorbar(
            summary["test_accuracy"],
            range(len(summary)),
            xerr=summary["half_width"],
            fmt="|",
            color=GREY,
            capsize=3,
        )
        ax.set_yticks(range(len(summary)), [label(row, setting) for _, row in summary.iterrows()])
        ax.set_ylim(len(summary) - 0.5, -0.5)  # from above, and no mark at the frame
        # Below the whole figure: below the axes alone, long labels would push it out.
        figure.supxlabel(
            "test accuracy in %: each seed a point, their mean with its 95 % interval", size=10
        )
    return figure


def label(row: pd.Series, setting: list[str]) -> str:
    """The model and what was set, as far as its chapter has it."""
    parameters = [name for name in setting if name not in ("chapter", "model")]
    return ", ".join(
        [row["model"], *(f"{name} {row[name]}" for name in parameters if pd.notna(row[name]))]
    )


def drawn(figure: Figure, kind: str) -> bytes:
    """The figure as a file, the same bytes for the same figure."""
    stream = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {}
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format=kind, dpi=150, metadata=metadata)
    return stream.getvalue()
