"""The benchmarks run; nothing here looks at times."""

from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def test_peers_measures_every_row_and_writes_what_it_found(tmp_path: Path) -> None:
    json_file, page = tmp_path / "peers.json", tmp_path / "page.md"
    page.write_text("before\n<!-- peers: begin -->\nold\n<!-- peers: end -->\nafter\n")
    options = ["--small", "--rounds", "1", "--budget", "1e-5", "--threads", "1", "--libraries", "numpy"]
    files = ["--json", str(json_file), "--markdown", str(page)]
    command = [sys.executable, str(BENCHMARKS / "peers.py"), *options, *files]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "geometric mean" in finished.stdout
    rows = json.loads(json_file.read_text())["runs"]["1"]["rows"]
    assert len(rows) > 60
    for row in rows.values():
        assert "isthmus" in row["seconds"], row["problems"]
        for times in row["seconds"].values():
            assert 0 < times["best"] <= times["median"]
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert all(f"| {name} |" in text for name in rows)


def test_ratios_are_isthmus_over_the_best_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    report = importlib.import_module("peers_report")

    def row(numpy_counts: bool, **medians: float) -> dict[str, Any]:
        seconds = {library: {"median": median, "best": median} for library, median in medians.items()}
        return {"seconds": seconds, "problems": {}, "numpy_counts": numpy_counts}

    assert report.ratio_of(row(True, isthmus=1.0, numpy=2.0, mlx=4.0)) == 0.5
    assert report.ratio_of(row(False, isthmus=1.0, numpy=2.0, mlx=4.0)) == 0.25
    assert report.ratio_of(row(False, isthmus=1.0, numpy=2.0)) is None
    assert report.ratio_of(row(True, numpy=2.0)) is None
    rows = {"a": row(True, isthmus=1.0, mlx=4.0), "b": row(True, isthmus=4.0, mlx=1.0), "c": row(True, mlx=1.0)}
    assert report.summary(rows).startswith("geometric mean of the ratios 1.00; 1 of 2 rows above 1; 1 rows without")


def suite() -> list[Any]:
    modules = sorted(p.stem for p in (BENCHMARKS / "suite").glob("*.py") if p.stem not in ("__init__", "common"))
    return [pytest.param(name, id=name) for name in modules]


@pytest.mark.parametrize("name", suite())
def test_asv_benchmarks_run_with_their_smallest_parameters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module(f"suite.{name}")
    timed = 0
    for benchmark in vars(module).values():
        if not hasattr(benchmark, "params"):
            continue
        assert len(benchmark.params) == len(benchmark.param_names)
        # Names are all tried, sizes only the first.
        lists = [values if isinstance(values[0], str) else values[:1] for values in benchmark.params]
        for parameters in itertools.product(*lists):
            instance = benchmark()
            instance.setup(*parameters)
            for method in (method for method in dir(instance) if method.startswith("time_")):
                getattr(instance, method)(*parameters)
                timed += 1
    assert timed > 0
