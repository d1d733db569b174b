"""Convolutions beyond the cases: sizes at which `cpu` cuts its work, what upstream refuses, second derivatives."""

from __future__ import annotations

from typing import Any

import arrays
import numpy as np
import pytest
from oracles import conv_general

import isthmus as ist

Window = dict[str, Any]

# input, weight, arguments of conv_general
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Window]] = {
    "interior and borders": ((2, 19, 29, 16), (40, 3, 3, 16), {"padding": 1}),
    "chains over several pieces and k-blocks": ((1, 6, 30, 60), (33, 3, 3, 60), {"padding": 1}),
    "many columns": ((1, 5, 17, 9), (170, 3, 3, 9), {"padding": 1, "stride": 2}),
    "few columns, short runs": ((2, 21, 23, 3), (8, 5, 5, 3), {"padding": 2, "stride": 2}),
    "narrow images": ((9, 7, 7, 50), (34, 3, 3, 50), {"padding": 1}),
    "one image, divided by columns": ((1, 4, 4, 40), (290, 3, 3, 40), {"padding": 1}),
    "pointwise": ((3, 21, 20, 30), (70, 1, 1, 30), {}),
    "pointwise with strides": ((3, 21, 20, 30), (35, 1, 1, 30), {"stride": 3}),
    "a long row": ((1, 30_000, 4), (3, 5, 4), {"padding": 2}),
    "windows of nothing but padding": ((1, 3, 2, 32), (5, 3, 3, 32), {"padding": 70}),
    "rows of three pixels, several k-blocks": ((5, 4, 3, 64), (34, 3, 3, 64), {"padding": 1}),
    "spread and dilated": ((2, 9, 11, 6), (35, 3, 2, 6), {"kernel_dilation": (1, 2), "input_dilation": (3, 2)}),
    "cropped": ((2, 12, 18, 6), (5, 3, 2, 6), {"padding": ((-2, 1), (2, -3))}),
    "groups": ((2, 12, 18, 12), (9, 3, 3, 4), {"groups": 3, "padding": 1, "flip": True}),
    "groups over three axes": ((1, 4, 5, 16, 6), (10, 2, 3, 3, 3), {"groups": 2, "padding": 1}),
    "one filter for each channel": ((2, 18, 19, 37), (37, 3, 3, 1), {"groups": 37, "padding": 1}),
    "one filter, many taps": ((1, 30, 25, 19), (19, 20, 21, 1), {"groups": 19, "padding": 3}),
    "one filter in a volume": ((2, 5, 6, 7, 20), (20, 3, 2, 3, 1), {"groups": 20, "kernel_dilation": 2}),
    "two filters for each channel": ((2, 9, 10, 5), (10, 3, 3, 1), {"groups": 5}),
    "one output": ((2, 40, 37, 50), (1, 3, 3, 50), {"padding": 1}),
    "few outputs, strides that share factors with dilations": (
        (2, 61, 67, 5),
        (3, 4, 5, 5),
        {"stride": (6, 4), "kernel_dilation": (4, 2), "padding": 7},
    ),
    "few outputs, wide and high": ((1, 150, 170, 20), (10, 3, 3, 4), {"groups": 5, "padding": ((2, -1), (0, 3))}),
    "few outputs, steps over elements": ((3, 50, 50, 2), (4, 2, 2, 2), {"stride": 5, "padding": ((-3, 0), (2, 4))}),
    "many groups of few channels": ((1, 13, 90, 260), (260, 3, 3, 4), {"groups": 65, "padding": 1}),
    "few outputs in a volume": ((2, 7, 12, 21, 6), (4, 2, 3, 3, 3), {"groups": 2, "stride": (2, 1, 2), "padding": 1}),
    "a long filter": ((1, 5000, 1), (1, 900, 1), {"padding": 899}),
    "images side by side if transposed": ((100, 22, 9, 5), (33, 20, 8, 5), {"padding": 1}),
    "images side by side, strides": ((64, 30, 17, 3), (20, 28, 15, 3), {"stride": 2, "padding": 1, "flip": True}),
    "images side by side in a volume": ((60, 5, 12, 13, 2), (12, 4, 11, 12, 2), {"padding": 1}),
    "images side by side, dilated": ((64, 60, 7), (3, 28, 7), {"kernel_dilation": 2, "padding": 3}),
    "spread": ((2, 13, 14, 70), (33, 4, 5, 70), {"input_dilation": 2, "padding": ((2, 3), (1, 4))}),
    "spread far, chains over k-blocks": ((1, 50, 30), (20, 41, 30), {"input_dilation": 12, "padding": 30}),
    "spread, short phases over the ends of k-blocks": (
        (2, 2, 1, 31, 70),
        (35, 2, 2, 2, 70),
        {"input_dilation": (2, 1, 1), "padding": 1},
    ),
    "spread, steps": ((1, 30, 19, 8), (3, 4, 5, 8), {"input_dilation": (4, 6), "stride": (6, 3), "padding": 4}),
    "spread, taps that never meet": ((1, 30, 19, 4), (3, 3, 1, 4), {"input_dilation": (2, 3), "kernel_dilation": 4}),
    "spread, one filter for each channel": (
        (1, 20, 21, 18),
        (18, 20, 21, 1),
        {"groups": 18, "input_dilation": (2, 1), "padding": 5},
    ),
    "spread, groups": ((2, 13, 14, 12), (6, 4, 3, 4), {"groups": 3, "input_dilation": (3, 2), "padding": 2}),
    "spread, phases that read alike": ((2, 5, 9, 40), (7, 2, 5, 40), {"input_dilation": (2, 4), "padding": 6}),
    "spread, phases alike but for their k-blocks": ((2, 40, 80), (1, 100, 80), {"input_dilation": 40, "padding": 90}),
    "whole groups of k in wide rows": ((2, 9, 37, 64), (40, 3, 3, 64), {"padding": 1}),
    "whole groups of k, more of them, with steps": ((1, 9, 83, 96), (70, 2, 3, 96), {"padding": 1, "stride": 2}),
    "whole groups of k in short rows": ((2, 30, 5, 32), (20, 3, 3, 32), {"padding": 1}),
    "whole groups of k over the ends of rows": ((2, 30, 8, 32), (20, 2, 2, 32), {"padding": ((1, 0), (1, 0))}),
    "whole groups of k across images": ((28, 3, 3, 64), (35, 3, 3, 64), {"padding": 1}),
    "whole groups of k in a few images": ((3, 3, 5, 160), (10, 3, 3, 160), {"padding": 1}),
    "whole groups of k of some channels": ((2, 10, 20, 128), (72, 3, 3, 32), {"groups": 4, "padding": 1}),
    "whole groups of k, dilated": ((2, 20, 30, 32), (50, 3, 2, 32), {"kernel_dilation": (2, 3), "padding": 3}),
    "whole groups of k, spread": ((2, 9, 14, 64), (33, 4, 5, 64), {"input_dilation": 2, "padding": ((2, 3), (1, 4))}),
    "spread, alike with steps and few outputs": (
        (1, 3, 30, 402),
        (2, 1, 25, 402),
        {"input_dilation": (1, 10), "stride": (1, 3), "kernel_dilation": (1, 3), "padding": ((0, 50), (0, 50))},
    ),
}


