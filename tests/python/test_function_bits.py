"""The bit contract of functions that go different ways for different arguments."""

from __future__ import annotations

import arrays
import numpy as np
import pytest

import isthmus as ist


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp", "sigmoid", "log", "log2", "log10", "erfinv"])
def test_the_way_of_a_function_depends_on_its_element_alone(name: str, dtype: str) -> None:
    """Some arguments take another way than most; whole stretches of the others do not look for them."""
    rng = np.random.default_rng(0)
    wide = dtype == "float64"
    bound, tiny = (30, -1022) if wide else (13, -126)
    exponents = np.concatenate(
        [np.full(300, 3), rng.integers(bound - 3, bound + 3, 300), np.full(600, 4), [13, 127, 5]]
    )
    x = np.ldexp(rng.uniform(1, 2, exponents.size), exponents).astype(dtype)
    edges = [2.0**bound, np.inf, np.nan, 0.0, -0.0, 87.0, -87.0, 89.0, -104.0, 2.0**tiny, 0.999, 1.0, -1.0]
    edges += [float(np.nextafter(x.dtype.type(edge), x.dtype.type(np.inf))) for edge in (2.0**bound, 0.999, 2.0**tiny)]
    x[310 : 310 + len(edges)] = edges
    x[340:440] = rng.integers(0, 2 ** (8 * x.itemsize), 100, f"uint{8 * x.itemsize}").view(dtype)
    x[[700, 800]] = [87.0, 2.0**tiny]
    below_one = np.concatenate([rng.uniform(-0.99, 0.99, 512), 1 - 2.0 ** -rng.uniform(1, 53, 100)])
    x = np.concatenate([x, below_one.astype(dtype)])
    function = getattr(ist, name)

    def run(values: np.ndarray) -> ist.Tensor:
        return function(ist.array(values, getattr(ist, dtype)))

    together = run(x)
    alone = ist.concatenate([run(x[i : i + 1]) for i in range(x.size)])
    with ist.device("reference"):
        expected = run(x)
    np.testing.assert_array_equal(arrays.bits(together), arrays.bits(expected))
    np.testing.assert_array_equal(arrays.bits(alone), arrays.bits(expected))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp", "sigmoid", "log", "log2", "log10"])
