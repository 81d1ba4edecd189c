"""What earlier builds left of runs that are the book's no longer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.run_records import forget_records, listed_runs

FORGOTTEN = "forgotten"  # Make makes again what is older: it may show records that are gone


def forget_departed(runs: Collection[str], build: Path) -> None:
    """Remove whatever is in the build of any run but these."""
    left = {
        path.stem
        for pattern in ("fingerprints/*.json", "executed/*.ipynb", "failed/*.ipynb")
        for path in build.glob(pattern)
    }
    for run in sorted((left | listed_runs(build / "records")) - set(runs)):
        forget_run(run, build)
        (build / "fingerprints" / f"{run}.json").unlink(missing_ok=True)


def forget_run(run: str, build: Path) -> None:
    """Remove what a run made, and see that what was made of its records is made again."""
    forget_records(run, build / "records")
    for folder in ("executed", "editions", "failed"):
        (build / folder / f"{run}.ipynb").unlink(missing_ok=True)
    (build / FORGOTTEN).touch()