def operands(name: str, dtype: str) -> tuple[np.ndarray, np.ndarray, Window]:
    shape, weight_shape, window = SHAPES[name]
    rng = np.random.default_rng(len(name))
    x, w = (rng.standard_normal(s).astype(arrays.numpy_dtype(dtype)) for s in (shape, weight_shape))
    return x, w, window


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_cpu_equals_reference(name: str, dtype: str) -> None:
    x, w, window = operands(name, dtype)

    def run(device: str, threads: int, layout: str) -> np.ndarray:
        ist.set_num_threads(threads)
        with ist.device(device):
            a, b = (arrays.place(ist, v, layout, device) for v in (x, w))
            return arrays.bits(ist.conv_general(a, b, **window))

    exact = run("reference", 1, "plain")
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(run("cpu", threads, "transposed" if threads == 2 else "plain"), exact)


def assert_equal_in_bfloat16(x: np.ndarray, w: np.ndarray, window: Window) -> None:
    results = []
    for device in ("reference", "cpu"):
        with ist.device(device):
            a, b = (ist.array(v).astype(ist.bfloat16) for v in (x, w))
            results.append(arrays.bits(ist.conv_general(a, b, **window)))
    np.testing.assert_array_equal(results[1], results[0])


@pytest.mark.parametrize("name", [name for name in SHAPES if "whole groups" in name or "images" in name])
def test_every_exponent(name: str) -> None:
    """Products of all exponents, of which some instructions take the smallest for zero."""
    shape, weight_shape, window = SHAPES[name]
    rng = np.random.default_rng(len(name))
    x, w = (
        np.ldexp(rng.standard_normal(s), rng.integers(-75, 60, s)).astype(np.float32) for s in (shape, weight_shape)
    )
    ist.set_num_threads(1)
    assert_equal_in_bfloat16(x, w, window)


