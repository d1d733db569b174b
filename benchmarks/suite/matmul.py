"""Matrix products: squares, a product with a vector, batches, and operands that are transposed views."""

from __future__ import annotations

import isthmus as ist

from .common import operand


class Square:
    params = ([64, 256, 1024], ["float32", "bfloat16", "float16", "float64", "complex64"])
    param_names = ("size", "dtype")

    def setup(self, size: int, dtype: str) -> None:
        self.a, self.b = operand((size, size), dtype, 1), operand((size, size), dtype, 2)

    def time_matmul(self, size: int, dtype: str) -> None:
        ist.eval(self.a @ self.b)

    def time_transposed_rhs(self, size: int, dtype: str) -> None:
        ist.eval(self.a @ self.b.T)


class Thin:
    """One row, as when a model makes one token at a time."""

    params = ([1, 8], [1024, 4096], ["float32", "bfloat16"])
    param_names = ("rows", "size", "dtype")

    def setup(self, rows: int, size: int, dtype: str) -> None:
        self.a, self.b = operand((rows, size), dtype, 1), operand((size, size), dtype, 2)

    def time_matmul(self, rows: int, size: int, dtype: str) -> None:
        ist.eval(self.a @ self.b)


class Batch:
    params = ([16, 64], [32, 128], ["float32"])
    param_names = ("batch", "size", "dtype")

    def setup(self, batch: int, size: int, dtype: str) -> None:
        self.a, self.b = operand((batch, size, size), dtype, 1), operand((batch, size, size), dtype, 2)

    def time_matmul(self, batch: int, size: int, dtype: str) -> None:
        ist.eval(self.a @ self.b)
