"""Matrix products on `cpu` give the bits of `reference`: every tile edge, k-block, layout, thread count and number."""

from __future__ import annotations

import arrays
import ml_dtypes
import numpy as np
import pytest

import isthmus as ist

DTYPES = ["float16", "bfloat16", "float32", "float64", "complex64"]

# m, k, n: single rows and columns and both with many k-blocks, one tile and its neighbours,
# wide rows that stream, several k-blocks, odd k, a small result, two strips of rows and B beyond the cache,
# many strips of rows, with very few columns and steps, few, more and so many that B takes two passes
SHAPES = [
    (1, 1, 1),
    (1, 7, 33),
    (1, 800, 300),
    (1, 385, 2500),
    (1, 65, 9001),
    (1, 65, 32),
    (1, 70, 34),
    (9, 5, 1),
    (300, 769, 1),
    (1, 1540, 1),
    (1, 7700, 1),
    (2, 383, 17),
    (5, 384, 160),
    (8, 1155, 2100),
    (13, 40, 31),
    (14, 400, 200),
    (15, 31, 47),
    (29, 385, 33),
    (33, 70, 90),
    (32, 800, 2100),
    (64, 64, 64),
    (64, 801, 150),
    (127, 129, 131),
    (61, 801, 290),
    (100, 90, 300),
    (20, 700, 500),
    (140, 9, 1025),
    (61, 2, 15),
    (303, 450, 45),
    (400, 300, 150),
    (130, 400, 1000),
]

# how (rows, columns) lie in memory
LAYOUTS = ["plain", "transposed", "strided", "reversed", "offset", "broadcast"]


def parts(x: np.ndarray, dtype: str) -> np.ndarray:
    return (x + 1j * x[::-1, ::-1]) if dtype == "complex64" else x


