"""Sorts, selections and scans: what depends on the order of a row."""

from __future__ import annotations

import isthmus as ist

from .common import operand, public


class Vector:
    params = (["sort", "argsort", "cumsum", "cummax"], [1_000, 1_000_000], ["float32", "int32", "int64"])
    param_names = ("op", "size", "dtype")

    def setup(self, op: str, size: int, dtype: str) -> None:
        self.function = public(op)
        self.a = operand(size, dtype)

    def time_op(self, op: str, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a))


class Selection:
    params = (["partition", "argpartition", "topk"], [(1_000_000,), (1_000, 1_000)], ["float32", "int64"])
    param_names = ("op", "shape", "dtype")

    def setup(self, op: str, shape: tuple[int, ...], dtype: str) -> None:
        self.function = public(op)
        self.a = operand(shape, dtype)

    def time_op(self, op: str, shape: tuple[int, ...], dtype: str) -> None:
        ist.eval(self.function(self.a, 10))


class Axis:
    params = (["sort", "cumsum"], [0, 1], [64, 1024], ["float32"])
    param_names = ("op", "axis", "size", "dtype")

    def setup(self, op: str, axis: int, size: int, dtype: str) -> None:
        self.function = public(op)
        self.a = operand((size, size), dtype)

    def time_op(self, op: str, axis: int, size: int, dtype: str) -> None:
        ist.eval(self.function(self.a, axis=axis))
