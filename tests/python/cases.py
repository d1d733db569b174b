"""One way to call every op of the table, for all tests that go over all ops.

A case draws shapes and arguments with hypothesis and returns a `Call`: the inputs to make and a function of a module
(`isthmus`, or upstream's `mlx.core`) and the input tensors. `CASES` maps op names to cases; a test checks that no op
of the table is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from oracles import (
    attention,
    conv_general,
    cumulative,
    dequantize,
    floor_divide,
    layer_norm,
    logsumexp,
    quantize,
    rms_norm,
    sigmoid,
)

BOOL = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = UNSIGNED + SIGNED
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64",)
REAL = BOOL + INTEGERS + FLOATS
ALL = REAL + COMPLEX
INEXACT = FLOATS + COMPLEX

SHAPES = [
    (),
    (0,),
    (1,),
    (3, 0, 2),
    (7,),
    (1, 1),
    (5, 3),
    (33,),
    (2, 1, 9),
    (4, 5, 6),
    (1, 130),
    (129, 3),
    (2, 3, 1, 2, 5),
    (3, 2, 2, 3, 2),
]


@dataclass
class Input:
    shape: tuple[int, ...]
    dtype: str
    values: str = "any"  # any, small, positive, unit, open_unit, above_one, index, key, shift, mask
    limit: int = 0  # index: values lie in [-limit, limit)


@dataclass
class Call:
    inputs: list[Input]
    run: Callable[..., Any]
    oracle: Callable[..., Any] | None = None  # of NumPy arrays, in float64 where inputs are floats
    attrs: dict[str, Any] = field(default_factory=dict)


Case = Callable[[Any], Call]  # of hypothesis' draw
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    def register(make: Case) -> Case:
        CASES[name] = make
        return make

    return register


shapes = st.sampled_from(SHAPES)
nonempty = st.sampled_from([s for s in SHAPES if math.prod(s)])


def some_axes(draw: Any, rank: int) -> tuple[int, ...] | None:
    if draw(st.booleans()):
        return None
    return tuple(draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank))) if rank else ()


def broadcastable(draw: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`."""
    kept = shape[draw(st.integers(0, len(shape))) :] if shape and draw(st.booleans()) else shape
    return tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in kept)


# ---- elementwise ----
def unary(name: str, dtypes: Sequence[str], values: str = "any", oracle: Any = None) -> None:
    def make(draw: Any) -> Call:
        dtype = draw(st.sampled_from(dtypes))
        return Call([Input(draw(shapes), dtype, values)], lambda m, a: getattr(m, name)(a), oracle)

    CASES[name] = make


def binary(
    name: str, dtypes: Sequence[str], values: str = "any", second: str = "", oracle: Any = None, same: bool = False
) -> None:
    def make(draw: Any) -> Call:
        shape = draw(shapes)
        a, b = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
        if draw(st.booleans()) or same:
            b = a
        return Call(
            [Input(broadcastable(draw, shape), a, values), Input(shape, b, second or values)],
            lambda m, x, y: getattr(m, name)(x, y),
            oracle,
        )

    CASES[name] = make


import scipy.special as sp  # noqa: E402  (next to the table that uses it)

for _name, _oracle in {
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "exp": np.exp, "log": np.log,
    "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
    "reciprocal": lambda x: 1 / x,
}.items():  # fmt: skip
    unary(_name, ALL, oracle=_oracle)
for _name, _oracle in {"expm1": np.expm1, "sigmoid": sigmoid}.items():
    unary(_name, REAL, oracle=_oracle)
unary("erf", REAL, oracle=sp.erf)
unary("erfinv", REAL, "unit", oracle=sp.erfinv)
for _name, _oracle in {
    "negative": np.negative, "abs": np.abs, "square": np.square,
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)), "conjugate": np.conjugate,
    "rint": lambda x: x if x.dtype.kind in "biu" else np.rint(x), "isnan": np.isnan, "isinf": np.isinf,
    "isfinite": np.isfinite, "logical_not": np.logical_not,
    "contiguous": np.array, "positive": np.positive,
}.items():  # fmt: skip
    unary(_name, ALL, oracle=_oracle)
