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


def cast(values: np.ndarray, dtype: str) -> np.ndarray:
    return np.array(ist.array(values, getattr(ist, values.dtype.name)).astype(getattr(ist, dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("integer", ["int64", "uint64", "int32", "uint32", "int16", "uint8"])
def test_casts_at_the_ends_of_int32(integer: str, dtype: str) -> None:
    """Stretches of numbers that int32 has, of others, and of both; NumPy judges those that the result can hold."""
    rng = np.random.default_rng(0)
    limits = np.iinfo(integer)
    powers = [(1 << k) + d for k in range(64) for d in (-1, 0, 1)]
    edges = [v for p in powers for v in (p, -p) if limits.min <= v <= limits.max]
    stretches = [rng.integers(0, min(limits.max, most), 700).astype(integer) for most in (100, 2**32, 2**63)]
    integers = np.concatenate([*stretches, np.array(edges, integer)])
    ends = np.array([s * 2.0**k for k in range(66) for s in (1, -1)], dtype)
    close = [np.nextafter(ends, ends.dtype.type(v)) for v in (0, np.inf, -np.inf)]
    far = np.array([0.0, -0.0, 0.5, -0.5, np.nan, np.inf, -np.inf, 1e30, -1e30], dtype)
    small = [rng.uniform(-(2.0**k), 2.0**k, 700).astype(dtype) for k in (7, 31, 32, 33)]
    floats = np.concatenate([*small, ends, *close, far])
    for start in (0, 5):
        x, y = integers[start:], floats[start:]
        np.testing.assert_array_equal(cast(x, dtype), x.astype(dtype))
        with ist.device("reference"):
            expected = cast(y, integer)
        np.testing.assert_array_equal(cast(y, integer), expected)
        fits = (np.trunc(y) >= limits.min) & (np.trunc(y) < 2.0 ** (limits.bits - (limits.min < 0)))
        np.testing.assert_array_equal(expected[fits], y[fits].astype(integer))
