"""Programs that `cpu` runs slice by slice along their leading axis give the bits of `reference`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

THREADS = [1, 2, 5]
SHAPES = [(12, 16, 24, 64), (1, 12, 384, 64), (48, 6144), (2, 6, 384, 64), (7, 769, 55)]

Program = Callable[..., Any]


def run(program: Program, operands: list[np.ndarray], device: str, threads: int) -> list[np.ndarray]:
    ist.set_num_threads(threads)
    with ist.device(device):
        results = program(*map(ist.array, operands))
        results = results if isinstance(results, (list, tuple)) else [results]
        ist.eval(*results)
        return [arrays.bits(result) for result in results]


def compare(program: Program, operands: list[np.ndarray], threads: list[int]) -> None:
    exact = run(program, operands, "reference", 1)
    for n in threads:
        for fast, expected in zip(run(program, operands, "cpu", n), exact, strict=True):
            np.testing.assert_array_equal(fast, expected)


def matrices(x: Any) -> Any:
    """The same elements as matrices of few rows."""
    return x.reshape(*x.shape[:-1], -1, math.gcd(x.shape[-1], 16)) if x.ndim < 3 else x


def inner_axes(x: Any, seed: int) -> list[int]:
    """Some axes but for the leading one, which is the second where the first has one element."""
    first = 1 + next(i for i, n in enumerate(x.shape) if n > 1)
    axes = [axis for axis in range(first, x.ndim) if seed >> axis & 1]
    return axes or [x.ndim - 1]


def attend(x: Any, y: Any) -> Any:
    def few_rows(t: Any) -> Any:  # the reference would take long
        t = matrices(t)
        if t.shape[-2] <= 64:
            return t
        return t.reshape(*t.shape[:-2], -1, 24, t.shape[-1]) if t.shape[-2] % 24 == 0 else t[..., :24, :]

    x, y = few_rows(x), few_rows(y)
    return ist.softmax(x @ y.swapaxes(-1, -2), axis=-1) @ y


def centred(name: str) -> Program:
    return lambda x, y, seed: y - getattr(ist, name)(x, axis=inner_axes(x, seed), keepdims=True)


def reshaped(x: Any, y: Any, seed: int) -> Any:
    """Axes joined or split, from the front or from the back."""
    shape = list(x.shape)
    if seed % 3 == 0:
        shape[:2] = [shape[0] * shape[1]]
    elif seed % 3 == 1:
        shape[-2:] = [shape[-2] * shape[-1]]
    else:
        axis = seed // 3 % len(shape)
        factor = next((n for n in (2, 3, 5) if shape[axis] % n == 0), 1)
        shape[axis : axis + 1] = [shape[axis] // factor, factor]
    return x.reshape(shape) if len(shape) > 1 else x


def transposed(x: Any, y: Any, seed: int) -> Any:
    axes = [seed % x.ndim, seed // 4 % x.ndim]
    return ist.swapaxes(x, *axes)


# What takes the last value, an earlier one in its shape if there is one, and a number.
STEPS: dict[str, Program] = {
    "tanh": lambda x, y, seed: ist.tanh(x),
    "add": lambda x, y, seed: x + y,
    "multiply": lambda x, y, seed: x * y * 0.5,
    "row": lambda x, y, seed: x * y.reshape(-1)[: x.shape[-1]],
    "last row": lambda x, y, seed: x + x[tuple([0] * (x.ndim - 1))],
    "where": lambda x, y, seed: ist.where(x > 0, x, y),
    "mean": centred("mean"),
    "max": centred("max"),
    "logsumexp": centred("logsumexp"),
    "var": lambda x, y, seed: x * ist.rsqrt(x.var(inner_axes(x, seed), keepdims=True) + 1),
    "scaled by sums": lambda x, y, seed: x / (1 + ist.abs(x).sum(-1)[..., None]),
    "sum of all": lambda x, y, seed: x / (1 + ist.abs(x).sum(0)),
    "argmax": lambda x, y, seed: x + ist.argmax(x, axis=-1, keepdims=True),
    "softmax": lambda x, y, seed: ist.softmax(x, axis=-1),
    "cumsum": lambda x, y, seed: ist.tanh(ist.cumsum(x, axis=inner_axes(x, seed)[0])),
    "attention": lambda x, y, seed: attend(x, y),
    "layer norm": lambda x, y, seed: ist.fast.layer_norm(x, y.reshape(-1)[: x.shape[-1]], None, 1e-5),
    "joined": lambda x, y, seed: ist.concatenate([x[..., ::2], y[..., 1::2]], axis=-1),
    "reversed": lambda x, y, seed: x[..., ::-1],
    "reversed from the front": lambda x, y, seed: x[::-1] + y,
    "reshape": reshaped,
    "transpose": transposed,
}


def build(steps: list[tuple[str, int, int]], asked: set[int]) -> Program:
    def program(*operands: Any) -> list[Any]:
        made = list(operands)
        for name, earlier, seed in steps:
            x = made[-1]
            y = made[earlier % len(made)]
            made.append(STEPS[name](x, y.reshape(x.shape) if y.size == x.size else x, seed).astype(x.dtype))
        return [value for i, value in enumerate(made) if i in asked or i + 1 == len(made)]

    return program


@settings(max_examples=60)
@given(
    shape=st.sampled_from(SHAPES),
    dtype=st.sampled_from(["float32", "float32", "float64", "bfloat16", "float16"]),
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 63)), min_size=3, max_size=9
    ),
    asked=st.sets(st.integers(2, 10), max_size=2),
    threads=st.sampled_from(THREADS),
)
def test_programs(
    shape: tuple[int, ...], dtype: str, steps: list[tuple[str, int, int]], asked: set[int], threads: int
) -> None:
    rng = np.random.default_rng(len(steps))
    operands = [rng.standard_normal(shape).astype(arrays.numpy_dtype(dtype)) for _ in range(2)]
    compare(build(steps, asked), operands, [threads])


def softmax(x: Any) -> Any:
    e = ist.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def standardised(x: Any, axes: tuple[int, ...]) -> Any:
    return (x - x.mean(axes, keepdims=True)) * ist.rsqrt(x.var(axes, keepdims=True) + 1e-5)


def group_norm(x: Any, weight: Any, bias: Any) -> Any:
    groups = standardised(x.reshape(x.shape[0], -1, 32, x.shape[-1] // 32), (1, 3))
    return groups.reshape(x.shape) * weight + bias


WRITTEN_OUT: dict[str, tuple[Program, list[tuple[int, ...]]]] = {
    "softmax": (softmax, [(700, 600)]),
    "layer norm": (lambda x, w, b: standardised(x, (-1,)) * w + b, [(33, 17, 640), (640,), (640,)]),
    "rms norm": (lambda x, w: x * ist.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w, [(700, 600), (600,)]),
    "instance norm": (lambda x: standardised(x, (1, 2)), [(8, 20, 20, 96)]),
    "group norm": (group_norm, [(8, 28, 28, 64), (64,), (64,)]),
    "attention": (lambda q, k, v: softmax(q @ k.swapaxes(-1, -2)) @ v, [(3, 4, 180, 48)] * 3),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_written_out(name: str, backward: bool) -> None:
    forward, shapes = WRITTEN_OUT[name]
    rng = np.random.default_rng(0)
    operands = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]

    def derivatives(*primals: Any) -> Any:
        return ist.vjp(forward, list(primals), [ist.sin(primals[0])])[1]  # results are like the first operand

    compare(derivatives if backward else forward, operands, THREADS)


@pytest.mark.parametrize(("shape", "axis"), [((3, 120000), 0), ((4, 100000), 0), ((2, 4, 60000), 1)], ids=str)
def test_slices_of_operands_that_are_none_of_the_result(shape: tuple[int, ...], axis: int) -> None:
    """As many are stacked as the axis behind has elements."""

    def program(x: Any) -> Any:
        x = softmax(x)
        several = ist.stack([x] * x.shape[axis], axis=axis)
        return several * several.max(-1, keepdims=True)

    compare(program, [np.random.default_rng(0).standard_normal(shape).astype(np.float32)], THREADS)


# With the length of rows; a slice is one row.
OF_OTHER_PLANS: dict[str, tuple[Program, int]] = {
    "first row": (lambda x, e: softmax(softmax(x)) * (x - x[:1]), 21000),  # the same elements, in the first slice
    "exponents": (lambda x, e: softmax(x) ** e, 130000),  # some of which are products
    "exponents that are made": (lambda x, e: softmax(x) ** (x[:, :1] * 0 + e), 130000),
}


@pytest.mark.parametrize("name", OF_OTHER_PLANS)
def test_slices_that_are_planned_otherwise_than_those_before(name: str) -> None:
    program, length = OF_OTHER_PLANS[name]
    x = np.random.default_rng(0).standard_normal((6, length)).astype(np.float32)
    exponents = np.array([[2], [3], [0.5], [np.nan], [2], [-0.0]], np.float32)
    compare(program, [x, exponents], THREADS)


@pytest.mark.parametrize("threads", THREADS)
def test_a_slice_without_memory_is_an_error_and_the_process_goes_on(threads: int) -> None:
    x = ist.array(np.random.default_rng(0).standard_normal((64, 32, 1024)).astype(np.float32))
    exact = run(softmax, [np.array(x)], "reference", 1)
    ist.set_num_threads(threads)
    previous = ist.memory.set_limit(
        ist.memory.active() + x.nbytes + 1024
    )  # for the result, and next to nothing besides
    try:
        with pytest.raises(MemoryError, match="cannot allocate"):
            ist.eval(softmax(x))
    finally:
        ist.memory.set_limit(previous)
    np.testing.assert_array_equal(arrays.bits(softmax(x)), exact[0])
