"""Copies that change the layout."""

from __future__ import annotations

import isthmus as ist

from .common import operand


class Transpose:
    params = ([64, 1024, 4096], ["uint8", "float16", "float32", "float64"])
    param_names = ("size", "dtype")

    def setup(self, size: int, dtype: str) -> None:
        self.a = operand((size, size), dtype)

    def time_copy(self, size: int, dtype: str) -> None:
        ist.eval(ist.contiguous(self.a.T))


class Concatenate:
    params = ([0, 1], [64, 1024], ["float32"])
    param_names = ("axis", "size", "dtype")

    def setup(self, axis: int, size: int, dtype: str) -> None:
        self.parts = [operand((size, size), dtype, seed) for seed in range(4)]

    def time_concatenate(self, axis: int, size: int, dtype: str) -> None:
        ist.eval(ist.concatenate(self.parts, axis=axis))
