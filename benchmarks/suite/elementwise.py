"""Elementwise ops, alone and in runs that the cpu backend fuses."""

from __future__ import annotations

import isthmus as ist

from .common import operand

SIZES = [1_000, 100_000, 10_000_000]


class Unary:
    params = (["exp", "log", "sin", "tanh", "erf", "sqrt"], SIZES, ["float32", "bfloat16", "float64"])
    param_names = ("op", "size", "dtype")

    def setup(self, op: str, size: int, dtype: str) -> None:
        self.function = getattr(ist, op)
        self.a = operand(size, dtype)

    def time_op(self, op: str, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a))


class Binary:
    params = (["add", "multiply", "divide", "maximum", "less"], SIZES, ["float32", "float16", "int32", "complex64"])
    param_names = ("op", "size", "dtype")

    def setup(self, op: str, size: int, dtype: str) -> None:
        self.function = getattr(ist, op)
        self.a, self.b = operand(size, dtype, 1), operand(size, dtype, 2)

    def time_op(self, op: str, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a, self.b))


class Broadcast:
    """A matrix and a row or a column."""

    params = (["row", "column"], [64, 1024, 4096], ["float32"])
    param_names = ("operand", "size", "dtype")

    def setup(self, other: str, size: int, dtype: str) -> None:
        self.a = operand((size, size), dtype, 1)
        self.b = operand((1, size) if other == "row" else (size, 1), dtype, 2)

    def time_add(self, other: str, size: int, dtype: str) -> None:
        ist.eval(self.a + self.b)


class Chain:
    """GELU by hand: a run of ops over one operand, with no value in between that anybody looks at."""

    params = (SIZES, ["float32", "bfloat16"])
    param_names = ("size", "dtype")

    def setup(self, size: int, dtype: str) -> None:
        self.a = operand(size, dtype)

    def time_gelu(self, size: int, dtype: str) -> None:
        ist.eval(self.a * (ist.erf(self.a * 0.7071067811865476) + 1) * 0.5)
