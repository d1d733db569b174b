"""`reference` against NumPy, SciPy and mpmath, which share no code with it.

The stated errors: elementwise functions are within 2 ULP of the true value in float32, 4 in float64, and correctly
rounded but for double rounding in the 16-bit types (1 ULP); NumPy's own error adds one. Sums of n terms are within
(log2 n + 16) ULP of the sum of magnitudes; products of matrices, and convolutions, within K ULP of the product of
magnitudes. Cumulative ops: see scan_error. Norms and attention: see norm_error and attention_error.
"""

from __future__ import annotations

import math
from typing import Any

import arrays
import ml_dtypes
import mpmath
import numpy as np
import pytest
from cases import ALL, CASES, FLOATS, Call, Input
from hypothesis import HealthCheck, assume, given, settings, strategies as st

import isthmus as ist

TABLE = {row["name"]: row for row in ist._core.op_table()}
ULPS = {"float16": 1, "bfloat16": 1, "float32": 3, "float64": 5, "complex64": 16}
# NumPy's complex functions lose accuracy or take other branches in places; isthmus' are tested with mpmath below.
REAL_ONLY = {
    "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "tan", "tanh", "sign", "log1p", "expm1", "power",
    "sigmoid", "reciprocal", "divide", "rsqrt", "maximum", "minimum", "prod", "logaddexp", "max", "min", "rint",
    "cumprod", "cummax", "cummin",
}  # fmt: skip


# Checked against what upstream recorded (test_upstream_vectors.py), and in test_conversions below.
ELSEWHERE = {"random_bits", "linspace", "astype"}


def widen(a: np.ndarray) -> np.ndarray:
    if a.dtype.kind == "c":
        return a.astype(np.complex128)
    return a.astype(np.float64) if a.dtype.kind in "fV" or a.dtype.name == "bfloat16" else a


def spacing(want: np.ndarray, dtype: str) -> np.ndarray:
    """One unit in the last place of `dtype` at `want`."""
    real = "float32" if dtype == "complex64" else dtype
    info = ml_dtypes.finfo(arrays.numpy_dtype(real))
    magnitude = np.maximum(np.abs(want), float(info.tiny))
    return 2.0 ** np.floor(np.log2(magnitude)) * float(info.eps)


def compare(got: np.ndarray, want: Any, dtype: str, allowance: Any) -> None:
    want = np.asarray(want)
    assert got.shape == want.shape
    if got.dtype.kind in "biu":
        np.testing.assert_array_equal(got, want.astype(got.dtype))
        return
    got = widen(got)
    # Values beyond the dtype's range are infinite in it.
    largest = float(ml_dtypes.finfo(arrays.numpy_dtype("float32" if dtype == "complex64" else dtype)).max)
    with np.errstate(all="ignore"):
        finite = np.isfinite(want) & (np.abs(want) <= largest)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        beyond = ~finite & ~np.isnan(want)
        if got.dtype.kind != "c":
            close_to_largest = np.abs(got[beyond]) >= largest
            assert np.all(close_to_largest) and np.array_equal(np.sign(got[beyond]), np.sign(want[beyond]))
        error = np.abs(got[finite] - want[finite])
        limit = np.broadcast_to(allowance, want.shape)[finite]
    worst = np.argmax(error - limit) if error.size else 0
    assert np.all(error <= limit), (
        f"{got[finite][worst]!r} should be {want[finite][worst]!r} ({error[worst] / limit[worst]:.3g} times the limit)"
    )


def accumulator(dtype: str) -> str:
    return "float64" if dtype == "float64" else "float32"


def scan_error(name: str, call: Call, x: np.ndarray, want: np.ndarray, dtype: str) -> np.ndarray:
    """An element goes through as many roundings as there are elements before it, at most n."""
    n = x.size if call.attrs["axis"] is None else x.shape[call.attrs["axis"]]
    size = call.oracle(np.abs(x)) if name == "cumsum" else np.abs(want)
    size = np.maximum(size, np.abs(x).max(initial=1.0)) if name == "logcumsumexp" else size
    return float(np.finfo(accumulator(dtype)).eps) * (n + 16) * np.where(np.isfinite(size), size, 0)