unary("negative", INTEGERS + INEXACT, oracle=np.negative)
for _name, _oracle in {
    "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "degrees": np.degrees, "radians": np.radians,
    "isposinf": np.isposinf, "isneginf": np.isneginf,
}.items():  # fmt: skip
    unary(_name, REAL, oracle=_oracle)
unary("bitwise_invert", BOOL + INTEGERS, oracle=np.invert)

for _name, _oracle in {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "equal": np.equal, "not_equal": np.not_equal,
    "less": np.less, "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "divide": np.true_divide, "maximum": np.maximum, "minimum": np.minimum,
}.items():  # fmt: skip
    binary(_name, ALL, oracle=_oracle)
binary("logaddexp", INEXACT, oracle=np.logaddexp)
binary("arctan2", FLOATS, oracle=np.arctan2)
binary("remainder", INTEGERS + FLOATS, oracle=np.remainder)
binary("floor_divide", INTEGERS + FLOATS, oracle=floor_divide)
binary("power", INTEGERS + INEXACT, "small", oracle=np.power)
for _name, _oracle in {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
}.items():
    binary(_name, BOOL + INTEGERS, oracle=_oracle, same=True)
binary("left_shift", INTEGERS, second="shift", oracle=np.left_shift, same=True)
binary("right_shift", INTEGERS, second="shift", oracle=np.right_shift, same=True)


@case("astype")
def _astype(draw: Any) -> Call:
    target = draw(st.sampled_from(ALL))
    name = "bool_" if target == "bool" else target
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(ALL)))],
        lambda m, a: a.astype(getattr(m, name)),
        attrs={"dtype": target},
    )


@case("where")
def _where(draw: Any) -> Call:
    shape = draw(shapes)
    x, y = draw(st.sampled_from(ALL)), draw(st.sampled_from(ALL))
    inputs = [Input(broadcastable(draw, shape), "bool"), Input(shape, x), Input(broadcastable(draw, shape), y)]
    return Call(inputs, lambda m, c, a, b: m.where(c, a, b), np.where)


@case("clip")
def _clip(draw: Any) -> Call:
    shape = draw(shapes)
    dtype = draw(st.sampled_from(INTEGERS + FLOATS))
    low = draw(st.sampled_from([None, 0, 1]))
    high = draw(st.sampled_from([2, 5])) if low is None else draw(st.sampled_from([None, 2, 5]))
    return Call([Input(shape, dtype)], lambda m, a: m.clip(a, low, high), lambda a: np.clip(a, low, high))


@case("round")
def _round(draw: Any) -> Call:
    decimals = draw(st.sampled_from([0, 1, 2]))
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(FLOATS)), "small")],
        lambda m, a: m.round(a, decimals),
        None if decimals else np.round,
    )


@case("divmod")
def _divmod(draw: Any) -> Call:
    shape, dtype = draw(shapes), draw(st.sampled_from(INTEGERS + FLOATS))
    return Call(
        [Input(shape, dtype), Input(shape, dtype)],
        lambda m, a, b: m.divmod(a, b),
        lambda a, b: (floor_divide(a, b), np.remainder(a, b)),
    )


@case("nan_to_num")
def _nan_to_num(draw: Any) -> Call:
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(FLOATS)))],
        lambda m, a: m.nan_to_num(a, 1.5, 4.0, -4.0),
        lambda a: np.nan_to_num(a, nan=1.5, posinf=4.0, neginf=-4.0),
    )


# ---- reductions ----
def reduction(
    name: str, dtypes: Sequence[str], shape: Any = shapes, values: str = "any", oracle: Any = None, **extra: Any
) -> None:
    def make(draw: Any) -> Call:
        s = draw(st.one_of(shape, st.sampled_from([(5000,), (3, 4097), (4099, 3), (2, 70, 65)])))
        axes, keepdims = some_axes(draw, len(s)), draw(st.booleans())
        options = {k: draw(v) for k, v in extra.items()}
        return Call(
            [Input(s, draw(st.sampled_from(dtypes)), values)],
            lambda m, a: getattr(m, name)(a, axis=axes, keepdims=keepdims, **options),
            oracle and (lambda a: oracle(a, axis=axes, keepdims=keepdims, **options)),
        )

    CASES[name] = make


