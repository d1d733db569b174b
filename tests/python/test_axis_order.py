"""Operands whose axes lie in memory in another order than they are named: the bits are those of row-major copies."""

from __future__ import annotations

import itertools

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

REDUCTIONS = ["sum", "prod", "max", "min", "any", "all", "logsumexp"]
SHAPES = [(3, 5), (70, 90), (7, 6, 5), (33, 2, 70), (5, 4, 1, 6), (20, 3, 17, 16)]


def permuted(values: np.ndarray, order: list[int], dtype: str, device: str) -> ist.Tensor:
    """A tensor of these values whose axes lie in memory in `order`, from the outermost in."""
    made = ist.array(np.ascontiguousarray(values.transpose(order)), device=device).astype(getattr(ist, dtype))
    ist.eval(made)
    return ist.transpose(made, [int(axis) for axis in np.argsort(order)])


@settings(max_examples=300)
@given(
    name=st.sampled_from([*REDUCTIONS, *4 * ["max", "min"]]),
    dtype=st.sampled_from(["float32", "float16", "bfloat16", "float64", "int32", "uint8", "bool_", "complex64"]),
    shape=st.sampled_from(SHAPES),
    kind=st.sampled_from(["zeros", "few zeros", "signs", "numbers"]),
    data=st.data(),
)
def test_reductions_of_permuted_axes(
    name: str, dtype: str, shape: tuple[int, ...], kind: str, data: st.DataObject
) -> None:
    """Which zero is the largest depends on the order, as does the sum of floats."""
    order = data.draw(st.permutations(range(len(shape))))
    axes = sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    if name == "logsumexp" and dtype in ("int32", "uint8", "bool_", "complex64"):
        dtype = "float32"
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    zeros = rng.choice([0.0, -0.0], shape)
    values = {
        "zeros": zeros,
        "few zeros": np.where(rng.random(shape) < 0.1, zeros, rng.choice([-1, 1])),
        "signs": rng.choice([-1.0, -0.0, 0.0, 1.0, np.nan], shape, p=[0.2, 0.3, 0.3, 0.19, 0.01]),
        "numbers": rng.standard_normal(shape) * 10,
    }[kind]
    if dtype in ("int32", "uint8", "bool_"):
        values = np.abs(np.nan_to_num(values)).round()
    values = values.astype(np.complex64 if dtype == "complex64" else np.float32)
    ist.set_num_threads(data.draw(st.sampled_from([1, 2])))
    fast = getattr(ist, name)(permuted(values, order, dtype, "cpu"), axis=axes)
    in_order = ist.array(values, device="reference").astype(getattr(ist, dtype))
    np.testing.assert_array_equal(arrays.bits(fast), arrays.bits(getattr(ist, name)(in_order, axis=axes)))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_few_results_are_zeros(name: str, dtype: str) -> None:
    """Those alone are reduced once more, in the order of the contract."""
    shape = (20, 3, 17, 16)
    rng = np.random.default_rng(0)
    ist.set_num_threads(2)
    for axes in itertools.combinations(range(4), 2):
        of_zeros = rng.random([1 if i in axes else n for i, n in enumerate(shape)]) < 0.05
        values = np.where(of_zeros, rng.choice([0.0, -0.0], shape), rng.standard_normal(shape)).astype(np.float32)
        fast = getattr(ist, name)(permuted(values, [3, 2, 1, 0], dtype, "cpu"), axis=axes)
        in_order = ist.array(values, device="reference").astype(getattr(ist, dtype))
        np.testing.assert_array_equal(arrays.bits(fast), arrays.bits(getattr(ist, name)(in_order, axis=axes)))


def step(name: str, pool: list[ist.Tensor], pick: int, seed: int) -> ist.Tensor:
    """One op on tensors of the pool, the last ones or those before; `seed` says with which axes."""
    rng = np.random.default_rng(seed)
    a = pool[-1 - pick % len(pool)]
    alike = [t for t in pool if t.shape == a.shape]
    b = alike[seed % len(alike)]
    axes = sorted(rng.choice(a.ndim, rng.integers(1, a.ndim + 1), replace=False).tolist()) if a.ndim else []
    if name == "transpose":
        return ist.transpose(a, rng.permutation(a.ndim).tolist())
    if name == "add":
        return a + b
    if name == "where":
        return ist.where(a > 0, a, b)
    if name == "add a mean":
        return a + ist.max(a, axis=axes, keepdims=True)
    if name == "tanh":
        return ist.tanh(a)
    if name == "reshape":
        return ist.reshape(a, (-1, *a.shape[2:])) if a.ndim > 1 else a * 2
    if name == "contiguous":
        return ist.contiguous(a)
    if name == "window":
        return a[..., 1:] if a.ndim and a.shape[-1] > 8 else -a
    if name == "flip":
        return a[::-1] if a.ndim else -a
    if name == "matmul":
        return ist.matmul(a, ist.swapaxes(b, -1, -2)) if a.ndim > 1 else a - b
    if name == "softmax":
        return ist.softmax(a, axis=axes[-1]) if a.ndim else a
    keepdims = bool(rng.integers(2))
    reduced: ist.Tensor = getattr(ist, name)(a, axis=axes, keepdims=keepdims)
    return reduced


