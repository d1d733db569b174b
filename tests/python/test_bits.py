"""The bit contract: `cpu` gives the bits of `reference` for every op, whatever the layout and the thread count."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import arrays
import numpy as np
import pytest
from cases import CASES, NOT_CALLED, Input
from hypothesis import given, settings, strategies as st

import isthmus as ist


def results(value: object) -> list[ist.Tensor]:
    return list(value) if isinstance(value, (list, tuple)) else [value]  # type: ignore[list-item]


def test_every_op_of_the_table_has_a_case() -> None:
    names = {row["name"] for row in ist._core.op_table()}
    assert names - NOT_CALLED == set(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
@given(data=st.data())
def test_cpu_equals_reference(name: str, data: st.DataObject) -> None:
    call = CASES[name](data.draw)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    layouts = [data.draw(st.sampled_from(arrays.LAYOUTS)) for _ in call.inputs]
    threads = data.draw(st.sampled_from([1, 2, 5]))
    made = [arrays.values(spec, rng) for spec in call.inputs]

    def run(device: str, layouts: list[str]) -> list[np.ndarray]:
        with ist.device(device):
            inputs = [arrays.place(ist, a, layout, device) for a, layout in zip(made, layouts, strict=True)]
            return [arrays.bits(r) for r in results(call.run(ist, *inputs))]

    ist.set_num_threads(threads)
    fast = run("cpu", layouts)
    ist.set_num_threads(1)
    exact = run("reference", ["plain"] * len(layouts))
    for a, b in zip(fast, exact, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(9, 3), (3, 9), (2, 40), (40, 9), (4, 5000)])
def test_complex_products_of_what_is_not_finite(shape: tuple[int, int]) -> None:
    """Multiplying by one changes such a number, so that lanes without elements show."""
    x = arrays.values(Input(shape, "complex64"), np.random.default_rng(0))
    for axis in (0, 1):
        made = []
        for device in ("cpu", "reference"):
            with ist.device(device):
                made.append(arrays.bits(ist.prod(ist.array(x), axis=axis)))
        np.testing.assert_array_equal(*made)


@settings(max_examples=30)
@given(data=st.data())
def test_a_chain_of_ops_does_not_depend_on_fusion(data: st.DataObject) -> None:
    """One program of several elementwise ops, a reduction and a product, against the same ops evaluated one by one."""
    dtype = data.draw(st.sampled_from(["float16", "bfloat16", "float32", "float64"]))
    shape = data.draw(st.sampled_from([(1,), (33, 7), (129, 130), (3, 4097)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a, b = (rng.standard_normal(shape).astype(arrays.numpy_dtype(dtype)) for _ in range(2))
    ist.set_num_threads(data.draw(st.sampled_from([1, 2, 5])))

    def chain(device: str, step_by_step: bool) -> list[np.ndarray]:
        def done(t: ist.Tensor) -> ist.Tensor:
            if step_by_step:
                ist.eval(t)
            return t

        x = ist.array(a, dtype=getattr(ist, dtype), device=device)
        y = ist.array(b, dtype=getattr(ist, dtype), device=device)
        t = done(ist.tanh(done(done(x * y) + x)))
        u = done(ist.where(done(t > 0), t, done(ist.exp(y))))
        v = done(done(u - done(u.mean(axis=-1, keepdims=True))) * 0.5)
        return [
            arrays.bits(v),
            arrays.bits(v.sum(axis=0)),
            arrays.bits(v.astype(ist.float32) @ ist.transpose(u.astype(ist.float32))),
        ]

    together = chain("cpu", False)
    for other in (chain("cpu", True), chain("reference", False)):
        for p, q in zip(together, other, strict=True):
            np.testing.assert_array_equal(p, q)


def assert_same_bits(wanted: Callable[[str], list[ist.Tensor]]) -> None:
    """Of what `wanted` returns for each device. Nobody holds the rest: tensors that somebody holds are results, which
    are stored."""

    def run(device: str) -> list[np.ndarray]:
        tensors = wanted(device)
        ist.eval(*tensors)
        return [arrays.bits(t) for t in tensors]

    for fast, exact in zip(run("cpu"), run("reference"), strict=True):
        np.testing.assert_array_equal(fast, exact)


ONE_OPERAND = ["negative", "square", "abs", "sign", "sqrt", "exp", "tanh", "erf", "sigmoid", "log1p", "floor", "isnan"]
TWO_OPERANDS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power"]
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
OF_BOOLS = ["logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"]
OPS = [
    *ONE_OPERAND,
    *2 * TWO_OPERANDS,
    *COMPARISONS,
    *OF_BOOLS,
    "logical_not",
    "bitwise_invert",
    "astype",
    *8 * ["where"],
]
STEP = st.tuples(st.sampled_from(OPS), st.integers(0, 1000), st.booleans(), st.booleans())


@settings(max_examples=400)
@given(
    steps=st.lists(STEP, min_size=3, max_size=24),
    asked=st.sets(st.integers(0, 24)),
    dtype=st.sampled_from(["float32", "float32", "float64", "bfloat16", "float16"]),
    n=st.sampled_from([1, 15, 16, 100, 129, 1000, 5003, 300_001]),
    threads=st.sampled_from([1, 2]),
)
def test_elementwise_runs_of_any_form(
    steps: list[tuple[str, int, bool, bool]], asked: set[int], dtype: str, n: int, threads: int
) -> None:
    """Random programs: what is fused, kept in registers, read twice or from outside, and left to the caller."""
    rng = np.random.default_rng(n)
    a, b = (arrays.values(Input((n,), dtype), rng) for _ in range(2))
    square, cube = np.full(1, 2, a.dtype), np.full(1, 3, a.dtype)  # exponents with ways of their own
    mask = rng.random(n) < 0.5
    ist.set_num_threads(threads)

    def wanted(device: str) -> list[ist.Tensor]:
        made = [ist.array(x, dtype=getattr(ist, dtype), device=device) for x in (a, b, a[:1], b[-1:], square, cube)]
        made += [ist.array(x, device=device) for x in (mask, mask[:1])]
        for name, number, rotated, continues in steps:
            bools = [t for t in made if t.dtype == ist.bool_]
            floats = [t for t in made if t.dtype != ist.bool_]
            n_operands = 3 if name == "where" else 2 if name in TWO_OPERANDS + COMPARISONS + OF_BOOLS else 1
            takes_bools = name in OF_BOOLS or name in ("logical_not", "bitwise_invert", "astype")
            kinds = [bools if takes_bools or (name == "where" and k == 0) else floats for k in range(n_operands)]
            operands = [kind[number // 10**k % len(kind)] for k, kind in enumerate(kinds)]
            latest = n_operands - 1 if rotated else 0
            if continues:
                operands[latest] = kinds[latest][-1]
            made.append(operands[0].astype(floats[0].dtype) if name == "astype" else getattr(ist, name)(*operands))
        return [made[-1], *(made[i] for i in sorted(asked) if i < len(made))]

    assert_same_bits(wanted)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32 - 1))
def test_products_that_join_a_sum(seed: int) -> None:
    """Products are added to values that are held, or subtracted one from the other, rounded before. Factors are whole,
    numbers, rows, rows of numbers, or lie across; sums that end in neighbours join, and some are asked for."""
    rng = np.random.default_rng(seed)
    dtype = str(rng.choice(["float32", "float32", "float32", "float64", "bfloat16", "float16"]))
    shapes = [(1,), (7,), (511,), (512,), (5003,), (40, 16), (600, 8), (70, 300), (2, 30, 64), (3, 9, 100)]
    shape = shapes[rng.integers(len(shapes))]
    kinds = [shape, shape, (1,), shape[-1:], (*shape[:-1], 1)]
    factors = [rng.standard_normal(kinds[k]).astype(arrays.numpy_dtype(dtype)) for k in rng.integers(5, size=16)]
    factors[0] = np.broadcast_to(factors[0], shape)
    layouts = [str(rng.choice(["plain", "plain", "transposed"])) for _ in factors]
    forms = rng.integers(7, size=7)
    asked = rng.random((7, 2)) < rng.choice([0, 0.2])
    ist.set_num_threads(int(rng.choice([1, 2])))

    def wanted(device: str) -> list[ist.Tensor]:
        x = [
            arrays.place(ist, np.ascontiguousarray(f), layout, device)
            for f, layout in zip(factors, layouts, strict=True)
        ]
        value, tensors = x[0], []
        for k, form in enumerate(forms):
            product = x[2 * k + 1] * x[2 * k + 2]
            if form < 4:
                value = [value + product, product + value, value - product, product - value][form]
            elif form == 4:
                value = value * x[2 * k + 2] + product
            elif form == 5:
                value = product * (value + ist.sqrt(ist.abs(product)))
            else:
                value = ist.where(value < product, value - product, x[2 * k + 1])
            tensors += [t for t, is_asked in zip((product, value), asked[k], strict=True) if is_asked]
        return [*tensors, value]

    assert_same_bits(wanted)


def other_shape(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """As many elements along one to four other axes."""
    extents = [1] * rng.integers(1, 5)
    rest, prime = int(np.prod(shape)), 2
    while rest > 1:
        if rest % prime == 0:
            rest //= prime
            extents[rng.integers(len(extents))] *= prime
        else:
            prime += 1
    return tuple(extents)


@settings(max_examples=1000)
@given(seed=st.integers(0, 2**32 - 1))
def test_operands_that_repeat(seed: int) -> None:
    """Random programs over operands that broadcast or lie across, of values that change their shapes, some of which are
    matrix products; then a reduction or concatenation. Sizes are drawn evenly."""
    rng = np.random.default_rng(seed)
    extents = [1, 2, 3, 8, 16, 33, 100, 300, 1025, 2050]
    shape: tuple[int, ...] = ()
    while not 2000 < np.prod(shape) < 200_000:
        shape = tuple(int(n) for n in rng.choice(extents, rng.integers(2, 5)))
    shapes = [shape]
    for _ in range(rng.integers(1, 5)):
        shapes.append(other_shape(rng, shape) if rng.random() < 0.3 else shapes[-1])
    dtype = str(rng.choice(["float32", "float32", "float64", "bfloat16", "int32"]))
    values = [(rng.standard_normal(shape) * 100).astype(arrays.numpy_dtype(dtype))]
    for s in shapes[1:]:
        kept = np.where(rng.random(len(s)) < rng.choice([0.5, 1]), s, 1)
        values.append((rng.standard_normal(kept) * 100).astype(arrays.numpy_dtype(dtype)))
    layouts = [str(rng.choice(["plain", "plain", "transposed"])) for _ in values]
    factors = None  # of a matrix product that the program begins with
    if dtype != "int32" and rng.random() < 0.3:
        rows, columns = math.prod(shape[: (cut := int(rng.integers(len(shape) + 1)))]), math.prod(shape[cut:])
        factors = [rng.standard_normal(s).astype(values[0].dtype) for s in ((rows, 2), (2, columns))]
    ops = rng.choice(["add", "subtract", "multiply", "maximum", "where"], len(values))
    swaps = rng.random(len(values)) < 0.5
    shape = shapes[-1] if rng.random() < 0.8 else other_shape(rng, shape)
    axes = [-1, 0, tuple(int(i) for i in np.flatnonzero(rng.random(len(shape)) < 0.6))][rng.integers(3)]
    last = str(rng.choice(["none", "sum", "max", "prod", "concatenate"]))
    ist.set_num_threads(int(rng.choice([1, 2, 5])))

    def wanted(device: str) -> list[ist.Tensor]:
        whole, *others = (arrays.place(ist, v, layout, device) for v, layout in zip(values, layouts, strict=True))
        if factors is not None:
            a, b = (arrays.place(ist, v, "plain", device) for v in factors)
            whole = (a @ b).reshape(shapes[0])
        made = first = whole
        for i, other in enumerate(others):
            made = made.reshape(shapes[i + 1])
            a, b = (other, made) if swaps[i] else (made, other)
            made = ist.where(a < other, a, b) if ops[i] == "where" else getattr(ist, ops[i])(a, b)
            first = made if i == 0 else first
        made = made.reshape(shape)
        asked = [made]
        if last == "concatenate":
            parts = [made, first.reshape(shape), made]
            asked = [ist.concatenate(parts, axis=len(values) % len(shape))]
        elif last != "none":
            asked = [getattr(ist, last)(t, axis=axes) for t in (made, whole.reshape(shape))]
        if swaps[-1]:
            asked.append(first)
        return asked

    assert_same_bits(wanted)


CHEAP = [
    (row["name"], row["arity"])
    for row in ist._core.op_table()
    if row["family"] == "elementwise" and row["dtypes"] not in ("rule", "inexact", "real_inexact")
]


@pytest.mark.parametrize(("name", "arity"), CHEAP)
def test_results_of_a_megabyte(name: str, arity: int) -> None:
    """Their lines are asked for piece by piece; results may have another size than operands, and than what they pass
    through."""
    length, times = 1000, (1 << 20) // 1000 + 1
    ist.set_num_threads(1)
    for dtype in ("bool", "int8", "uint16", "int32", "float16", "bfloat16", "float32", "float64"):
        rng = np.random.default_rng(0)
        few = [arrays.values(Input((length,), dtype), rng) for _ in range(arity)]

        def run(device: str, times: int, few: list[np.ndarray] = few, dtype: str = dtype) -> np.ndarray:
            with ist.device(device):
                operands = [ist.tile(arrays.place(ist, a, "plain", device), times) for a in few]
                if name == "where":
                    operands[0] = operands[0] != 0
                ist.eval(*operands)
                return arrays.bits(getattr(ist, name)(*operands))

        try:
            once = run("reference", 1)
        except ist.DTypeError:
            continue  # not for this dtype
        np.testing.assert_array_equal(run("cpu", times).reshape(times, -1), np.broadcast_to(once, (times, once.size)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_longer_than_the_caches(dtype: str, threads: int) -> None:
    """They are stored past the caches, if nobody in the same run reads them."""
    rng = np.random.default_rng(4)
    x, y = (rng.standard_normal((2900, 2901)).astype(dtype) for _ in range(2))
    ist.set_num_threads(threads)
    a, b = (ist.array(operand, getattr(ist, dtype)) for operand in (x, y))
    total = a + b
    again = total * a
    ist.eval(total, again)
    np.testing.assert_array_equal(np.array(total), x + y)
    np.testing.assert_array_equal(np.array(again), (x + y) * x)
    for op in (operator.sub, operator.mul, operator.truediv):
        np.testing.assert_array_equal(np.array(op(a, b)), op(x, y))
    np.testing.assert_array_equal(np.array(-a / b), -x / y)
    np.testing.assert_array_equal(np.array(a.reshape(2901, 2900).T - b), x.reshape(2901, 2900).T - y)
    np.testing.assert_array_equal(np.array(a.reshape(-1)[1:] * b.reshape(-1)[:-1]), x.ravel()[1:] * y.ravel()[:-1])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(
    blocks=st.integers(0, 80),
    rest=st.integers(0, 383),
    start=st.integers(0, 3),
    exponent=st.sampled_from([0, -3, -22, -160]),
    seed=st.integers(0, 2**32 - 1),
)
def test_dots_of_any_length(dtype: str, blocks: int, rest: int, start: int, exponent: int, seed: int) -> None:
    """With products too small for their dtype: then the sign of a zero shows what was added to it."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, start + blocks * 384 + rest)) * 10.0**exponent

    def run(device: str) -> np.ndarray:
        with ist.device(device):
            x, y = (ist.array(v).astype(getattr(ist, dtype))[start:] for v in (a, b))
            return arrays.bits(x @ y)

    np.testing.assert_array_equal(run("cpu"), run("reference"))