# Neighbouring outputs read k elements apart, but not k in a row; or copies of them.
APART: dict[str, tuple[tuple[int, ...], tuple[int, ...], Window]] = {
    "taps below": ((1, 2, 80, 64), (8, 2, 1, 64), {"stride": (1, 2)}),
    "taps behind": ((1, 2, 1, 80, 64), (8, 2, 1, 1, 64), {"stride": (1, 1, 2)}),
    "dilated": ((1, 80, 64), (8, 2, 64), {"stride": 2, "kernel_dilation": 3}),
    "groups": ((1, 80, 64), (64, 2, 32), {"groups": 2}),
    "padded": ((1, 4, 20, 64), (8, 3, 3, 64), {"padding": 1}),
}


@pytest.mark.parametrize("name", APART)
def test_one_product_that_is_small_among_zeros(name: str) -> None:
    """Some instructions take subnormal numbers for zero, so the smallest exponent decides what may be multiplied."""
    shape, weight_shape, window = APART[name]
    w = np.full(weight_shape, 2.0**-10, np.float32)
    for pixel in range(1, np.prod(shape[:-1]), 16):
        x = np.zeros(shape, np.float32)
        x.reshape(-1, shape[-1])[pixel] = 2.0**-120
        assert_equal_in_bfloat16(x, w, window)


