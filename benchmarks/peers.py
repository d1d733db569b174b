"""Isthmus beside NumPy, PyTorch, JAX and MLX on the CPU of this machine, with one thread and with all.

    python benchmarks/peers.py                       every row
    python benchmarks/peers.py matmul "sum axis"     rows whose names hold one of the words
    python benchmarks/peers.py --small               tiny sizes and few samples, to see that it works
    python benchmarks/peers.py --add sort            measures these rows anew, keeps the others of the JSON file
    python benchmarks/peers.py --isa x86-64-v3       every library without AVX-512 and AMX: its own switches see to that
    python benchmarks/peers.py --measured --markdown docs/performance.md

Each library has a process of its own, all with the same number of threads, so that no thread pool disturbs another; the
processes take turns, a sample each, so that whatever else the machine does meets all of them. A library that is not
installed is left out. Ratios are the median of Isthmus over the median of the best peer: at most 1 is good. NumPy is a
peer from 100,000 elements on, and for matrix products.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers_limits import Limits, thread_environment
from peers_programs import CALLS
from peers_rows import Row, rows_of

WORKER = Path(__file__).resolve().parent / "peers_worker.py"
# Thread pools spin for a while after their work, OpenBLAS's for some 20 ms; nobody is timed meanwhile.
PAUSE = 0.05
# What keeps each library, and the matrix products that it calls, to an ISA level.
ISA_SWITCHES = {
    "x86-64-v3": {
        "ISTHMUS_CPU_ISA": "x86-64-v3",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    }
}
# The switch of XLA is one for its compiler: the products that it calls use AVX-512 all the same.
XLA_CALLS = ("matmul", "linear", "matvec", "dot", "conv2d", "attention")


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(isa: str | None) -> dict[str, Any]:
    """The name, and whether the CPU has instructions for bfloat16: PyTorch's products use AMX where there is any."""
    fields = {"model name": "", "flags": ""}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in fields:
                fields[key.strip()] = value.strip()
    except OSError:
        pass
    flags = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in fields["flags"].split()]
    return {
        "cpu": fields["model name"] or platform.processor() or platform.machine(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "bfloat16_flags": flags,
        "isa": isa,
    }


class Worker:
    """The process of one library: a JSON line to ask, a JSON line as the answer."""

    def __init__(self, library: str, threads: int, isa: str | None) -> None:
        environment = thread_environment(threads) | {"JAX_PLATFORMS": "cpu"}
        environment |= ISA_SWITCHES[isa] if isa else {}
        if threads == 1:
            one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
            environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {one_thread}"
        command = [sys.executable, str(WORKER), library, str(threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.library = library

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
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def measure(row: Row, workers: list[Worker], limits: Limits, args: argparse.Namespace) -> dict[str, Any]:
    """Samples of every library, in turns; and of the limit that bounds the row, in the same minute: it moves, too."""
    seconds: dict[str, list[float]] = {}
    problems: dict[str, str] = {}
    rates: list[float] = []
    # A call may take longer than a sample should; a library gets twice the time of the others, and three samples.
    left: dict[str, float] = {}
    if args.isa and row.program in XLA_CALLS:
        workers = [worker for worker in workers if worker.library != "jax"]
    for worker in workers:
        answer = worker.ask(prepare=row.name, small=args.small, budget=args.budget)
        if "problem" in answer:
            problems[worker.library] = answer["problem"]
        elif "absent" not in answer:
            left[worker.library] = 2 * args.rounds * args.budget
    for i in range(args.rounds):
        turn = i % len(workers)
        if row.limit is not None:
            rates.append(limits.measure()[row.limit[0]])
        # Nobody is always the one who runs after the same neighbour.
        for worker in workers[turn:] + workers[:turn]:
            library = worker.library
            if library not in left or (left[library] < 0 and len(seconds[library]) >= 3):
                continue
            time.sleep(PAUSE)
            start = time.perf_counter()
            answer = worker.ask(sample=True)
            left[library] -= time.perf_counter() - start
            if "problem" in answer:
                problems[library] = answer["problem"]
                del left[library]
            else:
                seconds.setdefault(library, []).append(answer["seconds"])
    times = {
        library: {"median": statistics.median(samples), "best": min(samples), "samples": samples}
        for library, samples in seconds.items()
        if library not in problems
    }
    measured = {"seconds": times, "problems": problems, "numpy_counts": row.numpy_counts}
    if row.limit is not None:
        name, amount = row.limit
        measured["limit"] = {"name": name, "amount": amount, "rate": statistics.median(rates), "by": limits.by}
    return measured


def run(rows: list[Row], threads: int, args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """What these rows took with so many threads, and the versions of the libraries."""
    started = [Worker(library, threads, args.isa) for library in dict.fromkeys(["isthmus", *args.libraries])]
    workers, versions = [], {}
    for worker in started:
        hello = worker.read()
        if "problem" in hello:
            print(f"{worker.library} is left out: {hello['problem']}", file=sys.stderr)
            worker.close()
        else:
            workers.append(worker)
            versions[worker.library] = hello["version"]
    if "isthmus" not in versions:
        raise SystemExit("peers.py needs isthmus: just build")
    measured = {}
    with Limits(threads, args.isa) as limits:
        for row in rows:
            print(f"{row.name}, threads: {threads} ...", file=sys.stderr, flush=True)
            measured[row.name] = measure(row, workers, limits, args)
    for worker in workers:
        worker.close()
    return {"rows": measured}, versions


def merged(report: dict[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """The report, with rows of an older one that it lacks, in the order of the table."""
    order = {row.name: i for i, row in enumerate(rows_of(small=False))}
    for threads, older_run in older["runs"].items():
        newer = report["runs"].get(threads, older_run)
        rows = {name: row for name, row in (older_run["rows"] | newer["rows"]).items() if name in order}
        report["runs"][threads] = newer | {"rows": dict(sorted(rows.items(), key=lambda item: order[item[0]]))}
    report["runs"] = dict(sorted(report["runs"].items(), key=lambda item: int(item[0])))
    report["versions"] = older["versions"] | report["versions"]
    return report


def chosen(rows: list[Row], words: list[str]) -> list[Row]:
    """The rows whose names hold one of the words; a whole name means that row alone."""
    names = {row.name for row in rows}
    return [
        row
        for row in rows
        if not words or any(word == row.name if word in names else word in row.name for word in words)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only rows whose names hold one of these, or are one of these")
    parser.add_argument("--small", action="store_true", help="tiny sizes and few samples")
    parser.add_argument("--rounds", type=int, help="samples for each library and row (15; 3 with --small)")
    parser.add_argument("--budget", type=float, help="seconds that a sample takes (0.05; 0.001)")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, cores()}), help="for each library")
    parser.add_argument("--libraries", nargs="+", choices=CALLS, default=list(CALLS))
    parser.add_argument("--isa", choices=ISA_SWITCHES, help="keep every library to this ISA level")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples (build/peers.json, peers-LEVEL.json)")
    parser.add_argument("--add", action="store_true", help="keep the rows of the JSON file that are not measured now")
    parser.add_argument("--measured", action="store_true", help="measure nothing: show what the JSON file holds")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between the markers of this file")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.small else 15)
    args.budget = args.budget or (0.001 if args.small else 0.05)
    args.json = args.json or WORKER.parent.parent / "build" / (f"peers-{args.isa}.json" if args.isa else "peers.json")
    rows = chosen(rows_of(args.small), args.words)
    if not rows:
        parser.error(f"no row is called that; there are: {', '.join(row.name for row in rows_of(args.small))}")
    try:
        from peers_report import show, write_markdown
    except ImportError as problem:
        parser.error(f"the tables need rich: pip install rich ({problem})")

    older = json.loads(args.json.read_text()) if (args.add or args.measured) and args.json.exists() else None
    if args.measured:
        if older is None:
            parser.error(f"{args.json} does not exist")
        report = older
    else:
        report = {
            "machine": machine(args.isa),
            "rounds": args.rounds,
            "budget": args.budget,
            "small": args.small,
            "runs": {},
        }
        for threads in args.threads:
            report["runs"][str(threads)], report["versions"] = run(rows, threads, args)
        if older is not None:
            report = merged(report, older)
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    for threads in report["runs"]:
        show(report, threads)
    if args.markdown:
        write_markdown(report, args.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
