"""What Python sees of a tensor: how it is made, shown, indexed, combined, shared with other libraries and pickled."""

from __future__ import annotations

import array
import copy
import gc
import operator
import pickle
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

import isthmus as ist

ml_dtypes = pytest.importorskip("ml_dtypes")

NUMPY_DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
NUMPY_DTYPES += ["float16", "float32", "complex64"]


# ---- creation ----
@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (True, "bool", ()),
        (3, "int32", ()),
        (-(2**31), "int32", ()),
        (2**31, "int64", ()),
        (-(2**31) - 1, "int64", ()),
        (1.5, "float32", ()),
        (2j, "complex64", ()),
        ([], "float32", (0,)),
        ([[]], "float32", (1, 0)),
        ([True, False], "bool", (2,)),
        ([True, 2], "int32", (2,)),
        ([1, 2**40], "int64", (2,)),
        ([1, 2.0], "float32", (2,)),
        ([1.5, 1j], "complex64", (2,)),
        ([(1, 2), [3, 4]], "int32", (2, 2)),
        (np.float64(1.5), "float32", ()),
        (np.zeros(2), "float32", (2,)),
        (np.zeros(2, np.complex128), "complex64", (2,)),
        ([np.int8(1), 2], "int32", (2,)),
        (b"ab", "uint8", (2,)),
        (array.array("h", [1, 2]), "int16", (2,)),
        (memoryview(b"abcd").cast("I"), "uint32", (1,)),
        (range(3), None, None),
        ("text", None, None),
        ({1: 2}, None, None),
    ],
)
def test_array_infers_dtype_and_shape(value: Any, dtype: str | None, shape: Any) -> None:
    if dtype is None:
        with pytest.raises((TypeError, ValueError), match="array: "):
            ist.array(value)
        return
    made = ist.array(value)
    assert (made.dtype.name, made.shape) == (dtype, shape)


@pytest.mark.parametrize("bad", [[[1], 2], [1, [2]], [[1, 2], [3]], [[[1]], [[2, 3]]], [[], [1]]])
def test_ragged_lists_are_refused(bad: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"array: .*not rectangular"):
        ist.array(bad)


@pytest.mark.parametrize("too_big", [2**64, -(2**63) - 1, [1, 2**70], 2**63])
def test_ints_that_fit_no_dtype_are_refused(too_big: Any) -> None:
    with pytest.raises(ValueError, match="array: "):
        ist.array(too_big)
    assert ist.array(2**63, dtype=ist.uint64).item() == 2**63


