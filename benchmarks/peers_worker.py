"""One library of peers.py, in a process of its own: answers questions about rows with seconds for a call.

A line of JSON asks, a line of JSON answers. {"prepare": row, "small": bool, "budget": seconds} makes the operands and
finds how many calls make a sample; {"sample": true} times one.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from peers_programs import CALLS, Absent, Call, version_of
from peers_rows import rows_of

WARM_UP = 0.1  # seconds; after 0.03 sums of 10,000,000 elements still take a fifth longer than after 0.1


def seconds_of(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def warm_up(call: Call) -> None:
    """Other processes have emptied the caches, and after a pause a processor takes its time to speed up again."""
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        call()


def calibrate(call: Call, budget: float) -> int:
    """How many calls make a sample of about `budget` seconds."""
    warm_up(call)
    repeats = 1
    while True:
        seconds = seconds_of(call, repeats)
        if seconds * repeats >= budget / 4 or repeats >= 1 << 20:
            return max(1, int(budget / max(seconds, 1e-9)))
        repeats *= 4


def main() -> int:
    library, threads = sys.argv[1], int(sys.argv[2])
    # What libraries print must not mix with the answers.
    answers = sys.stdout
    sys.stdout = sys.stderr

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        answer(version=version_of(library))
    except ImportError as problem:
        answer(problem=f"not installed ({problem})")
        return 0
    call: Call = int
    repeats = ops = 1
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "prepare" in question:
                row = next(row for row in rows_of(question["small"]) if row.name == question["prepare"])
                call, ops = CALLS[library](row, threads), row.ops
                repeats = calibrate(call, question["budget"])
                answer(repeats=repeats)
            else:
                warm_up(call)
                answer(seconds=seconds_of(call, repeats) / ops)
        except Absent:
            answer(absent=True)
        except Exception as problem:
            answer(problem=f"{type(problem).__name__}: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
