"""Random numbers of `cpu` are those of `reference`, alone and with elementwise nodes behind the bits."""

from __future__ import annotations

from typing import Any

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

LENGTHS = [1, 2, 3, 5, 31, 33, 63, 64, 65, 127, 129, 1000, 4095, 4097, 8191, 16387]


def compare(program: Any, threads: list[int]) -> None:
    def run(device: str, n: int) -> list[np.ndarray]:
        ist.set_num_threads(n)
        with ist.device(device):
            results = program()
            ist.eval(*results)
            return [arrays.bits(result) for result in results]

    exact = run("reference", 1)
    for n in threads:
        for fast, expected in zip(run("cpu", n), exact, strict=True):
            np.testing.assert_array_equal(fast, expected)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 40),
    length=st.sampled_from(LENGTHS),
    width=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 2**64 - 1),
    operand=st.sampled_from(["scalar", "row", "column", "dense", "transposed"]),
    keeps=st.booleans(),
    threads=st.sampled_from([1, 2, 5]),
)
def test_nodes_behind_bits(
    rows: int, length: int, width: int, seed: int, operand: str, keeps: bool, threads: int
) -> None:
    shape = {"scalar": (), "row": (length,), "column": (rows, 1), "transposed": (length, rows)}.get(
        operand, (rows, length)
    )
    values = np.random.default_rng(seed % 1000).standard_normal(shape).astype(np.float32)

    def program() -> list[ist.Tensor]:
        x = ist.array(values)
        bits = ist.random.bits((rows, length), width, ist.random.key(seed))
        numbers = bits.astype(ist.float32) * (x.T if operand == "transposed" else x)
        results = [ist.where(bits > 100, numbers, x.T if operand == "transposed" else x).astype(ist.float16), bits + 1]
        return [*results, bits] if keeps else results

    compare(program, [threads])


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100_001, 1_000_000])
def test_distributions(n: int) -> None:
    half = (n + 1) // 2

    def program() -> list[ist.Tensor]:
        key = [ist.random.key(seed) for seed in range(4)]
        uniform = ist.random.uniform(shape=(n,), key=key[0])
        return [
            uniform,
            ist.random.uniform(-3, ist.array(7.5), (n,), ist.bfloat16, key[1]),
            ist.random.normal((n,), key=key[2]),
            ist.random.randint(-5, 300, (n,), ist.int16, key[3]),
            ist.random.bits((n, 3), 1, key[1])[:, ::2] * ist.array(3, ist.uint8),
            uniform[:half] + uniform[n - half :],
        ]

    compare(program, [1, 2])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_unit_interval_is_that_of_limits(dtype: str) -> None:
    key, shape, kind = ist.random.key(11), (50_001,), getattr(ist, dtype)
    expected = ist.random.uniform(ist.array(0.0), ist.array(1.0), shape, kind, key)
    for low, high in [(0, 1), (0, ist.array(1.0)), (ist.array(0.0), 1), (0.0, 1.0)]:
        result = ist.random.uniform(low, high, shape, kind, key)
        assert result.dtype == kind
        np.testing.assert_array_equal(arrays.bits(result), arrays.bits(expected))
    assert float(ist.max(expected)) < 1
