"""Ops that move elements, over views of views: all layouts of short and long runs, forwards, backwards, repeated."""

from __future__ import annotations

import math
from typing import Any

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

EXTENTS = (1, 2, 3, 4, 7, 8, 9, 17, 33)
DTYPES = ("uint8", "int16", "float32", "int64")


@st.composite
def views(draw: Any) -> tuple[ist.Tensor, np.ndarray]:
    """A tensor that is a view of a view, and NumPy's equal."""
    ist.set_num_threads(draw(st.sampled_from([1, 2, 5])))
    shape: list[int] = []
    for n in draw(st.lists(st.sampled_from([*EXTENTS, 20_000]), min_size=1, max_size=6)):
        if math.prod(shape) * n <= 300_000:
            shape.append(n)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a = rng.integers(0, 100, shape).astype(draw(st.sampled_from(DTYPES)))
    t = ist.array(a)
    for step in draw(st.lists(st.sampled_from(["permute", "slice", "repeat", "tail"]), min_size=1, max_size=3)):
        if step == "permute":
            order = tuple(draw(st.permutations(range(a.ndim))))
            a, t = a.transpose(order), t.transpose(order)
        elif step == "slice":
            key = tuple(slice(None, None, draw(st.sampled_from([1, -1, 2, -2]))) for _ in range(a.ndim))
            a, t = a[key], t[key]
        elif step == "tail":
            key = tuple(slice(draw(st.integers(0, n - 1)) if n < 4 else 1, None) for n in a.shape)
            a, t = a[key], t[key]
        else:
            at, n = draw(st.integers(0, a.ndim)), draw(st.sampled_from([2, 3, 5]))
            wide = (*a.shape[:at], n, *a.shape[at:])
            a, t = np.broadcast_to(np.expand_dims(a, at), wide), ist.broadcast_to(ist.expand_dims(t, at), wide)
    return t, a


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [3, 4, 5])
def test_rows_of_three(width: int, dtype: str) -> None:
    """Pixels: dense, with something between them, in either direction, and all the same."""
    for n in (1, 2, 3, 6, 7, 8, 11, 12, 100):
        whole = np.arange(2 * n * width).reshape(2, n, width).astype(dtype)
        for index in (
            np.s_[..., :3],
            np.s_[:, ::-1, -3:],
            np.s_[::-1, ::-1, :3],
            np.s_[:, ::-2, :3],
            np.s_[:, n // 2 :, :3],
        ):
            np.testing.assert_array_equal(np.array(ist.contiguous(ist.array(whole)[index])), whole[index])
        same = np.broadcast_to(whole[:, :1, :3], (2, n, 3))
        np.testing.assert_array_equal(
            np.array(ist.contiguous(ist.broadcast_to(ist.array(whole)[:, :1, :3], same.shape))), same
        )


@given(view=views())
def test_copies(view: tuple[ist.Tensor, np.ndarray]) -> None:
    t, a = view
    np.testing.assert_array_equal(np.array(ist.contiguous(t)), a)
    np.testing.assert_array_equal(np.array(t + t), a + a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [*range(1, 10), 16, 17, 33])
def test_narrow_matrices_the_other_way_round(width: int, dtype: str) -> None:
    """Rows shorter than a vector or little longer, with and without something behind them."""
    for n in (1, 7, 8, 9, 16, 17, 40, 129, 300):
        whole = np.arange(n * (width + 2)).reshape(n, width + 2).astype(dtype)
        for columns in (slice(width), slice(1, width + 1), slice(2, None)):
            a, t = whole[:, columns], ist.array(whole)[:, columns]
            np.testing.assert_array_equal(np.array(ist.contiguous(t.T)), a.T)
            np.testing.assert_array_equal(np.array(ist.contiguous(ist.contiguous(t.T).T)), a)
            np.testing.assert_array_equal(np.array(t.max(1)), a.max(1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [16, 127, 129, 255, 300, 1030])
def test_wide_matrices_the_other_way_round(width: int, dtype: str) -> None:
    """Rows far apart, of whole squares and of parts of some, as a copy and as an operand."""
    rng = np.random.default_rng(0)
    for n in (8, 15, 33, 64, 71, 130):
        whole = rng.integers(0, 100, (n, width + 3)).astype(dtype)
        other = rng.integers(0, 100, (width, n)).astype(dtype)
        for columns in (slice(width), slice(3, None)):
            a, t = whole[:, columns], ist.array(whole)[:, columns]
            np.testing.assert_array_equal(np.array(ist.contiguous(t.T)), a.T)
            np.testing.assert_array_equal(np.array(t.T + ist.array(other)), a.T + other)


@given(view=views(), data=st.data())
def test_joined_and_written(view: tuple[ist.Tensor, np.ndarray], data: st.DataObject) -> None:
    t, a = view
    axis = data.draw(st.integers(0, a.ndim - 1))
    np.testing.assert_array_equal(np.array(ist.concatenate([t, t, t], axis)), np.concatenate([a, a, a], axis))
    width = [(data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) if n < 10 else (1, 0) for n in a.shape]
    if math.prod(n + low + high for n, (low, high) in zip(a.shape, width, strict=True)) < 1_000_000:
        np.testing.assert_array_equal(np.array(ist.pad(t, width)), np.pad(a, width))
    key = tuple(slice(0, None, data.draw(st.sampled_from([1, 2]))) for _ in a.shape)
    updated, expected = ist.array(t), a.copy()
    updated[key], expected[key] = 7, 7
    np.testing.assert_array_equal(np.array(updated), expected)


@given(view=views(), data=st.data())
def test_taken(view: tuple[ist.Tensor, np.ndarray], data: st.DataObject) -> None:
    t, a = view
    axis = data.draw(st.integers(0, a.ndim - 1))
    extent = a.shape[axis]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(st.sampled_from([(), (1,), (5,), (2, 3)]))
    index = rng.integers(-extent, extent, shape).astype(data.draw(st.sampled_from(["int32", "int64"])))
    np.testing.assert_array_equal(
        np.array(ist.take(t, ist.array(index), axis=axis)), np.take(a, index, axis=axis, mode="wrap")
    )
    wanted = [1 if data.draw(st.booleans()) else n for n in a.shape]
    wanted[axis] = data.draw(st.sampled_from([1, 3, 20]))
    along = rng.integers(0, extent, wanted)
    full = np.broadcast_to(along, [wanted[i] if i == axis else n for i, n in enumerate(a.shape)])
    np.testing.assert_array_equal(
        np.array(ist.take_along_axis(t, ist.array(along), axis)), np.take_along_axis(a, full, axis)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nbytes", [136, 256, 512, 520, 4096, 16 * 1024, 16 * 1024 + 8])
def test_rows_are_taken(dtype: str, nbytes: int) -> None:
    """Of whole cache lines and of a part of one, longer than what the first-level cache keeps, in a row or not."""
    rng = np.random.default_rng(nbytes)
    a = rng.integers(0, 100, (37, nbytes // np.dtype(dtype).itemsize)).astype(dtype)
    for n in (1, 2, 50, 1500):
        index = rng.integers(-37, 37, n)
        ist.set_num_threads(1 + n % 3)
        np.testing.assert_array_equal(np.array(ist.array(a)[ist.array(index)]), a[index])
        np.testing.assert_array_equal(np.array(ist.array(a)[:, 1:][ist.array(index)]), a[:, 1:][index])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_bytes", [2047, 2056, 3000, 16 * 1024])
def test_columns_are_taken_from_long_rows(dtype: str, n_bytes: int) -> None:
    """More than caches hold, so that the next row is asked for as a whole or not, by how many columns are taken."""
    rng = np.random.default_rng(n_bytes)
    columns = n_bytes // np.dtype(dtype).itemsize
    a = rng.integers(0, 100, (6_000_000 // n_bytes, columns)).astype(dtype)
    for n in (1, 50, 257, 403):
        index = rng.integers(-columns, columns, n)
        each = rng.integers(0, columns, (len(a), n))
        ist.set_num_threads(1 + n % 3)
        np.testing.assert_array_equal(np.array(ist.take(ist.array(a), ist.array(index), axis=1)), a[:, index])
        found = ist.take_along_axis(ist.array(a), ist.array(each), axis=1)
        np.testing.assert_array_equal(np.array(found), np.take_along_axis(a, each, 1))
    halves = ist.take(ist.array(a)[::-2], ist.array(index), axis=1)
    np.testing.assert_array_equal(np.array(halves), a[::-2][:, index])


def test_one_element_is_taken_from_each_of_many_long_rows() -> None:
    """As of the logits of a language model: rows in two dimensions that are none in memory."""
    a = np.random.default_rng(0).integers(0, 1 << 30, (600, 36, 512)).astype(np.int32)
    index = np.random.default_rng(1).integers(0, 512, (600, 35, 1))
    x = ist.array(a)
    np.testing.assert_array_equal(np.array(ist.take(x[:, 1:], 7, axis=2)), a[:, 1:, 7])
    taken = ist.take_along_axis(x[:, :-1], ist.array(index), axis=-1)
    np.testing.assert_array_equal(np.array(taken), np.take_along_axis(a[:, :-1], index, -1))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64", "int64"])
def test_repeated_indices_are_checked(dtype: str) -> None:
    """Operands that are broadcast are read once; the first bad one is named."""
    index = np.array([1, 2, 100, 9], dtype)
    a = ist.zeros((3, 4))
    rows = ist.broadcast_to(ist.array(index)[None], (3, 4))
    with pytest.raises(ist.OutOfBoundsError, match="index 100 is out of bounds for axis 1 with size 4"):
        ist.eval(a[ist.arange(3)[:, None], rows])
    with pytest.raises(ist.OutOfBoundsError, match="index 100 is out of bounds for axis 1 with size 4"):
        ist.eval(ist.take_along_axis(a, rows, 1))


def test_indices_beyond_int64() -> None:
    with pytest.raises(ist.OutOfBoundsError, match=f"index {2**64 - 1} is out of bounds"):
        ist.eval(ist.zeros((3, 4))[ist.array(np.array([2**64 - 1], "uint64"))])
    with pytest.raises(ist.OutOfBoundsError, match="index -5 is out of bounds"):
        ist.eval(ist.zeros((3, 4))[ist.array(np.array([0, -5], "int16"))])


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "f2", "f4", "i8", "f8", "c8", "c16"])
@given(data=st.data())
def test_arrays_of_any_layout_are_read(dtype: str, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 17]), max_size=4)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    packed = np.zeros(shape, np.dtype([("before", "u1"), ("x", dtype), ("after", "u2")]))
    values = (rng.standard_normal(shape) * 10).astype(dtype)
    packed["x"] = values
    a = data.draw(st.sampled_from([values, packed["x"]])).transpose(data.draw(st.permutations(range(len(shape)))))
    a = a[tuple(slice(None, None, data.draw(st.sampled_from([1, -1, 2]))) for _ in shape)]
    if data.draw(st.booleans()):
        a = np.broadcast_to(a, (2, *a.shape))
    expected = a.astype({"f8": "f4", "c16": "c8"}.get(dtype, dtype))
    found = np.array(ist.array(a))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if dtype == "f8":
        np.testing.assert_array_equal(np.array(ist.array(a, dtype=ist.float64)), a)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_writes_to_outputs_beyond_the_caches(seed: int) -> None:
    """Slices that are added or stored, many of them to the same place, in the order of their indices."""
    rng = np.random.default_rng(seed)
    dtype = str(rng.choice(["float32", "float16", "bfloat16", "int8", "complex64", "bool_"]))
    numpy_dtype = arrays.numpy_dtype(dtype)
    inner = tuple(int(n) for n in rng.choice([1, 3, 16, 65], rng.integers(1, 3)))
    rows = int(rng.choice([0.6, 1.1, 2.5]) * 2**20 / (np.prod(inner) * numpy_dtype.itemsize)) + 1
    shape = (*(1,) * rng.integers(0, 2), rows, *inner)
    axis = len(shape) - len(inner) - 1
    n = int(rng.choice([rows // 40 + 1, rows // 3 + 1, 2 * rows]))
    skewed = rng.random() < 0.3
    index = rng.integers(0, rows, n) if not skewed else np.minimum(rng.geometric(8 / rows, n), rows) - 1
    a, b = (rng.standard_normal((m, *inner)).astype(numpy_dtype) for m in (rows, n))
    layout = str(rng.choice(arrays.LAYOUTS))
    adds = rng.random() < 0.6
    ist.set_num_threads(int(rng.choice([1, 2, 5])))

    def run(device: str) -> np.ndarray:
        whole = arrays.place(ist, a.reshape(shape), layout, device)
        updates = arrays.place(ist, b, "plain", device).reshape(*shape[:axis], n, *inner)
        updates = updates[(0,) * axis]
        at = (*(0,) * axis, ist.array(index.astype(np.int32), device=device))
        if adds:
            whole = whole.at[at].add(updates)
        else:
            whole[at] = updates
        return arrays.bits(whole)

    np.testing.assert_array_equal(run("cpu"), run("reference"))


@pytest.mark.parametrize(
    ("dtype", "columns", "mebibytes"),
    [
        *[("float32", 1000, 2), ("float32", 5120, 2), ("bfloat16", 1024, 2), ("bool_", 4097, 2)],
        *[("float32", 1024, 25), ("float32", 1001, 25), ("float16", 2080, 25), ("int8", 5120, 25)],
        ("complex64", 1024, 25),
    ],
)
@pytest.mark.parametrize("adds", [False, True])
def test_writes_of_whole_rows(dtype: str, columns: int, mebibytes: int, adds: bool) -> None:
    """Rows that are put together one by one, the longest outputs past the caches; some are written to several times."""
    rng = np.random.default_rng(columns)
    numpy_dtype = arrays.numpy_dtype(dtype)
    rows = mebibytes * 2**20 // (columns * numpy_dtype.itemsize) + 3
    index = np.concatenate([rng.integers(0, rows, rows // 3), rng.integers(0, 3, 3), [rows - 1]]).astype(np.int32)
    a, b = (rng.standard_normal((n, columns)).astype(numpy_dtype) for n in (rows, len(index)))

    def run(device: str) -> np.ndarray:
        whole, updates, at = (ist.array(x, device=device) for x in (a, b, index))
        ist.eval(whole)
        result = ist.array(whole, device=device)  # `whole` keeps its memory
        if adds:
            result = result.at[at].add(updates)
        else:
            result[at] = updates
        return arrays.bits(result)

    expected = run("reference")
    for threads in (1, 2, 5):
        ist.set_num_threads(threads)
        np.testing.assert_array_equal(run("cpu"), expected)