def test_a_row_has_the_same_bits_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(3)
    batch = rng.standard_normal((64, 300)).astype(np.float32)
    weight = ist.array(rng.standard_normal((300, 70)).astype(np.float32))

    def network(x: ist.Tensor) -> ist.Tensor:
        h = ist.tanh(x @ weight)
        return ist.softmax(h - h.mean(axis=-1, keepdims=True), axis=-1)

    together = arrays.bits(network(ist.array(batch)))
    for i in (0, 17, 63):
        np.testing.assert_array_equal(arrays.bits(network(ist.array(batch[i : i + 1])))[0], together[i])


def places(m: Any, x: Any) -> Any:
    """An index for each element of x, as if scattered about, some from the end."""
    return m.reshape(m.arange(x.size) * 7919 % x.size, x.shape) - 300


LARGE = {
    "exp": lambda m, x: m.exp(x),
    "transposed add": lambda m, x: m.transpose(x) + 1,
    "strided multiply": lambda m, x: x[::-1, ::3] * x[:, 1:2],
    "sum of all": lambda m, x: m.sum(x),
    "sum of rows": lambda m, x: m.sum(x, axis=1),
    "sum of columns": lambda m, x: m.sum(x, axis=0),
    "prod": lambda m, x: m.prod(1 + 0.001 * x),
    "max": lambda m, x: m.max(x, axis=0),
    "argmax": lambda m, x: m.argmax(x, axis=1),
    "argmax of all": lambda m, x: m.argmax(m.abs(x)),
    "argmax of all, tied at the end": lambda m, x: m.argmax(m.reshape(x, (-1,)) * 0 + (m.arange(700 * 901) > 630_000)),
    "argmin of columns": lambda m, x: m.argmin(m.round(x), axis=0),
    "softmax": lambda m, x: m.softmax(x, axis=-1),
    "softmax of one row": lambda m, x: m.softmax(m.flatten(x)),
    "logsumexp": lambda m, x: m.logsumexp(x, axis=0),
    "cumsum": lambda m, x: m.cumsum(x),
    "cumsum of rows": lambda m, x: m.cumsum(x, axis=1, reverse=True),
    "cumsum of columns": lambda m, x: m.cumsum(x, axis=0, inclusive=False),
    "cumprod": lambda m, x: m.cumprod(1 + 0.001 * x, reverse=True, inclusive=False),
    "cummax of long rows": lambda m, x: m.cummax(m.reshape(x, (20, -1)), axis=1),
    "logcumsumexp of long columns": lambda m, x: m.logcumsumexp(m.reshape(x, (-1, 10)), axis=0),
    "matmul": lambda m, x: m.transpose(x)[:300] @ x[:, :401],
    "matrix vector": lambda m, x: x @ x[0],
    "dot": lambda m, x: m.flatten(x) @ m.flatten(m.round(x)),
    "batched matmul": lambda m, x: m.reshape(x[:, :900], (7, 100, 900))[:, :, :200] @ m.transpose(x[:33, :200]),
    "concatenate": lambda m, x: m.concatenate([x, x[:, ::2]], axis=1),
    "take": lambda m, x: m.take(x, m.array([5, -1, 3] * 400), axis=0),
    "layer_norm": lambda m, x: m.fast.layer_norm(x, x[0], None, 1e-5),
    "attention": lambda m, x: m.fast.scaled_dot_product_attention(
        *(m.reshape(x[:, i : i + 84], (1, 2, 350, 84)) for i in (0, 300, 600)), scale=0.1, mask="causal"
    ),
    "take elements": lambda m, x: m.take(x, places(m, x)),
    "take along columns": lambda m, x: m.take_along_axis(x, places(m, x) % 700, axis=0),
    "take along rows": lambda m, x: m.take_along_axis(x, places(m, x) % 901, axis=1),
    "add to rows": lambda m, x: m.zeros((40, 901), dtype=x.dtype).at[m.arange(700) % 40].add(x),
    "add to columns": lambda m, x: m.zeros((700, 40), dtype=x.dtype).at[:, m.arange(901) % 40].add(x),
    "add to elements": lambda m, x: m.zeros((999,), dtype=x.dtype).at[places(m, x) % 999].add(x),
    "bits": lambda m, x: m.random.bits((500, 701), key=m.random.key(3)),
}


@pytest.mark.parametrize("name", sorted(LARGE))
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_large_work_has_the_same_bits_on_any_number_of_threads(name: str, dtype: str) -> None:
    """Large enough that the work is split over threads."""
    values = np.random.default_rng(9).standard_normal((700, 901)).astype(np.float32)

    def run(device: str, threads: int) -> np.ndarray:
        ist.set_num_threads(threads)
        with ist.device(device):
            return arrays.bits(LARGE[name](ist, ist.array(values, dtype=getattr(ist, dtype))))

    exact = run("reference", 1)
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(run("cpu", threads), exact)
