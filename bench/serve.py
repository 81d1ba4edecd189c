"""One side of the benchmark as a process of its own: it works only when it is asked to.

A request is a line of JSON on standard input, an answer a line on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

MATRIX = 2_048  # rows and columns of the product whose speed is the limit


def peak_of(product: Callable[[], object]) -> dict:
    """Operations per second of a product of two such matrices, the best of twenty."""
    product()  # a first call may compile
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - began)
    return {"operations_per_second": 2 * MATRIX**3 / best}


def serve(ways: dict[str, Callable[[str], dict]], facts: dict) -> None:
    """Answer until the input ends. The first line says what this side is."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(ways[request["way"]](request["work"])), file=answers, flush=True)
