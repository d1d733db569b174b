"""Updates in place: a tensor's memory is written again where nobody else can see it, and only there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import isthmus as ist

N = 1000


def fresh() -> ist.Tensor:
    a = ist.array(np.arange(N, dtype=np.float32))
    ist.eval(a)
    return a


def address(a: ist.Tensor) -> int:
    return int(np.asarray(a).ctypes.data)


def expected(update: Callable[[np.ndarray], Any]) -> np.ndarray:
    a = np.arange(N, dtype=np.float32)
    update(a)
    return a


def assign(a: Any) -> None:
    a[3] = 7.0


UPDATES: dict[str, Callable[[Any], Any]] = {
    "element": assign,
    "slice": lambda a: a.__setitem__(slice(10, 500), -1.0),
    "backwards": lambda a: a.__setitem__(slice(None, None, -3), 5.0),
    "from itself": lambda a: a.__setitem__(slice(1, None), a[:-1]),
    "from itself backwards": lambda a: a.__setitem__(slice(None), a[::-1]),
    "places": lambda a: a.__setitem__(ist.array([5, -1, 5]) if isinstance(a, ist.Tensor) else [5, -1, 5], 2.0),
}


@pytest.mark.parametrize("name", UPDATES)
def test_updates_have_numpys_values(name: str) -> None:
    a = fresh()
    UPDATES[name](a)
    ist.eval(a)
    np.testing.assert_array_equal(np.array(a), expected(UPDATES[name]))


@pytest.mark.parametrize("name", ["element", "slice", "backwards", "places"])
def test_the_memory_of_a_sole_owner_is_written_again(name: str) -> None:
    a = fresh()
    before = address(a)
    UPDATES[name](a)
    assert address(a) == before


def test_updates_in_a_row_share_memory() -> None:
    a = ist.zeros((N,))
    for i in range(50):
        a[i] = float(i)
    ist.eval(a)
    np.testing.assert_array_equal(np.array(a[:50]), np.arange(50))
    before = address(a)
    for i in range(50):
        a[i] = 1.0
        ist.eval(a)
    assert address(a) == before


# ---- whoever else holds the values keeps them ----
HOLDERS: dict[str, Callable[[ist.Tensor], Any]] = {
    "tensor": ist.array,
    "element": lambda a: a[3],
    "view": lambda a: a[:],
    "reshaped": lambda a: a.reshape(10, 100),
    "reversed": lambda a: a[::-1],
    "tail": lambda a: a[2:],
    "sum": lambda a: a + 0,
    "chain": lambda a: (a.reshape(10, 100).T * 1)[1:],
    "updated": lambda a: a.at[1].add(5),
    "detached": ist.stop_gradient,
    "numpy": np.asarray,
    "memoryview": lambda a: memoryview(a),  # type: ignore[arg-type]
    "dlpack": np.from_dlpack,
}


@pytest.mark.parametrize("evaluated", [False, True])
@pytest.mark.parametrize("name", HOLDERS)
def test_holders_keep_their_values(name: str, evaluated: bool) -> None:
    a = fresh()
    held = HOLDERS[name](a)
    kept = np.array(HOLDERS[name](fresh()))
    if evaluated and isinstance(held, ist.Tensor):
        ist.eval(held)
    assign(a)
    ist.eval(a)
    np.testing.assert_array_equal(np.array(held), kept)
    np.testing.assert_array_equal(np.array(a), expected(assign))


@pytest.mark.parametrize("name", HOLDERS)
def test_roots_of_one_evaluation(name: str) -> None:
    a = fresh()
    held = HOLDERS[name](a)
    kept = np.array(HOLDERS[name](fresh()))
    assign(a)
    if isinstance(held, ist.Tensor):
        ist.eval(a, held)
    np.testing.assert_array_equal(np.array(held), kept)
    np.testing.assert_array_equal(np.array(a), expected(assign))


def test_memory_of_others_is_not_written() -> None:
    source = np.arange(N, dtype=np.float32)
    a = ist.from_dlpack(source)
    assign(a)
    ist.eval(a)
    np.testing.assert_array_equal(source, np.arange(N))
    np.testing.assert_array_equal(np.array(a), expected(assign))


def test_an_evaluation_that_fails_can_be_repeated() -> None:
    a = fresh()
    assign(a)
    a[ist.array([0, N])] = 1.0
    for _ in range(2):
        with pytest.raises(ist.OutOfBoundsError, match=f"index {N} is out of bounds"):
            ist.eval(a)
    b = fresh()
    c = b.at[ist.array([0, N])].add(1.0)
    del b
    for _ in range(2):
        with pytest.raises(ist.OutOfBoundsError):
            ist.eval(c)
    # The update is made before the index fails: its operand must be there for the next attempt.
    d = fresh()
    assign(d)
    bad = ist.zeros((3,))[ist.array([3])]
    for _ in range(2):
        with pytest.raises(ist.OutOfBoundsError):
            ist.eval(d, bad)
    np.testing.assert_array_equal(np.array(d), expected(assign))


def test_gradients_see_the_old_values() -> None:
    x = fresh()

    def f(x: ist.Tensor) -> ist.Tensor:
        y = x * 2
        ist.eval(y)
        z = y * y
        y[3] = 0.0
        ist.eval(y)
        return ist.sum(z) + ist.sum(y * y)

    want = 16 * np.arange(N, dtype=np.float32)
    want[3] /= 2
    np.testing.assert_array_equal(np.array(ist.grad(f)(x)), want)
    leaf = ist.Tensor(np.arange(N, dtype=np.float32), requires_grad=True)
    f(leaf).backward()
    np.testing.assert_array_equal(np.array(leaf.grad), want)


def test_threads_that_share_a_tensor() -> None:
    base = fresh()
    failures: list[str] = []

    def work(i: int) -> None:
        for k in range(200):
            own = ist.array(base)
            own[i] = -1.0
            ist.eval(own)
            own[i + 100] = float(k)
            found = np.array(own)
            want = np.arange(N, dtype=np.float32)
            want[i], want[i + 100] = -1, k
            if not np.array_equal(found, want):
                failures.append(f"thread {i}, round {k}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    np.testing.assert_array_equal(np.array(base), np.arange(N))