def norm_error(wide: list[np.ndarray], dtype: str) -> np.ndarray:
    """Elements round relative to the largest one of their row, before they are scaled."""
    x = wide[0]
    scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    factor = 1 + sum(np.abs(p).max(initial=0) for p in wide[1:])
    top = np.abs(x).max(axis=-1, keepdims=True, initial=0) * scale * factor
    return spacing(top, accumulator(dtype)) * (16 + math.log2(x.shape[-1]))


def attention_error(wide: list[np.ndarray], dtype: str) -> float:
    """An error of a score is a relative one of its weight; weights and their total have errors of their own."""
    eps = float(np.finfo(accumulator(dtype)).eps)
    q, k, v, *rest = (np.abs(a).max(initial=0.0) for a in wide)
    depth, keys = wide[0].shape[-1], wide[1].shape[-2]
    score = eps * (depth + 4) * (depth * q * k + sum(rest))
    return float(v) * (2 * score + eps * (keys + 32))


@pytest.mark.parametrize("name", sorted(set(CASES) - ELSEWHERE))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_reference_agrees_with_numpy(name: str, data: st.DataObject) -> None:
    call = CASES[name](data.draw)
    assume(call.oracle is not None)
    moved = [
        spec
        for spec in call.inputs
        if spec.values not in ("index", "key", "mask") and not (name == "where" and spec is call.inputs[0])
    ]
    for spec in moved:
        spec.dtype = moved[-1].dtype
    dtype = moved[-1].dtype if moved else call.attrs.get("dtype", "float32")
    family = TABLE[name]["family"]
    assume(not (dtype == "complex64" and name in REAL_ONLY))
    sums = family in ("reduce", "linalg") and name not in ("max", "min", "all", "any")
    if sums or name in ("cumsum", "cumprod", "logcumsumexp") or dtype == "complex64":
        for spec in moved:
            spec.values = "near_one" if name in ("prod", "cumprod") else "small"
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    made = [arrays.values(spec, rng) for spec in call.inputs]
    with ist.device("reference"):
        got = call.run(ist, *(arrays.place(ist, a, "plain", "reference") for a in made))
    wide = [widen(a) for a in made]
    with np.errstate(all="ignore"):
        first = got[0] if isinstance(got, (list, tuple)) else got
        if family in ("elementwise", "reduce") and arrays.to_numpy(first).dtype.kind in "fc":
            wide = [a if a.dtype.kind in "fc" else a.astype(np.float64) for a in wide]
            assume(all(np.all(np.abs(a) < 2**24) for a in wide if made[0].dtype.kind in "iu"))  # exact in float32
        try:
            want = call.oracle(*wide)
            if name in ("floor_divide", "divmod") and dtype in FLOATS:
                # As upstream: the quotient is rounded to the dtype before it is floored.
                quotient = np.floor((wide[0] / wide[1]).astype(arrays.numpy_dtype(dtype)).astype(np.float64))
                want = quotient if name == "floor_divide" else (quotient, want[1])
        except TypeError:  # NumPy does not define the op for this dtype
            assume(False)
        outputs = list(zip(got, want, strict=True)) if isinstance(got, (list, tuple)) else [(got, want)]
        for out, expected in outputs:
            array = arrays.to_numpy(out)
            result = str(out.dtype).split(".")[-1]
            if (
                made
                and made[0].dtype.kind in "biu"
                and family == "elementwise"
                and array.dtype.kind in "iu"
                and name in ("floor_divide", "remainder")
            ):
                assume(not np.any(made[1] == 0))
            if array.dtype.kind in "biu":
                compare(array, expected, result, 0)
                continue
            unit = spacing(np.asarray(expected), result)
            if family == "reduce":
                terms = max(1, math.prod(made[0].shape))
                total = np.abs(wide[0]).sum() if name in ("sum", "mean", "var", "std") else np.abs(np.asarray(expected))
                unit = np.maximum(unit, spacing(np.asarray(total), result) if name == "sum" else unit) * (
                    16 + math.log2(terms)
                )
                if name == "prod":
                    unit = unit * terms
                if name == "logsumexp":  # the largest element is subtracted and added again
                    largest = np.where(np.isfinite(wide[0]), np.abs(wide[0]), 0).max(initial=1.0)
                    unit = np.maximum(unit, 4 * spacing(np.asarray(largest), result))
                if name in ("mean", "var", "std"):
                    unit = np.maximum(unit, 64 * spacing(np.max(np.abs(wide[0]), initial=1.0) ** 2, result))
            elif name in ("cumsum", "cumprod", "logcumsumexp"):
                unit = unit + scan_error(name, call, wide[0], np.asarray(expected), result)
            elif family == "linalg":
                k = made[-1].shape[-2] if made[-1].ndim > 1 else made[-1].shape[0]
                bound = (
                    np.abs(wide[-2]) @ np.abs(wide[-1])
                    if name == "matmul"
                    else np.abs(wide[0]) * 2 + np.abs(wide[1]) @ np.abs(wide[2])
                )
                unit = spacing(bound, result) * (k + 4)
            elif family == "quantized":
                if name != "quantize":  # codes are not negative, so this is the sum of magnitudes
                    unit = np.maximum(unit, spacing(call.oracle(*map(np.abs, wide)), result)) * 2
                if name == "quantized_matmul":
                    summed = "float64" if result == "float64" else "float32"
                    unit = unit + spacing(call.oracle(*map(np.abs, wide)), summed) * (made[0].shape[-1] + 4)
            elif family == "conv":  # sums of products in float32 or float64, then one rounding
                terms = min(made[0].size, made[1].size) if name == "convolve" else math.prod(made[1].shape[1:])
                summed = "float64" if result == "float64" else "float32"
                unit = unit + spacing(call.oracle(*map(np.abs, wide)), summed) * (terms + 4)
            elif family == "norm":
                unit = np.maximum(unit, norm_error(wide, result))
            elif family == "attention":
                unit = np.maximum(unit, attention_error(wide, result))
            else:
                unit = unit * ULPS[result]
                if name in ("degrees", "radians"):  # the factor is rounded to the dtype, too
                    unit = unit * 2
                if name == "logaddexp":  # NumPy adds the larger operand to a logarithm of the other sign
                    larger = np.where(np.isfinite(wide[0] + wide[1]), np.maximum(np.abs(wide[0]), np.abs(wide[1])), 0)
                    unit = np.maximum(unit, spacing(larger, result))
                if name == "scatter_add":  # each of the additions rounds
                    total = np.abs(wide[0]).max(initial=0) + np.abs(wide[2]).sum()
                    unit = np.maximum(unit, len(wide[2]) * spacing(total, result))
                if result == "complex64":
                    unit = np.maximum(unit, 1e-6)
            compare(array, expected, result, unit)


