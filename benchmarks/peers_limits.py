"""The machine's own limits, beside which peers.py puts the libraries: bandwidths and the peak of fused multiply-adds.

    python benchmarks/peers_limits.py 2        for two threads

They are measured by peers_limits.c. Without a compiler, NumPy bounds them: a sum into a buffer that exists, a
reduction, a product of matrices.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_suffix(".c")
ELEMENTS = 10_000_000
THREAD_VARIABLES = (
    *("ISTHMUS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC"),
)


def thread_environment(threads: int) -> dict[str, str]:
    return dict(os.environ) | dict.fromkeys(THREAD_VARIABLES, str(threads))


def compiled(program: Path, isa: str | None) -> bool:
    compiler = next((c for c in (os.environ.get("CC"), "cc", "gcc", "clang") if c and shutil.which(c.split()[0])), None)
    if compiler is None:
        return False
    for machine in ([f"-march={isa}"],) if isa else (["-march=native"], ["-mcpu=native"], []):
        command = [*shlex.split(compiler), "-O3", *machine, "-pthread", str(SOURCE), "-o", str(program)]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return True
    return False


def best_seconds(call: Callable[[], Any], rounds: int = 7) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def bounded_by_numpy() -> dict[str, float]:
    import numpy as np

    a, b, c = (np.ones(ELEMENTS, np.float32) for _ in range(3))
    extent = 2048
    square = np.ones((extent, extent), np.float32)
    return {
        "add_bytes": 12 * ELEMENTS / best_seconds(lambda: np.add(a, b, out=c)),
        "read_bytes": 4 * ELEMENTS / best_seconds(lambda: a.sum()),
        "fma_flops": 2 * extent**3 / best_seconds(lambda: square @ square),
    }


class Limits:
    """Measures bytes per second of c = a + b and of reading, at the size of the largest elementwise rows, and flops per
    second. A context: the compiled program lives in a temporary folder."""

    def __init__(self, threads: int, isa: str | None = None) -> None:
        self.threads = threads
        self.directory = tempfile.TemporaryDirectory()
        program = Path(self.directory.name) / "limits"
        if compiled(program, isa):
            self.command, self.by = [str(program), str(threads), str(ELEMENTS)], "peers_limits.c"
        else:
            self.command, self.by = [sys.executable, __file__, "--numpy"], "NumPy"

    def measure(self) -> dict[str, float]:
        environment = thread_environment(self.threads)
        run = subprocess.run(self.command, env=environment, check=True, capture_output=True, text=True)
        measured: dict[str, float] = json.loads(run.stdout)
        return measured

    def __enter__(self) -> Limits:
        return self

    def __exit__(self, *problem: object) -> None:
        self.directory.cleanup()


def main() -> None:
    argument = sys.argv[1] if len(sys.argv) > 1 else "1"
    if argument == "--numpy":
        print(json.dumps(bounded_by_numpy()))
        return
    with Limits(int(argument)) as limits:
        print(json.dumps(limits.measure() | {"by": limits.by}))


if __name__ == "__main__":
    main()