STEPS = [
    "transpose",
    "add",
    "where",
    "add a mean",
    "tanh",
    "reshape",
    "contiguous",
    "window",
    "flip",
    "matmul",
    "softmax",
]


@settings(max_examples=400)
@given(
    shape=st.sampled_from([(66, 70), (64, 80), (9, 20, 31), (20, 1, 300), (6, 10, 9, 17)]),
    orders=st.lists(st.sampled_from([0, 1, 1, 1, 1, 1, 2]), min_size=3, max_size=3),
    steps=st.lists(
        st.tuples(
            st.sampled_from([*STEPS, *4 * ["add"], *2 * ["transpose"], *3 * ["sum"], "max", "logsumexp", "prod"]),
            st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 5, 8]),
            st.integers(0, 2**16),
        ),
        min_size=2,
        max_size=12,
    ),
    asked=st.sets(st.integers(0, 12)),
    dtype=st.sampled_from(["float32", "float32", "bfloat16", "float64"]),
    seed=st.integers(0, 2**32),
    threads=st.sampled_from([1, 2]),
)
def test_programs_over_permuted_axes(
    shape: tuple[int, ...],
    orders: list[int],
    steps: list[tuple[str, int, int]],
    asked: set[int],
    dtype: str,
    seed: int,
    threads: int,
) -> None:
    """One program, whatever it does with the layouts of its values, beside its steps on row-major copies."""
    rng = np.random.default_rng(seed)
    order = [list(range(len(shape))), *(rng.permutation(len(shape)).tolist() for _ in range(2))]
    values = [rng.standard_normal(shape).astype(np.float32) for _ in orders]

    ist.set_num_threads(threads)
    made = [permuted(v, order[o], dtype, "cpu") for v, o in zip(values, orders, strict=True)]
    for name, pick, axes in steps:
        made.append(step(name, made, pick, axes))
    results = [made[-1], *(made[i] for i in sorted(asked) if i < len(made))]
    ist.eval(results)

    exact = [ist.array(v, device="reference").astype(getattr(ist, dtype)) for v in values]
    for name, pick, axes in steps:
        exact.append(ist.contiguous(step(name, exact, pick, axes)))
        ist.eval(exact[-1])
    expected = [exact[-1], *(exact[i] for i in sorted(asked) if i < len(exact))]
    for a, b in zip(results, expected, strict=True):
        np.testing.assert_array_equal(arrays.bits(a), arrays.bits(b))
        assert a.tolist() == b.tolist() or np.isnan(arrays.to_numpy(b)).any()


def lies_in(t: ist.Tensor) -> list[int]:
    """Its axes, from the outermost in memory to the innermost."""
    strides = np.asarray(t).strides
    return sorted(range(t.ndim), key=lambda axis: -strides[axis])


def test_results_lie_as_their_operands_do() -> None:
    x = ist.transpose(ist.array(np.ones((8, 20, 30, 40), np.float32)), (0, 3, 1, 2))  # a channels-first view
    y = ist.array(np.ones((8, 40, 20, 30), np.float32))
    column = ist.array(np.ones((40, 1, 1), np.float32))
    assert lies_in(ist.tanh(x * column + x)) == [0, 2, 3, 1]
    assert lies_in(ist.where(x > 0, x, 0)) == [0, 2, 3, 1]
    assert lies_in(ist.tanh(x * column).sum(axis=0)) == [1, 2, 0]
    for row_major in (x + y, y + x, ist.tanh(x * column) + y, ist.contiguous(x), ist.softmax(x * 2, axis=-1)):
        assert lies_in(row_major) == [0, 1, 2, 3]
    flat = ist.reshape(x * 2, (8, -1))
    assert lies_in(flat) == [0, 1]
