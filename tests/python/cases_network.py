"""Cases of matrix products, convolutions, norms and attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases_base import CASES, FLOATS, INEXACT, SHAPES, Call, Input, broadcastable, case
from hypothesis import strategies as st
from oracles import attention, conv_general, dequantize, layer_norm, quantize, rms_norm


# ---- linear algebra ----
def matrix_shapes(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    size = st.sampled_from([0, 1, 2, 3, 8, 17, 33])
    m, n, k = draw(size), draw(size), draw(st.one_of(size, st.sampled_from([129, 385, 800])))
    batch = draw(st.sampled_from([(), (1,), (3,), (2, 3)]))
    a, b = (*broadcastable(draw, batch), m, k), (*batch, k, n)
    return a, b, (*batch, m, n)


@case("matmul")
def _matmul(draw: Any) -> Call:
    a, b, _ = matrix_shapes(draw)
    if draw(st.integers(0, 4)) == 0:
        a = a[-1:]
    elif draw(st.integers(0, 4)) == 0:
        b = b[-2:-1]
    dtype = draw(st.sampled_from(INEXACT))
    return Call([Input(a, dtype, "small"), Input(b, dtype, "small")], lambda m, x, y: m.matmul(x, y), np.matmul)


@case("addmm")
def _addmm(draw: Any) -> Call:
    a, b, c = matrix_shapes(draw)
    dtype = draw(st.sampled_from(INEXACT))
    alpha, beta = draw(st.sampled_from([(1.0, 1.0), (0.5, 2.0), (1.0, 0.25)]))
    inputs = [Input(broadcastable(draw, c), dtype, "small"), Input(a, dtype, "small"), Input(b, dtype, "small")]
    return Call(inputs, lambda m, x, y, z: m.addmm(x, y, z, alpha, beta), lambda x, y, z: beta * x + alpha * (y @ z))


# ---- quantized products ----
@st.composite
def quantized_format(draw: Any) -> tuple[int, int]:
    return draw(st.sampled_from([32, 64, 128])), draw(st.sampled_from([1, 2, 3, 4, 5, 6, 8]))


@case("quantize")
def _quantize(draw: Any) -> Call:
    group_size, bits = draw(quantized_format())
    shape = (*draw(st.sampled_from([(3,), (2, 5), (0,)])), group_size * draw(st.integers(1, 3)))
    return Call(
        [Input(shape, draw(st.sampled_from(FLOATS)), "small")],
        lambda m, w: m.quantize(w, group_size=group_size, bits=bits),
        lambda w: quantize(w, group_size, bits),
    )


def quantized_inputs(draw: Any, group_size: int, bits: int, rows: tuple[int, ...], groups: int) -> list[Input]:
    dtype = draw(st.sampled_from(FLOATS))
    return [
        Input((*rows, groups * group_size * bits // 32), "uint32", "key"),
        Input((*rows, groups), dtype, "small"),
        Input((*rows, groups), dtype, "small"),
    ]


@case("dequantize")
def _dequantize(draw: Any) -> Call:
    group_size, bits = draw(quantized_format())
    rows = draw(st.sampled_from([(3,), (2, 5), (0,)]))
    inputs = quantized_inputs(draw, group_size, bits, rows, draw(st.integers(1, 3)))
    return Call(
        inputs,
        lambda m, w, s, b: m.dequantize(w, s, b, group_size=group_size, bits=bits),
        lambda w, s, b: dequantize(w, s, b, group_size, bits),
    )


@case("quantized_matmul")
def _quantized_matmul(draw: Any) -> Call:
    group_size, bits = draw(quantized_format())
    transpose, groups, rows = (
        draw(st.booleans()),
        draw(st.sampled_from([1, 2, 5, 13])),
        draw(st.sampled_from([1, 7, 40])),
    )
    batch = draw(st.sampled_from([(), (), (2,)]))
    depth = groups * group_size if transpose else rows
    x = Input((*draw(st.sampled_from([(), (3,)])), draw(st.sampled_from([1, 2, 19])), depth), "float32", "small")
    x = Input(
        x.shape if not batch or len(x.shape) == 2 else (*batch, *x.shape[1:]), draw(st.sampled_from(FLOATS)), "small"
    )
    return Call(
        [x, *quantized_inputs(draw, group_size, bits, (*batch, rows), groups)],
        lambda m, x, w, s, b: m.quantized_matmul(x, w, s, b, transpose=transpose, group_size=group_size, bits=bits),
        lambda x, w, s, b: (
            x
            @ (
                np.swapaxes(dequantize(w, s, b, group_size, bits), -1, -2)
                if transpose
                else dequantize(w, s, b, group_size, bits)
            )
        ),
    )


# ---- convolution ----
@dataclass
class Window:
    """The arguments of one convolution: a value for each spatial axis."""

    stride: list[int]
    low: list[int]
    high: list[int]
    kernel_dilation: list[int]
    input_dilation: list[int]
    groups: int = 1
    flip: bool = False

    def oracle(self, x: Any, w: Any) -> Any:
        lists = (self.stride, self.low, self.high, self.kernel_dilation, self.input_dilation)
        return conv_general(x, w, *lists, self.groups, self.flip)


def conv_operands(draw: Any, n_dims: int, groups: int) -> tuple[list[Input], list[int]]:
    """An input, a weight, and the extents of the kernel."""
    many = draw(st.booleans())  # of channels: more than a tile, and more than a k-block over the taps
    kernel = [draw(st.integers(1, 3)) for _ in range(n_dims)]
    channels = draw(st.sampled_from([49, 70] if many else [1, 2, 3]))
    outputs = draw(st.sampled_from([1, 35] if many else [1, 2, 5]))
    batch = draw(st.sampled_from([0, 1, 2, 2]))
    extents = [draw(st.integers(1, 5)) for _ in range(n_dims - 1)] + [draw(st.sampled_from([3, 4, 17, 31]))]
    dtype = draw(st.sampled_from(FLOATS))
    second = draw(st.sampled_from([dtype, dtype, "float32"]))
    inputs = [
        Input((batch, *extents, groups * channels), dtype, "small"),
        Input((groups * outputs, *kernel, channels), second, "small"),
    ]
    return inputs, kernel


def numbers(draw: Any, n: int, low: int, high: int) -> list[int]:
    return [draw(st.integers(low, high)) for _ in range(n)]


@case("conv_general")
def _conv_general(draw: Any) -> Call:
    n_dims = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3])) if n_dims < 3 else 1  # upstream has no groups over three axes
    inputs, kernel = conv_operands(draw, n_dims, groups)
    window = Window(
        numbers(draw, n_dims, 1, 3),
        numbers(draw, n_dims, 0, 2),
        numbers(draw, n_dims, 0, 2),
        numbers(draw, n_dims, 1, 2),
        numbers(draw, n_dims, 1, 3),
        groups,
        draw(st.booleans()),
    )
    for axis, (extent, taps) in enumerate(zip(inputs[0].shape[1:-1], kernel, strict=True)):
        short = window.kernel_dilation[axis] * (taps - 1) - window.input_dilation[axis] * (extent - 1)
        window.high[axis] = max(window.high[axis], short - window.low[axis])

    def run(m: Any, x: Any, w: Any) -> Any:
        return m.conv_general(
            x, w, window.stride, (window.low, window.high), window.kernel_dilation, window.input_dilation,
            groups, window.flip,
        )  # fmt: skip

    return Call(inputs, run, window.oracle)


def plain_conv(name: str, n_dims: int) -> None:
    def make(draw: Any) -> Call:
        groups = draw(st.sampled_from([1, 1, 2, 3])) if n_dims < 3 else 1
        inputs, _ = conv_operands(draw, n_dims, groups)
        stride, padding = numbers(draw, n_dims, 1, 2), numbers(draw, n_dims, 1, 2)
        window = Window(stride, padding, padding, [1] * n_dims, [1] * n_dims, groups)
        arguments = [v[0] if n_dims == 1 else tuple(v) for v in (stride, padding)]
        return Call(inputs, lambda m, x, w: getattr(m, name)(x, w, *arguments, groups=groups), window.oracle)

    CASES[name] = make


def transposed_conv(name: str, n_dims: int) -> None:
    def make(draw: Any) -> Call:
        groups = draw(st.sampled_from([1, 1, 2])) if n_dims < 3 else 1
        inputs, kernel = conv_operands(draw, n_dims, groups)
        stride, dilation = numbers(draw, n_dims, 1, 2), numbers(draw, n_dims, 1, 2)
        padding, extra = numbers(draw, n_dims, 0, 1), numbers(draw, n_dims, 0, 1)
        # Where padding takes more than the kernel adds, upstream crops the input before it spreads it.
        for axis, extent in enumerate(inputs[0].shape[1:-1]):
            reach = dilation[axis] * (kernel[axis] - 1)
            if padding[axis] > reach or 2 * padding[axis] > stride[axis] * (extent - 1) + reach:
                padding[axis] = 0
        around = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
        high = [a + e for a, e in zip(around, extra, strict=True)]
        window = Window([1] * n_dims, around, high, dilation, stride, groups, flip=True)
        arguments = [v[0] if n_dims == 1 else tuple(v) for v in (stride, padding, dilation, extra)]
        return Call(inputs, lambda m, x, w: getattr(m, name)(x, w, *arguments, groups=groups), window.oracle)

    CASES[name] = make


for _n in (1, 2, 3):
    plain_conv(f"conv{_n}d", _n)
    transposed_conv(f"conv_transpose{_n}d", _n)


@case("convolve")
def _convolve(draw: Any) -> Call:
    lengths = st.sampled_from([1, 2, 3, 8, 31, 500])
    dtype, mode = draw(st.sampled_from(FLOATS)), draw(st.sampled_from(["full", "same", "valid"]))
    inputs = [Input((draw(lengths),), dtype, "small") for _ in range(2)]
    return Call(inputs, lambda m, a, v: m.convolve(a, v, mode), lambda a, v: np.convolve(a, v, mode))


# ---- norms ----
norm_shapes = st.sampled_from([s for s in SHAPES if s and s[-1]] + [(3, 1024), (2, 3, 4099)])


def norm(name: str, n_parameters: int, oracle: Any) -> None:
    def make(draw: Any) -> Call:
        shape, dtype = draw(norm_shapes), draw(st.sampled_from(FLOATS))
        given = [draw(st.booleans()) for _ in range(n_parameters)]
        eps = draw(st.sampled_from([1e-5, 0.1]))
        inputs = [Input(shape, dtype, "small")] + [Input(shape[-1:], dtype, "small") for g in given if g]

        def arguments(parameters: Sequence[Any]) -> list[Any]:
            left = iter(parameters)
            return [next(left) if g else None for g in given]

        return Call(
            inputs,
            lambda m, x, *p: getattr(m.fast, name)(x, *arguments(p), eps),
            lambda x, *p: oracle(x, *arguments(p), eps),
        )

    CASES[name] = make


norm("layer_norm", 2, layer_norm)
norm("rms_norm", 1, rms_norm)


# ---- attention ----
@case("scaled_dot_product_attention")
def _attention(draw: Any) -> Call:
    dtype = draw(st.sampled_from(FLOATS))
    batch, kv_heads, group = draw(st.integers(0, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    queries, keys = draw(st.sampled_from([1, 2, 5, 33])), draw(st.sampled_from([1, 3, 40, 385]))
    depth, width = draw(st.sampled_from([1, 8, 20])), draw(st.sampled_from([1, 8, 37]))
    heads = kv_heads * group
    inputs = [
        Input((batch, heads, queries, depth), dtype, "small"),
        Input((batch, kv_heads, keys, depth), dtype, "small"),
        Input((batch, kv_heads, keys, width), dtype, "small"),
    ]
    kind = draw(st.sampled_from([None, "causal", "bool", "added"]))
    masked, has_sinks = kind in ("bool", "added"), draw(st.booleans())
    if masked:
        mask = broadcastable(draw, (batch, heads, queries, keys))
        inputs.append(Input(mask, "bool", "mask") if kind == "bool" else Input(mask, dtype, "small"))
    if has_sinks:
        inputs.append(Input((heads,), dtype, "small"))

    def options(given: Sequence[Any]) -> dict[str, Any]:
        return {
            "mask": given[0] if masked else kind,
            "sinks": given[-1] if has_sinks else None,
            "scale": 0.3,
        }

    return Call(
        inputs,
        lambda m, q, k, v, *rest: m.fast.scaled_dot_product_attention(q, k, v, **options(rest)),
        lambda q, k, v, *rest: attention(q, k, v, **options(rest)),
    )
