"""One side of the benchmark as a process of its own: it works only when it is asked to.

A request is a line of JSON on standard input, an answer a line on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

MATRIX = 2_048  # rows and columns of the square product
PRODUCTS = 7


def rate_of(product: Callable[[], object]) -> dict:
    """Operations per core-second of a product of two such matrices, the median of several."""
    product()  # a first call may compile
    seconds = []
    for _ in range(PRODUCTS):
        began = time.process_time()
        product()
        seconds.append(time.process_time() - began)
    return {"operations_per_second": 2 * MATRIX**3 / median(seconds)}


def serve(ways: dict[str, Callable[[str], dict]], facts: dict) -> None:
    """Answer until the input ends. The first line says what this side is."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(ways[request["way"]](request["work"])), file=answers, flush=True)
