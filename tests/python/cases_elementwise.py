"""Cases of elementwise ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special as sp
from cases_base import ALL, BOOL, CASES, FLOATS, INEXACT, INTEGERS, REAL, Call, Input, broadcastable, case, shapes
from hypothesis import strategies as st
from oracles import floor_divide, sigmoid


# ---- elementwise ----
def unary(name: str, dtypes: Sequence[str], values: str = "any", oracle: Any = None) -> None:
    def make(draw: Any) -> Call:
        dtype = draw(st.sampled_from(dtypes))
        return Call([Input(draw(shapes), dtype, values)], lambda m, a: getattr(m, name)(a), oracle)

    CASES[name] = make


def binary(
    name: str, dtypes: Sequence[str], values: str = "any", second: str = "", oracle: Any = None, same: bool = False
) -> None:
    def make(draw: Any) -> Call:
        shape = draw(shapes)
        a, b = draw(st.sampled_from(dtypes)), draw(st.sampled_from(dtypes))
        if draw(st.booleans()) or same:
            b = a
        return Call(
            [Input(broadcastable(draw, shape), a, values), Input(shape, b, second or values)],
            lambda m, x, y: getattr(m, name)(x, y),
            oracle,
        )

    CASES[name] = make


for _name, _oracle in {
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "exp": np.exp, "log": np.log,
    "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
    "reciprocal": lambda x: 1 / x,
}.items():  # fmt: skip
    unary(_name, ALL, oracle=_oracle)
for _name, _oracle in {"expm1": np.expm1, "sigmoid": sigmoid}.items():
    unary(_name, REAL, oracle=_oracle)
unary("erf", REAL, oracle=sp.erf)
unary("erfinv", REAL, "unit", oracle=sp.erfinv)
for _name, _oracle in {
    "negative": np.negative, "abs": np.abs, "square": np.square,
    "sign": lambda x: np.where(np.isnan(x), 0, np.sign(x)), "conjugate": np.conjugate,
    "rint": lambda x: x if x.dtype.kind in "biu" else np.rint(x), "isnan": np.isnan, "isinf": np.isinf,
    "isfinite": np.isfinite, "logical_not": np.logical_not,
    "contiguous": np.array, "positive": np.positive,
}.items():  # fmt: skip
    unary(_name, ALL, oracle=_oracle)
unary("negative", INTEGERS + INEXACT, oracle=np.negative)
for _name, _oracle in {
    "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "degrees": np.degrees, "radians": np.radians,
    "isposinf": np.isposinf, "isneginf": np.isneginf,
}.items():  # fmt: skip
    unary(_name, REAL, oracle=_oracle)
unary("bitwise_invert", BOOL + INTEGERS, oracle=np.invert)

for _name, _oracle in {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "equal": np.equal, "not_equal": np.not_equal,
    "less": np.less, "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
    "divide": np.true_divide, "maximum": np.maximum, "minimum": np.minimum,
}.items():  # fmt: skip
    binary(_name, ALL, oracle=_oracle)
binary("logaddexp", INEXACT, oracle=np.logaddexp)
binary("arctan2", FLOATS, oracle=np.arctan2)
binary("remainder", INTEGERS + FLOATS, oracle=np.remainder)
binary("floor_divide", INTEGERS + FLOATS, oracle=floor_divide)
binary("power", INTEGERS + INEXACT, "small", oracle=np.power)
for _name, _oracle in {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
}.items():
    binary(_name, BOOL + INTEGERS, oracle=_oracle, same=True)
binary("left_shift", INTEGERS, second="shift", oracle=np.left_shift, same=True)
binary("right_shift", INTEGERS, second="shift", oracle=np.right_shift, same=True)


@case("astype")
def _astype(draw: Any) -> Call:
    target = draw(st.sampled_from(ALL))
    name = "bool_" if target == "bool" else target
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(ALL)))],
        lambda m, a: a.astype(getattr(m, name)),
        attrs={"dtype": target},
    )


@case("where")
def _where(draw: Any) -> Call:
    shape = draw(shapes)
    x, y = draw(st.sampled_from(ALL)), draw(st.sampled_from(ALL))
    inputs = [Input(broadcastable(draw, shape), "bool"), Input(shape, x), Input(broadcastable(draw, shape), y)]
    return Call(inputs, lambda m, c, a, b: m.where(c, a, b), np.where)


@case("clip")
def _clip(draw: Any) -> Call:
    shape = draw(shapes)
    dtype = draw(st.sampled_from(INTEGERS + FLOATS))
    low = draw(st.sampled_from([None, 0, 1]))
    high = draw(st.sampled_from([2, 5])) if low is None else draw(st.sampled_from([None, 2, 5]))
    return Call([Input(shape, dtype)], lambda m, a: m.clip(a, low, high), lambda a: np.clip(a, low, high))


@case("round")
def _round(draw: Any) -> Call:
    decimals = draw(st.sampled_from([0, 1, 2]))
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(FLOATS)), "small")],
        lambda m, a: m.round(a, decimals),
        None if decimals else np.round,
    )


@case("divmod")
def _divmod(draw: Any) -> Call:
    shape, dtype = draw(shapes), draw(st.sampled_from(INTEGERS + FLOATS))
    return Call(
        [Input(shape, dtype), Input(shape, dtype)],
        lambda m, a, b: m.divmod(a, b),
        lambda a, b: (floor_divide(a, b), np.remainder(a, b)),
    )


@case("nan_to_num")
def _nan_to_num(draw: Any) -> Call:
    return Call(
        [Input(draw(shapes), draw(st.sampled_from(FLOATS)))],
        lambda m, a: m.nan_to_num(a, 1.5, 4.0, -4.0),
        lambda a: np.nan_to_num(a, nan=1.5, posinf=4.0, neginf=-4.0),
    )
