"""Measures the worst error of the transcendental functions and writes the table into docs/bit_contract.md.

    python tools/ulp.py [STEP]

Every STEP-th of all 2^32 float32 inputs is tried: all of them by default, which takes about an hour of processor time.
Fails when an error is above the 2 ULP that the project promises.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tools" / "ulp.cpp"
PAGE = ROOT / "docs" / "bit_contract.md"
COMMANDS = ROOT / "build" / "release" / "compile_commands.json"
BEGIN, END = "<!-- ulp: begin -->", "<!-- ulp: end -->"
PROMISE = 2.0
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


def as_table(rows: list[tuple[str, float, str, int, int]], step: int) -> str:
    tried = "all 2^32" if step == 1 else f"every {step}th of the 2^32"
    lines = [
        BEGIN,
        f"Over {tried} float32 inputs ({rows[0][4]:,} of them):",
        "",
        "| function | largest error in ULP | at | above 1 ULP |",
        "|---|---|---|---|",
    ]
    for name, worst, at, above, count in rows:
        share = "none" if above == 0 else f"{above / count:.2g} of the inputs"
        lines.append(f"| `{name}` | {worst:.4f} | `{at}` | {share} |")
    return "\n".join([*lines, END])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", nargs="?", type=int, default=1, metavar="STEP")
    step = parser.parse_args().step
    if not 1 <= step <= 1 << 31:
        parser.error("STEP must be between 1 and 2^31")
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{PAGE.relative_to(ROOT)} has lost its markers {BEGIN} and {END}")

    program = compile_tool()
    names = [name for name in function_names(program) if name not in EXACT]

    def measure(name: str) -> tuple[str, float, str, int, int]:
        run = subprocess.run([program, name, str(step)], capture_output=True, text=True, check=True)
        print(run.stdout, end="", flush=True)
        match = LINE.match(run.stdout.strip())
        if match is None:
            raise RuntimeError(f"unexpected output: {run.stdout!r}")
        return name, float(match[2]), match[3], int(match[4]), int(match[5])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        rows = list(pool.map(measure, names))
    PAGE.write_text(before + as_table(rows, step) + after)
    broken = [name for name, worst, *_ in rows if not worst <= PROMISE]
    if broken:
        print(f"above {PROMISE} ULP: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
