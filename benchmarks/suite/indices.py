"""Gathers of rows, and additions to rows and to single elements."""

from __future__ import annotations

import isthmus as ist

from .common import operand


def indices(count: int, below: int) -> ist.Tensor:
    made = ist.random.randint(0, below, (count,), key=ist.random.key(7))
    ist.eval(made)
    return made


class Rows:
    """As many rows as the table has, at random."""

    params = ([64, 1024, 4096], ["float32", "bfloat16"])
    param_names = ("size", "dtype")

    def setup(self, size: int, dtype: str) -> None:
        self.a, self.b = operand((size, 1024), dtype, 1), operand((size, 1024), dtype, 2)
        self.at = indices(size, size)

    def time_take(self, size: int, dtype: str) -> None:
        ist.eval(ist.take(self.a, self.at, axis=0))

    def time_scatter_add(self, size: int, dtype: str) -> None:
        ist.eval(self.a.at[self.at].add(self.b))


class Elements:
    params = ([1_000, 1_000_000], ["float32", "int32"])
    param_names = ("size", "dtype")

    def setup(self, size: int, dtype: str) -> None:
        self.bins, self.b = operand(1_000, dtype, 1), operand(size, dtype, 2)
        self.at = indices(size, 1_000)

    def time_take(self, size: int, dtype: str) -> None:
        ist.eval(ist.take(self.bins, self.at))

    def time_scatter_add(self, size: int, dtype: str) -> None:
        ist.eval(self.bins.at[self.at].add(self.b))
