"""Operands of the benchmarks, and functions that older commits may lack."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import isthmus as ist


def operand(shape: int | tuple[int, ...], dtype: str, seed: int = 0) -> ist.Tensor:
    """An evaluated tensor of numbers in [0.5, 1.5), or of small integers."""
    shape = (shape,) if isinstance(shape, int) else shape
    key = ist.random.key(seed)
    if dtype.startswith(("int", "uint")):
        made = ist.random.randint(1, 100, shape, key=key).astype(getattr(ist, dtype))
    else:
        made = ist.random.uniform(0.5, 1.5, shape, key=key).astype(getattr(ist, dtype))
    ist.eval(made)
    return made


def public(name: str) -> Callable[..., Any]:
    """A public function by its name; asv leaves a benchmark out whose setup raises NotImplementedError."""
    try:
        return functools.reduce(getattr, name.split("."), ist)
    except AttributeError as missing:
        raise NotImplementedError(name) from missing
