"""Reductions over everything and over one axis; softmax, which is a reduction and two elementwise passes."""

from __future__ import annotations

import isthmus as ist

from .common import operand


class All:
    params = (["sum", "max", "mean", "logsumexp", "argmax"], [1_000, 100_000, 10_000_000], ["float32", "bfloat16"])
    param_names = ("op", "size", "dtype")

    def setup(self, op: str, size: int, dtype: str) -> None:
        self.function = getattr(ist, op)
        self.a = operand(size, dtype)

    def time_op(self, op: str, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a))


class Axis:
    params = (["sum", "max", "var", "argmax"], [0, 1], [64, 1024, 4096], ["float32", "int32"])
    param_names = ("op", "axis", "size", "dtype")

    def setup(self, op: str, axis: int, size: int, dtype: str) -> None:
        self.function = getattr(ist, op)
        self.a = operand((size, size), dtype)

    def time_op(self, op: str, axis: int, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a, axis=axis))


class Softmax:
    params = ([-1, 0], [64, 1024, 4096], ["float32", "bfloat16", "float64"])
    param_names = ("axis", "size", "dtype")

    def setup(self, axis: int, size: int, dtype: str) -> None:
        self.a = operand((size, size), dtype)

    def time_softmax(self, axis: int, size: int, dtype: str) -> None:
        ist.eval(ist.softmax(self.a, axis=axis))
