"""Operands whose axes lie in memory in another order than they are named: the bits are those of row-major copies."""

from __future__ import annotations

import arrays
import numpy as np
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
    values = {
        "zeros": lambda: rng.choice([0.0, -0.0], shape),
        "few zeros": lambda: np.where(rng.random(shape) < 0.1, rng.choice([0.0, -0.0], shape), rng.choice([-1, 1])),
        "signs": lambda: rng.choice([-1.0, -0.0, 0.0, 1.0, np.nan], shape, p=[0.2, 0.3, 0.3, 0.19, 0.01]),
        "numbers": lambda: rng.standard_normal(shape) * 10,
    }[kind]()
    if dtype in ("int32", "uint8", "bool_"):
        values = np.abs(np.nan_to_num(values)).round()
    values = values.astype(np.complex64 if dtype == "complex64" else np.float32)
    ist.set_num_threads(data.draw(st.sampled_from([1, 2])))
    fast = getattr(ist, name)(permuted(values, order, dtype, "cpu"), axis=axes)
    in_order = ist.array(values, device="reference").astype(getattr(ist, dtype))
    np.testing.assert_array_equal(arrays.bits(fast), arrays.bits(getattr(ist, name)(in_order, axis=axes)))