reduction("sum", ALL, oracle=np.sum)
reduction("prod", ALL, values="near_one", oracle=np.prod)
reduction("max", ALL, nonempty, oracle=np.max)
reduction("min", ALL, nonempty, oracle=np.min)
reduction("all", ALL, oracle=np.all)
reduction("any", ALL, oracle=np.any)
reduction("mean", ALL, nonempty, "small", oracle=np.mean)
reduction("var", REAL, nonempty, "small", oracle=np.var, ddof=st.sampled_from([0]))
reduction("std", REAL, nonempty, "small", oracle=np.std)
reduction("logsumexp", FLOATS, nonempty, oracle=logsumexp)


@case("softmax")
def _softmax(draw: Any) -> Call:
    shape = draw(st.one_of(nonempty, st.sampled_from([(3, 4097), (4099, 3)])))
    axes = some_axes(draw, len(shape))
    axes = None if axes == () else axes
    return Call(
        [Input(shape, draw(st.sampled_from(FLOATS)))],
        lambda m, a: m.softmax(a, axis=axes),
        lambda a: sp.softmax(a, axis=axes),
    )


def arg_reduction(name: str, oracle: Any) -> None:
    def make(draw: Any) -> Call:
        shape = draw(nonempty)
        axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1))) if shape else None
        keepdims = draw(st.booleans())
        return Call(
            [Input(shape, draw(st.sampled_from(REAL)))],
            lambda m, a: getattr(m, name)(a, axis=axis, keepdims=keepdims),
            lambda a: oracle(a, axis=axis, keepdims=keepdims),
        )

    CASES[name] = make


arg_reduction("argmax", np.argmax)
arg_reduction("argmin", np.argmin)


# ---- cumulative ops ----
def scan(name: str, dtypes: Sequence[str], oracle: Any, values: str = "any") -> None:
    def make(draw: Any) -> Call:
        s = draw(st.one_of(shapes, st.sampled_from([(9000,), (3, 4097), (4099, 3), (2, 70, 65), (9, 300)])))
        axis = draw(st.one_of(st.none(), st.integers(-len(s), len(s) - 1))) if s else None
        options = {"reverse": draw(st.booleans()), "inclusive": draw(st.booleans())}
        return Call(
            [Input(s, draw(st.sampled_from(dtypes)), values)],
            lambda m, a: getattr(m, name)(a, axis, **options),
            lambda a: cumulative(oracle, a, axis, **options),
            {"axis": axis, **options},
        )

    CASES[name] = make


scan("cumsum", ALL, np.add)
scan("cumprod", ALL, np.multiply, "near_one")
scan("cummax", ALL, np.maximum)
scan("cummin", ALL, np.minimum)
scan("logcumsumexp", FLOATS, np.logaddexp)


# ---- sorting ----
def along(a: Any, axis: int | None) -> tuple[Any, int]:
    return (np.reshape(a, -1), 0) if axis is None else (a, axis)


def sorting(name: str, call: Any, oracle: Any) -> None:
    """`call(m, a, k, axis)` and `oracle(a, k, axis)`; k counts from 1 to the extent."""

    def make(draw: Any) -> Call:
        shape = draw(st.one_of(nonempty.filter(bool), st.tuples(st.sampled_from([37, 150, 700]), st.integers(1, 3))))
        axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
        k = draw(st.integers(1, math.prod(shape) if axis is None else shape[axis]))
        return Call(
            [Input(shape, draw(st.sampled_from(REAL)))], lambda m, a: call(m, a, k, axis), lambda a: oracle(a, k, axis)
        )

    CASES[name] = make


def largest(a: Any, k: int, axis: int | None) -> Any:
    a, axis = along(np.sort(a, axis), axis)
    return np.take(a, range(a.shape[axis] - k, a.shape[axis]), axis)


