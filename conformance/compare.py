"""Running one call on Isthmus and on upstream MLX, and saying how the outcomes differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import arrays
import ml_dtypes
import mlx.core as mx
import numpy as np
from cases import Call

import isthmus as ist

DEVICES = ("cpu", "reference")
# Upstream's own error as a multiple of the unit in the last place, generously: its float32 functions are polynomials
# of a few ULP, and a composite adds them up. Isthmus' error is measured against exact values elsewhere.
ULPS = {"float16": 4, "bfloat16": 4, "float32": 160, "float64": 64, "complex64": 400}
# SUMS add up many terms in an order of their own, so cancellation scales with the largest result.
# Upstream's erf is off by up to 5.4e-7 in any dtype, and its variance of thousands of elements the fourth digit.
ABSOLUTE = {"erf": 8e-7, "var": 1e-3, "std": 1e-3}
SUMS = {"sum", "mean", "var", "std", "prod", "matmul", "addmm", "scatter_add", "logsumexp"}
SUMS |= {"conv_general", "convolve", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))}
SUMS |= {"cumsum", "cumprod", "logcumsumexp"}
SUMS |= {"layer_norm", "rms_norm", "scaled_dot_product_attention"}

mx.set_default_device(mx.cpu)


def dtype_name(dtype: Any) -> str:
    return str(dtype).rsplit(".", 1)[-1]


def upstream(a: np.ndarray) -> Any:
    if a.dtype.name == "bfloat16":
        return mx.array(a.view(np.uint16)).view(mx.bfloat16)
    return mx.array(a) if a.dtype != np.float64 else mx.array(a, dtype=mx.float64)


def own(a: np.ndarray, device: str = "cpu") -> Any:
    return arrays.place(ist, a, "plain", device)


def to_numpy(t: Any) -> np.ndarray:
    """A copy; bfloat16 as the float32 numbers that it holds."""
    return np.array(t.astype(type(t)(0.0).dtype)) if dtype_name(t.dtype) == "bfloat16" else np.array(t)


def evaluated(module: Any, value: Any) -> list[Any]:
    out = list(value) if isinstance(value, (list, tuple)) else [value]
    module.eval(*out)
    return out


def outcome(run: Callable[[], Any]) -> Any:
    """What `run` returns, or the exception that it raises."""
    try:
        return run()
    except (ValueError, TypeError, IndexError, RuntimeError, OverflowError) as error:
        return error


def close(x: np.ndarray, y: np.ndarray, dtype: str, scale: float = 0.0, absolute: float = 0.0) -> bool:
    """Whether x (Isthmus) and y (upstream) agree: NaN with NaN, infinities exactly, finite numbers within ULPS."""
    if x.dtype.kind == "c":
        # Of a complex number that is not finite, which part overflows or becomes NaN is no one's promise.
        lost = ~np.isfinite(x) & ~np.isfinite(y)
        x, y = np.where(lost, 0, x), np.where(lost, 0, y)
        x, y = np.stack([x.real, x.imag], -1), np.stack([y.real, y.imag], -1)
        # The error of one part follows the size of the whole number.
        size = np.hypot(
            np.where(np.isfinite(y[..., :1]), y[..., :1], 0), np.where(np.isfinite(y[..., 1:]), y[..., 1:], 0)
        )
    else:
        size = np.zeros(())
    info = ml_dtypes.finfo("float32" if dtype == "complex64" else dtype)
    x, y = x.astype(np.float64), y.astype(np.float64)
    allowed = ULPS[dtype] * float(info.eps) * np.maximum(np.maximum(np.abs(y), size), scale)
    # Below the normal range some of upstream's functions flush to zero.
    allowed = allowed + absolute + float(info.tiny) * (1 + (ULPS[dtype] if size.shape else 0))
    with np.errstate(invalid="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        near = np.isfinite(x) & np.isfinite(y) & (np.abs(x - y) <= allowed)
    return bool(np.all(same | near))


def difference(x: Any, y: Any, sums: bool = False, absolute: float = 0.0) -> str | None:
    """How a tensor of Isthmus and one of upstream differ, or None."""
    mine, theirs = dtype_name(x.dtype), dtype_name(y.dtype)
    if mine.rstrip("_") != theirs.rstrip("_"):
        return f"dtype {mine}, upstream {theirs}"
    if tuple(x.shape) != tuple(y.shape):
        return f"shape {tuple(x.shape)}, upstream {tuple(y.shape)}"
    a, b = to_numpy(x), to_numpy(y)
    if a.dtype.kind in "biu":
        same = np.array_equal(a, b)
    else:
        finite = np.abs(b[np.isfinite(b)])
        same = close(a, b, mine, float(finite.max(initial=0.0)) if sums else 0.0, absolute)
    return None if same else f"values of {mine}:\n{a}\nupstream:\n{b}"


def error_difference(mine: Any, theirs: Any) -> str | None:
    """Both or neither are errors, and Isthmus' is an instance of the builtin class that upstream raises."""
    if isinstance(theirs, Exception):
        if not isinstance(mine, Exception):
            return f"no error, upstream raises {theirs!r}"
        # RuntimeError is what upstream's C++ throws when it has not chosen a class.
        sensible = isinstance(theirs, (ValueError, TypeError, IndexError)) and not isinstance(theirs, RuntimeError)
        builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
        return f"raises {mine!r}, upstream {theirs!r}" if sensible and not isinstance(mine, builtin) else None
    return f"raises {mine!r}, upstream does not" if isinstance(mine, Exception) else None


def deviation(name: str, call: Call, made: Sequence[np.ndarray]) -> str | None:
    """How the outcomes of a call differ from upstream's on any CPU device, or None."""
    theirs = outcome(lambda: evaluated(mx, call.run(mx, *(upstream(a) for a in made))))
    for device in DEVICES:
        with ist.device(device):
            mine = outcome(lambda device=device: evaluated(ist, call.run(ist, *(own(a, device) for a in made))))
        found = error_difference(mine, theirs)
        if found is None and not isinstance(mine, Exception):
            if len(mine) != len(theirs):
                found = f"{len(mine)} results, upstream {len(theirs)}"
            for x, y in zip(mine, theirs, strict=False):
                found = found or difference(x, y, sums=name in SUMS, absolute=ABSOLUTE.get(name, 0.0))
        if found is not None:
            return f"{device}: {found}"
    return None
