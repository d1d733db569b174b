"""Every class of error, by type and by message; and no input ends the process."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import isthmus as ist

ERRORS: list[tuple[Callable[[], Any], type[Exception], type[Exception], str]] = [
    # shapes
    (
        lambda: ist.ones((2, 3)) + ist.ones((4,)),
        ist.ShapeError,
        ValueError,
        r"add: shapes \(2, 3\) and \(4,\) cannot be broadcast",
    ),
    (lambda: ist.ones((2, 3)) @ ist.ones((4, 5)), ist.ShapeError, ValueError, r"matmul: .*\(2, 3\).*\(4, 5\)"),
    (lambda: ist.ones((2, 3)).reshape(5), ist.ShapeError, ValueError, r"reshape: .*\(2, 3\).*\(5,\)"),
    (
        lambda: ist.concatenate([ist.ones((2, 3)), ist.ones((3, 4))]),
        ist.ShapeError,
        ValueError,
        r"concatenate: .*\(2, 3\).*\(3, 4\)",
    ),
    (
        lambda: ist.broadcast_to(ist.ones((2, 3)), (2, 4)),
        ist.ShapeError,
        ValueError,
        r"broadcast_to: .*\(2, 3\).*\(2, 4\)",
    ),
    (lambda: ist.array([[1, 2], [3]]), ist.IsthmusError, ValueError, "(?i)array: .*length"),
    # values
    (lambda: ist.split(ist.ones(5), 2), ist.IsthmusError, ValueError, "split: .*5"),
    (lambda: ist.squeeze(ist.ones((2, 1)), 0), ist.IsthmusError, ValueError, "squeeze: .*axis 0"),
    (lambda: ist.transpose(ist.ones((2, 3)), (0, 0)), ist.IsthmusError, ValueError, "transpose: "),
    (lambda: ist.max(ist.ones((0,))), ist.IsthmusError, ValueError, "max: "),
    (lambda: ist.ones((2,)).item(), ist.IsthmusError, ValueError, "item: "),
    (lambda: bool(ist.ones((2,))), ist.IsthmusError, ValueError, ""),
    (lambda: ist.zeros((-1,)), ist.IsthmusError, ValueError, "-1"),
    (lambda: ist.zeros((2**40, 2**40)), ist.IsthmusError, ValueError, "more elements than memory can hold"),
    # dtypes
    (lambda: ist.bitwise_and(ist.ones(3), ist.ones(3)), ist.DTypeError, ValueError, "bitwise_and: .*float32"),
    (lambda: ist.floor(ist.array(1j)), ist.DTypeError, ValueError, "floor: .*complex64"),
    (lambda: ist.array([1, 2]) @ ist.array([3, 4]), ist.DTypeError, ValueError, "matmul: .*int32"),
    (lambda: ist.array([1], requires_grad=True), ist.DTypeError, ValueError, "requires_grad: .*int32"),
    # indices and axes
    (lambda: ist.ones(3)[5], ist.OutOfBoundsError, IndexError, "index 5 is out of bounds for axis 0 with size 3"),
    (
        lambda: ist.sum(ist.ones(3), axis=4),
        ist.OutOfBoundsError,
        IndexError,
        "sum: axis 4 is out of bounds for a tensor with 1 dimension",
    ),
    (
        lambda: ist.eval(ist.take(ist.ones(3), ist.array([7]))),
        ist.OutOfBoundsError,
        IndexError,
        "take: index 7 is out of bounds for axis 0 with size 3",
    ),
    (lambda: ist.eval(ist.take(ist.ones(3), ist.array([-4]))), ist.OutOfBoundsError, IndexError, "take: index -4 "),
    (
        lambda: ist.eval(ist.ones((2, 3))[ist.array([2])]),
        ist.OutOfBoundsError,
        IndexError,
        "index 2 is out of bounds for axis 0 with size 2",
    ),
    (
        lambda: ist.eval(ist.take_along_axis(ist.ones((2, 3)), ist.array([[3], [0]]), axis=1)),
        ist.OutOfBoundsError,
        IndexError,
        "take_along_axis: index 3 ",
    ),
    # devices
    (
        lambda: ist.ones(2, device="cuda"),
        ist.DeviceError,
        ValueError,
        "no device 'cuda'; there are: cpu, reference, null",
    ),
    (
        lambda: ist.ones(2, device="cpu") + ist.ones(2, device="reference"),
        ist.DeviceError,
        ValueError,
        "add: operands are on different devices: cpu and reference",
    ),
    (lambda: np.asarray(ist.ones(2, device="null") + 1), ist.StateError, RuntimeError, "null.*computes nothing"),
    # autograd
    (lambda: ist.ones(2).backward(), ist.StateError, RuntimeError, "backward: "),
    (
        lambda: (ist.ones(2, device="cpu") * ist.array([1.0, 2], requires_grad=True)).backward(),
        ist.IsthmusError,
        ValueError,
        r"backward: .*\(2,\)",
    ),
    (lambda: ist.grad(lambda x: x)(ist.ones(2)), Exception, ValueError, "(?i)scalar"),
    # files
    (lambda: ist.load("/does/not/exist.safetensors"), ist.FileError, RuntimeError, "/does/not/exist.safetensors"),
    (lambda: ist.load_backend("/does/not/exist.so"), ist.BackendError, RuntimeError, "/does/not/exist.so"),
    # memory
    (lambda: ist.eval(ist.zeros((2**38,), dtype=ist.float32) + 1), ist.OutOfMemoryError, MemoryError, str(2**40)),
    # arguments
    (lambda: ist.exp("x"), Exception, TypeError, "exp"),
    (lambda: ist.array("x"), Exception, (ValueError, TypeError), "str"),
    (lambda: ist.ones(3)[1.5], Exception, (ValueError, TypeError, IndexError), "float"),
]


@pytest.mark.parametrize("index", range(len(ERRORS)))
def test_error_has_its_type_and_message(index: int) -> None:
    act, own, builtin, message = ERRORS[index]
    with pytest.raises(own, match=message or None) as caught:
        act()
    assert isinstance(caught.value, builtin)
    # Nothing is broken afterwards.
    assert (ist.ones(2) + 1).tolist() == [2, 2]


def test_a_failed_evaluation_can_be_tried_again() -> None:
    index = ist.array([1, 9])
    bad = ist.take(ist.arange(3), index)
    for _ in range(2):
        with pytest.raises(IndexError, match="index 9"):
            ist.eval(bad)


def test_memory_limit_is_an_error_and_the_process_goes_on() -> None:
    previous = ist.memory.set_limit(ist.memory.active() + 1_000_000)
    try:
        with pytest.raises(MemoryError, match="8000000 bytes"):
            ist.eval(ist.ones((2_000_000,)) * 2.0)
        assert (ist.ones(10) * 2).sum().item() == 20
    finally:
        ist.memory.set_limit(previous)


# ---- files ----
def write(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
BAD_FILES: list[tuple[Any, bytes, str]] = [
    (b"", b"", ""),
    (b"{", b"", ""),
    (b"[1, 2]", b"", ""),
    ({"a": {**GOOD, "dtype": "F33"}}, bytes(8), "F33"),
    ({"a": {**GOOD, "shape": [3]}}, bytes(8), "a"),
    ({"a": {**GOOD, "shape": [-2]}}, bytes(8), "a"),
    ({"a": {**GOOD, "shape": [2**62, 2**62]}}, bytes(8), "a"),
    ({"a": {**GOOD, "data_offsets": [0, 16]}}, bytes(8), "a"),
    ({"a": {**GOOD, "data_offsets": [8, 0]}}, bytes(8), "a"),
    ({"a": GOOD, "b": {**GOOD, "data_offsets": [4, 12]}}, bytes(12), ""),
    ({"a": GOOD, "b": {**GOOD, "data_offsets": [12, 20]}}, bytes(20), ""),
    ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "data_offsets"),
    ({"__metadata__": {"k": 1}, "a": GOOD}, bytes(8), "metadata"),
    ({"a": GOOD}, bytes(12), ""),
    (
        b'{"a": {"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        b' "a": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        bytes(8),
        "a",
    ),
]


@pytest.mark.parametrize("index", range(len(BAD_FILES)))
def test_bad_file_is_a_format_error_that_names_it(tmp_path: Path, index: int) -> None:
    header, data, message = BAD_FILES[index]
    path = write(tmp_path / "bad.safetensors", header, data)
    with pytest.raises(ist.FormatError, match=message or None) as caught:
        ist.load(path)
    assert "bad.safetensors" in str(caught.value)


def test_a_header_length_beyond_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    for content in (b"", b"\x01", struct.pack("<Q", 2**63), struct.pack("<Q", 100) + b"{}"):
        path.write_bytes(content)
        with pytest.raises(ist.FormatError):
            ist.load(path)


@given(st.binary(max_size=200))
def test_no_bytes_end_the_process(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(struct.pack("<Q", max(0, len(content) - 3)) + content)
        file.flush()
        with contextlib.suppress(ist.IsthmusError):
            ist.load(file.name)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=3),
    st.just(ist.ones((2, 3))),
)


@pytest.mark.parametrize("row", ist._core.op_table(), ids=lambda row: row["name"])
@given(arguments=st.lists(JUNK, max_size=4))
def test_no_arguments_end_the_process(row: dict[str, Any], arguments: list[Any]) -> None:
    function = getattr(ist, row["name"], None)
    if function is None:
        return
    if row["name"] in ("tile", "repeat", "eye", "tri", "arange", "linspace", "full", "broadcast_to", "pad"):
        arguments = [a if not isinstance(a, (int, float)) or abs(a) < 100 else 3 for a in arguments]
    try:
        result = function(*arguments)
        ist.eval(result)
    except (ist.IsthmusError, TypeError, ValueError, OverflowError, IndexError, MemoryError):
        pass


# ---- inputs that would break a reader that trusts them ----
def test_lists_that_hold_themselves_and_deep_lists_end_in_recursion_errors() -> None:
    numbers: list[Any] = []
    numbers.append(numbers)
    tensors: list[Any] = [ist.array([1.0, 2.0])]
    tensors.append(tensors)
    deep: list[Any] = []
    for _ in range(200_000):
        deep = [deep]
    for act in (
        lambda: ist.array(numbers),
        lambda: ist.eval(numbers),
        lambda: ist.array(tensors),
        lambda: ist.array(deep),
    ):
        with pytest.raises(RecursionError):
            act()
    while deep:  # taken apart here: the interpreter would recurse
        deep = deep[0]


def test_numbers_and_lists_at_one_depth_are_refused() -> None:
    for ragged in ([[1, 2], [[3], [4]]], [1, [2]], [[1], 2]):
        with pytest.raises(ValueError, match="not rectangular"):
            ist.array(ragged)


def test_a_list_that_changes_while_it_is_read_is_refused() -> None:
    class Clearing:
        shape = ()

        def __array__(self) -> np.ndarray:
            return np.zeros(())

        def __add__(self, other: object) -> object:
            return self

        def item(self) -> float:
            items.clear()
            return 1.0

    items: list[Any] = [Clearing()] + [object() for _ in range(1000)]
    with pytest.raises((ValueError, TypeError)):
        ist.array(items)


def test_sizes_beyond_the_address_space_are_memory_errors() -> None:
    previous = ist.set_memory_limit(2**62)
    try:
        with pytest.raises(MemoryError):
            ist.eval(ist.contiguous(ist.broadcast_to(ist.array(1, dtype=ist.int8), (2**54,))))
    finally:
        ist.set_memory_limit(previous)


def test_bools_of_others_become_0_and_1() -> None:
    odd = np.array([2, 0, 255], np.uint8).view(bool)
    for made in (ist.array(odd), ist.from_dlpack(odd)):
        assert made.sum().item() == 2 and made.astype(ist.int32).tolist() == [1, 0, 1]
    target = ist.zeros((3,))
    target[ist.array(odd)] = ist.array([7.0, 8.0])
    assert target.tolist() == [7, 0, 8]


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="ddof"):
        ist.var(ist.array([1.0, 2, 4]), ddof=2**32)
    with pytest.raises(ValueError, match="max_version"):
        ist.ones(2).__dlpack__(max_version=())
    with pytest.raises(ist.ShapeError, match="rank 70"):
        ist.eval(ist.reshape(ist.ones(1), (1,) * 70) + 1)
