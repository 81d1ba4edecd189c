"""How long each page takes, and the short route through the book, section by section."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.contents import ROOT, main_line, page_file
from pipeline.reading import Length, length, sections

ON_THE_ROUTE = "route-"  # begins the label of each heading that the route stops at


def with_reading_time(text: str, file: Path) -> str:
    """The text of a page, or of its first cell, with how long the page takes under its title."""
    minutes = length(file).minutes
    if minutes == 0:
        return text
    said = "a minute" if minutes == 1 else f"{minutes} minutes"
    return re.sub(
        r"^# .+$",
        rf"\g<0>\n\n:::{{div}} reading-time\nAbout {said} to read\n:::",
        text,
        count=1,
        flags=re.MULTILINE,
    )


def route_files(root: Path = ROOT) -> dict[str, bytes]:
    """What the front page includes: the route's sections by page, and how long each takes."""
    rows, total = [], 0
    for page in main_line(root)[1:]:
        file = page_file(page, root)
        found = sections(file)
        stops = [section for section in found if section.label.startswith(ON_THE_ROUTE)]
        if not stops:
            continue
        # A page's first words are on the route wherever one of its sections is.
        first = sum((section.length for section in found[:2]), Length())
        whole = sum((section.length for section in stops), first)
        total += whole.minutes  # as the table prints them
        names = ", ".join(f"{{ref}}`{section.label}`" for section in stops)
        rows.append(f"| {{doc}}`{file.stem}` | {names} | {whole.minutes} |")
    rows.append(f"| together | | {total} |")
    head = ["| page | what to read | minutes |", "|:--|:--|--:|"]
    return {"route.md": ("\n".join([*head, *rows]) + "\n").encode()}
