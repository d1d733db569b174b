"""Reductions, scans and places of extremes branch on how long sequences are, how they lie, and what they hold."""

from __future__ import annotations

import math

import arrays
import numpy as np
import pytest
from cases import Input
from hypothesis import assume, given, settings, strategies as st

import isthmus as ist


@settings(max_examples=500)
@given(
    outer=st.sampled_from([1, 1, 3]),
    rows=st.sampled_from([1, 17, 64, 300, 2050]),
    kept=st.sampled_from([1, 8, 33, 100, 1025]),
    neighbours=st.sampled_from([1, 1, 2, 8, 32, 33]),
    dtype=st.sampled_from(["float32", "float64"]),
    axes=st.sampled_from([(1,), (1, 3), (1, 3), (0, 1, 3), (2, 3), (0,)]),
    centred=st.sampled_from(["mean", "output", "any"]),
    threads=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_squared_distances(
    outer: int,
    rows: int,
    kept: int,
    neighbours: int,
    dtype: str,
    axes: tuple[int, ...],
    centred: str,
    threads: int,
    seed: int,
) -> None:
    shape = (outer, rows, kept, neighbours)
    assume(math.prod(shape) < 500_000)
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * 100).astype(dtype)
    broadcasts = [i in axes if centred == "output" else rng.random() < 0.5 for i in range(4)]
    centre = rng.standard_normal(np.where(broadcasts, 1, shape)).astype(dtype)
    ist.set_num_threads(threads)

    def run(device: str) -> np.ndarray:
        a, c = (arrays.place(ist, v, "plain", device) for v in (x, centre))
        return arrays.bits(a.var(axes) if centred == "mean" else ist.square(a - c).sum(axes))

    np.testing.assert_array_equal(run("cpu"), run("reference"))


@settings(max_examples=300)
@given(
    name=st.sampled_from(["sum", "prod", "max", "min", "any", "logsumexp"]),
    dtype=st.sampled_from(["float32", "bfloat16", "float16", "float64", "int32", "uint8", "complex64"]),
    outer=st.sampled_from([1, 3]),
    windows=st.tuples(st.sampled_from([1, 3, 8, 30]), st.sampled_from([1, 2, 5, 16])),
    window=st.tuples(st.sampled_from([1, 2, 3, 9]), st.sampled_from([1, 2, 3, 16])),
    channels=st.sampled_from([1, 3, 8, 32, 100, 260]),
    layout=st.sampled_from(["plain", "plain", "strided", "offset"]),
    threads=st.sampled_from([1, 2, 5]),
)
def test_reductions_of_windows(
    name: str,
    dtype: str,
    outer: int,
    windows: tuple[int, int],
    window: tuple[int, int],
    channels: int,
    layout: str,
    threads: int,
) -> None:
    """As in pooling: short rows of outputs, several of which are walked together."""
    if name == "logsumexp" and dtype not in ("float32", "bfloat16", "float16", "float64"):
        dtype = "float32"
    shape = (outer, windows[0], window[0], windows[1], window[1], channels)
    assume(math.prod(shape) < 300_000)
    x = arrays.values(Input(shape, dtype), np.random.default_rng(0))
    ist.set_num_threads(threads)

    def run(device: str) -> np.ndarray:
        return arrays.bits(getattr(ist, name)(arrays.place(ist, x, layout, device), axis=(2, 4)))

    np.testing.assert_array_equal(run("cpu"), run("reference"))


