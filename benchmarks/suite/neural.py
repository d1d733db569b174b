"""Ops of neural networks: norms, attention, convolutions, products with quantized weights."""

from __future__ import annotations

import isthmus as ist

from .common import operand, public


class Norm:
    params = (["layer_norm", "rms_norm"], [64, 1024], ["float32", "bfloat16"])
    param_names = ("op", "size", "dtype")

    def setup(self, op: str, size: int, dtype: str) -> None:
        self.function = public(f"fast.{op}")
        self.operands = [operand((size, 1024), dtype, 1), operand(1024, dtype, 2)]
        if op == "layer_norm":
            self.operands.append(operand(1024, dtype, 3))

    def time_op(self, op: str, size: int, dtype: str) -> None:
        ist.eval(self.function(*self.operands, 1e-5))


class Attention:
    params = ([64, 512], ["float32", "bfloat16"])
    param_names = ("length", "dtype")

    def setup(self, length: int, dtype: str) -> None:
        self.function = public("fast.scaled_dot_product_attention")
        self.operands = [operand((1, 8, length, 64), dtype, seed) for seed in range(3)]

    def time_attention(self, length: int, dtype: str) -> None:
        ist.eval(self.function(*self.operands, scale=0.125))


class Conv2d:
    params = ([8, 32], [1, 3], ["float32"])
    param_names = ("channels", "kernel", "dtype")

    def setup(self, channels: int, kernel: int, dtype: str) -> None:
        self.function = public("conv2d")
        self.a = operand((4, 56, 56, channels), dtype, 1)
        self.weight = operand((64, kernel, kernel, channels), dtype, 2)

    def time_conv2d(self, channels: int, kernel: int, dtype: str) -> None:
        ist.eval(self.function(self.a, self.weight, padding=kernel // 2))


class Quantized:
    params = ([1, 64], [1024, 4096], [4, 8])
    param_names = ("rows", "size", "bits")

    def setup(self, rows: int, size: int, bits: int) -> None:
        quantize, self.function = public("quantize"), public("quantized_matmul")
        self.a = operand((rows, size), "float32", 1)
        self.weight = quantize(operand((size, size), "float32", 2), group_size=64, bits=bits)
        ist.eval(self.weight)

    def time_matmul(self, rows: int, size: int, bits: int) -> None:
        ist.eval(self.function(self.a, *self.weight, transpose=True, group_size=64, bits=bits))
