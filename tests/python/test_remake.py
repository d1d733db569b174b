"""Cheap values that are read again behind other ops are made again there: the bits are those of one op at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

SHAPE = (384, 1029)  # more bytes than what is always kept, also in half types

# What takes two earlier values of SHAPE.
CHEAP: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "plus": lambda x, y: x + 1.25,
    "times": lambda x, y: 0.37 * x,
    "negative": lambda x, y: -x,
    "less its row": lambda x, y: x - y[3],
    "less its column": lambda x, y: x - y[:, 5:6],
    "maximum": lambda x, y: ist.maximum(x, 0.1),
    "where": lambda x, y: ist.where(x > y, x, 0.5),
    "reshaped": lambda x, y: (2 * x.reshape(-1) - 1).reshape(SHAPE),
}
OTHERS: dict[str, Callable[[Any, Any], Any]] = {
    "tanh": lambda x, y: ist.tanh(x),
    "means": lambda x, y: x * y.mean(0),
    "last means": lambda x, y: x - y.mean(-1, keepdims=True),
    "softmax": lambda x, y: ist.softmax(x, axis=-1) + y,
    "cumsum": lambda x, y: ist.cumsum(x, axis=0) * 0.01,
    "product": lambda x, y: x + (x[:, :8] @ y[:8]),
    "product of products": lambda x, y: y * ist.tanh(x[:, :16] @ (0.1 * y[:16])),
    "transposed": lambda x, y: (0.5 * x.T).T + y,
    "reversed": lambda x, y: x[::-1] + y,
    "cast": lambda x, y: x.astype(ist.float64).astype(x.dtype) * 0.5,
}
ALL = CHEAP | OTHERS

Steps = list[tuple[str, int, int]]


def run(steps: Steps, operands: list[np.ndarray], dtype: Any, asked: set[int], device: str) -> list[np.ndarray]:
    """Evaluates the whole at once on cpu, op by op on reference."""
    with ist.device(device):
        made = [ist.array(operand).astype(dtype) for operand in operands]
        for name, i, j in steps:
            made.append(ALL[name](made[-1 - i % len(made)], made[-1 - j % len(made)]))
            if device == "reference":
                ist.eval(made[-1])
        results = [value for i, value in enumerate(made) if i in asked or i + 1 == len(made)]
        made.clear()  # what nobody holds need not exist
        ist.eval(*results)
        return [arrays.bits(result) for result in results]


def operands_of(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    made = [random.standard_normal(SHAPE, dtype=np.float32) for _ in range(2)]
    made[0][random.integers(0, SHAPE[0], 9), random.integers(0, SHAPE[1], 9)] = [
        *(np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, -1e-40, 3e38, -3e38)
    ]
    return made


step = st.tuples(
    st.one_of(st.sampled_from(sorted(CHEAP)), st.sampled_from(sorted(OTHERS))), st.integers(0, 5), st.integers(0, 5)
)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(step, min_size=3, max_size=14),
    asked=st.sets(st.integers(2, 15), max_size=3),
    dtype=st.sampled_from(["float32", "float32", "bfloat16", "float64"]),
    threads=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 3),
)
def test_values_made_again_have_the_same_bits(
    steps: Steps, asked: set[int], dtype: str, threads: int, seed: int
) -> None:
    ist.set_num_threads(threads)
    operands = operands_of(seed)
    exact = run(steps, operands, getattr(ist, dtype), asked, "reference")
    fast = run(steps, operands, getattr(ist, dtype), asked, "cpu")
    for one, other in zip(fast, exact, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("threads", [1, 2])
def test_gradient_of_gelu_between_products(threads: int) -> None:
    def loss(x: Any, w: Any) -> Any:
        h = x @ w
        y = 0.5 * h * (1 + ist.tanh(0.8 * (h + 0.04 * h**3)))
        return (y @ w.T).mean()

    ist.set_num_threads(threads)
    x, w = (operand[:, :257] for operand in operands_of(1))
    x[np.isnan(x)] = 0
    results = []
    for device in ("cpu", "reference"):
        with ist.device(device):
            a, b = ist.array(np.tile(x, (3, 1))), ist.array(w[:257])
            value, gradients = ist.value_and_grad(loss, argnums=[0, 1])(a, b)
            ist.eval(value, gradients)
            results.append([arrays.bits(value), *map(arrays.bits, gradients)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_made_again_takes_no_memory_meanwhile() -> None:
    n = 1024
    x = ist.ones((n, n))
    ist.eval(x)

    def program(step: Callable[[Any], Any]) -> Any:
        y = ist.tanh(x)
        z = step(y)
        return ist.cumsum(y * z, axis=0) * z + y

    def arrays_alive(step: Callable[[Any], Any]) -> float:
        result = program(step)
        before = ist.get_active_memory()
        ist.reset_peak_memory()
        ist.eval(result)
        return (ist.get_peak_memory() - before) / (4 * n * n)

    ist.set_num_threads(1)
    assert arrays_alive(ist.exp) - arrays_alive(lambda y: 1 + y) == pytest.approx(1, abs=0.01)