# What the zeros between the elements of a spread input do: an infinite weight makes them NaN, and sums of products too
# small for the dtype are -0 until a zero is added.
@pytest.mark.parametrize("outputs", [1, 3, 40])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("scale", "extra"),
    [(1e-24, 0.0), (1e-24, -0.0), (1e-24, np.inf), (1e-24, np.nan), (1, np.inf), (1, -0.0), (3e-23, 1e-30)],
)
def test_zeros_of_a_spread_input_take_part(outputs: int, groups: int, scale: float, extra: float) -> None:
    rng = np.random.default_rng(outputs)
    for in_weight in (False, True):
        x = (scale * rng.standard_normal((2, 9, 8, 4))).astype(np.float32)
        w = (scale * rng.standard_normal((outputs * groups, 5, 4, 4 // groups))).astype(np.float32)
        target = w if in_weight else x
        target[rng.random(target.shape) < (0.01 if in_weight and not np.isfinite(extra) else 0.3)] = extra
        results = []
        for device, layout in (("reference", "plain"), ("cpu", "plain"), ("cpu", "transposed")):
            with ist.device(device):
                a, b = (arrays.place(ist, v, layout, device) for v in (x, w))
                out = ist.conv_general(a, b, input_dilation=(2, 3), padding=3, groups=groups)
                results.append(arrays.bits(out))
        np.testing.assert_array_equal(results[1], results[0])
        np.testing.assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("name", SHAPES)
def test_agrees_with_numpy(name: str) -> None:
    x, w, window = operands(name, "float64")
    n = x.ndim - 2

    def each(argument: str, default: int) -> Any:
        value = window.get(argument, default)
        return [value] * n if isinstance(value, int) else value

    padding = each("padding", 0)
    low, high = padding if isinstance(padding, tuple) else (padding, padding)
    want = conv_general(
        x, w, each("stride", 1), low, high, each("kernel_dilation", 1), each("input_dilation", 1),
        window.get("groups", 1), window.get("flip", False),
    )  # fmt: skip
    got = ist.conv_general(ist.array(x, dtype=ist.float64), ist.array(w, dtype=ist.float64), **window)
    np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=1e-11)


def test_an_image_has_the_same_bits_alone_and_in_a_batch() -> None:
    x, w, window = operands("narrow images", "float32")
    together = arrays.bits(ist.conv_general(ist.array(x), ist.array(w), **window))
    for i in (0, 4, 8):
        alone = ist.conv_general(ist.array(x[i : i + 1]), ist.array(w), **window)
        np.testing.assert_array_equal(arrays.bits(alone)[0], together[i])


def test_an_empty_batch_has_a_gradient_for_depthwise_weights() -> None:
    x, w = ist.ones((0, 5, 4)), ist.ones((4, 3, 1))
    gradient = ist.grad(lambda v: ist.conv1d(x, v, groups=4).sum())(w)
    assert gradient.shape == w.shape and not np.any(np.asarray(gradient))


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(
    ("shape", "weight_shape", "result"),
    [
        ((0, 5, 4), (6, 3, 4), (0, 5, 6)),
        ((2, 5, 4), (0, 3, 4), (2, 5, 0)),
        ((2, 5, 0), (6, 3, 0), (2, 5, 6)),
        ((2, 0, 4), (6, 2, 4), (2, 1, 6)),
    ],
)
def test_nothing_to_sum_is_zero(
    device: str, shape: tuple[int, ...], weight_shape: tuple[int, ...], result: tuple[int, ...]
) -> None:
    with ist.device(device):
        x, w = ist.ones(shape), ist.ones(weight_shape)
        out = ist.conv1d(x, w, padding=1)
        assert out.shape == result and not np.any(np.asarray(out))
        gradients = ist.grad(lambda a, b: ist.conv1d(a, b, padding=1).sum(), argnums=[0, 1])(x, w)
        assert [g.shape for g in gradients] == [shape, weight_shape]


def test_zeros_of_padding_take_part() -> None:
    x, w = ist.ones((1, 2, 1)), ist.array([[[float("inf")], [1.0]]])
    assert np.isnan(np.asarray(ist.conv1d(x, w, padding=1)).ravel()).tolist() == [True, False, False]


def test_a_transposed_convolution_may_crop_more_than_the_kernel_adds() -> None:
    x, w = ist.array([[[1.0], [2.0], [3.0]]]), ist.ones((1, 1, 1))
    assert ist.conv_transpose1d(x, w, stride=2, padding=1).tolist() == [[[0], [2], [0]]]


SECOND: dict[str, Window] = {
    "plain": {},
    "strides": {"stride": (2, 3), "padding": ((1, 0), (0, 2))},
    "everything": {
        "stride": (2, 1), "padding": ((2, -1), (1, 1)), "kernel_dilation": (1, 2), "input_dilation": (2, 3),
        "groups": 2, "flip": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_agree_with_central_differences(name: str) -> None:
    window = SECOND[name]
    groups = window.get("groups", 1)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5, 6, 2 * groups))
    w = rng.standard_normal((3 * groups, 3, 2, 2))
    dx, dw = rng.standard_normal(x.shape), rng.standard_normal(w.shape)

    def loss(a: ist.Tensor, b: ist.Tensor) -> ist.Tensor:
        return ist.square(ist.conv_general(a, b, **window)).sum()

    def slope(a: ist.Tensor, b: ist.Tensor) -> ist.Tensor:
        ga, gb = ist.grad(loss, argnums=[0, 1])(a, b)
        return (ga * ist.array(dx, dtype=ist.float64)).sum() + (gb * ist.array(dw, dtype=ist.float64)).sum()

    def at(t: float) -> tuple[ist.Tensor, ist.Tensor]:
        return ist.array(x + t * dx, dtype=ist.float64), ist.array(w + t * dw, dtype=ist.float64)

    gx, gw = ist.grad(slope, argnums=[0, 1])(*at(0))
    got = float((np.asarray(gx) * dx).sum() + (np.asarray(gw) * dw).sum())
    h = 1e-5
    want = float(slope(*at(h)).item() - slope(*at(-h)).item()) / (2 * h)
    np.testing.assert_allclose(got, want, rtol=1e-7)


X, W = (2, 5, 4), (6, 3, 4)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: ist.conv1d(ist.ones(X), ist.ones((6, 3, 3))), r"conv1d: channels do not fit: input \(2, 5, 4\)"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones((5, 3, 2)), groups=2), r"weight \(5, 3, 2\) with 2 group"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones(W), groups=0), "groups must be positive"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones((6, 8, 4))), r"the weight \(6, 8, 4\) reaches over 8"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones((6, 0, 4))), r"the weight \(6, 0, 4\) reaches over 0"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones((6, 4))), "as many dimensions"),
        (lambda: ist.conv2d(ist.ones(X), ist.ones(W)), "conv2d: needs an input with 2 spatial axes"),
        (lambda: ist.conv_general(ist.ones((2, 4)), ist.ones((6, 4))), "1 to 3 spatial axes"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones(W), stride=0), "strides must be positive"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones(W), dilation=-1), "kernel dilation must be positive"),
        (lambda: ist.conv_general(ist.ones(X), ist.ones(W), input_dilation=0), "input dilation must be positive"),
        (lambda: ist.conv_general(ist.ones(X), ist.ones(W), stride=[1, 2]), r"stride needs 1 values, got \(1, 2\)"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones(W), padding=2**40), "must fit 32 bits"),
        (lambda: ist.conv1d(ist.ones(X, ist.int32), ist.ones(W)), "needs floating point, got int32 and float32"),
        (lambda: ist.conv1d(ist.ones(X), ist.ones(W, ist.complex64)), "got float32 and complex64"),
        (lambda: ist.convolve(ist.ones((3, 1)), ist.ones((2,))), "convolve: needs operands with 1 dimension"),
        (lambda: ist.convolve(ist.ones((3,)), ist.ones((0,))), "convolve: needs elements"),
        (lambda: ist.convolve(ist.ones((3,)), ist.ones((2,)), "most"), "mode must be 'full', 'same' or 'valid'"),
    ],
)
def test_errors_name_the_function_and_the_shapes(run: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run()
