"""The command `isthmus`: what this installation is and what it can do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence


def _table(rows: Iterable[Sequence[str]], header: Sequence[str] | None = None) -> str:
    """Rows as left-aligned columns."""
    lines = [list(header)] if header else []
    lines.extend([list(row) for row in rows])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))] if lines else []
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB" if size < 1024 * 1024 else "unlimited"


def _version(numbers: Sequence[int]) -> str:
    return ".".join(str(number) for number in numbers)


def _info() -> str:
    from isthmus import _core

    backends = _core.backends()
    facts = [
        ("version", _core.__version__),
        ("backend ABI", _version(_core.abi_version)),
        ("C ABI", _version(_core.c_abi_version)),
        ("default device", str(_core.default_device())),
        ("threads", str(_core.num_threads())),
        ("memory in use", _bytes(_core.get_active_memory())),
        ("memory cached", _bytes(_core.get_cache_memory())),
        ("memory limit", _bytes(_core.get_memory_limit())),
        ("cache limit", _bytes(_core.get_cache_limit())),
    ]
    rows = [(b["name"], b["version"], _version(b["abi"]), b["description"], b["path"] or "built in") for b in backends]
    parts = [_table(facts), _table(rows, ("backend", "version", "ABI", "description", "library"))]
    refused = _core.refused_backends()
    if refused:
        parts.append(_table([(path, reason) for path, reason in refused], ("refused library", "reason")))
    return "\n\n".join(parts)


def _ops() -> str:
    from isthmus import _core

    columns = ("id", "name", "family", "dtypes", "derivative", "execution")
    rows = [[str(row[column]) for column in columns] for row in _core.op_table()]
    return _table(rows, columns)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="isthmus", description="A tensor runtime with the semantics of MLX.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("info", help="version, backends, instruction set, threads and memory")
    commands.add_parser("ops", help="the table of ops")
    chosen = parser.parse_args(arguments)
    try:
        print(_info() if chosen.command == "info" else _ops(), flush=True)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; without this Python complains again when it exits.
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