def test_functions_of_any_length(name: str, dtype: str) -> None:
    """With and without an argument of the rarer kind, and where the result may take the operand's place."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 9, 140).astype(dtype)
    function = getattr(ist, name)
    for far in (None, 5, 70, 135):
        values = x.copy()
        if far is not None:
            values[far] = -1e12 if name in ("sin", "cos", "tan") else -1000
        with ist.device("reference"):
            expected = arrays.bits(function(ist.array(values, getattr(ist, dtype))))
        for start in (0, 3):
            for end in range(start + 1, x.size):
                part = ist.array(values[start:end], getattr(ist, dtype))
                np.testing.assert_array_equal(arrays.bits(function(part)), expected[start:end])
                np.testing.assert_array_equal(arrays.bits(function(ist.negative(-part))), expected[start:end])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_functions_of_more_than_the_caches_hold(dtype: str, threads: int) -> None:
    """Their results go past the caches, but for those beside a rarer argument and the last ones."""
    rng = np.random.default_rng(0)
    is_half = dtype.endswith("16")
    period, times, rest = 997, 17_000 if is_half else 6600, 77
    x = rng.uniform(0.1, 9, period).astype("float32" if is_half else dtype)
    x[[100, 600, 603, 800]] = [np.nan, -6e4 if is_half else -1e12, np.inf, 0]
    ist.set_num_threads(threads)
    of_dtype = getattr(ist, dtype)
    a = ist.concatenate([ist.tile(ist.array(x, of_dtype), times), ist.array(x[:rest], of_dtype)])
    ist.eval(a)
    names = ("sin", "cos", "tan", "exp", "sigmoid", "log", "log2", "log10", "tanh", "sqrt")
    for name in ("exp", "sigmoid") if is_half else names:
        function = getattr(ist, name)
        with ist.device("reference"):
            once = arrays.bits(function(ist.array(x, of_dtype)))
            negated = arrays.bits(function(ist.array(-x, of_dtype)))
        for long, short in ((function(a), once), (function(ist.negative(a)), negated), (function(a[1:]), None)):
            bits = arrays.bits(long)
            if short is None:
                bits, short = np.concatenate([once[:1], bits]), once
            expected = np.broadcast_to(short, (times, period))
            np.testing.assert_array_equal(bits[: times * period].reshape(times, period), expected)
            np.testing.assert_array_equal(bits[times * period :], short[:rest])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_softmax_of_rows_with_masks(dtype: str) -> None:
    """Exponentials that are usual, 0 and subnormal, in rows by themselves, side by side and one after the other."""
    rng = np.random.default_rng(0)
    edges = [-86.9, -87.0, -87.1, -87.34, -100.0, -103.9, -104.0, -105.0, -105.1, -746.0, -1e4, -np.inf]
    rows = []
    lows = [(0, edges), (1, edges), (30, [-1e4]), (60, edges), (129, [-1e4]), (129, edges), (149, [-1e4, -103.9])]
    for n_low, low in lows:
        for special in (None, np.nan, np.inf):
            row = rng.uniform(-5, 0, 149)
            row[rng.permutation(149)[:n_low]] = rng.choice(low, n_low)
            if special is not None:
                row[rng.integers(149)] = special
            row[rng.integers(149)] = 0
            rows.append(row)
    x = np.array(rows)

    def run(device: str) -> np.ndarray:
        with ist.device(device):
            t = ist.array(x, getattr(ist, dtype))
            return arrays.bits(ist.concatenate([ist.softmax(t, -1), ist.softmax(t, 0)]))

    np.testing.assert_array_equal(run("cpu"), run("reference"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "name", ["exp", "sigmoid", "log", "tanh", "erf", "sqrt", "rsqrt", "ceil", "floor", "trunc", "rint"]
)
def test_functions_of_every_half_number(name: str, dtype: str) -> None:
    """In order, where stretches of many numbers go the same way, and mixed, where hardly any do."""
    words = np.arange(2**16, dtype=np.uint16)
    half = arrays.numpy_dtype(dtype)
    for order in (words, np.random.default_rng(0).permutation(words)):
        x = ist.array(order.view(half))
        with ist.device("reference"):
            expected = getattr(ist, name)(ist.array(order.view(half)))
        np.testing.assert_array_equal(arrays.bits(getattr(ist, name)(x)), arrays.bits(expected))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_remainders_of_any_quotient(dtype: str) -> None:
    """Stretches of small quotients, of large ones, and of both; next to whole quotients, where rounding reaches one."""
    rng = np.random.default_rng(0)
    digits = np.finfo(dtype).nmant
    bits = np.concatenate([np.full(700, 5), rng.integers(digits - 3, digits + 4, 700), rng.integers(1, 120, 300)])
    divisor = rng.uniform(1, 2, bits.size).astype(dtype)
    x = (np.floor(np.ldexp(rng.uniform(1, 2, bits.size), bits)) * divisor).astype(dtype)
    x[::3] = np.nextafter(x[::3], x.dtype.type(0))
    edges = [
        0.0,
        2.0 ** np.finfo(dtype).minexp,
        np.finfo(dtype).smallest_subnormal,
        np.finfo(dtype).max,
        np.inf,
        np.nan,
    ]
    pairs = np.array([(a, b) for a in edges for b in edges], dtype)
    x[1100 : 1100 + len(pairs)], divisor[1100 : 1100 + len(pairs)] = pairs.T
    x *= rng.choice([-1, 1], x.size).astype(dtype)
    divisor *= rng.choice([-1, 1], x.size).astype(dtype)

    def run(device: str) -> np.ndarray:
        with ist.device(device):
            return arrays.bits(ist.remainder(*(ist.array(v, getattr(ist, dtype)) for v in (x, divisor))))

    with np.errstate(invalid="ignore"):
        exact = np.remainder(x, divisor)
    np.testing.assert_array_equal(run("cpu"), run("reference"))
    np.testing.assert_array_equal(run("cpu").view(dtype), exact)