def compare(a: np.ndarray, b: np.ndarray, dtype: str, layouts: tuple[str, str], threads: int) -> None:
    with np.errstate(over="ignore"):
        a, b = (parts(x, dtype).astype(arrays.numpy_dtype(dtype)) for x in (a, b))

    def run(device: str, layouts: tuple[str, str]) -> np.ndarray:
        with ist.device(device):
            x, y = (arrays.place(ist, v, layout, device) for v, layout in zip((a, b), layouts, strict=True))
            return arrays.bits(x @ y)

    ist.set_num_threads(threads)
    fast = run("cpu", layouts)  # a broadcast layout writes its values into a and b
    np.testing.assert_array_equal(fast, run("reference", ("plain", "plain")))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes(dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    rng = np.random.default_rng(m + k + n)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    for layouts, threads in ((("plain", "plain"), 1), (("plain", "transposed"), 2), (("transposed", "plain"), 5)):
        compare(a, b, dtype, layouts, threads)


@pytest.mark.parametrize(("dtype", "columns"), [("float64", 1001), ("float32", 2001), ("bfloat16", 4001)])
def test_a_row_and_a_matrix_beyond_cache(dtype: str, columns: int) -> None:
    """Its rows are asked for ahead: 2101 of them are more than 16 MB."""
    rng = np.random.default_rng(columns)
    compare(rng.standard_normal((1, 2101)), rng.standard_normal((2101, columns)), dtype, ("plain", "plain"), 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(dtype: str, layout: str) -> None:
    rng = np.random.default_rng(5)
    for m, k, n in ((1, 391, 45), (3, 20, 1), (12, 401, 129), (17, 60, 45), (40, 390, 70)):
        for other in LAYOUTS:
            compare(rng.standard_normal((m, k)), rng.standard_normal((k, n)), dtype, (layout, other), 2)


def wide_range(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Every exponent of the dtype, subnormal ones as well, and zeros of both signs."""
    info = ml_dtypes.finfo(arrays.numpy_dtype("float32" if dtype == "complex64" else dtype))
    x = np.ldexp(rng.uniform(1, 2, shape), rng.integers(info.minexp - info.nmant - 1, info.maxexp, shape))
    x *= rng.choice([-1.0, 1.0, 0.0, -0.0], shape, p=[0.45, 0.45, 0.05, 0.05])
    return x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 801, 133), (3, 385, 40), (31, 801, 37)], ids=str)
def test_every_exponent(dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    rng = np.random.default_rng(11)
    compare(wide_range(rng, (m, k), dtype), wide_range(rng, (k, n), dtype), dtype, ("plain", "plain"), 2)
    compare(wide_range(rng, (m, k), dtype), wide_range(rng, (k, n), dtype), dtype, ("transposed", "transposed"), 1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_sums_that_become_subnormal_are_kept(dtype: str) -> None:
    """Products of normal numbers whose sums cancel to subnormal ones."""
    rng = np.random.default_rng(12)
    scale = 2.0**-511 if dtype == "float64" else 2.0**-63
    a, b = rng.standard_normal((20, 400)) * scale, rng.standard_normal((400, 40)) * scale
    compare(a, b, dtype, ("plain", "plain"), 1)
    tiny = 2.0**-1060 if dtype == "float64" else 2.0**-130
    compare(rng.standard_normal((20, 400)) * tiny, rng.integers(-3, 4, (400, 40)) * 1.0, dtype, ("plain", "plain"), 1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_infinities_and_nans(dtype: str) -> None:
    rng = np.random.default_rng(13)
    a, b = rng.standard_normal((33, 391)), rng.standard_normal((391, 50))
    for x in (a, b):
        x.flat[rng.integers(0, x.size, 12)] = np.inf
        x.flat[rng.integers(0, x.size, 12)] = -np.inf
        x.flat[rng.integers(0, x.size, 3)] = np.nan
        x.flat[rng.integers(0, x.size, 40)] = 0
    compare(a, b, dtype, ("plain", "plain"), 2)
    compare(a[:2], b, dtype, ("plain", "transposed"), 2)


def test_a_row_alone_and_in_a_batch() -> None:
    rng = np.random.default_rng(14)
    for dtype in DTYPES:
        a = ist.array(rng.standard_normal((40, 500)).astype(np.float32)).astype(getattr(ist, dtype))
        b = ist.array(rng.standard_normal((500, 300)).astype(np.float32)).astype(getattr(ist, dtype))
        whole = arrays.bits(a @ b)
        for rows in (slice(0, 1), slice(7, 9), slice(3, 16), slice(10, 40)):
            np.testing.assert_array_equal(arrays.bits(a[rows] @ b), whole[rows])
        for columns in (slice(0, 1), slice(5, 22)):
            np.testing.assert_array_equal(arrays.bits(a @ b[:, columns]), whole[:, columns])


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches(dtype: str) -> None:
    rng = np.random.default_rng(15)
    a = rng.standard_normal((3, 5, 17, 33)).astype(np.float32)
    b = rng.standard_normal((5, 33, 35)).astype(np.float32)

    def run(device: str, threads: int) -> np.ndarray:
        ist.set_num_threads(threads)
        with ist.device(device):
            x, y = (ist.array(v).astype(getattr(ist, dtype)) for v in (a, b))
            return arrays.bits(x @ y)

    exact = run("reference", 1)
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(run("cpu", threads), exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [*SHAPES, (3, 0, 7), (250, 30, 20), (230, 300, 21), (700, 40, 300), (40, 33, 512), (40, 33, 513)], ids=str
)
def test_elementwise_ops_on_the_product(dtype: str, shape: tuple[int, int, int]) -> None:
    """They run on strips of the product: in one program, one op at a time, with and without the product as a result."""
    m, k, n = shape
    rng = np.random.default_rng(m + k + n)
    values = [rng.standard_normal(s) for s in ((2, m, k), (k, n), (n,), (m, 1))]

    def run(device: str, threads: int, keeps_product: bool = False, one_at_a_time: bool = False) -> list[np.ndarray]:
        ist.set_num_threads(threads)
        with ist.device(device):
            a, b, bias, scale = (ist.array(v.astype(np.float32)).astype(getattr(ist, dtype)) for v in values)
            if threads == 1:  # columns that are dense in memory are packed several strips at a time
                a = ist.swapaxes(ist.contiguous(ist.swapaxes(a, 1, 2)), 1, 2)
                b = ist.broadcast_to(b, (2, k, n))
            product = a @ b
            if one_at_a_time:
                ist.eval(product)
            y = ist.exp(product + bias) * scale * ist.swapaxes(product, 0, 1).swapaxes(0, 1)
            ist.eval([y, product] if keeps_product else [y])
            return [arrays.bits(y), arrays.bits(product)]

    exact = run("reference", 1)
    for threads, keeps, apart in ((1, False, False), (2, True, False), (5, False, False), (2, False, True)):
        for got, expected in zip(run("cpu", threads, keeps, apart), exact, strict=True):
            np.testing.assert_array_equal(got, expected)
