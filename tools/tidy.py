"""Runs clang-tidy over our own sources, several at a time, and remembers what was clean.

    python tools/tidy.py build/release

A file is looked at again when it, any header of cpp/, or .clang-tidy changed. Kernels are left out: they are templates
expanded for every dtype, which clang-tidy takes minutes over and says nothing new about.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLEAN = ROOT / ".cache" / "clang-tidy"
FOLDERS = ("abi", "bindings", "graph", "io", "ops", "runtime", "transforms")


def digest(*paths: Path) -> str:
    state = hashlib.sha256()
    for path in paths:
        state.update(path.read_bytes())
    return state.hexdigest()


def commands(database: Path) -> list[dict[str, str]]:
    """The database with an entry for each source: CMake's has one for sources that are compiled together."""
    entries = []
    for entry in json.loads(database.read_text()):
        file = Path(entry["file"])
        together = re.findall(r'#include "(.+\.cpp)"', file.read_text()) if file.parent.name == "Unity" else [str(file)]
        for source in together:
            # Without precompiled headers: clang-tidy is another compiler, and sources have to name what they use.
            precompiled = r"(-Xclang )?-include(-pch)? (-Xclang )?\S+cmake_pch\S+"
            command = re.sub(precompiled, "", entry["command"].replace(str(file), source))
            entries.append({"directory": entry["directory"], "file": source, "command": command})
    return entries


def check(source: Path, database: str) -> tuple[Path, str]:
    command = ["clang-tidy", "-p", database, "--quiet", "--warnings-as-errors=*"]
    # A gcc build's command lines may hold warnings that clang does not know; libstdc++ uses what it deprecates.
    quiet = ("unknown-warning-option", "ignored-optimization-argument", "deprecated-declarations")
    command += [f"--extra-arg=-Wno-{name}" for name in quiet] + [str(source)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return source, "" if run.returncode == 0 else run.stdout + run.stderr


def main() -> int:
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve()
    database = build / "compile_commands.json"
    if not database.exists():
        sys.exit(f"{database} is missing: run `just build` first")
    wanted = [ROOT / "cpp" / folder for folder in FOLDERS]
    entries = commands(database)
    sources = sorted({Path(entry["file"]) for entry in entries})
    sources = [s for s in sources if s.suffix == ".cpp" and s.parent in wanted and s.exists()]
    headers = sorted(p for p in (ROOT / "cpp").rglob("*") if p.suffix in (".h", ".def"))
    shared = digest(ROOT / ".clang-tidy", *headers)

    CLEAN.mkdir(parents=True, exist_ok=True)
    stamps = {s: CLEAN / hashlib.sha256(f"{s} {shared} {digest(s)}".encode()).hexdigest() for s in sources}
    todo = [s for s in sources if not stamps[s].exists()]
    for old in set(CLEAN.iterdir()) - set(stamps.values()):
        old.unlink()
    print(f"clang-tidy: {len(todo)} of {len(sources)} files to check", flush=True)
    failures = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        (Path(folder) / database.name).write_text(json.dumps(entries))
        for source, report in pool.map(lambda s: check(s, folder), todo):
            if report:
                failures += 1
                print(report, flush=True)
            else:
                stamps[source].touch()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
