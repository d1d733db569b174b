"""Equal seeds give upstream's bits: keys, bits, uniform and randint exactly, normal within the error of erfinv."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from compare import DEVICES, to_numpy

import isthmus as ist

SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**32 + 7, 2**63 + 5]
SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (3,), (4, 5), (2, 3, 7), (1001,)]


def both(function: str, seed: int, *args: Any, dtype: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    results = []
    for m in (ist, mx):
        options = {} if dtype is None else {"dtype": getattr(m, dtype)}
        results.append(getattr(m.random, function)(*args, key=m.random.key(seed), **options))
    mine, theirs = results
    assert str(mine.dtype).rsplit(".", 1)[-1] == str(theirs.dtype).rsplit(".", 1)[-1]
    return to_numpy(mine), to_numpy(theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_key_and_split(seed: int) -> None:
    np.testing.assert_array_equal(np.array(ist.random.key(seed)), np.array(mx.random.key(seed)))
    for num in (1, 2, 3, 8):
        mine = ist.random.split(ist.random.key(seed), num)
        np.testing.assert_array_equal(np.array(mine), np.array(mx.random.split(mx.random.key(seed), num)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("seed", SEEDS)
def test_uniform(seed: int, dtype: str, device: str) -> None:
    with ist.device(device):
        for shape in SHAPES:
            for low, high in ((0, 1), (-2.5, 7)):
                mine, theirs = both("uniform", seed, low, high, shape, dtype=dtype)
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "uint32", "int64"])
@pytest.mark.parametrize("seed", SEEDS)
def test_randint(seed: int, dtype: str, device: str) -> None:
    with ist.device(device):
        for shape in SHAPES:
            mine, theirs = both("randint", seed, 0, 100, shape, dtype=dtype)
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_bits(seed: int) -> None:
    """Upstream does not bind `bits` in Python; its `split` shows those of 4 bytes."""
    assert not hasattr(mx.random, "bits")
    for count in (1, 5, 501):
        mine = ist.random.bits((count, 2), 4, ist.random.key(seed))
        np.testing.assert_array_equal(np.array(mine), np.array(mx.random.split(mx.random.key(seed), count)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", SEEDS)
def test_normal(seed: int, device: str) -> None:
    """erfinv is a polynomial of each library's own, so the last bits differ: 4 ULP."""
    with ist.device(device):
        for shape in SHAPES:
            mine, theirs = both("normal", seed, shape)
            np.testing.assert_array_max_ulp(mine, theirs, 4) if mine.size else None


def test_the_sequence_of_default_keys() -> None:
    for seed in SEEDS[:4]:
        ist.random.seed(seed)
        mx.random.seed(seed)
        for shape in SHAPES:
            np.testing.assert_array_equal(
                np.array(ist.random.uniform(shape=shape)), np.array(mx.random.uniform(shape=shape))
            )
            np.testing.assert_array_equal(
                np.array(ist.random.randint(-5, 9, shape)), np.array(mx.random.randint(-5, 9, shape))
            )