@given(data=st.data())
def test_conversions_agree_with_numpy(data: st.DataObject) -> None:
    """astype, for values that the target holds; docs/bit_contract.md defines the rest."""
    source = data.draw(st.sampled_from(ALL))
    target = data.draw(st.sampled_from(ALL))
    spec = Input((40,), source, "small" if target not in FLOATS or source in FLOATS else "any")
    a = arrays.values(spec, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    if target.startswith("uint"):
        a = np.abs(a)
    got = arrays.to_numpy(
        arrays.place(ist, a, "plain", "reference").astype(getattr(ist, "bool_" if target == "bool" else target))
    )
    with np.errstate(all="ignore"):
        wide = a.astype(np.float32) if target in ("float16", "bfloat16") and a.dtype.kind in "iu" else a
        if wide.dtype.kind == "c" and target != "complex64":
            wide = (wide != 0) if target == "bool" else wide.real
        want = wide.astype(arrays.numpy_dtype(target))
    np.testing.assert_array_equal(got.astype(np.complex128), want.astype(np.complex128))


@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(0, 50), st.booleans())
def test_linspace_agrees_with_numpy(start: float, stop: float, num: int, endpoint: bool) -> None:
    got = np.array(ist.linspace(start, stop, num, endpoint=endpoint))
    np.testing.assert_allclose(got, np.linspace(start, stop, num, endpoint), rtol=0, atol=4e-5)


