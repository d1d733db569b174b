"""Sorting and selection branch on the values: how far apart they are, how many are equal, how long a sequence is."""

from __future__ import annotations

import arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import isthmus as ist

FLOATS = ["float16", "bfloat16", "float32", "float64", "complex64"]
DTYPES = ["bool", *(f"{kind}int{bits}" for kind in ("u", "") for bits in (8, 16, 32, 64)), *FLOATS]
SPREADS = ["all", "few", "near", "outliers", "ordered", "equal"]
# About the sizes of networks, parts, samples and of what threads share.
LENGTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 128, 129, 255, 256, 257, 511, 513, 1025, 4097]
LONG = [16383, 16384, 65_535, 65_536, 65_537, 90_001]


def values(dtype: str, spread: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if dtype == "bool":
        return rng.random(shape) < (0.5 if spread == "all" else 0.01)
    if dtype == "complex64":
        parts = [values("float32", spread, shape, rng) for _ in range(2)]
        out = np.empty(shape, np.complex64)
        out.real, out.imag = parts[0], np.where(rng.random(shape) < 0.5, parts[0][::-1], parts[1])
        return out
    to = arrays.numpy_dtype(dtype)
    if dtype in FLOATS:
        x = rng.standard_normal(shape)
        if spread == "few":
            x = rng.choice(np.array([0.0, -0.0, 1.0, -1.0, np.nan, -np.nan, np.inf, -np.inf]), shape)
        elif spread in ("near", "outliers"):
            x = 1 + x * 1e-12
        elif spread == "ordered":
            x = np.sort(x, axis=None).reshape(shape)
        elif spread == "equal":
            x = np.full(shape, -0.0)
        if spread in ("all", "outliers"):
            strange = rng.choice(np.array([-6e4, 6e4, np.nan, 0.0, -0.0]), shape)
            x = np.where(rng.random(shape) < 0.02, strange, x)
        return x.astype(to)
    low, high = np.iinfo(to).min, np.iinfo(to).max
    x = rng.integers(low, high, shape, dtype=to, endpoint=True)
    if spread == "ordered":
        return np.sort(x, axis=None)[::-1].reshape(shape)
    if spread == "all":
        return x
    small = rng.integers(0, {"few": 3, "near": 100, "outliers": 100, "equal": 1}[spread], shape).astype(to)
    return np.where(rng.random(shape) < 0.02, x, small) if spread == "outliers" else (high - small).astype(to)


def bits(op: str, device: str, made: np.ndarray, layout: str, axis: int, k: int) -> np.ndarray:
    with ist.device(device):
        x = arrays.place(ist, made, layout, device)
        if op in ("sort", "argsort"):
            return arrays.bits(getattr(ist, op)(x, axis=axis))
        return arrays.bits(getattr(ist, op)(x, k + 1 if op == "topk" else k, axis=axis))


@pytest.mark.parametrize("op", ["sort", "argsort", "partition", "argpartition", "topk"])
@settings(max_examples=150)
@given(data=st.data())
def test_cpu_equals_reference_whatever_the_values(op: str, data: st.DataObject) -> None:
    n = data.draw(st.sampled_from(LENGTHS + LONG))
    others = data.draw(st.sampled_from([1, 2] if n in LONG else [1, 2, 3, 40]))
    shape, axis = data.draw(st.sampled_from([((n,), 0), ((others, n), 1), ((n, others), 0), ((2, n, others), 1)]))
    dtype, spread = data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from(SPREADS))
    k = data.draw(st.one_of(st.sampled_from([0, n // 2, n - 1]), st.integers(0, n - 1)))
    made = values(dtype, spread, shape, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    ist.set_num_threads(data.draw(st.sampled_from([1, 2, 5])))
    fast = bits(op, "cpu", made, data.draw(st.sampled_from(arrays.LAYOUTS)), axis, k)
    ist.set_num_threads(1)
    np.testing.assert_array_equal(fast, bits(op, "reference", made, "plain", axis, k))


def windows(n: int) -> st.SearchStrategy[slice]:
    bounds = st.one_of(st.none(), st.sampled_from([0, n // 2, n]), st.integers(0, n))
    return st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 3, -1, -2]))


@pytest.mark.parametrize("op", ["partition", "argpartition"])
@settings(max_examples=150)
@given(data=st.data())
def test_only_what_is_read_of_a_partition_is_made(op: str, data: st.DataObject) -> None:
    """Windows into a result that nobody else sees: groups in none of them have no place."""
    n = data.draw(st.sampled_from([3, 40, 600, 2000, 70_000]))
    others = 1 if n > 2000 else data.draw(st.sampled_from([1, 2, 9]))
    shape, axis = data.draw(st.sampled_from([((n,), 0), ((others, n), 1), ((n, others), 0), ((2, n, others), 1)]))
    dtype, spread = data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from(SPREADS))
    k = data.draw(st.one_of(st.sampled_from([0, min(n - 1, 9), n // 2, max(0, n - 9), n - 1]), st.integers(0, n - 1)))
    made = values(dtype, spread, shape, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    chosen = data.draw(st.lists(st.tuples(windows(n), st.booleans()), min_size=1, max_size=3))
    layout = data.draw(st.sampled_from(arrays.LAYOUTS))

    def join(x: ist.Tensor) -> ist.Tensor:
        whole = getattr(ist, op)(x, k, axis=axis)
        parts = [ist.zeros((1,), dtype=whole.dtype)]
        for window, turned in chosen:
            part = whole[(slice(None),) * axis + (window,)]
            parts.append((part.T if turned else part).reshape(-1))
        return ist.concatenate(parts)  # nobody holds the others

    def read(device: str) -> np.ndarray:
        with ist.device(device):
            joined = join(arrays.place(ist, made, layout, device))
            # Memory that is used again must not hold what is expected.
            ist.eval(*(ist.full(shape, 1, dtype=joined.dtype) for _ in range(4)))
            return arrays.bits(joined)

    ist.set_num_threads(data.draw(st.sampled_from([1, 2, 5])))
    fast = read("cpu")
    np.testing.assert_array_equal(fast, read("reference"))


@pytest.mark.parametrize("n", [513, 1025, 16384, 65536])
@pytest.mark.parametrize("dtype", ["int8", "float32", "int64", "complex64"])
@pytest.mark.parametrize("threads", [1, 2])
def test_samples_that_are_all_the_same(n: int, dtype: str, threads: int) -> None:
    """A period that elements taken at regular distances do not see."""
    made = (np.arange(n) % 4).astype(dtype)
    ist.set_num_threads(threads)
    for k in (0, n // 5, n // 2, n - 1):
        for op in ("partition", "argpartition", "topk"):
            fast, exact = (bits(op, device, made, "plain", 0, k) for device in ("cpu", "reference"))
            np.testing.assert_array_equal(fast, exact)


@given(
    n=st.sampled_from([1, 5, 64, 700]),
    dtype=st.sampled_from(["int32", "float32", "float64"]),
    spread=st.sampled_from(SPREADS),
    part=st.floats(0, 1),
)
def test_a_partition_is_three_groups_in_their_order(n: int, dtype: str, spread: str, part: float) -> None:
    x = values(dtype, spread, (n,), np.random.default_rng(n))
    kth = min(n - 1, int(part * n))
    zeros = np.where((x == 0) & np.signbit(x), -1, 0)  # -0 before +0
    order = np.lexsort((zeros, x))
    rank = np.empty(n, np.int64)  # equal for equal elements
    low, high = x[order][:-1], x[order][1:]
    differs = (low != high) & ~(np.isnan(low) & np.isnan(high))
    rank[order] = np.concatenate([[0], np.cumsum(differs | (np.diff(zeros[order]) != 0))])
    group = np.sign(rank - rank[order[kth]])
    expected = np.argsort(group, kind="stable")
    found = ist.argpartition(ist.array(x, dtype=getattr(ist, dtype)), kth)
    np.testing.assert_array_equal(np.array(found), expected)
    np.testing.assert_array_equal(np.array(ist.partition(ist.array(x, dtype=getattr(ist, dtype)), kth)), x[expected])


@given(n=st.sampled_from([300, 1000]), k=st.integers(1, 300))
def test_gradients_go_to_the_elements_that_were_taken(n: int, k: int) -> None:
    rng = np.random.default_rng(n)
    x, weight = rng.permutation(n).astype(np.float32), rng.standard_normal(k).astype(np.float32)
    gradient = ist.grad(lambda a: (ist.topk(a, k) * ist.array(weight)).sum())(ist.array(x))
    expected = np.zeros(n, np.float32)
    expected[np.argsort(x)[n - k :]] = weight
    np.testing.assert_array_equal(np.array(gradient), expected)
    around = ist.grad(lambda a: (ist.partition(a, k - 1)[:k] * ist.array(weight)).sum())(ist.array(x))
    expected[:] = 0
    expected[np.array(ist.argpartition(ist.array(x), k - 1))[:k]] = weight
    np.testing.assert_array_equal(np.array(around), expected)
