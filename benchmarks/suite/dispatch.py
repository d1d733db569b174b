"""What an op costs that computes next to nothing, and graphs of many such ops."""

from __future__ import annotations

import isthmus as ist

from .common import operand


class OneElement:
    params = (["add", "exp", "sum", "reshape", "matmul"],)
    param_names = ("op",)

    def setup(self, op: str) -> None:
        a = operand((1, 1), "float32")
        calls = {
            "add": lambda: a + a,
            "exp": lambda: ist.exp(a),
            "sum": lambda: a.sum(),
            "reshape": lambda: a.reshape(1),
            "matmul": lambda: a @ a,
        }
        self.call = calls[op]

    def time_record(self, op: str) -> None:
        """The node alone, without a value."""
        self.call()

    def time_eval(self, op: str) -> None:
        ist.eval(self.call())


class Graph:
    """10,000 small ops: a chain, side by side, a chain with Python's numbers, and a mixture with other kernels."""

    params = (["chain", "wide", "numbers", "mixed"], [1, 16, 1_000])
    param_names = ("form", "size")
    ops = 10_000

    def setup(self, form: str, size: int) -> None:
        self.a = operand(size, "float32")
        self.matrix = operand((4, 4), "float32") * 0.25
        ist.eval(self.matrix)
        self.build = getattr(self, form)

    def chain(self) -> ist.Tensor:
        x = self.a
        for _ in range(self.ops):
            x = x + self.a
        return x

    def wide(self) -> list[ist.Tensor]:
        return [self.a + self.a for _ in range(self.ops)]

    def numbers(self) -> ist.Tensor:
        x = self.a
        for _ in range(self.ops // 2):
            x = x * 0.5 + 1.0
        return x

    def mixed(self) -> ist.Tensor:
        m = x = self.matrix
        for _ in range(self.ops // 8):
            y = ist.exp(x * m) @ m
            x = (y + y.sum(axis=0).reshape(1, 4)) * m - m
        return x

    def time_build_and_eval(self, form: str, size: int) -> None:
        ist.eval(self.build())


class Gradient:
    """A chain of ops and its gradient: recording, the backward walk, evaluation."""

    params = ([10, 1_000],)
    param_names = ("ops",)

    def setup(self, ops: int) -> None:
        self.a = operand(16, "float32")

        def loss(x: ist.Tensor) -> ist.Tensor:
            for _ in range(ops):
                x = x * 0.5 + 1
            return x.sum()

        self.grad = ist.grad(loss)

    def time_grad(self, ops: int) -> None:
        ist.eval(self.grad(self.a))
