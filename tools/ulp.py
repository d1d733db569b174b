"""Measures the worst error of the transcendental functions and writes the table into docs/bit_contract.md.

    python tools/ulp.py [STEP [FUNCTION ...]]

With functions, only their lines of the table are made anew, which has to be one of the same step.
float32: every STEP-th of all 2^32 inputs is tried, all of them by default, which takes over an hour.
float64: 2^26 / STEP pseudo-random inputs, at least 2^20, where long double is wider than double.
Fails when an error is above the limits that the project promises.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tools" / "ulp.cpp"
PAGE = ROOT / "docs" / "bit_contract.md"
COMMANDS = ROOT / "build" / "release" / "compile_commands.json"
BEGIN, END = "<!-- ulp: begin -->", "<!-- ulp: end -->"
LIMITS = {"float32": 2.0, "float64": 4.0}
# Results that are exact or correctly rounded by IEEE-754 itself are no news.
EXACT = ("sqrt", "ceil", "floor", "trunc", "rint")
LINE = re.compile(r"^(\w+)\s+max (\S+) ULP at (\S+) \(.*\); (\d+) of (\d+) above 1 ULP$")


def contract_flags() -> list[str]:
    """The -f flags that the core is compiled with."""
    if not COMMANDS.exists():
        sys.exit(f"{COMMANDS.relative_to(ROOT)} is missing: run `just build` first")
    for entry in json.loads(COMMANDS.read_text()):
        if entry["file"].endswith("cpp/ops/elementwise.cpp"):
            flags = [flag for flag in shlex.split(entry["command"]) if flag.startswith("-f")]
            return [flag for flag in flags if not flag.startswith(("-fvisibility", "-fPIC"))]
    sys.exit("the core is not in compile_commands.json")


def compile_tool() -> Path:
    program = ROOT / "build" / "ulp"
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    command = [*compiler, "-std=c++20", "-O3", "-march=native", *contract_flags(), f"-I{ROOT / 'cpp'}"]
    subprocess.run([*command, str(SOURCE), "-o", str(program)], check=True)
    return program


def function_names(program: Path) -> list[str]:
    """By a measurement so coarse that it takes no time."""
    run = subprocess.run([program, "all", str(1 << 31)], capture_output=True, text=True, check=True)
    return [match[1] for match in map(LINE.match, run.stdout.splitlines()) if match]


@dataclass
class Worst:
    name: str
    ulp: float
    at: str
    above_one: int
    count: int

    def cells(self) -> list[str]:
        share = "none" if self.above_one == 0 else f"{100 * self.above_one / self.count:.2g}%"
        return [f"{self.ulp:.4f}", f"`{self.at}`", share]


def as_table(single: list[Worst], wide: list[Worst], step: int, older: str = "") -> str:
    """The table between its markers; functions that were not measured keep their lines of the older one."""
    tried = "all 2^32 inputs" if step == 1 else f"every {step}th of the 2^32 inputs"
    heading = f"float32: {tried}, {single[0].count:,} of them."
    if wide:
        heading += f" float64: {wide[0].count:,} pseudo-random inputs."
    columns = ["largest error in ULP", "at", "inputs above 1 ULP"]
    header = ["function", *(f"float32: {c}" for c in columns), *(f"float64: {c}" for c in columns if wide)]
    lines = [BEGIN, heading, "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    by_name = {worst.name: worst.cells() for worst in wide}
    measured = {}
    for worst in single:
        measured[worst.name] = f"| {' | '.join([f'`{worst.name}`', *worst.cells(), *by_name.get(worst.name, [])])} |"
    kept = [line for line in older.splitlines() if line.startswith("| `")]
    if kept and not older.strip().startswith("\n".join(lines[1:])):
        sys.exit("the table was not made with this step: measure all functions")
    body = [measured.pop(line.split("`")[1], line) for line in kept]
    return "\n".join([*lines, *body, *measured.values(), END])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", nargs="?", type=int, default=1, metavar="STEP")
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    arguments = parser.parse_args()
    step = arguments.step
    if not 1 <= step <= 1 << 31:
        parser.error("STEP must be between 1 and 2^31")
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    older, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE.relative_to(ROOT)} has lost its markers {BEGIN} and {END}")

    program = compile_tool()
    names = [name for name in function_names(program) if name not in EXACT]
    if unknown := set(arguments.functions).difference(names):
        parser.error(f"no function is called {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    names = arguments.functions or names

    def measure(*arguments: str) -> Worst:
        run = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
        print(f"{'float64' if arguments[0] == 'double' else 'float32'} {run.stdout}", end="", flush=True)
        match = LINE.match(run.stdout.strip())
        if match is None:
            raise RuntimeError(f"unexpected output: {run.stdout!r}")
        return Worst(match[1], float(match[2]), match[3], int(match[4]), int(match[5]))

    samples = str(max(1 << 20, (1 << 26) // step))
    has_long_double = subprocess.run([program, "double", names[0], "1"], capture_output=True).returncode == 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        single = list(pool.map(lambda name: measure(name, str(step)), names))
        wide = list(pool.map(lambda name: measure("double", name, samples), names)) if has_long_double else []
    PAGE.write_text(before + as_table(single, wide, step, older if arguments.functions else "") + after)
    broken = [
        f"{worst.name} of {dtype}: {worst.ulp:.4f} ULP, the limit is {LIMITS[dtype]}"
        for dtype, measured in (("float32", single), ("float64", wide))
        for worst in measured
        if not worst.ulp <= LIMITS[dtype]
    ]
    if broken:
        print("\n".join(broken), file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