sorting("sort", lambda m, a, k, axis: m.sort(a, axis=axis), lambda a, k, axis: np.sort(a, axis))
sorting("argsort", lambda m, a, k, axis: m.argsort(a, axis), lambda a, k, axis: np.argsort(a, axis, kind="stable"))
# Only element k has to be in its place; which others are before it is looked at in sorted order.
sorting(
    "partition",
    lambda m, a, k, axis: m.sort(m.partition(a, k - 1, axis=axis), 0 if axis is None else axis),
    lambda a, k, axis: np.sort(a, axis),
)
sorting(
    "argpartition",
    lambda m, a, k, axis: m.sort(m.argpartition(a, k - 1, axis=axis), 0 if axis is None else axis),
    lambda a, k, axis: np.sort(np.argsort(a, axis, kind="stable"), 0 if axis is None else axis),
)
sorting("topk", lambda m, a, k, axis: m.sort(m.topk(a, k, axis=axis), 0 if axis is None else axis), largest)


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


# ---- shape ----
def shaped(
    name: str, attrs: Callable[[Any, tuple[int, ...]], tuple[Any, ...]], oracle: Any = None, shape: Any = shapes
) -> None:
    def make(draw: Any) -> Call:
        s = draw(shape)
        args = attrs(draw, s)
        return Call(
            [Input(s, draw(st.sampled_from(ALL)))],
            lambda m, a: getattr(m, name)(a, *args),
            oracle and (lambda a: oracle(a, *args)),
        )

    CASES[name] = make


def _new_shape(draw: Any, s: tuple[int, ...]) -> tuple[Any]:
    flat = math.prod(s)
    choices: list[tuple[int, ...]] = [s[::-1], (flat,), (1, *s), (*s, 1)]
    if flat % 2 == 0 and flat:
        choices += [(2, -1), (-1, 2)]
    return (draw(st.sampled_from(choices)),)


def _axis(draw: Any, s: tuple[int, ...]) -> int:
    return draw(st.integers(-len(s), len(s) - 1))


ranked = st.sampled_from([s for s in SHAPES if s])
shaped("reshape", _new_shape, np.reshape)
shaped("transpose", lambda draw, s: (tuple(draw(st.permutations(range(len(s))))),), np.transpose)
shaped(
    "broadcast_to",
    lambda draw, s: ((draw(st.integers(0, 3)), *(draw(st.integers(0, 3)) if n == 1 else n for n in s)),),
    np.broadcast_to,
)
shaped("real", lambda draw, s: (), np.real)
shaped("imag", lambda draw, s: (), np.imag)
shaped("stop_gradient", lambda draw, s: (), np.array)
shaped("expand_dims", lambda draw, s: (draw(st.integers(-len(s) - 1, len(s))),), np.expand_dims)
shaped("squeeze", lambda draw, s: (tuple(i for i, n in enumerate(s) if n == 1),), np.squeeze)
shaped("flatten", lambda draw, s: (), np.ravel)
shaped("moveaxis", lambda draw, s: (_axis(draw, s), _axis(draw, s)), np.moveaxis, ranked)
shaped("swapaxes", lambda draw, s: (_axis(draw, s), _axis(draw, s)), np.swapaxes, ranked)
shaped(
    "repeat", lambda draw, s: (draw(st.integers(0, 3)), draw(st.sampled_from([None, 0, -1])) if s else None), np.repeat
)
shaped("tile", lambda draw, s: (tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))),), np.tile)
shaped("tril", lambda draw, s: (draw(st.integers(-3, 3)),), np.tril, st.sampled_from([s for s in SHAPES if len(s) > 1]))
shaped("triu", lambda draw, s: (draw(st.integers(-3, 3)),), np.triu, st.sampled_from([s for s in SHAPES if len(s) > 1]))


@case("unflatten")
def _unflatten(draw: Any) -> Call:
    s = draw(st.sampled_from([(6,), (2, 6), (6, 5)]))
    axis = s.index(6)
    return Call(
        [Input(s, "float32")],
        lambda m, a: m.unflatten(a, axis, (2, -1)),
        lambda a: a.reshape(*s[:axis], 2, 3, *s[axis + 1 :]),
    )


