"""What cases are made of: see cases.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

BOOL = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = UNSIGNED + SIGNED
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64",)
REAL = BOOL + INTEGERS + FLOATS
ALL = REAL + COMPLEX
INEXACT = FLOATS + COMPLEX

SHAPES = [
    (),
    (0,),
    (1,),
    (3, 0, 2),
    (7,),
    (1, 1),
    (5, 3),
    (33,),
    (2, 1, 9),
    (4, 5, 6),
    (1, 130),
    (129, 3),
    (2, 3, 1, 2, 5),
    (3, 2, 2, 3, 2),
]


@dataclass
class Input:
    shape: tuple[int, ...]
    dtype: str
    values: str = "any"  # any, small, positive, unit, open_unit, above_one, index, key, shift, mask
    limit: int = 0  # index: values lie in [-limit, limit)


@dataclass
class Call:
    inputs: list[Input]
    run: Callable[..., Any]
    oracle: Callable[..., Any] | None = None  # of NumPy arrays, in float64 where inputs are floats
    attrs: dict[str, Any] = field(default_factory=dict)


Case = Callable[[Any], Call]  # of hypothesis' draw
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    def register(make: Case) -> Case:
        CASES[name] = make
        return make

    return register


shapes = st.sampled_from(SHAPES)
nonempty = st.sampled_from([s for s in SHAPES if math.prod(s)])


def some_axes(draw: Any, rank: int) -> tuple[int, ...] | None:
    if draw(st.booleans()):
        return None
    return tuple(draw(st.lists(st.integers(0, rank - 1), unique=True, max_size=rank))) if rank else ()


def broadcastable(draw: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`."""
    kept = shape[draw(st.integers(0, len(shape))) :] if shape and draw(st.booleans()) else shape
    return tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in kept)
