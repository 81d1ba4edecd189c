"""Pack what pages load to run networks in the browser.

usage: python -m pipeline.draw BUILD
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.command_line import command_line
from pipeline.draw import pack, sample
from pipeline.notebooks import ChapterError

if __name__ == "__main__":
    build = Path(sys.argv[1])
    with command_line(ChapterError):
        sample.main(build)
        pack.main(build)  # last, for Make takes its manifest for the end of both