@case("slice")
def _slice(draw: Any) -> Call:
    s = draw(ranked)
    index = tuple(
        slice(
            draw(st.one_of(st.none(), st.integers(-4, 4))),
            draw(st.one_of(st.none(), st.integers(-4, 4))),
            draw(st.sampled_from([None, 1, 2, -1, -2])),
        )
        for _ in s
    )
    return Call([Input(s, draw(st.sampled_from(ALL)))], lambda m, a: a[index], lambda a: a[index])


@case("slice_update")
def _slice_update(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    index = tuple(slice(draw(st.integers(0, 2)), None, draw(st.sampled_from([1, 2, -1]))) for _ in s)
    dtype = draw(st.sampled_from(ALL))

    def run(m: Any, a: Any, b: Any) -> Any:
        copy = m.array(a)
        copy[index] = b
        return copy

    def oracle(a: Any, b: Any) -> Any:
        copy = np.array(a)
        copy[index] = b
        return copy

    target = np.empty(s)[index].shape
    return Call([Input(s, dtype), Input(broadcastable(draw, target), dtype)], run, oracle)


def joining(name: str, oracle: Any, new_axis: bool) -> None:
    def make(draw: Any) -> Call:
        s = draw(ranked)
        axis = draw(st.integers(-len(s), len(s) - 1))
        dtype = draw(st.sampled_from(ALL))
        count = draw(st.integers(1, 3))
        inputs = []
        for _ in range(count):
            own = list(s)
            if not new_axis:
                own[axis] = draw(st.integers(0, 4))
            inputs.append(Input(tuple(own), dtype))
        return Call(inputs, lambda m, *a: getattr(m, name)(list(a), axis), lambda *a: oracle(a, axis))

    CASES[name] = make


joining("concatenate", np.concatenate, False)
joining("stack", np.stack, True)


@case("split")
def _split(draw: Any) -> Call:
    s = draw(st.sampled_from([(6,), (2, 6), (6, 5)]))
    where = draw(st.sampled_from([2, 3, (1, 4), (2,)]))
    axis = s.index(6)
    return Call(
        [Input(s, draw(st.sampled_from(ALL)))],
        lambda m, a: m.split(a, where if isinstance(where, int) else list(where), axis),
        lambda a: np.split(a, where, axis),
    )


@case("broadcast_arrays")
def _broadcast_arrays(draw: Any) -> Call:
    s = draw(shapes)
    return Call(
        [Input(s, "float32"), Input(broadcastable(draw, s), "int8")],
        lambda m, *a: m.broadcast_arrays(*a),
        lambda *a: np.broadcast_arrays(*a),
    )


@case("meshgrid")
def _meshgrid(draw: Any) -> Call:
    indexing, sparse = draw(st.sampled_from(["xy", "ij"])), draw(st.booleans())
    return Call(
        [Input((3,), "float32"), Input((4,), "float32")],
        lambda m, *a: m.meshgrid(*a, sparse=sparse, indexing=indexing),
        lambda *a: np.meshgrid(*a, sparse=sparse, indexing=indexing),
    )


@case("pad")
def _pad(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    width = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in s]
    mode = draw(st.sampled_from(["constant", "edge"]))
    return Call(
        [Input(s, draw(st.sampled_from(ALL)))], lambda m, a: m.pad(a, width, mode), lambda a: np.pad(a, width, mode)
    )


# ---- indices ----
@case("take")
def _take(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.one_of(st.none(), st.integers(-len(s), len(s) - 1)))
    limit = math.prod(s) if axis is None else s[axis]
    index = Input(draw(shapes), draw(st.sampled_from(SIGNED)), "index", min(limit, 120))
    return Call(
        [Input(s, draw(st.sampled_from(ALL))), index],
        lambda m, a, i: m.take(a, i, axis),
        lambda a, i: np.take(a, i, axis, mode="wrap"),
    )


@case("take_along_axis")
def _take_along_axis(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.integers(-len(s), len(s) - 1))
    own = list(s)
    own[axis] = draw(st.integers(0, 9))
    index = Input(tuple(own), draw(st.sampled_from(SIGNED)), "index", s[axis])
    return Call(
        [Input(s, draw(st.sampled_from(ALL))), index],
        lambda m, a, i: m.take_along_axis(a, i, axis),
        lambda a, i: np.take_along_axis(a, i, axis),
    )


@case("put_along_axis")
def _put_along_axis(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.integers(-len(s), len(s) - 1))
    own = list(s)
    own[axis] = draw(st.integers(0, 9))
    dtype = draw(st.sampled_from(ALL))
    inputs = [Input(s, dtype), Input(tuple(own), "int32", "index", s[axis]), Input(tuple(own), dtype)]

    def oracle(a: Any, i: Any, v: Any) -> Any:
        copy = np.array(a)
        np.put_along_axis(copy, i, v, axis)
        return copy

    return Call(inputs, lambda m, a, i, v: m.put_along_axis(a, i, v, axis), oracle)


@case("gather")
def _gather(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    dtype = draw(st.sampled_from(ALL))
    count = draw(st.integers(1, len(s)))
    common = draw(shapes)
    inputs = [Input(s, dtype)] + [
        Input(broadcastable(draw, common), draw(st.sampled_from(SIGNED)), "index", s[i]) for i in range(count)
    ]
    return Call(inputs, lambda m, a, *i: a[tuple(i)], lambda a, *i: a[tuple(i)])


def scattering(name: str, update: Callable[[Any, Any, Any], Any], oracle: Callable[[Any, Any, Any], Any]) -> None:
    def make(draw: Any) -> Call:
        s = draw(st.sampled_from([(7,), (5, 3)]))
        dtype = draw(st.sampled_from(ALL))
        rows = draw(st.integers(0, 9))
        inputs = [
            Input(s, dtype, "small"),
            Input((rows,), draw(st.sampled_from(SIGNED)), "index", s[0]),
            Input((rows, *s[1:]), dtype, "small"),
        ]
        return Call(inputs, lambda m, a, i, v: update(m.array(a), i, v), lambda a, i, v: oracle(np.array(a), i, v))

    CASES[name] = make


def _assign(a: Any, i: Any, v: Any) -> Any:
    a[i] = v
    return a


def _numpy_add_at(a: Any, i: Any, v: Any) -> Any:
    np.add.at(a, i, v)
    return a


scattering("scatter", _assign, _assign)
scattering("scatter_add", lambda a, i, v: a.at[i].add(v), _numpy_add_at)


# ---- creation ----
def created(name: str, draw_args: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]], oracle: Any = None) -> None:
    def make(draw: Any) -> Call:
        args, options = draw_args(draw)
        dtype = draw(st.sampled_from(("int32", "float32", "float16", "bfloat16")))
        return Call(
            [],
            lambda m: getattr(m, name)(*args, **options, dtype=getattr(m, dtype)),
            oracle and (lambda: oracle(*args, **options)),
            {"dtype": dtype},
        )

    CASES[name] = make


created(
    "arange",
    lambda draw: ((draw(st.integers(-5, 5)), draw(st.integers(-9, 300)), draw(st.sampled_from([1, 2, 3, -1]))), {}),
    np.arange,
)
created("eye", lambda draw: ((draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(-3, 3))), {}), np.eye)
created("tri", lambda draw: ((draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(-3, 3))), {}), np.tri)
created("full", lambda draw: ((draw(shapes), draw(st.sampled_from([0, 1, 7]))), {}), np.full)
created("linspace", lambda draw: ((draw(st.integers(-5, 5)), draw(st.integers(-9, 9)), draw(st.integers(0, 40))), {}))


@case("random_bits")
def _random_bits(draw: Any) -> Call:
    s, width = draw(shapes), draw(st.sampled_from([1, 2, 4]))
    return Call([Input((2,), "uint32", "key")], lambda m, key: m.random.bits(s, width, key))


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


# Rows that are not functions of their own: what stands behind every tensor, behind autograd and behind placement.
NOT_CALLED = {"data", "alias", "to_device", "add_along_axis"}
