"""Run chapters over a grid of parameters, on this machine's cores or on a Dask cluster.

usage: sweep DEFINITION.yml OUTPUT [--workers N | --scheduler tcp://HOST:PORT] [--whole]
       sweep CHAPTER OUTPUT -p NAME VALUE,VALUE [-p ...]

OUTPUT is a folder or an address such as s3://bucket/folder. Each run leaves its
notebook in OUTPUT/executed and its records in OUTPUT/records/RUN; one that fails
leaves its notebook in OUTPUT/failed. A finished run is not run again until its
chapter's code, the helpers, the data or its parameters change. Of a chapter's page
runs what its records depend on; all of it with --whole.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.command_line import command_line
from pipeline.fingerprint import whole
from pipeline.sweep.definition import SweepError, read_definition, read_options, runs_of
from pipeline.sweep.page import for_records

try:
    from pipeline.sweep.cluster import sweep
except ModuleNotFoundError as missing:
    sys.exit(
        f"{missing}. A sweep needs packages that the book does not: `make workshop` brings them."
    )


def main(arguments: list[str]) -> int:
    """Run the sweep that the command line asks for.

    Returns 0 if every run is finished, 1 if one failed, 2 if the sweep makes no sense, and 130 if
    it was interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.sweep", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", help="a definition (.yml), or a chapter such as 05-simple-cnn")
    parser.add_argument("output", help="a folder, or an address such as s3://bucket/folder")
    parser.add_argument(
        "-p",
        dest="options",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUES"),
        help="a parameter of the chapter and its values, with commas between",
    )
    parser.add_argument("--workers", type=int, help="runs at once; as many as cores if not given")
    parser.add_argument("--scheduler", help="a running Dask cluster: tcp://HOST:PORT")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="run whole pages, not only what their records depend on",
    )
    asked = parser.parse_args(arguments)
    try:
        if not asked.what.endswith((".yml", ".yaml")):
            grids = [read_options(asked.what, asked.options)]
        elif asked.options:
            raise SweepError("-p goes with a chapter; a definition file has its own grid.")
        else:
            grids = read_definition(Path(asked.what))
        part = whole if asked.whole else for_records
        table = sweep(runs_of(grids), asked.output, asked.workers, asked.scheduler, part)
    except SweepError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on with the runs that are left.", file=sys.stderr)
        return 130
    failed = table[table["status"] == "failed"]
    print(f"{len(table) - len(failed)} of {len(table)} runs are in {asked.output}.")
    for row in failed.itertuples():
        print(f"  {row.run} failed: {row.message}")
    return 1 if len(failed) else 0


if __name__ == "__main__":
    with command_line():
        sys.exit(main(sys.argv[1:]))
