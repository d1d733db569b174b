"""Integer division and shifts on `cpu`, whose kernels go by floats, inverses and steps, equal those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import isthmus as ist


def edges(dtype: str) -> np.ndarray:
    """Powers of two and their neighbours, small numbers and the ends."""
    info = np.iinfo(dtype)
    near_powers = [s * 2**k + d for k in range(info.bits) for s in (1, -1) for d in (-2, -1, 0, 1, 2)]
    values = {*near_powers, *range(-70, 70), 1000, 7919, 10**9, info.min, info.max}
    return np.array(sorted(v for v in values if info.min <= v <= info.max), dtype)


def every(dtype: str) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.arange(info.min, info.max + 1).astype(dtype)


def check_division(a: np.ndarray, b: np.ndarray) -> None:
    zero = b == 0
    divisor = np.where(zero, b.dtype.type(1), b)
    with np.errstate(over="ignore"):
        quotient, rest = np.floor_divide(a, divisor), np.remainder(a, divisor)
    x, y = ist.array(a), ist.array(b)
    np.testing.assert_array_equal(np.array(ist.floor_divide(x, y)), np.where(zero, 0, quotient))
    np.testing.assert_array_equal(np.array(ist.remainder(x, y)), np.where(zero, 0, rest))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_division_of_all_bytes(dtype: str) -> None:
    a, b = (x.ravel() for x in np.meshgrid(every(dtype), every(dtype)))
    check_division(a, b)
    for divisor in every(dtype):
        check_division(every(dtype), divisor)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_division(dtype: str) -> None:
    rng = np.random.default_rng(0)
    info = np.iinfo(dtype)
    near = edges(dtype)
    some = rng.integers(info.min, info.max, 20000, dtype, endpoint=True)
    divisors = some >> rng.integers(0, info.bits, some.size).astype(dtype)
    check_division(*(x.ravel() for x in np.meshgrid(near, near)))
    check_division(some, divisors)
    multiples = some // np.where(divisors == 0, divisors.dtype.type(1), divisors) * divisors
    for offset in (-1, 0, 1):
        check_division(multiples + np.array(offset).astype(dtype), divisors)
    dividends = every(dtype) if info.bits == 16 else np.concatenate([near, some[:1000]])
    for divisor in near:  # one for all
        check_division(dividends, divisor)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_shifts_of_all_bytes(dtype: str) -> None:
    a, b = (x.ravel() for x in np.meshgrid(every(dtype), every(dtype)))
    inside = (b >= 0) & (b < 8)
    count = np.where(inside, b, 0)
    x, y = ist.array(a), ist.array(b)
    np.testing.assert_array_equal(np.array(ist.left_shift(x, y)), np.where(inside, a << count, 0))
    np.testing.assert_array_equal(np.array(ist.right_shift(x, y)), np.where(inside, a >> count, np.where(a < 0, -1, 0)))