@given(
    hnp.arrays(
        st.sampled_from([np.dtype(name) for name in NUMPY_DTYPES]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    st.data(),
)
def test_numpy_arrays_of_any_layout_come_and_go_unchanged(source: np.ndarray, data: st.DataObject) -> None:
    view = source.transpose(data.draw(st.permutations(range(source.ndim)))) if source.ndim else source
    if view.ndim:
        view = view[:: data.draw(st.sampled_from([1, 2, -1, -2]))]
    tensor = ist.array(view)
    assert tensor.shape == view.shape and tensor.dtype.name == view.dtype.name and tensor.nbytes == view.nbytes
    np.testing.assert_array_equal(np.array(tensor), view)
    np.testing.assert_array_equal(np.from_dlpack(tensor), view)
    np.testing.assert_array_equal(np.array(tensor.tolist(), view.dtype).reshape(view.shape), view)
    assert bytes(tensor) == view.tobytes()
    again = pickle.loads(pickle.dumps(tensor))
    assert again.dtype == tensor.dtype and again.shape == tensor.shape and bytes(again) == bytes(tensor)


def test_bfloat16_of_ml_dtypes_comes_and_goes() -> None:
    source = np.array([[1.5, -2.0, 3.140625], [np.inf, 0.0, -0.0]], ml_dtypes.bfloat16)
    for view in (source, source.T, source[:, ::-2], source[0, 0], source[:0], np.array(2.5, ml_dtypes.bfloat16)):
        tensor = ist.array(view)
        assert tensor.dtype == ist.bfloat16 and tensor.shape == view.shape
        back = np.array(tensor)
        assert back.dtype == ml_dtypes.bfloat16 and back.tobytes() == view.tobytes()
        np.testing.assert_array_equal(np.array(tensor.astype(ist.float32)), view.astype(np.float32))
    np.testing.assert_array_equal(np.asarray(ist.array(source).T[::-1]), source.T[::-1])
    assert np.array(ist.array(source), dtype=np.float32).dtype == np.float32
    assert ist.array(source, dtype=ist.int32)[0].tolist() == [1, -2, 3]


def test_bfloat16_to_numpy_without_ml_dtypes_says_what_to_do() -> None:
    code = """
import sys; sys.modules["ml_dtypes"] = None
import numpy as np, isthmus as ist
try: np.array(ist.zeros(2, dtype=ist.bfloat16))
except ist.DTypeError as e: print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "astype(isthmus.float32)" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "source", [np.array(["a"]), np.array([None]), np.zeros(2, ml_dtypes.float8_e4m3fn), np.zeros(2, ">f4")]
)
def test_arrays_without_a_dtype_here_are_refused_clearly(source: np.ndarray) -> None:
    with pytest.raises(ist.IsthmusError, match="array: ") as caught:
        ist.array(source)
    assert isinstance(caught.value, ValueError)


def test_a_released_memoryview_is_an_error_of_ours() -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(ValueError, match=r"array: .*released"):
        ist.array(view)


def test_arrays_are_copied_and_tensors_are_values() -> None:
    source = np.zeros(3, np.float32)
    tensor = ist.array(source)
    source[0] = 7
    assert tensor.tolist() == [0, 0, 0]
    other = ist.array(tensor)
    other += 1
    assert tensor.tolist() == [0, 0, 0] and other.tolist() == [1, 1, 1]


# ---- sharing memory ----
def address(a: np.ndarray) -> int:
    return a.__array_interface__["data"][0]


def test_numpy_reads_the_tensors_own_memory_and_cannot_write_it() -> None:
    tensor = ist.array(np.arange(12, dtype=np.float32).reshape(3, 4))
    first, view = np.asarray(tensor), np.asarray(tensor.T[1:, ::2])
    assert address(first) == address(np.asarray(tensor)) == address(np.from_dlpack(tensor))
    assert address(view) == address(first) + 4 and view.strides == (4, 32)
    for a in (first, np.from_dlpack(tensor)):
        assert not a.flags.writeable
        with pytest.raises(ValueError):
            a[0] = 1
    assert address(np.array(tensor)) != address(first)
    # In-place syntax rebinds: what was exported keeps its values, and its memory.
    tensor += 1
    del tensor
    gc.collect()
    np.testing.assert_array_equal(first, np.arange(12).reshape(3, 4))


def test_dlpack_shares_both_ways_and_keeps_the_source_alive() -> None:
    class Source(np.ndarray):
        pass

    source = np.arange(6, dtype=np.int64).reshape(2, 3).view(Source)
    alive = weakref.ref(source)
    tensor = ist.from_dlpack(source)
    assert address(np.asarray(tensor)) == address(source) and tensor.dtype == ist.int64
    del source
    gc.collect()
    assert alive() is not None and tensor.tolist() == [[0, 1, 2], [3, 4, 5]]
    del tensor
    gc.collect()
    assert alive() is None
    assert ist.from_dlpack(np.zeros(2)).dtype == ist.float32
    assert ist.from_dlpack(np.zeros(2), dtype=ist.float64).dtype == ist.float64
    assert ist.zeros(2).__dlpack_device__() == (1, 0)
    ist.zeros(2).__dlpack__()  # a capsule that nobody takes frees its contents
    with pytest.raises(ist.IsthmusError, match="from_dlpack"):
        ist.from_dlpack([1, 2])


# ---- text; recorded from mlx 0.32.4 ----
@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        ([1, 2, 3], None, "array([1, 2, 3], dtype=int32)"),
        ([1.5, -0.0, float("nan"), float("inf")], None, "array([1.5, -0, nan, inf], dtype=float32)"),
        (1e-7, None, "array(1e-07, dtype=float32)"),
        ([True, False], None, "array([True, False], dtype=bool)"),
        ([1 + 2j, -1j], None, "array([1+2j, -0-1j], dtype=complex64)"),
        ([[1, 2], [3, 4]], None, "array([[1, 2],\n       [3, 4]], dtype=int32)"),
        ([], None, "array([], dtype=float32)"),
        (list(range(8)), None, "array([0, 1, 2, ..., 5, 6, 7], dtype=int32)"),
        ([3.140625], "bfloat16", "array([3.14062], dtype=bfloat16)"),
    ],
)
def test_repr(value: Any, dtype: str | None, text: str) -> None:
    assert repr(ist.array(value, dtype=getattr(ist, dtype) if dtype else None)) == text


def test_format_and_numbers() -> None:
    assert f"{ist.array(1.25):.1f}" == "1.2" and f"{ist.array(3)}" == "3"
    assert f"{ist.ones(2)}" == "array([1, 1], dtype=float32)"
    with pytest.raises(TypeError, match="0-dimensional"):
        f"{ist.ones(2):.1f}"
    assert (int(ist.array([2.9])), float(ist.array(2)), complex(ist.array(1j)), bool(ist.array(0))) == (
        2,
        2.0,
        1j,
        False,
    )
    assert [10, 20, 30][ist.array(1)] == 20
    for bad in (ist.array(1.0), ist.array([1])):
        with pytest.raises(TypeError):
            [10, 20][bad]


# ---- operators ----
@pytest.mark.parametrize(
    ("left", "number", "result"),
    [
        ("int8", 1, "int8"),
        ("uint8", True, "uint8"),
        ("int32", 1.0, "float32"),
        ("float16", 2, "float16"),
        ("bfloat16", 2.5, "bfloat16"),
        ("bool", 1, "int32"),
        ("bool", 1.5, "float32"),
        ("float16", 1j, "complex64"),
        ("int64", 2.5, "float32"),
    ],
)
def test_numbers_are_weak(left: str, number: Any, result: str) -> None:
    tensor = ist.ones(2).astype(getattr(ist, left) if left != "bool" else ist.bool_)
    assert (tensor + number).dtype.name == (number + tensor).dtype.name == result
    assert ist.add(tensor, number).dtype.name == result


def test_numbers_that_do_not_fit_are_refused() -> None:
    for number in (256, -1, 2**70):
        with pytest.raises(ValueError, match=r"add: .*uint8"):
            ist.ones(2, dtype=ist.uint8) + number


BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge", "eq", "ne"]


@given(
    st.sampled_from(BINARY),
    hnp.arrays(np.int32, (2, 3), elements=st.integers(1, 9)),
    hnp.arrays(np.int32, st.sampled_from([(2, 3), (3,), (2, 1), ()]), elements=st.integers(1, 4)),
)
def test_operators_are_numpys(name: str, a: np.ndarray, b: np.ndarray) -> None:
    function = getattr(operator, name)
    want = function(a, b)
    for left, right in ((ist.array(a), ist.array(b)), (ist.array(a), b)):
        np.testing.assert_allclose(np.array(function(left, right)), want, rtol=1e-6)
    if b.ndim == 0:
        np.testing.assert_allclose(np.array(function(int(b), ist.array(a))), function(int(b), a), rtol=1e-6)
    if name + "_" not in ("lt_", "le_", "gt_", "ge_", "eq_", "ne_", "truediv_"):
        target = kept = ist.array(a)
        other = ist.array(kept)
        target = getattr(operator, "i" + name)(target, ist.array(b))
        assert target is kept
        np.testing.assert_array_equal(np.array(target), want)
        np.testing.assert_array_equal(np.array(other), a)


def test_bit_operators_matmul_and_containment() -> None:
    a, b = ist.array([12, 10]), ist.array([10, 3])
    assert [(a & b).tolist(), (a | b).tolist(), (a ^ b).tolist()] == [[8, 2], [14, 11], [6, 9]]
    assert [(a << 1).tolist(), (a >> 1).tolist(), (~a).tolist(), (-a).tolist()] == [
        [24, 20],
        [6, 5],
        [-13, -11],
        [-12, -10],
    ]
    assert (ist.ones((2, 3)) @ ist.ones((3, 1))).tolist() == [[3], [3]]
    assert 12 in a and 11 not in a and "x" not in a
    assert len(a) == 2 and [t.item() for t in a] == [12, 10]
    for use in (len, iter):
        with pytest.raises(TypeError, match="0-dimensional"):
            use(ist.array(1))


# ---- indexing ----
SHAPE = (3, 4, 5)
BASIC = hnp.basic_indices(SHAPE, max_dims=5, allow_newaxis=True, allow_ellipsis=True)


@given(BASIC, st.booleans())
def test_basic_indices_read_and_write_like_numpys(index: Any, as_number: bool) -> None:
    source = np.arange(60, dtype=np.float32).reshape(SHAPE)
    tensor = ist.array(source)
    want = source[index]
    np.testing.assert_array_equal(np.array(tensor[index]), want)
    kept = ist.array(tensor)
    tensor[index] = -1 if as_number else ist.array(-want)
    changed = source.copy()
    changed[index] = -1 if as_number else -want
    np.testing.assert_array_equal(np.array(tensor), changed)
    np.testing.assert_array_equal(np.array(kept), source)


@given(st.lists(st.integers(-3, 2), max_size=4), st.lists(st.integers(-4, 3), min_size=1, max_size=1))
def test_index_tensors_read_and_write_like_numpys(rows: list[int], column: list[int]) -> None:
    source = np.arange(60, dtype=np.float32).reshape(SHAPE)
    row_array, column_array = np.array(rows, np.int32), np.array(column, np.int32)
    for index in ((row_array,), (row_array, column_array), (slice(1, None), column_array), (row_array, slice(None, 2))):
        ours = tuple(ist.array(i) if isinstance(i, np.ndarray) else i for i in index)
        np.testing.assert_array_equal(np.array(ist.array(source)[ours]), source[index])
        tensor, changed = ist.array(source), source.copy()
        tensor[ours] = 7
        changed[index] = 7
        np.testing.assert_array_equal(np.array(tensor), changed)
        added = source.copy()
        np.add.at(added, index, 1)
        np.testing.assert_array_equal(np.array(ist.array(source).at[ours].add(1)), added)


# ---- copies and pickles ----
def test_copies_and_pickles_keep_requires_grad_and_share_no_gradient() -> None:
    w = ist.array([1.0, 2.0], requires_grad=True)
    for other in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        (other * 3).sum().backward()
        assert other.grad.tolist() == [3, 3] and w.grad is None
    t = pickle.loads(pickle.dumps(ist.ones(3, dtype=ist.bfloat16)[::2]))
    assert t.dtype == ist.bfloat16 and t.tolist() == [1, 1]
    for value in (ist.float16, ist.Device("reference")):
        assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(ist.int8) is ist.int8


# ---- dtypes; the limits recorded from mlx 0.32.4 ----
def test_dtype_categories_and_limits() -> None:
    assert ist.issubdtype(ist.float32, ist.floating) and ist.issubdtype(ist.floating, ist.inexact)
    assert ist.issubdtype(ist.bool_, ist.generic) and not ist.issubdtype(ist.bool_, ist.number)
    assert ist.issubdtype(ist.int8, ist.int8) and not ist.issubdtype(ist.float16, ist.float32)
    assert not ist.issubdtype(ist.inexact, ist.float32) and not ist.issubdtype(ist.signedinteger, ist.floating)
    with pytest.raises(TypeError, match="issubdtype: arg1"):
        ist.issubdtype(1, ist.generic)
    for name in ("float16", "float32", "float64"):
        ours, theirs = ist.finfo(getattr(ist, name)), np.finfo(name)
        assert (ours.min, ours.max, ours.eps, ours.smallest_normal, ours.bits) == (
            *(theirs.min, theirs.max, theirs.eps, theirs.smallest_normal, theirs.bits),
        )
    assert ist.finfo(ist.bfloat16).max == 3.3895313892515355e38 and ist.finfo(ist.bfloat16).eps == 0.0078125
    assert ist.finfo(ist.complex64).dtype == ist.float32
    for name in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]:
        assert (ist.iinfo(getattr(ist, name)).min, ist.iinfo(getattr(ist, name)).max) == (
            *(np.iinfo(name).min, np.iinfo(name).max),
        )
    assert repr(ist.finfo(ist.float32)) == "finfo(min=-3.40282e+38, max=3.40282e+38, dtype=float32)"
    for bad in (lambda: ist.finfo(ist.int32), lambda: ist.iinfo(ist.float32), lambda: ist.iinfo(ist.bool_)):
        with pytest.raises(ist.DTypeError):
            bad()


# ---- functions made of others ----
@given(
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=4),
    st.integers(-6, 6),
    st.permutations([0, 1]),
    st.integers(-9, 9),
)
def test_diagonals_rolls_and_flips_are_numpys(shape: tuple[int, ...], k: int, axes: list[int], shift: int) -> None:
    a = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    t = ist.array(a)
    np.testing.assert_array_equal(np.array(ist.diagonal(t, k, *axes)), np.diagonal(a, k, *axes))
    np.testing.assert_array_equal(np.array(ist.diag(t.flatten(), k)), np.diag(a.ravel(), k))
    np.testing.assert_array_equal(np.array(ist.roll(t, shift)), np.roll(a, shift))
    np.testing.assert_array_equal(np.array(ist.roll(t, shift, tuple(axes))), np.roll(a, shift, axes))
    np.testing.assert_array_equal(np.array(ist.roll(t, (shift, 1), (0, -1))), np.roll(a, (shift, 1), (0, -1)))
    np.testing.assert_array_equal(np.array(ist.flip(t)), np.flip(a))
    np.testing.assert_array_equal(np.array(ist.flip(t, axes[0])), np.flip(a, axes[0]))
    np.testing.assert_array_equal(np.array(ist.count_nonzero(t, axis=axes[0])), np.count_nonzero(a, axis=axes[0]))
    assert ist.count_nonzero(t).dtype == ist.int32


def test_tensordot_and_vecdot_are_numpys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(-4, 5, (2, 3, 4)).astype(np.float32), rng.integers(-4, 5, (4, 3, 2)).astype(np.float32)
    for axes in (0, 1, ([1], [1]), ([0, -2], [2, 1]), ([2, 1, 0], [0, 1, 2])):
        np.testing.assert_array_equal(
            np.array(ist.tensordot(ist.array(a), ist.array(b), axes)), np.tensordot(a, b, axes)
        )
    z = ist.array([1 + 2j, 3 - 1j])
    assert ist.vecdot(z, ist.array([2j, 1 + 1j])).item() == 6 + 6j
    assert ist.vecdot(ist.ones((2, 3)), ist.ones((2, 3)), axis=0).tolist() == [2, 2, 2]
    for bad in (5, -1, [[0], [1, 2]], [[7], [0]], [[0, 0], [1, 1]], [[0], [1]], "ab"):
        with pytest.raises((ValueError, IndexError), match="tensordot: "):
            ist.tensordot(ist.array(a), ist.array(b), bad)
    for bad in (lambda: ist.diag(ist.ones((2, 2, 2))), lambda: ist.diagonal(ist.ones((2, 2)), 0, 1, -1)):
        with pytest.raises(ValueError, match="diag"):
            bad()
    for bad in (lambda: ist.roll(ist.ones((2, 2)), 1, 2), lambda: ist.flip(ist.ones(2), 1)):
        with pytest.raises(IndexError, match="axis"):
            bad()


def test_gradients_of_diagonals_and_rolls() -> None:
    w = ist.array([1.0, 2.0, 3.0])
    assert ist.grad(lambda x: (ist.diag(x, 1) * 2).sum())(w).tolist() == [2, 2, 2]
    assert ist.grad(lambda x: (ist.roll(x, 1) * ist.array([1.0, 2, 3])).sum())(w).tolist() == [2, 3, 1]
    assert ist.grad(lambda x: ist.diag(x).sum())(ist.ones((2, 3))).tolist() == [[1, 0, 0], [0, 1, 0]]


# ---- arguments of a wrong kind raise errors of ours, never SystemError ----
@pytest.mark.parametrize("function", [ist.sum, ist.min, ist.std, ist.var, ist.argmax, ist.all, ist.logsumexp])
@pytest.mark.parametrize("junk", [ist.ones((2, 3)), np.ones(2), None])
def test_a_flag_without_a_truth_value_is_refused(function: Any, junk: Any) -> None:
    with pytest.raises(ist.ArgumentTypeError, match=f"{function.__name__}: keepdims must be a bool"):
        function(ist.ones((2, 3)), None, junk)


def test_junk_is_refused_with_the_functions_name() -> None:
    with pytest.raises(ist.ArgumentTypeError, match="nan_to_num: posinf"):
        ist.nan_to_num(ist.ones(2), 0, "x")
    with pytest.raises(ist.ArgumentTypeError, match="meshgrid: indexing"):
        ist.meshgrid(ist.ones(2), indexing=3)
    with pytest.raises(ist.ArgumentTypeError, match="asarray: copy"):
        ist.asarray([1], copy=ist.ones(2))


def test_isa_levels_of_this_machine() -> None:
    levels = ist._core.cpu_isa_levels()
    assert levels and levels[0] in ("x86-64", "neon") and len(set(levels)) == len(levels)
