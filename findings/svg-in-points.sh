#!/usr/bin/env bash
# resvg_py refuses every drawing whose size is in points, as Matplotlib writes it, unless it is
# told a resolution: its default, 0 dots per inch, makes points nothing.
#
#   resvg_py 0.5.0, Matplotlib 3.11.2, Python 3.11 on Linux
#   seen      svg_to_bytes(svg_string=drawing)          ValueError: SVG has an invalid size
#             svg_to_bytes(svg_string=drawing, zoom=2)  the same
#             svg_to_bytes(svg_string=drawing, dpi=96)  a PNG of 288 x 144 pixels
#   expected  CSS's own 96 dots per inch where none are named, as its documentation's
#             "0 = SVG default" reads
#   so        name the resolution: pipeline/readers_edition.py does
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet resvg_py==0.5.0 matplotlib==3.11.2
"$scratch/venv/bin/python" - <<'PYTHON'
import io
import struct

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import resvg_py

figure = plt.figure(figsize=(3, 1.5))  # inches
figure.add_subplot()
stream = io.StringIO()
figure.savefig(stream, format="svg")
drawing = stream.getvalue()
assert 'width="216pt" height="108pt"' in drawing

for options in ({}, {"zoom": 2}):
    try:
        resvg_py.svg_to_bytes(svg_string=drawing, **options)
    except ValueError as error:
        print(options, error)
        assert "invalid size" in str(error)
    else:
        raise SystemExit(f"changed: {options} gives a picture")

picture = bytes(resvg_py.svg_to_bytes(svg_string=drawing, dpi=96))
size = struct.unpack(">II", picture[16:24])
print({"dpi": 96}, size)
assert size == (288, 144), size
PYTHON
