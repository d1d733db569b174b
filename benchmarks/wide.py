"""Many ops, dtypes and layouts beside PyTorch, a moment each: where to look next.

    python benchmarks/wide.py                  everything that both have, with one thread
    python benchmarks/wide.py --threads 2 sum  cases whose names hold one of the words

Each library has a process of its own; the two take turns. A figure is a median of five samples of a few milliseconds,
good to a fifth or so on a quiet machine: benchmarks/peers.py measures more carefully, and against more libraries.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FLOATS = ("float32", "bfloat16", "float16", "float64")
INTEGERS = ("int32", "int64", "uint8")
NUMBERS = FLOATS + INTEGERS
SQUARE = (512, 512)
WIDE = (-3.0, 3.0)  # what values are drawn from
POSITIVE = (0.1, 3.0)
WITHIN_ONE = (-0.95, 0.95)
FUNCTIONS = {
    WIDE: "exp sin cos tanh sigmoid erf expm1 tan sinh cosh abs negative square floor ceil round sign arctan "
    "arcsinh reciprocal",
    POSITIVE: "log log2 log10 log1p sqrt rsqrt",
    WITHIN_ONE: "arcsin arctanh erfinv",
}
PAIRS = "add subtract multiply maximum minimum equal less greater_equal"
REDUCTIONS = "sum mean max min prod var argmax logsumexp"
OTHER_NAMES = {  # of PyTorch
    "negative": "neg",
    "multiply": "mul",
    "subtract": "sub",
    "equal": "eq",
    "less": "lt",
    "greater_equal": "ge",
    "arcsin": "asin",
    "arctan": "atan",
    "arctanh": "atanh",
    "arcsinh": "asinh",
    "max": "amax",
    "min": "amin",
}


class Case(NamedTuple):
    name: str
    dtypes: tuple[str, ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    operands: int = 1
    transposed: bool = False  # the first operand
    shape: tuple[int, ...] = SQUARE
    values: tuple[float, float] = WIDE


def same(name: str, dtypes: tuple[str, ...], fn: Callable[..., Any], operands: int = 1, **rest: Any) -> Case:
    return Case(name, dtypes, fn, fn, operands, **rest)


def elementwise(ist: Any, torch: Any) -> Iterator[Case]:
    for values, names in FUNCTIONS.items():
        for name in names.split():
            yield Case(name, FLOATS, getattr(ist, name), getattr(torch, OTHER_NAMES.get(name, name)), values=values)
    for name in PAIRS.split():
        for transposed in (False, True):
            other = getattr(torch, OTHER_NAMES.get(name, name))
            yield Case(name, NUMBERS, getattr(ist, name), other, 2, transposed=transposed)
    yield same("divide", FLOATS, lambda a, b: a / b, 2)
    yield same("floor divide", NUMBERS, lambda a, b: a // b, 2, values=POSITIVE)
    yield same("remainder", NUMBERS, lambda a, b: a % b, 2, values=POSITIVE)
    yield Case("power", FLOATS, ist.power, torch.pow, 2, values=POSITIVE)
    yield Case("arctan2", ("float32", "float64"), ist.arctan2, torch.atan2, 2)
    yield Case("logaddexp", ("float32", "float64"), ist.logaddexp, torch.logaddexp, 2)
    yield same("and", ("int32", "uint8", "bool_"), lambda a, b: a & b, 2)
    yield same("a + 1", NUMBERS, lambda a: a + 1)
    yield same("a * 2", NUMBERS, lambda a: a * 2)
    for transposed in (False, True):
        yield same("a + row", (*FLOATS, "int32"), lambda a: a + a[0], transposed=transposed)
        yield same("a + column", (*FLOATS, "int32"), lambda a: a + a[:, :1], transposed=transposed)
    nn = torch.nn.functional
    yield Case("relu", FLOATS, lambda a: ist.maximum(a, 0), nn.relu)
    yield Case("clip", (*FLOATS, "int32"), lambda a: ist.clip(a, -1, 1), lambda a: torch.clamp(a, -1, 1))
    yield Case("silu", FLOATS, lambda a: a * ist.sigmoid(a), nn.silu)
    yield Case("leaky relu", FLOATS, lambda a: ist.where(a > 0, a, 0.1 * a), lambda a: nn.leaky_relu(a, 0.1))
    yield Case("gelu", FLOATS[:3], lambda a: a * (1 + ist.erf(a * 0.5**0.5)) * 0.5, nn.gelu)
    yield Case("where", NUMBERS, lambda a, b: ist.where(a > b, a, b), lambda a, b: torch.where(a > b, a, b), 2)
    for to in (*NUMBERS, "bool_"):

        def cast(a: Any, to: str = to) -> Any:
            return a.astype(getattr(ist, to))

        def cast_torch(a: Any, to: str = to) -> Any:
            return a.to(getattr(torch, to.rstrip("_")))

        yield Case(f"to {to}", tuple(d for d in NUMBERS if d != to), cast, cast_torch)


def reductions(ist: Any, torch: Any) -> Iterator[Case]:
    for axis in (None, 0, 1):
        for name in REDUCTIONS.split():
            if name == "logsumexp" and axis is None:
                continue

            def ours(a: Any, name: str = name, axis: int | None = axis) -> Any:
                return getattr(ist, name)(a, axis=axis)

            def theirs(a: Any, name: str = name, axis: int | None = axis) -> Any:
                fn = getattr(torch, OTHER_NAMES.get(name, name))
                rest = {"correction": 0} if name == "var" else {}
                return fn(a, **rest) if axis is None else fn(a, axis, **rest)

            of_integers = name in ("sum", "max", "min", "argmax")
            for transposed in (False, True) if axis is None else (False,):
                dtypes = NUMBERS if of_integers else FLOATS
                yield Case(f"{name} axis {axis}", dtypes, ours, theirs, transposed=transposed)
    for axis in (0, 1):
        yield Case(f"softmax axis {axis}", FLOATS, lambda a, i=axis: ist.softmax(a, i), lambda a, i=axis: a.softmax(i))
        yield Case(f"cumsum axis {axis}", FLOATS, lambda a, i=axis: ist.cumsum(a, i), lambda a, i=axis: a.cumsum(i))
        yield Case(f"sort axis {axis}", NUMBERS, lambda a, i=axis: ist.sort(a, i), lambda a, i=axis: a.sort(i))
    yield Case("argsort", NUMBERS, lambda a: ist.argsort(a, -1), lambda a: a.argsort(-1))
    yield Case("topk", FLOATS[:2], lambda a: ist.topk(a, 8), lambda a: a.topk(8))
    nn = torch.nn.functional
    yield Case(
        "layer_norm",
        FLOATS[:3],
        lambda a: ist.fast.layer_norm(a, None, None, 1e-5),
        lambda a: nn.layer_norm(a, a.shape[1:]),
    )
    yield Case(
        "rms_norm", FLOATS[:3], lambda a: ist.fast.rms_norm(a, None, 1e-5), lambda a: nn.rms_norm(a, a.shape[1:])
    )
    yield Case("mean of squares", FLOATS[:3], lambda a, b: ist.mean(ist.square(a - b)), nn.mse_loss, 2)


def movements(ist: Any, torch: Any) -> Iterator[Case]:
    yield Case("transposed copy", NUMBERS, lambda a: ist.contiguous(a.T), lambda a: a.T.contiguous())
    for order, shape in (((1, 0, 2), (32, 64, 64)), ((0, 2, 1), (64, 64, 64)), ((0, 2, 1, 3), (8, 128, 8, 64))):
        yield Case(
            f"transposed copy {order}",
            ("float32", "bfloat16", "uint8"),
            lambda a, order=order: ist.contiguous(ist.transpose(a, order)),
            lambda a, order=order: a.permute(order).contiguous(),
            shape=shape,
        )
    for axis in (0, 1):
        yield Case(
            f"concatenate axis {axis}",
            NUMBERS,
            lambda a, b, i=axis: ist.concatenate([a, b], i),
            lambda a, b, i=axis: torch.cat([a, b], i),
            2,
        )
    yield Case("every second", FLOATS[:2], lambda a: ist.contiguous(a[:, ::2]), lambda a: a[:, ::2].contiguous())
    yield Case("flip", FLOATS[:2], lambda a: ist.contiguous(a[:, ::-1]), lambda a: a.flip(1))
    yield Case("roll", FLOATS[:2], lambda a: ist.roll(a, 3, axis=1), lambda a: a.roll(3, 1))
    yield Case("pad", FLOATS[:2], lambda a: ist.pad(a, 1), lambda a: torch.nn.functional.pad(a, (1, 1, 1, 1)))
    rows = np.random.default_rng(0).integers(0, SQUARE[0], SQUARE[0])
    our_rows, their_rows = ist.array(rows.astype(np.int32)), torch.from_numpy(rows)
    yield Case("take axis 0", NUMBERS, lambda a: a[our_rows], lambda a: a[their_rows])
    yield Case("take axis 1", FLOATS[:2], lambda a: ist.take(a, our_rows, 1), lambda a: a.index_select(1, their_rows))
    yield Case(
        "add at rows", FLOATS[:3], lambda a, b: a.at[our_rows].add(b), lambda a, b: a.index_add(0, their_rows, b), 2
    )
    for transposed in (False, True):
        yield same("matmul", FLOATS, lambda a, b: a @ b, 2, transposed=transposed)
    yield same("matmul of 64", FLOATS[:2], lambda a, b: a @ b, 2, shape=(64, 64, 64))


def cases() -> list[tuple[Case, str]]:
    """Each with one of its dtypes; the same in each process."""
    import torch

    import isthmus as ist

    return [(c, d) for family in (elementwise, reductions, movements) for c in family(ist, torch) for d in c.dtypes]


def call_of(case: Case, dtype: str, library: str) -> Callable[[], Any]:
    import torch

    import isthmus as ist

    rng = np.random.default_rng(0)
    operands: list[Any] = []
    for i in range(case.operands):
        if dtype == "bool_":
            values = rng.random(case.shape) < 0.5
        elif dtype in INTEGERS:
            values = rng.integers(1, 100, case.shape).astype(dtype)
        else:
            values = rng.uniform(*case.values, case.shape).astype("float64" if dtype == "float64" else "float32")
        a: Any
        if library == "isthmus":
            a = ist.array(values, dtype=getattr(ist, dtype))
            ist.eval(a)
        else:
            a = torch.from_numpy(values).to(getattr(torch, dtype.rstrip("_")))
        operands.append(a.T if i == 0 and case.transposed else a)
    if library == "isthmus":
        return lambda: ist.eval(case.ours(*operands))
    return lambda: case.theirs(*operands)


def seconds(call: Callable[[], Any], samples: int = 5, sample: float = 0.004, warm: float = 0.02) -> float:
    call()
    start = time.perf_counter()
    call()
    runs = max(1, int(sample / (time.perf_counter() - start)))
    while time.perf_counter() < start + warm:
        call()
    taken = []
    for _ in range(samples):
        start = time.perf_counter()
        for _ in range(runs):
            call()
        taken.append((time.perf_counter() - start) / runs)
    return statistics.median(taken)


def serve(library: str, threads: int) -> None:
    """Answers each number of a case with its time, or with what went wrong."""
    import torch

    import isthmus as ist

    torch.set_num_threads(threads if library == "torch" else 1)
    ist.set_num_threads(threads)
    every = cases()
    for line in sys.stdin:
        case, dtype = every[int(line)]
        try:
            print(seconds(call_of(case, dtype, library)), flush=True)
        except Exception as error:
            print(str(error).split("\n")[0] or type(error).__name__, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--behind", type=float, default=1.1, help="lists cases from this ratio on")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.threads)
        return
    command = [sys.executable, str(Path(__file__).resolve()), "--threads", str(arguments.threads), "--serve"]
    workers = {
        name: subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("isthmus", "torch")
    }

    def ask(library: str, number: int) -> str:
        worker = workers[library]
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()
        return worker.stdout.readline().strip()

    rows = []
    for number, (case, dtype) in enumerate(cases()):
        name = f"{case.name}{' of a transposed' if case.transposed else ''}, {dtype}"
        if arguments.words and not any(word in name for word in arguments.words):
            continue
        answers = [ask(library, number) for library in workers]
        try:
            ours, theirs = map(float, answers)
        except ValueError:
            print(f"{name}: not measured: {answers}", file=sys.stderr)
            continue
        rows.append((ours / theirs, name, ours, theirs))
    rows.sort(reverse=True)
    mean = statistics.geometric_mean(row[0] for row in rows)
    print(f"{len(rows)} cases, threads {arguments.threads}: geometric mean of the ratios to PyTorch {mean:.2f}")
    for ratio, name, ours, theirs in rows:
        if ratio >= arguments.behind:
            print(f"{ratio:6.2f}  {name:40s} {ours * 1e6:9.1f} us, torch {theirs * 1e6:9.1f}")


if __name__ == "__main__":
    main()