@pytest.mark.parametrize("dtype", ["int8", "int32", "float16", "bfloat16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("rows", [1, 5, 150, 3_000, 9_000, 50_000])
def test_reductions_of_many_megabytes(rows: int, dtype: str) -> None:
    """Their blocks are read in an order that suits memory: from several places in turns, rows one by one, in slabs."""
    rng = np.random.default_rng(5)
    nbytes = getattr(ist, dtype).size
    shape = (rows, (6 << 20) // nbytes // rows + 1)
    if dtype.startswith("int"):
        limit = 2 ** (8 * nbytes - 1) - 1
        values = rng.integers(-limit, limit, shape)
    else:
        values = rng.standard_normal(shape)
    # One place of each row has what is more extreme than all others: of another block than in the next row, if there
    # are several.
    blocks = max(shape[1] // 4096, 1)
    places = (rng.permutation(blocks)[np.arange(rows) % blocks] * 4096 + 77) % shape[1]
    values[np.arange(rows), places] = 127 if dtype == "int8" else 1000

    def run(name: str, device: str, threads: int = 1) -> np.ndarray:
        ist.set_num_threads(threads)
        with ist.device(device):
            x = ist.array(values, dtype=getattr(ist, dtype))
            return arrays.bits(getattr(ist, name)(x[:, 1:] if rows == 5 else x, axis=1))

    for name in ("sum", "max", "min", *(["var"] if dtype.startswith("float") else [])):
        exact = run(name, "reference")
        for threads in (1, 2, 5):
            np.testing.assert_array_equal(run(name, "cpu", threads), exact)


@pytest.mark.parametrize(
    "dtype",
    ["bool_", "uint8", "int8", "int16", "int32", "uint64", "float16", "bfloat16", "float32", "float64", "complex64"],
)
@given(
    rows=st.sampled_from([1, 2, 7, 8, 9, 31, 64, 65, 4099]),
    length=st.one_of(st.integers(1, 6), st.sampled_from([31, 32, 33, 63, 64, 100, 130])),
    gap=st.sampled_from([0, 1, 5]),
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_reductions_of_short_rows(dtype: str, rows: int, length: int, gap: int, threads: int, seed: int) -> None:
    """A lane for each element or up to five, in rows side by side or apart."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2 if dtype == "bool_" else 100, (rows, length + gap))
    digits = {"float16": 11, "bfloat16": 24, "float32": 24, "float64": 53, "complex64": 24}  # of the accumulators
    if dtype in digits:

        def some(share: float) -> np.ndarray:
            return rng.random((rows, 1)) < share

        # Sums that show their order, as what is added to large numbers is lost; zeros of both signs; infinity and NaN.
        large = rng.choice([1, -1, 0, 0], values.shape) * rng.standard_normal((rows, 1)) * 2.0 ** digits[dtype]
        values = np.where(some(0.5) & (large != 0), large, rng.standard_normal(values.shape))
        values = np.where(some(0.2), rng.choice([0.0, -0.0], values.shape), values)
        special = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf, 1e38], values.shape)
        values = np.where(rng.random(values.shape) < rng.choice([0, 0, 0.02, 0.2], (rows, 1)), special, values)
        values[rng.random(rows) < 0.2] = -0.0

    def run(name: str, device: str) -> np.ndarray:
        with ist.device(device):
            x = ist.array(values, dtype=getattr(ist, dtype))[:, :length]
            return arrays.bits(getattr(ist, name)(x, axis=1))

    ist.set_num_threads(threads)
    for name in ("sum", "prod", "max", "min", "all", "any"):
        np.testing.assert_array_equal(run(name, "cpu"), run(name, "reference"), name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@given(
    rows=st.sampled_from([1, 2, 15, 31, 65, 300]),
    length=st.one_of(st.integers(1, 200), st.sampled_from([500, 1023, 1024, 1025, 2048, 4097])),
    gap=st.sampled_from([0, 0, 3]),
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_exponentials_of_rows(dtype: str, rows: int, length: int, gap: int, threads: int, seed: int) -> None:
    """softmax and logsumexp of rows alone and several at a time, with numbers that are no numbers or far apart."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rows, length + gap)) * rng.choice([1, 30, 1e4], (rows, 1))
    special = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf, -np.inf], values.shape)
    values = np.where(rng.random(values.shape) < rng.choice([0.0, 0.01, 1.0], (rows, 1)), special, values)
    values[rng.random(rows) < 0.1] = -np.inf

    def run(name: str, device: str) -> np.ndarray:
        with ist.device(device):
            x = ist.array(values).astype(getattr(ist, dtype))[:, :length]
            return arrays.bits(getattr(ist, name)(x, axis=-1))

    ist.set_num_threads(threads)
    for name in ("softmax", "logsumexp"):
        np.testing.assert_array_equal(run(name, "cpu"), run(name, "reference"), name)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint64", "bfloat16", "float32", "float64", "complex64"])
def test_reductions_of_every_second_element(dtype: str) -> None:
    """They are read where they lie: alone, row by row and from several places, with and without another one behind."""
    rng = np.random.default_rng(6)
    lengths = (1, 2, 31, 32, 33, 63, 64, 65, 96, 500, 4095, 4096, 4097, 4128, 13_000)
    shapes = [(rows, 2 * n - without) for n in lengths for rows in (1, 5, 9) for without in (0, 1)]
    shapes.append((3, (2 << 20) // getattr(ist, dtype).size + 77))
    for shape in shapes:
        of_sums = rng.integers(-100, 100, shape) / (1 if "int" in dtype else 7)
        # Odd, or so near 1 that thousands of them stay finite.
        of_products = 2 * rng.integers(0, 50, shape) + 1 if "int" in dtype else np.exp(rng.normal(0, 0.02, shape))
        of_extremes = of_sums.copy()
        if "int" not in dtype:
            of_extremes[rng.random(shape) < 0.3] *= 0.0  # of both signs
            of_extremes[rng.random(shape) < 0.2 / shape[1]] = np.nan

        def run(name: str, device: str, values: np.ndarray, threads: int = 1) -> np.ndarray:
            ist.set_num_threads(threads)
            with ist.device(device):
                x = ist.array(values, dtype=getattr(ist, dtype))[:, ::2]
                return arrays.bits(getattr(ist, name)(x, axis=1))

        for name, values in (("sum", of_sums), ("prod", of_products), ("max", of_extremes), ("min", of_extremes)):
            exact = run(name, "reference", values)
            for threads in (1, 3):
                np.testing.assert_array_equal(run(name, "cpu", values, threads), exact, str((name, shape)))


@pytest.mark.parametrize("dtype", ["bool_", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"])
@settings(max_examples=40)
@given(
    n_rows=st.integers(1, 40),
    length=st.one_of(st.integers(1, 70), st.integers(120, 270), st.sampled_from([1000, 1024, 4096, 4097])),
    gap=st.integers(0, 2),
    step=st.sampled_from([1, 2, -1]),
    nans=st.sampled_from([0, 0.01, 1]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_first_extreme_element_of_short_rows(
    dtype: str, n_rows: int, length: int, gap: int, step: int, nans: float, seed: int
) -> None:
    """Rows around the lengths of vectors and blocks, with ties, infinities of both signs and zeros of both signs."""
    rng = np.random.default_rng(seed)
    values = rng.choice(
        np.array([0, 1, 2, 3] if dtype[0] in "bu" else [0.0, -0.0, 1, -1, 5, -5]), (n_rows, length + gap)
    )
    if dtype.startswith("float"):
        values[rng.random(values.shape) < 0.01] = rng.choice([np.inf, -np.inf])
        values[rng.random(values.shape) < nans / length] = np.nan
    x = values.astype(dtype.removesuffix("_"))
    rows = ist.array(x, dtype=getattr(ist, dtype))[::step, :length]
    for name in ("argmax", "argmin"):
        found = np.array(getattr(ist, name)(rows, axis=1))
        np.testing.assert_array_equal(found, getattr(np, name)(x[::step, :length], axis=1))


@settings(max_examples=120)
@given(
    dtype=st.sampled_from(["int8", "uint64", "int32", "float32", "float64", "bfloat16"]),
    length=st.integers(32_760, 140_000),
    peaks=st.lists(st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0.01, 0.05)), max_size=4),
    infinities=st.lists(st.floats(0, 1, exclude_max=True), max_size=3),
    nans=st.lists(st.floats(0, 1, exclude_max=True), max_size=2),
    slope=st.sampled_from([0, 0, 1, -1]),
    threads=st.sampled_from([1, 3]),
)
def test_the_first_extreme_element_of_long_rows(
    dtype: str,
    length: int,
    peaks: list[float],
    infinities: list[float],
    nans: list[float],
    slope: int,
    threads: int,
) -> None:
    """Ties far apart, rows that rise or fall throughout, infinities of both signs, NaN."""
    values = np.full(length, 100.0)
    values += slope * (np.arange(length) * 24 // length)
    for sign, places in ((1, peaks[::2]), (-1, peaks[1::2])):
        values[[int(place * length) for place in places]] = 100 + 25 * sign
    if dtype[0] not in "iu":
        values[[int(place * length) for place in infinities]] = np.resize([np.inf, -np.inf], len(infinities))
        values[[int(place * length) for place in nans]] = np.nan
    x = values.astype(arrays.numpy_dtype(dtype))
    ist.set_num_threads(threads)
    for name in ("argmax", "argmin"):
        expected = getattr(np, name)(x.astype(np.float64))
        # What lies before a sequence is no part of it, even where it is as extreme.
        two = np.stack([x, np.roll(x, 1)])
        behind = np.concatenate([x[expected : expected + 1], x])
        assert getattr(ist, name)(ist.array(behind, dtype=getattr(ist, dtype))[1:]).item() == expected
        found = getattr(ist, name)(ist.array(two, dtype=getattr(ist, dtype)), axis=1)
        assert found.tolist() == [expected, getattr(np, name)(two[1].astype(np.float64))]


@pytest.mark.parametrize("dtype", ["bool_", "uint8", "float32"])
@settings(max_examples=20)
@given(
    count=st.integers(1, 3),
    length=st.integers(130_000, 300_000),
    deciding=st.lists(st.floats(0, 1, exclude_max=True), max_size=3),
    inverted=st.booleans(),
    threads=st.sampled_from([1, 2, 5]),
)
def test_reductions_that_end_where_the_answer_is_known(
    dtype: str, count: int, length: int, deciding: list[float], inverted: bool, threads: int
) -> None:
    ones = np.zeros(count * length, np.uint8)
    ones[[int(place * ones.size) for place in deciding]] = 1
    values = (1 - ones if inverted else ones).reshape(count, length) * (255 if dtype == "uint8" else 1)
    x = values.astype(dtype.removesuffix("_"))
    if dtype == "float32" and not inverted:
        x[x == 1] = np.nan
    ist.set_num_threads(threads)
    for name in ("any", "all", "max", "min", "argmax", "argmin"):
        made = np.array(getattr(ist, name)(ist.array(x, dtype=getattr(ist, dtype)), axis=1))
        np.testing.assert_array_equal(made, getattr(np, name)(x, axis=1))
    differs = ist.array(x, dtype=getattr(ist, dtype)) != 0
    answer = ist.any(differs, axis=1)
    ist.eval(differs, answer)
    np.testing.assert_array_equal(np.array(differs), x != 0)  # whatever was known when
    np.testing.assert_array_equal(np.array(answer), np.any(x != 0, axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin"])
def test_scans_of_rows_that_end_anywhere(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for rows in (1, 3, 8, 17):
        for n in (1, 7, 8, 15, 16, 17, 24, 31, 33, 4097):
            values = rng.standard_normal((rows, n))
            values.flat[5::31] = -0.0
            values.flat[::97] = np.nan if n % 2 else np.inf

            def run(device: str, reverse: bool, inclusive: bool, values: np.ndarray = values) -> np.ndarray:
                with ist.device(device):
                    x = ist.array(values.astype("float64" if dtype == "float64" else "float32"))
                    x = x.astype(getattr(ist, dtype))
                    return arrays.bits(getattr(ist, name)(x, axis=1, reverse=reverse, inclusive=inclusive))

            for reverse in (False, True):
                for inclusive in (False, True):
                    expected = run("reference", reverse, inclusive)
                    np.testing.assert_array_equal(run("cpu", reverse, inclusive), expected)
