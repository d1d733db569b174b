"""Cases of reductions, cumulative ops and sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special as sp
from cases_base import ALL, CASES, FLOATS, REAL, Call, Input, case, nonempty, shapes, some_axes
from hypothesis import strategies as st
from oracles import cumulative, logsumexp

# ---- reductions ----
# Short rows beside each other, and columns: counts around those of lanes and of vectors.
counts = st.sampled_from([1, 3, 8, 31, 32, 33, 63, 64, 65, 129])
narrow = st.one_of(st.tuples(counts, counts), st.tuples(counts, st.sampled_from([2, 3, 9]), counts))


def reduction(
    name: str, dtypes: Sequence[str], shape: Any = shapes, values: str = "any", oracle: Any = None, **extra: Any
) -> None:
    def make(draw: Any) -> Call:
        s = draw(
            st.one_of(
                shape, narrow, st.sampled_from([(5000,), (3, 4097), (4099, 3), (4099, 9), (2, 70, 65), (70, 300)])
            )
        )
        axes, keepdims = some_axes(draw, len(s)), draw(st.booleans())
        options = {k: draw(v) for k, v in extra.items()}
        return Call(
            [Input(s, draw(st.sampled_from(dtypes)), values)],
            lambda m, a: getattr(m, name)(a, axis=axes, keepdims=keepdims, **options),
            oracle and (lambda a: oracle(a, axis=axes, keepdims=keepdims, **options)),
        )

    CASES[name] = make


reduction("sum", ALL, oracle=np.sum)
reduction("prod", ALL, values="near_one", oracle=np.prod)
reduction("max", ALL, nonempty, oracle=np.max)
reduction("min", ALL, nonempty, oracle=np.min)
reduction("all", ALL, oracle=np.all)
reduction("any", ALL, oracle=np.any)
reduction("mean", ALL, nonempty, "small", oracle=np.mean)
reduction("var", REAL, nonempty, "small", oracle=np.var, ddof=st.sampled_from([0]))
reduction("std", REAL, nonempty, "small", oracle=np.std)
reduction("logsumexp", FLOATS, nonempty, oracle=logsumexp)


@case("softmax")
def _softmax(draw: Any) -> Call:
    shape = draw(st.one_of(nonempty, narrow, st.sampled_from([(3, 4097), (4099, 3), (4099, 9), (2, 300, 65)])))
    axes = some_axes(draw, len(shape))
    axes = None if axes == () else axes
    return Call(
        [Input(shape, draw(st.sampled_from(FLOATS)))],
        lambda m, a: m.softmax(a, axis=axes),
        lambda a: sp.softmax(a, axis=axes),
    )


def arg_reduction(name: str, oracle: Any) -> None:
    def make(draw: Any) -> Call:
        shape = draw(nonempty)
        axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1))) if shape else None
        keepdims = draw(st.booleans())
        return Call(
            [Input(shape, draw(st.sampled_from(REAL)))],
            lambda m, a: getattr(m, name)(a, axis=axis, keepdims=keepdims),
            lambda a: oracle(a, axis=axis, keepdims=keepdims),
        )

    CASES[name] = make


arg_reduction("argmax", np.argmax)
arg_reduction("argmin", np.argmin)


# ---- cumulative ops ----
def scan(name: str, dtypes: Sequence[str], oracle: Any, values: str = "any") -> None:
    def make(draw: Any) -> Call:
        s = draw(st.one_of(shapes, st.sampled_from([(9000,), (3, 4097), (4099, 3), (2, 70, 65), (9, 300)])))
        axis = draw(st.one_of(st.none(), st.integers(-len(s), len(s) - 1))) if s else None
        options = {"reverse": draw(st.booleans()), "inclusive": draw(st.booleans())}
        return Call(
            [Input(s, draw(st.sampled_from(dtypes)), values)],
            lambda m, a: getattr(m, name)(a, axis, **options),
            lambda a: cumulative(oracle, a, axis, **options),
            {"axis": axis, **options},
        )

    CASES[name] = make


scan("cumsum", ALL, np.add)
scan("cumprod", ALL, np.multiply, "near_one")
scan("cummax", ALL, np.maximum)
scan("cummin", ALL, np.minimum)
scan("logcumsumexp", FLOATS, np.logaddexp)


# ---- sorting ----
def along(a: Any, axis: int | None) -> tuple[Any, int]:
    return (np.reshape(a, -1), 0) if axis is None else (a, axis)


def sorting(name: str, call: Any, oracle: Any) -> None:
    """`call(m, a, k, axis)` and `oracle(a, k, axis)`; k counts from 1 to the extent."""

    def make(draw: Any) -> Call:
        shape = draw(st.one_of(nonempty.filter(bool), st.tuples(st.sampled_from([37, 150, 700]), st.integers(1, 3))))
        axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
        k = draw(st.integers(1, math.prod(shape) if axis is None else shape[axis]))
        return Call(
            [Input(shape, draw(st.sampled_from(REAL)))], lambda m, a: call(m, a, k, axis), lambda a: oracle(a, k, axis)
        )

    CASES[name] = make


def largest(a: Any, k: int, axis: int | None) -> Any:
    a, axis = along(np.sort(a, axis), axis)
    return np.take(a, range(a.shape[axis] - k, a.shape[axis]), axis)


sorting("sort", lambda m, a, k, axis: m.sort(a, axis=axis), lambda a, k, axis: np.sort(a, axis))
sorting("argsort", lambda m, a, k, axis: m.argsort(a, axis), lambda a, k, axis: np.argsort(a, axis, kind="stable"))
# Only element k has to be in its place; which others are before it is looked at in sorted order.
sorting(
    "partition",
    lambda m, a, k, axis: m.sort(m.partition(a, k - 1, axis=axis), 0 if axis is None else axis),
    lambda a, k, axis: np.sort(a, axis),
)
sorting(
    "argpartition",
    lambda m, a, k, axis: m.sort(m.argpartition(a, k - 1, axis=axis), 0 if axis is None else axis),
    lambda a, k, axis: np.sort(np.argsort(a, axis, kind="stable"), 0 if axis is None else axis),
)
sorting("topk", lambda m, a, k, axis: m.sort(m.topk(a, k, axis=axis), 0 if axis is None else axis), largest)
