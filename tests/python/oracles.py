"""NumPy oracles for ops that upstream defines in another way than NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np


def floor_divide(a: Any, b: Any) -> Any:
    return np.floor(a / b) if np.result_type(a, b).kind == "f" else np.floor_divide(a, b)


def sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))  # SciPy's expit has no subnormal results
    return np.where(x < 0, e / (1 + e), 1 / (1 + e))


def logsumexp(a: Any, axis: Any, keepdims: bool) -> Any:
    m = np.max(a, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(a - m), axis=axis, keepdims=True)) + m
    out = np.where(np.isfinite(m), total, m)
    return out if keepdims else np.squeeze(out, axis)


def cumulative(ufunc: Any, a: Any, axis: Any, reverse: bool, inclusive: bool) -> Any:
    """One ufunc after another along the axis; accumulators as wide as the elements."""
    x = np.ravel(a) if axis is None else np.moveaxis(a, axis, -1)
    x = x[..., ::-1] if reverse else x
    if a.dtype == bool and ufunc is np.add:
        x = x.astype(np.int32)
    y = ufunc.accumulate(x, axis=-1, dtype=x.dtype) if x.size else x.copy()
    if not inclusive and x.size:
        first = np.full((*x.shape[:-1], 1), identity(ufunc, x.dtype), x.dtype)
        y = np.concatenate([first, y[..., :-1]], axis=-1)
    y = y[..., ::-1] if reverse else y
    return y if axis is None else np.moveaxis(y, -1, axis)


def identity(ufunc: Any, dtype: np.dtype[Any]) -> Any:
    """What the ufunc makes nothing of, in the dtype."""
    if ufunc in (np.add, np.multiply):
        return 0 if ufunc is np.add else 1
    largest = ufunc is np.minimum
    if dtype.kind in "iu":
        return np.iinfo(dtype).max if largest else np.iinfo(dtype).min
    if dtype.kind == "b":
        return largest
    infinity = np.inf if largest else -np.inf
    return complex(infinity, infinity) if dtype.kind == "c" else infinity


def conv_general(
    x: Any, w: Any, stride: Any, low: Any, high: Any, kernel_dilation: Any, input_dilation: Any, groups: int, flip: bool
) -> Any:
    """The input with its zeros written out, tap by tap as a product over channels."""
    n = x.ndim - 2
    spread = np.zeros((x.shape[0], *((e - 1) * d + 1 for e, d in zip(x.shape[1:-1], input_dilation)), x.shape[-1]))
    spread[(slice(None), *(slice(None, None, d) for d in input_dilation))] = x
    spread = np.pad(spread, [(0, 0), *((max(a, 0), max(b, 0)) for a, b in zip(low, high)), (0, 0)])
    crop = (slice(max(-a, 0), e - max(-b, 0)) for a, b, e in zip(low, high, spread.shape[1:-1]))
    spread = spread[(slice(None), *crop)]
    if flip:
        w = np.flip(w, tuple(range(1, n + 1)))
    reach = [(k - 1) * d for k, d in zip(w.shape[1:-1], kernel_dilation)]
    extents = [(e - r - 1) // s + 1 for e, r, s in zip(spread.shape[1:-1], reach, stride)]
    out = np.zeros((x.shape[0], *extents, groups, w.shape[0] // groups))
    weights = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    for tap in np.ndindex(*w.shape[1:-1]):
        first = [t * d for t, d in zip(tap, kernel_dilation)]
        seen = (slice(f, f + (e - 1) * s + 1, s) for f, e, s in zip(first, extents, stride))
        taken = spread[(slice(None), *seen)].reshape(x.shape[0], *extents, groups, w.shape[-1])
        out += np.einsum("...gc,goc->...go", taken, weights[(slice(None), slice(None), *tap)])
    return out.reshape(x.shape[0], *extents, w.shape[0])


def dequantize(words: Any, scales: Any, biases: Any, group_size: int, bits: int) -> Any:
    """scale * code + bias, the codes read from a row as one long whole number."""
    packed = np.ascontiguousarray(words, dtype="<u4")
    n = scales.shape[-1] * group_size
    codes = np.zeros((*packed.shape[:-1], n))
    for row in np.ndindex(packed.shape[:-1]):
        number = int.from_bytes(packed[row].tobytes(), "little")
        codes[row] = [number >> (bits * i) & ((1 << bits) - 1) for i in range(n)]
    return np.repeat(scales, group_size, axis=-1) * codes + np.repeat(biases, group_size, axis=-1)


def quantize(w: Any, group_size: int, bits: int) -> Any:
    """Words, scales and biases, in float32: in another precision, an element may round to another code."""
    one = np.float32(1)
    groups = np.asarray(w, np.float32).reshape(*w.shape[:-1], w.shape[-1] // group_size, group_size)
    high, low, last = groups.max(-1, keepdims=True), groups.min(-1, keepdims=True), one * ((1 << bits) - 1)
    scale, bias = np.maximum((high - low) / last, np.float32(1e-7)), low
    if bits > 1:
        below = np.abs(low) > np.abs(high)
        edge, signed = np.where(below, low, high), np.where(below, scale, -scale)
        steps = np.rint(edge / signed)
        scale = np.where(steps == 0, signed, edge / np.where(steps == 0, one, steps))
        bias = np.where(steps == 0, 0 * one, edge)
    codes = np.clip(np.rint((groups - bias) / scale), 0, last).astype(np.uint64).reshape(w.shape)
    words = np.zeros((*w.shape[:-1], w.shape[-1] * bits // 32), np.uint32)
    for row in np.ndindex(w.shape[:-1]):
        number = sum(int(code) << (bits * i) for i, code in enumerate(codes[row]))
        words[row] = np.frombuffer(number.to_bytes(4 * words.shape[-1], "little"), "<u4")
    return words, scale[..., 0], bias[..., 0]


def rms_norm(x: Any, weight: Any, eps: float) -> Any:
    scaled = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return scaled if weight is None else scaled * weight


def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> Any:
    scaled = rms_norm(x - np.mean(x, axis=-1, keepdims=True), weight, eps)
    return scaled if bias is None else scaled + bias


def attention(q: Any, k: Any, v: Any, scale: float, mask: Any, sinks: Any) -> Any:
    """In float64; heads that share keys and values have copies of them."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = scale * q @ np.swapaxes(k, -1, -2)
    lowest = float(np.finfo(np.float32).min)
    if isinstance(mask, str):
        queries, keys = scores.shape[-2:]
        mask = np.tri(queries, keys, keys - queries, dtype=bool)
    if mask is not None:
        scores = np.where(mask, scores, lowest) if mask.dtype == bool else scores + mask
    sink = np.full(q.shape[1], -np.inf) if sinks is None else sinks
    sink = sink[:, None, None]
    top = np.maximum(scores.max(axis=-1, keepdims=True), sink)
    weights = np.exp(scores - top)
    return weights @ v / (weights.sum(axis=-1, keepdims=True) + np.exp(sink - top))