# ---- mpmath: the transcendental functions at their full accuracy ----
DOMAINS: dict[str, tuple[float, float]] = {
    "exp": (-80, 80), "expm1": (-30, 30), "log": (1e-30, 1e30), "log2": (1e-30, 1e30), "log10": (1e-30, 1e30),
    "log1p": (-0.999, 1e6), "sin": (-1e5, 1e5), "cos": (-1e5, 1e5), "tan": (-100, 100), "arcsin": (-1, 1),
    "arccos": (-1, 1), "arctan": (-1e4, 1e4), "sinh": (-80, 80), "cosh": (-80, 80), "tanh": (-20, 20),
    "arcsinh": (-1e6, 1e6), "arccosh": (1, 1e6), "arctanh": (-0.9999, 0.9999), "erf": (-5, 5),
    "erfinv": (-0.9999, 0.9999), "sigmoid": (-80, 80), "rsqrt": (1e-30, 1e30),
}  # fmt: skip
MPMATH = {
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "log2": lambda x: mpmath.log(x, 2),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "rsqrt": lambda x: 1 / mpmath.sqrt(x),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DOMAINS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference_agrees_with_mpmath(name: str, dtype: str) -> None:
    low, high = DOMAINS[name]
    rng = np.random.default_rng(1)
    spread = rng.uniform(low, high, 150)
    near = (
        low + (high - low) * 10.0 ** rng.uniform(-12, 0, 100)
        if low > 0
        else rng.choice([-1.0, 1.0], 100) * 10.0 ** rng.uniform(-12, 0, 100) * min(-low, high)
    )
    x = np.concatenate([spread, np.clip(near, low, high)]).astype(dtype)
    got = np.array(getattr(ist, name)(ist.array(x, dtype=getattr(ist, dtype), device="reference"))).astype(np.float64)
    mpmath.mp.prec = 200
    function = MPMATH.get(name) or getattr(mpmath, name)
    limit = 2 if dtype == "float32" else 4
    for xi, gi in zip(x.astype(np.float64), got, strict=True):
        want = function(mpmath.mpf(float(xi)))
        unit = spacing(np.asarray(float(want)), dtype)
        assert abs(mpmath.mpf(float(gi)) - want) <= limit * unit, f"{name}({xi!r}) = {gi!r}, should be {float(want)!r}"


COMPLEX_FUNCTIONS = [
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "sqrt",
    "arcsin",
    "arccos",
    "arctan",
    "arcsinh",
    "arccosh",
    "arctanh",
]


@pytest.mark.parametrize("name", COMPLEX_FUNCTIONS)
def test_complex_functions_agree_with_mpmath(name: str) -> None:
    rng = np.random.default_rng(2)
    z = (rng.uniform(-3, 3, 60) + 1j * rng.uniform(-3, 3, 60)).astype(np.complex64)
    got = np.array(getattr(ist, name)(ist.array(z, device="reference")))
    function = MPMATH.get(name) or getattr(mpmath, name)
    for zi, gi in zip(z, got, strict=True):
        want = complex(function(mpmath.mpc(complex(zi))))
        assert abs(complex(gi) - want) <= 8 * 2.0**-23 * max(abs(want), 2.0**-4), (
            f"{name}({zi}) = {gi}, should be {want}"
        )
