"""Making the inputs of a case: values with the special ones among them, and tensors of every memory layout."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
from cases import Input

LAYOUTS = ("plain", "transposed", "strided", "reversed", "offset", "broadcast")


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def special_floats(dtype: np.dtype[Any]) -> np.ndarray:
    info = ml_dtypes.finfo(dtype)
    return np.array(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            np.inf,
            -np.inf,
            np.nan,
            float(info.max),
            float(info.min),
            float(info.tiny),
            -float(info.tiny) / 2,
            0.5,
            1e-3,
            30.0,
            -88.0,
            1e4,
        ]
    ).astype(dtype)


def values(spec: Input, rng: np.random.Generator) -> np.ndarray:
    """Values of the input's kind, in its dtype."""
    shape, dtype = spec.shape, numpy_dtype(spec.dtype)
    kind = spec.values
    if kind == "index":
        low = -spec.limit if spec.dtype.startswith("int") else 0
        return rng.integers(low, spec.limit, shape).astype(dtype) if spec.limit else np.zeros(shape, dtype)
    if kind == "key":
        return rng.integers(0, 2**32, shape, dtype=np.uint32)
    if spec.dtype == "bool":
        return rng.random(shape) < 0.5
    if spec.dtype in ("complex64",):
        parts = [values(Input(shape, "float32", kind, spec.limit), rng) for _ in range(2)]
        return (parts[0] + np.zeros((), np.float32) + 1j * np.where(np.isfinite(parts[1]), parts[1], 2)).astype(dtype)
    if dtype.kind in "iu":
        if kind == "shift":
            return rng.integers(0, 8 * dtype.itemsize, shape).astype(dtype)
        if kind in ("small", "near_one", "positive"):
            return rng.integers(0, 5, shape).astype(dtype)
        info = np.iinfo(dtype)
        out = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        return np.where(rng.random(shape) < 0.3, rng.integers(0, 4, shape).astype(dtype), out)
    x = rng.standard_normal(shape)
    if kind == "unit":
        x = np.clip(rng.uniform(-1.01, 1.01, shape), -1, 1)
    elif kind == "open_unit":
        x = rng.uniform(-0.95, 0.95, shape)
    elif kind == "positive":
        x = rng.uniform(0.1, 4, shape)
    elif kind == "above_one":
        x = rng.uniform(1.1, 4, shape)
    elif kind == "near_one":
        x = 1 + 0.05 * x
    elif kind == "any":
        x = x * 10.0 ** rng.integers(-4, 4, shape)
    out = np.asarray(x).astype(dtype)
    if kind == "any":
        specials = rng.choice(special_floats(dtype).astype(np.float64), shape).astype(dtype)
        out = np.where(rng.random(shape) < 0.15, specials, out)
    return np.asarray(out)


def place(ist: Any, array: np.ndarray, layout: str, device: str) -> Any:
    """A tensor equal to `array` whose memory layout is `layout` (where its rank allows it)."""

    def make(a: np.ndarray) -> Any:
        if a.dtype.name == "bfloat16":
            return ist.array(a.astype(np.float32), dtype=ist.bfloat16, device=device)
        return ist.array(
            np.array(a, order="C"), dtype=getattr(ist, "bool_" if a.dtype == bool else a.dtype.name), device=device
        )

    if layout == "plain" or array.ndim == 0:
        return make(array)
    if layout == "transposed":
        return ist.transpose(make(array.T))
    if layout == "reversed":
        return make(array[::-1])[::-1]
    if layout == "offset":
        padded = np.concatenate(
            [np.zeros_like(array[:1]) if len(array) else np.zeros((1, *array.shape[1:]), array.dtype), array]
        )
        return make(padded)[1:]
    if layout == "strided":
        wide = np.repeat(array, 2, axis=-1)
        return make(wide)[..., ::2]
    assert layout == "broadcast"
    if math.prod(array.shape) == 0:
        return make(array)
    array[...] = array[:1]
    return ist.broadcast_to(make(array[:1]), array.shape)


def to_numpy(tensor: Any) -> np.ndarray:
    """A copy as NumPy has it; bfloat16 as the float32 numbers that it holds."""
    exact = tensor.astype(type(tensor)([0.0]).dtype) if str(tensor.dtype).endswith("bfloat16") else tensor
    return np.array(exact)


def bits(tensor: Any) -> np.ndarray:
    """The result's bits as unsigned integers; every NaN becomes the same one."""
    a = to_numpy(tensor)
    if a.dtype.kind == "c":
        a = np.stack([a.real, a.imag], -1)
    if a.dtype.kind == "f":
        a = np.where(np.isnan(a), np.array(np.nan, a.dtype), a)
    a = np.ascontiguousarray(a)
    return a.view(f"u{a.dtype.itemsize}") if a.dtype.kind != "b" else a.view("u1")
