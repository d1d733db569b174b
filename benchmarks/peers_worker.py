"""One library of peers.py: answers questions about rows with seconds for a call.

Each library gets the program that its users would write: JAX compiles, MLX and Isthmus evaluate a graph, NumPy and
PyTorch run at once. A call ends when the result is in memory.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LIBRARIES = ("isthmus", "numpy", "torch", "jax", "mlx")


@dataclass(frozen=True)
class Row:
    op: str
    size: int
    label: str
    small: bool

    @property
    def name(self) -> str:
        return f"{self.op} {self.label}"


def rows_of(small: bool) -> list[Row]:
    rows = []
    for size in (16, 32, 64) if small else (64, 256, 1024):
        rows.append(Row("matmul", size, f"{size}x{size}", small))
    for op in ("add", "exp", "sum"):
        for size in (10, 100, 1_000) if small else (1_000, 100_000, 10_000_000):
            rows.append(Row(op, size, f"{size:,}", small))
    side = 32 if small else 1024
    for op in ("softmax", "sum axis 0", "sum axis 1", "transpose copy"):
        rows.append(Row(op, side, f"{side}x{side}", small))
    ops = 100 if small else 10_000
    rows.append(Row("graph", ops, f"of {ops:,} one-element ops", small))
    return rows


def operands(row: Row) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    if row.op in ("add", "exp", "sum"):
        shape: tuple[int, ...] = (row.size,)
    elif row.op == "graph":
        shape = (1,)
    else:
        shape = (row.size, row.size)
    a, b = (generator.uniform(0.5, 1.5, shape).astype(np.float32) for _ in range(2))
    return a, b


Call = Callable[[], Any]


def chain(a: Any, ops: int) -> Any:
    x = a
    for _ in range(ops):
        x = x + a
    return x


def isthmus_call(row: Row, threads: int) -> Call:
    import isthmus as ist

    a, b = (ist.array(x) for x in operands(row))
    calls: dict[str, Call] = {
        "matmul": lambda: ist.eval(a @ b),
        "add": lambda: ist.eval(a + b),
        "exp": lambda: ist.eval(ist.exp(a)),
        "sum": lambda: ist.eval(a.sum()),
        "softmax": lambda: ist.eval(ist.softmax(a, axis=-1)),
        "sum axis 0": lambda: ist.eval(a.sum(axis=0)),
        "sum axis 1": lambda: ist.eval(a.sum(axis=1)),
        "transpose copy": lambda: ist.eval(ist.contiguous(a.T)),
        "graph": lambda: ist.eval(chain(a, row.size)),
    }
    return calls[row.op]


def numpy_call(row: Row, threads: int) -> Call:
    a, b = operands(row)

    def softmax() -> Any:
        e = np.exp(a - a.max(axis=-1, keepdims=True))
        e /= e.sum(axis=-1, keepdims=True)
        return e

    calls: dict[str, Call] = {
        "matmul": lambda: a @ b,
        "add": lambda: a + b,
        "exp": lambda: np.exp(a),
        "sum": lambda: a.sum(),
        "softmax": softmax,
        "sum axis 0": lambda: a.sum(axis=0),
        "sum axis 1": lambda: a.sum(axis=1),
        "transpose copy": lambda: np.ascontiguousarray(a.T),
        "graph": lambda: chain(a, row.size),
    }
    return calls[row.op]


def torch_call(row: Row, threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    a, b = (torch.from_numpy(x) for x in operands(row))
    calls: dict[str, Call] = {
        "matmul": lambda: a @ b,
        "add": lambda: a + b,
        "exp": lambda: torch.exp(a),
        "sum": lambda: a.sum(),
        "softmax": lambda: torch.softmax(a, -1),
        "sum axis 0": lambda: a.sum(0),
        "sum axis 1": lambda: a.sum(1),
        "transpose copy": lambda: a.T.contiguous(),
        "graph": lambda: chain(a, row.size),
    }
    return calls[row.op]


def jax_call(row: Row, threads: int) -> Call:
    import jax
    import jax.numpy as jnp

    a, b = (jnp.asarray(x) for x in operands(row))
    functions: dict[str, Callable[..., Any]] = {
        "matmul": lambda a, b: a @ b,
        "add": lambda a, b: a + b,
        "exp": lambda a, b: jnp.exp(a),
        "sum": lambda a, b: a.sum(),
        "softmax": lambda a, b: jax.nn.softmax(a, axis=-1),
        "sum axis 0": lambda a, b: a.sum(axis=0),
        "sum axis 1": lambda a, b: a.sum(axis=1),
        "transpose copy": lambda a, b: jnp.copy(a.T),
    }
    if row.op == "graph":
        # Compiled, the chain would be one kernel: here the cost of an op is asked for.
        return lambda: chain(a, row.size).block_until_ready()
    compiled = jax.jit(functions[row.op])
    return lambda: compiled(a, b).block_until_ready()


def mlx_call(row: Row, threads: int) -> Call:
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    a, b = (mx.array(x) for x in operands(row))
    calls: dict[str, Call] = {
        "matmul": lambda: mx.eval(a @ b),
        "add": lambda: mx.eval(a + b),
        "exp": lambda: mx.eval(mx.exp(a)),
        "sum": lambda: mx.eval(a.sum()),
        "softmax": lambda: mx.eval(mx.softmax(a, axis=-1)),
        "sum axis 0": lambda: mx.eval(a.sum(axis=0)),
        "sum axis 1": lambda: mx.eval(a.sum(axis=1)),
        "transpose copy": lambda: mx.eval(mx.contiguous(a.T)),
        "graph": lambda: mx.eval(chain(a, row.size)),
    }
    return calls[row.op]


def seconds_of(call: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def calibrate(call: Call, budget: float) -> int:
    """How many calls make a sample of about `budget` seconds."""
    call()
    repeats, spent = 1, 0.0
    while True:
        spent = seconds_of(call, repeats)
        if spent * repeats >= budget / 4 or repeats >= 1 << 20:
            return max(1, int(budget / max(spent, 1e-9)))
        repeats *= 4


def version_of(library: str) -> str:
    if library == "mlx":
        return str(importlib.import_module("mlx.core").__version__)
    return str(importlib.import_module(library).__version__)


def main() -> int:
    library, threads = sys.argv[1], int(sys.argv[2])
    # What libraries print must not mix with the answers.
    answers = sys.stdout
    sys.stdout = sys.stderr

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        version = version_of(library)
    except ImportError as problem:
        answer(problem=f"not installed ({problem})")
        return 0
    answer(version=version)

    make: Callable[[Row, int], Call] = globals()[f"{library}_call"]
    call, repeats = (lambda: None), 1
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "prepare" in question:
                row = next(row for row in rows_of(question["small"]) if row.name == question["prepare"])
                call = make(row, threads)
                repeats = calibrate(call, question["budget"])
                answer(repeats=repeats)
            else:
                answer(seconds=seconds_of(call, repeats))
        except Exception as problem:
            answer(problem=f"{type(problem).__name__}: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
