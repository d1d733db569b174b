"""The rows of peers.py: what is computed, on which operands."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

SHORT = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64", "int32": "int32"}
SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int32": 4}
SMALL_EXTENT = 64
BEYOND_CACHE = 10_000_000
# What of the machine bounds a program beyond cache, and how many elements it moves for each of its operand's.
BOUND_BY = {"a + b": ("add_bytes", 3), "exp": ("add_bytes", 2), "gelu": ("add_bytes", 2), "sum": ("read_bytes", 1)}


@dataclass(frozen=True)
class Operand:
    """Random numbers of the row's dtype, `positive` or not, times `scale`; with `below`, indices of less than that.

    With `heads`, the last axis of three is cut into so many, which become the second of four.
    """

    shape: tuple[int, ...]
    below: int = 0
    positive: bool = False
    scale: float = 1.0
    heads: int = 0


@dataclass(frozen=True)
class Row:
    """`program` is a key of peers_programs; `ops` is how many equal ops a call stands for."""

    name: str
    program: str
    operands: tuple[Operand, ...]
    dtype: str = "float32"
    ops: int = 1

    @property
    def elements(self) -> int:
        return max(math.prod(operand.shape) for operand in self.operands)

    @property
    def numpy_counts(self) -> bool:
        """Below this size NumPy, which neither plans nor traces, is measured and shown, but is not a peer."""
        return self.elements >= 100_000 or self.program == "matmul"

    @property
    def limit(self) -> tuple[str, int] | None:
        """The limit of peers_limits that bounds this row, and how much of it a call takes: bytes or flops."""
        if self.program in BOUND_BY and self.elements == BEYOND_CACHE:
            name, moves = BOUND_BY[self.program]
            return name, moves * SIZES[self.dtype] * self.elements
        shape = self.operands[0].shape
        if self.program == "matmul" and self.dtype == "float32" and len(shape) == 2 and shape[0] >= 256:
            return "fma_flops", 2 * shape[0] ** 3
        return None

    def shrunk(self) -> Row:
        operands = tuple(
            replace(
                operand,
                shape=tuple(min(extent, SMALL_EXTENT) for extent in operand.shape),
                below=min(operand.below, SMALL_EXTENT),
            )
            for operand in self.operands
        )
        return Row(self.name, self.program, operands, self.dtype, min(self.ops, SMALL_EXTENT))

    def arrays(self) -> list[np.ndarray]:
        """The operands, bfloat16 and float16 as float32 that has still to be rounded."""
        generator = np.random.default_rng(0)
        dtype = self.dtype if self.dtype in ("float64", "int32") else "float32"
        made = []
        for operand in self.operands:
            if operand.below:
                made.append(generator.integers(0, operand.below, operand.shape, dtype=np.int32))
            elif dtype == "int32":
                made.append(generator.integers(1, 100, operand.shape, dtype=np.int32))
            else:
                values = (operand.scale * generator.standard_normal(operand.shape)).astype(dtype)
                if operand.heads:
                    split = values.reshape(*operand.shape[:2], operand.heads, -1)
                    values = np.ascontiguousarray(split.swapaxes(1, 2))
                made.append(np.abs(values) if operand.positive else values)
        return made


def row(program: str, size: str, *shapes: tuple[int, ...] | Operand, dtype: str = "float32", ops: int = 1) -> Row:
    operands = tuple(shape if isinstance(shape, Operand) else Operand(shape) for shape in shapes)
    suffix = "" if dtype == "float32" else f" {SHORT[dtype]}"
    return Row(f"{program} {size}{suffix}", program, operands, dtype, ops)


def matrix_products() -> list[Row]:
    sizes = {
        "float32": (64, 127, 256, 513, 1024, 2048),
        "bfloat16": (256, 1024),
        "float16": (256, 1024),
        "float64": (256, 1024),
    }
    rows = [row("matmul", str(n), (n, n), (n, n), dtype=dtype) for dtype, extents in sizes.items() for n in extents]
    rows.append(row("matmul", "64x32x32", (64, 32, 32), (64, 32, 32)))
    rows += [row("matvec", "4096", (1, 4096), (4096, 4096), dtype=dtype) for dtype in ("float32", "bfloat16")]
    rows.append(row("matvec 4-bit", "4096", (1, 4096), (4096, 4096)))
    linear = ((64, 768), (3072, 768), (3072,))
    rows += [row("linear", "64x768 to 3072", *linear, dtype=dtype) for dtype in ("float32", "bfloat16")]
    rows.append(row("dot", "100,000", (100_000,), (100_000,)))
    return rows


def vectors() -> list[Row]:
    sizes = {
        "a + b": {"float32": (1, 1_000, 100_000, 10_000_000)},
        "exp": {"float32": (1_000, 100_000, 10_000_000)},
        "sin": {"float32": (100_000,)},
        "tanh": {"float32": (100_000,)},
        "erf": {"float32": (100_000,)},
        "sigmoid": {"float32": (100_000,)},
        "a ** 3": {"float32": (100_000,)},
        "a // 7": {"int32": (100_000,)},
        "where a > 0": {"float32": (1_000_000,)},
        "uniform": {"float32": (1_000_000,)},
        "gelu": {"float32": (1_000, 100_000, 10_000_000)},
        "sum": {"float32": (1_000, 100_000, 10_000_000)},
        "var": {"float32": (100_000, 10_000_000)},
        "argmax": {"float32": (100_000, 10_000_000)},
        "cumsum": {"float32": (1_000_000,)},
        "sort": {"float32": (1_000_000,)},
        "argsort": {"float32": (1_000_000,)},
        "10 largest": {"float32": (1_000_000,)},
        "sum of a[::2]": {"float32": (10_000_000,)},
    }
    for dtype in ("bfloat16", "float16", "float64", "int32"):
        sizes["a + b"][dtype] = (100_000, 10_000_000)
        sizes["sum"][dtype] = (10_000_000,)
        if dtype != "int32":
            sizes["exp"][dtype] = (10_000_000,)
    rows = []
    for program, by_dtype in sizes.items():
        operands = 2 if program in ("a + b", "where a > 0") else 1
        for dtype, lengths in by_dtype.items():
            rows += [row(program, f"{n:,}", *[(n,)] * operands, dtype=dtype) for n in lengths]
    weights = (1_000_000,)
    rows.append(row("Adam step", "1,000,000", weights, weights, weights, Operand(weights, positive=True)))
    rows.append(row("chain of one-element adds", "10,000, per op", (1,), ops=10_000))
    return rows


def matrices() -> list[Row]:
    square = (1024, 1024)
    rows = [row("softmax", "1024x1024", square), row("softmax", "1000x777", (1000, 777))]
    rows.append(row("softmax", "1024x1024", square, dtype="float16"))
    rows.append(row("softmax where b > 0", "1024x1024", square, square))
    rows.append(row("layer_norm", "1024x1024", square, (1024,), (1024,)))
    rows.append(row("rms_norm", "1024x1024", square, (1024,)))
    alone = ("sum axis 0", "sum axis 1", "max axis 0", "argmax axis 1", "cumsum axis 1", "sort axis 1")
    alone += ("softmax axis 0", "transpose copy")
    rows += [row(program, "1024x1024", square) for program in alone]
    rows.append(row("a.T + b", "1024x1024", square, square))
    rows.append(row("max axis 1", "100,000x3", (100_000, 3)))
    rows.append(row("a * row + row", "1000x100", (1000, 100), (100,)))
    rows.append(row("var of columns", "12,544x64", (12_544, 64)))
    rows.append(row("batch norm", "16x28x28x64", (16, 28, 28, 64), (64,), (64,)))
    rows.append(row("group norm", "16x28x28x64 of 32", (16, 28, 28, 64), (64,), (64,)))
    rows.append(row("flip axis 2", "8x224x224x3", (8, 224, 224, 3)))
    return rows


def gathers() -> list[Row]:
    table, chosen = (4096, 1024), Operand((1024,), below=4096)
    return [
        row("gather", "1024 rows of 1024", table, chosen),
        row("gather columns", "1024 of 1024x4096", (1024, 4096), chosen),
        row("scatter-add", "1024 rows of 1024", table, chosen, (1024, 1024)),
        row("scatter-add", "1,000,000 to 1,000", (1000,), Operand((1_000_000,), below=1000), (1_000_000,)),
    ]


def networks() -> list[Row]:
    heads = (1, 8, 512, 64)
    images, filters = (8, 56, 56, 32), (64, 3, 3, 32)
    return [
        row("conv2d", "8x32x56x56, 64 of 3x3", images, filters),
        row("conv2d", "8x32x56x56, 64 of 3x3", images, filters, dtype="bfloat16"),
        row("attention", "1x8x512x64", heads, heads, heads),
    ]


def models() -> list[Row]:
    """Whole forward passes and steps of training: the data, then the parameters in the order of peers_models."""

    def weight(*shape: int) -> Operand:
        return Operand(shape, scale=0.05)

    scale, bias = Operand((256,), positive=True), weight(256)
    square = weight(256, 256)
    block = (scale, bias, *[square] * 4, scale, bias, weight(256, 1024), weight(1024), weight(1024, 256), bias)
    tokens = (8, 128, 256)
    layers = (weight(784, 256), bias, square, bias, weight(256, 10), weight(10))
    filters = (weight(32, 3, 3, 3), weight(64, 3, 3, 32), weight(64, 10))
    wide, up, down = weight(1024, 1024), weight(1024, 2816), weight(2816, 1024)
    scale = Operand((1024,), positive=True)
    cache = Operand((1, 512, 1024), heads=16)
    decoder = ((1, 1, 1024), cache, cache, scale, *[wide] * 4, scale, up, up, down)
    return [
        row("transformer block", "8x128x256", tokens, *block),
        row("transformer block, training", "8x128x256", tokens, tokens, *block),
        row("MLP, training", "128x784", (128, 784), Operand((128,), below=10), *layers),
        row("CNN, training", "32x32x32x3", (32, 32, 32, 3), Operand((32,), below=10), *filters),
        row("RNN", "64 steps of 16x128", (64, 16, 128), weight(128, 128), weight(128, 128), weight(128)),
        row("decoder layer", "a token of 1024 after 512", *decoder, dtype="bfloat16"),
    ]


def rows_of(small: bool) -> list[Row]:
    rows = [*matrix_products(), *vectors(), *matrices(), *gathers(), *networks(), *models()]
    return [row.shrunk() for row in rows] if small else rows
