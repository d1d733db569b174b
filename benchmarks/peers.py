"""Isthmus beside NumPy, PyTorch, JAX and MLX on the CPU of this machine.

    python benchmarks/peers.py                 every row
    python benchmarks/peers.py matmul sum      rows whose names hold one of the words
    python benchmarks/peers.py --small         small sizes and few samples, to see that it works

Each library has a process of its own, all with the same number of threads, so that no thread pool disturbs another; the
processes take turns, a sample each, so that whatever else the machine does meets all of them. A library that is not
installed is left out. Ratios are the median of the best peer over the median of Isthmus: above 1, Isthmus is ahead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers_worker import LIBRARIES, Row, rows_of

WORKER = Path(__file__).resolve().parent / "peers_worker.py"
THREAD_VARIABLES = (
    *("ISTHMUS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class Worker:
    """The process of one library: a JSON line to ask, a JSON line as the answer."""

    def __init__(self, library: str, threads: int) -> None:
        environment = dict(os.environ)
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        # JAX has no variable for its pool; the flags are the documented way to bound Eigen's threads.
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        environment["JAX_PLATFORMS"] = "cpu"
        command = [sys.executable, str(WORKER), library, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.library = library
        self.version, self.problem = "", ""
        hello = self.read()
        self.version, self.problem = hello.get("version", ""), hello.get("problem", "")

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"problem": f"its process ended ({self.process.wait()})"}

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"problem": f"its process ended ({self.process.wait()})"}
        return self.read()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Measured:
    row: Row
    seconds: dict[str, list[float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def median(self, library: str) -> float:
        return statistics.median(self.seconds[library])

    def best_peer(self) -> str | None:
        peers = [library for library in self.seconds if library != "isthmus"]
        return min(peers, key=self.median, default=None)

    def ratio(self) -> float | None:
        peer = self.best_peer()
        return self.median(peer) / self.median("isthmus") if peer and "isthmus" in self.seconds else None

    def as_json(self) -> dict[str, Any]:
        times = {
            library: {"median": self.median(library), "best": min(samples), "samples": samples}
            for library, samples in self.seconds.items()
        }
        return {
            "row": self.row.name,
            "seconds": times,
            "best_peer": self.best_peer(),
            "ratio_to_best_peer": self.ratio(),
            "problems": self.problems,
        }


def measure(row: Row, workers: list[Worker], rounds: int, budget: float) -> Measured:
    measured = Measured(row)
    ready = []
    for worker in workers:
        answer = worker.ask(prepare=row.name, small=row.small, budget=budget)
        if "problem" in answer:
            measured.problems[worker.library] = answer["problem"]
        else:
            ready.append(worker)
    for i in range(rounds):
        # Nobody is always the one who runs after the same neighbour.
        for worker in ready[i % len(ready) :] + ready[: i % len(ready)] if ready else []:
            answer = worker.ask(sample=True)
            if "problem" in answer:
                measured.problems[worker.library] = answer["problem"]
            else:
                measured.seconds.setdefault(worker.library, []).append(answer["seconds"])
    return measured


def in_units(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def show(results: list[Measured], libraries: list[str], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, caption="median (best); ratio: median of the best peer / median of isthmus")
    table.add_column("row")
    for library in libraries:
        table.add_column(library, justify="right")
    table.add_column("best peer")
    table.add_column("ratio", justify="right")
    for measured in results:
        cells = [measured.row.name]
        for library in libraries:
            samples = measured.seconds.get(library)
            cells.append(f"{in_units(measured.median(library))} ({in_units(min(samples))})" if samples else "-")
        ratio = measured.ratio()
        colour = "" if ratio is None else "green" if ratio >= 1 else "yellow" if ratio >= 0.8 else "red"
        shown = "-" if ratio is None else f"[{colour}]{ratio:.2f}[/]"
        table.add_row(*cells, measured.best_peer() or "-", shown)
    # A table in a file or a pipe is as wide as it has to be.
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only rows whose names hold one of these")
    parser.add_argument("--small", action="store_true", help="small sizes and few samples")
    parser.add_argument("--rounds", type=int, default=0, help="samples for each library and row (15; 3 with --small)")
    parser.add_argument("--budget", type=float, default=0.0, help="seconds that a sample takes (0.05; 0.002)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads for each library")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples here")
    args = parser.parse_args()
    rounds = args.rounds or (3 if args.small else 15)
    budget = args.budget or (0.002 if args.small else 0.05)
    rows = [row for row in rows_of(args.small) if not args.words or any(word in row.name for word in args.words)]
    if not rows:
        parser.error(f"no row is called that; there are: {', '.join(row.name for row in rows_of(args.small))}")

    workers, left_out = [], {}
    for library in dict.fromkeys(["isthmus", *args.libraries]):
        worker = Worker(library, args.threads)
        if worker.problem:
            left_out[library] = worker.problem
            worker.close()
        else:
            workers.append(worker)
    for library, problem in left_out.items():
        print(f"{library} is left out: {problem}", file=sys.stderr)
    if "isthmus" in left_out:
        return 1

    results = []
    for row in rows:
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        results.append(measure(row, workers, rounds, budget))
    for worker in workers:
        worker.close()
    for measured in results:
        for library, problem in measured.problems.items():
            print(f"{measured.row.name}: {library}: {problem}", file=sys.stderr)
    versions = {worker.library: worker.version for worker in workers}
    title = f"{cpu_name()}, {args.threads} threads; " + ", ".join(f"{name} {v}" for name, v in versions.items())
    show(results, list(versions), title)
    if args.json:
        report = {
            "cpu": cpu_name(),
            "threads": args.threads,
            "versions": versions,
            "left_out": left_out,
            "small": args.small,
            "rounds": rounds,
            "budget": budget,
            "rows": [measured.as_json() for measured in results],
        }
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
