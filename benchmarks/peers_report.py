"""What peers.py measured, as numbers, as a table on a terminal and as Markdown.

A report is what the JSON file holds: {"machine": ..., "versions": ..., "runs": {threads: {"rows": {name: row}}}}. A row
is {"seconds": {library: {"median": ..., "best": ..., "samples": [...]}}, "problems": {library: text}, "numpy_counts":
bool}, with "limit": {"name": ..., "amount": ..., "rate": ..., "by": ...} where the machine bounds it. Ratios are the
median of Isthmus over the median of the best peer: at most 1 is good.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
Report = dict[str, Any]


def median_of(row: Report, library: str) -> float | None:
    return row["seconds"][library]["median"] if library in row["seconds"] else None


def best_peer(row: Report) -> str | None:
    others = {"isthmus"} if row["numpy_counts"] else {"isthmus", "numpy"}
    peers = [library for library in row["seconds"] if library not in others]
    return min(peers, key=lambda library: row["seconds"][library]["median"], default=None)


def ratio_of(row: Report) -> float | None:
    own, peer = median_of(row, "isthmus"), best_peer(row)
    return own / row["seconds"][peer]["median"] if own and peer else None


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def summary(rows: dict[str, Report]) -> str:
    ratios = [ratio for row in rows.values() if (ratio := ratio_of(row)) is not None]
    if not ratios:
        return "no ratios"
    behind = sum(ratio > 1 for ratio in ratios)
    text = f"geometric mean of the ratios {geometric_mean(ratios):.2f}; {behind} of {len(ratios)} rows above 1"
    without = len(rows) - len(ratios)
    return text + (f"; {without} rows without a ratio" if without else "")


def machine_line(report: Report) -> str:
    machine = report["machine"]
    flags = machine["bfloat16_flags"]
    instructions = f"bfloat16 instructions: {', '.join(flags) or 'none'}"
    if "amx_bf16" in flags:
        instructions += " (PyTorch's bfloat16 products use AMX)"
    if machine.get("isa"):
        instructions = (
            f"every library kept to {machine['isa']} by its own switches (XLA's products cannot be, and are left out)"
        )
    versions = ", ".join(f"{library} {version}" for library, version in report["versions"].items())
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {instructions}; {versions}."


LIMITS = {
    "add_bytes": ("c = a + b", "GB/s"),
    "read_bytes": ("reading", "GB/s"),
    "fma_flops": ("fma in registers", "GFLOP/s"),
}


def limit_lines(rows: dict[str, Report]) -> list[str]:
    """How near Isthmus and its best peer get to what the machine can do at most, and the speed of bfloat16."""
    lines = []
    for name, row in rows.items():
        if "limit" not in row:
            continue
        limit, parts = row["limit"], []
        title, unit = LIMITS[limit["name"]]
        for library in dict.fromkeys(("isthmus", best_peer(row))):
            if library and (seconds := median_of(row, library)):
                rate = limit["amount"] / seconds
                parts.append(f"{library} {rate / 1e9:.1f} {unit}, {rate / limit['rate']:.0%}")
        parts.append(f"{title} by {limit['by']} {limit['rate'] / 1e9:.1f}")
        lines.append(f"{name}: " + "; ".join(parts))
    for extent in (256, 1024):
        single, half = rows.get(f"matmul {extent}"), rows.get(f"matmul {extent} bf16")
        if single and half:
            speeds = [
                f"{library} {single_time / half_time:.2f}"
                for library in single["seconds"]
                if (single_time := median_of(single, library)) and (half_time := median_of(half, library))
            ]
            lines.append(f"matmul {extent}, speed of bf16 over f32: " + ", ".join(speeds))
    return lines


def in_units(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def ratio_text(row: Report) -> str:
    ratio = ratio_of(row)
    if ratio is not None:
        return f"{ratio:.2f}"
    return "problem" if "isthmus" in row["problems"] else "-"


def show(report: Report, threads: str) -> None:
    run, libraries = report["runs"][threads], list(report["versions"])
    table = Table(
        title=f"threads: {threads}", caption="median (best); ratio: median of isthmus / median of the best peer"
    )
    table.add_column("row")
    for library in libraries:
        table.add_column(library, justify="right")
    table.add_column("best peer")
    table.add_column("ratio", justify="right")
    for name, row in run["rows"].items():
        cells = [name]
        for library in libraries:
            times = row["seconds"].get(library)
            missing = "problem" if library in row["problems"] else "-"
            cells.append(f"{in_units(times['median'])} ({in_units(times['best'])})" if times else missing)
        ratio = ratio_of(row)
        colour = "red" if ratio is None or ratio > 1.2 else "yellow" if ratio > 1 else "green"
        table.add_row(*cells, best_peer(row) or "-", f"[{colour}]{ratio_text(row)}[/]")
    # A table in a file or a pipe is as wide as it has to be.
    console = Console()
    console = console if console.is_terminal else Console(width=180)
    console.print(machine_line(report), markup=False, highlight=False)
    console.print(table)
    for name, row in run["rows"].items():
        for library, problem in row["problems"].items():
            console.print(f"{name}: {library}: {problem}", markup=False)
    for line in [*limit_lines(run["rows"]), summary(run["rows"])]:
        console.print(line, markup=False, highlight=False)


def markdown(report: Report) -> str:
    runs = report["runs"]
    lines = [
        machine_line(report),
        "",
        "| row | " + " | ".join(f"isthmus, {t} thr. | best peer | ratio" for t in runs) + " |",
        "|---|" + "--:|--:|--:|" * len(runs),
    ]
    for name in dict.fromkeys(name for run in runs.values() for name in run["rows"]):
        cells = [name]
        for run in runs.values():
            row = run["rows"].get(name)
            if row is None:
                cells += ["-", "-", "-"]
                continue
            own, peer = median_of(row, "isthmus"), best_peer(row)
            cells.append(in_units(own) if own else "-")
            cells.append(f"{in_units(row['seconds'][peer]['median'])} {peer}" if peer else "-")
            ratio = ratio_of(row)
            cells.append(f"**{ratio:.2f}**" if ratio is not None and ratio > 1 else ratio_text(row))
        lines.append("| " + " | ".join(cells) + " |")
    for threads, run in runs.items():
        lines += ["", f"Threads: {threads}."]
        lines += [f"- {line}" for line in [summary(run["rows"]), *limit_lines(run["rows"])]]
    return "\n".join(lines) + "\n"


def write_markdown(report: Report, file: Path) -> None:
    """Puts the table between the markers of the file, or makes a file of it."""
    text = file.read_text() if file.exists() else f"{BEGIN}\n{END}\n"
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{file} needs the lines {BEGIN} and {END}, once")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    file.write_text(f"{before}{BEGIN}\n\n{markdown(report)}\n{END}{after}")
