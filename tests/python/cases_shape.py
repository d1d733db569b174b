"""Cases of ops that move elements, and of those that make them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from cases_base import ALL, CASES, SHAPES, SIGNED, Call, Input, broadcastable, case, shapes
from hypothesis import strategies as st


# ---- shape ----
def shaped(
    name: str, attrs: Callable[[Any, tuple[int, ...]], tuple[Any, ...]], oracle: Any = None, shape: Any = shapes
) -> None:
    def make(draw: Any) -> Call:
        s = draw(shape)
        args = attrs(draw, s)
        return Call(
            [Input(s, draw(st.sampled_from(ALL)))],
            lambda m, a: getattr(m, name)(a, *args),
            oracle and (lambda a: oracle(a, *args)),
        )

    CASES[name] = make


def _new_shape(draw: Any, s: tuple[int, ...]) -> tuple[Any]:
    flat = math.prod(s)
    choices: list[tuple[int, ...]] = [s[::-1], (flat,), (1, *s), (*s, 1)]
    if flat % 2 == 0 and flat:
        choices += [(2, -1), (-1, 2)]
    return (draw(st.sampled_from(choices)),)


def _axis(draw: Any, s: tuple[int, ...]) -> int:
    return draw(st.integers(-len(s), len(s) - 1))


ranked = st.sampled_from([s for s in SHAPES if s])
shaped("reshape", _new_shape, np.reshape)
shaped("transpose", lambda draw, s: (tuple(draw(st.permutations(range(len(s))))),), np.transpose)
shaped(
    "broadcast_to",
    lambda draw, s: ((draw(st.integers(0, 3)), *(draw(st.integers(0, 3)) if n == 1 else n for n in s)),),
    np.broadcast_to,
)
shaped("real", lambda draw, s: (), np.real)
shaped("imag", lambda draw, s: (), np.imag)
shaped("stop_gradient", lambda draw, s: (), np.array)
shaped("expand_dims", lambda draw, s: (draw(st.integers(-len(s) - 1, len(s))),), np.expand_dims)
shaped("squeeze", lambda draw, s: (tuple(i for i, n in enumerate(s) if n == 1),), np.squeeze)
shaped("flatten", lambda draw, s: (), np.ravel)
shaped("moveaxis", lambda draw, s: (_axis(draw, s), _axis(draw, s)), np.moveaxis, ranked)
shaped("swapaxes", lambda draw, s: (_axis(draw, s), _axis(draw, s)), np.swapaxes, ranked)
shaped(
    "repeat", lambda draw, s: (draw(st.integers(0, 3)), draw(st.sampled_from([None, 0, -1])) if s else None), np.repeat
)
shaped("tile", lambda draw, s: (tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))),), np.tile)
shaped("tril", lambda draw, s: (draw(st.integers(-3, 3)),), np.tril, st.sampled_from([s for s in SHAPES if len(s) > 1]))
shaped("triu", lambda draw, s: (draw(st.integers(-3, 3)),), np.triu, st.sampled_from([s for s in SHAPES if len(s) > 1]))


@case("unflatten")
def _unflatten(draw: Any) -> Call:
    s = draw(st.sampled_from([(6,), (2, 6), (6, 5)]))
    axis = s.index(6)
    return Call(
        [Input(s, "float32")],
        lambda m, a: m.unflatten(a, axis, (2, -1)),
        lambda a: a.reshape(*s[:axis], 2, 3, *s[axis + 1 :]),
    )


@case("slice")
def _slice(draw: Any) -> Call:
    s = draw(ranked)
    index = tuple(
        slice(
            draw(st.one_of(st.none(), st.integers(-4, 4))),
            draw(st.one_of(st.none(), st.integers(-4, 4))),
            draw(st.sampled_from([None, 1, 2, -1, -2])),
        )
        for _ in s
    )
    return Call([Input(s, draw(st.sampled_from(ALL)))], lambda m, a: a[index], lambda a: a[index])


@case("slice_update")
def _slice_update(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    index = tuple(slice(draw(st.integers(0, 2)), None, draw(st.sampled_from([1, 2, -1]))) for _ in s)
    dtype = draw(st.sampled_from(ALL))

    def run(m: Any, a: Any, b: Any) -> Any:
        copy = m.array(a)
        copy[index] = b
        return copy

    def oracle(a: Any, b: Any) -> Any:
        copy = np.array(a)
        copy[index] = b
        return copy

    target = np.empty(s)[index].shape
    return Call([Input(s, dtype), Input(broadcastable(draw, target), dtype)], run, oracle)


def joining(name: str, oracle: Any, new_axis: bool) -> None:
    def make(draw: Any) -> Call:
        s = draw(ranked)
        axis = draw(st.integers(-len(s), len(s) - 1))
        dtype = draw(st.sampled_from(ALL))
        count = draw(st.integers(1, 3))
        inputs = []
        for _ in range(count):
            own = list(s)
            if not new_axis:
                own[axis] = draw(st.integers(0, 4))
            inputs.append(Input(tuple(own), dtype))
        return Call(inputs, lambda m, *a: getattr(m, name)(list(a), axis), lambda *a: oracle(a, axis))

    CASES[name] = make


joining("concatenate", np.concatenate, False)
joining("stack", np.stack, True)


@case("split")
def _split(draw: Any) -> Call:
    s = draw(st.sampled_from([(6,), (2, 6), (6, 5)]))
    where = draw(st.sampled_from([2, 3, (1, 4), (2,)]))
    axis = s.index(6)
    return Call(
        [Input(s, draw(st.sampled_from(ALL)))],
        lambda m, a: m.split(a, where if isinstance(where, int) else list(where), axis),
        lambda a: np.split(a, where, axis),
    )


@case("broadcast_arrays")
def _broadcast_arrays(draw: Any) -> Call:
    s = draw(shapes)
    return Call(
        [Input(s, "float32"), Input(broadcastable(draw, s), "int8")],
        lambda m, *a: m.broadcast_arrays(*a),
        lambda *a: np.broadcast_arrays(*a),
    )


@case("meshgrid")
def _meshgrid(draw: Any) -> Call:
    indexing, sparse = draw(st.sampled_from(["xy", "ij"])), draw(st.booleans())
    return Call(
        [Input((3,), "float32"), Input((4,), "float32")],
        lambda m, *a: m.meshgrid(*a, sparse=sparse, indexing=indexing),
        lambda *a: np.meshgrid(*a, sparse=sparse, indexing=indexing),
    )


@case("pad")
def _pad(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    width = [(draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in s]
    mode = draw(st.sampled_from(["constant", "edge"]))
    return Call(
        [Input(s, draw(st.sampled_from(ALL)))], lambda m, a: m.pad(a, width, mode), lambda a: np.pad(a, width, mode)
    )


# ---- indices ----
@case("take")
def _take(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.one_of(st.none(), st.integers(-len(s), len(s) - 1)))
    limit = math.prod(s) if axis is None else s[axis]
    index = Input(draw(shapes), draw(st.sampled_from(SIGNED)), "index", min(limit, 120))
    return Call(
        [Input(s, draw(st.sampled_from(ALL))), index],
        lambda m, a, i: m.take(a, i, axis),
        lambda a, i: np.take(a, i, axis, mode="wrap"),
    )


@case("take_along_axis")
def _take_along_axis(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.integers(-len(s), len(s) - 1))
    own = list(s)
    own[axis] = draw(st.integers(0, 9))
    index = Input(tuple(own), draw(st.sampled_from(SIGNED)), "index", s[axis])
    return Call(
        [Input(s, draw(st.sampled_from(ALL))), index],
        lambda m, a, i: m.take_along_axis(a, i, axis),
        lambda a, i: np.take_along_axis(a, i, axis),
    )


@case("put_along_axis")
def _put_along_axis(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    axis = draw(st.integers(-len(s), len(s) - 1))
    own = list(s)
    own[axis] = draw(st.integers(0, 9))
    dtype = draw(st.sampled_from(ALL))
    inputs = [Input(s, dtype), Input(tuple(own), "int32", "index", s[axis]), Input(tuple(own), dtype)]

    def oracle(a: Any, i: Any, v: Any) -> Any:
        copy = np.array(a)
        np.put_along_axis(copy, i, v, axis)
        return copy

    return Call(inputs, lambda m, a, i, v: m.put_along_axis(a, i, v, axis), oracle)


@case("gather")
def _gather(draw: Any) -> Call:
    s = draw(st.sampled_from([(7,), (5, 3), (4, 5, 6)]))
    dtype = draw(st.sampled_from(ALL))
    count = draw(st.integers(1, len(s)))
    common = draw(shapes)
    inputs = [Input(s, dtype)] + [
        Input(broadcastable(draw, common), draw(st.sampled_from(SIGNED)), "index", s[i]) for i in range(count)
    ]
    return Call(inputs, lambda m, a, *i: a[tuple(i)], lambda a, *i: a[tuple(i)])


def scattering(name: str, update: Callable[[Any, Any, Any], Any], oracle: Callable[[Any, Any, Any], Any]) -> None:
    def make(draw: Any) -> Call:
        s = draw(st.sampled_from([(7,), (5, 3)]))
        dtype = draw(st.sampled_from(ALL))
        rows = draw(st.integers(0, 9))
        inputs = [
            Input(s, dtype, "small"),
            Input((rows,), draw(st.sampled_from(SIGNED)), "index", s[0]),
            Input((rows, *s[1:]), dtype, "small"),
        ]
        return Call(inputs, lambda m, a, i, v: update(m.array(a), i, v), lambda a, i, v: oracle(np.array(a), i, v))

    CASES[name] = make


def _assign(a: Any, i: Any, v: Any) -> Any:
    a[i] = v
    return a


def _numpy_add_at(a: Any, i: Any, v: Any) -> Any:
    np.add.at(a, i, v)
    return a


scattering("scatter", _assign, _assign)
scattering("scatter_add", lambda a, i, v: a.at[i].add(v), _numpy_add_at)


# ---- creation ----
def created(name: str, draw_args: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]], oracle: Any = None) -> None:
    def make(draw: Any) -> Call:
        args, options = draw_args(draw)
        dtype = draw(st.sampled_from(("int32", "float32", "float16", "bfloat16")))
        return Call(
            [],
            lambda m: getattr(m, name)(*args, **options, dtype=getattr(m, dtype)),
            oracle and (lambda: oracle(*args, **options)),
            {"dtype": dtype},
        )

    CASES[name] = make


created(
    "arange",
    lambda draw: ((draw(st.integers(-5, 5)), draw(st.integers(-9, 300)), draw(st.sampled_from([1, 2, 3, -1]))), {}),
    np.arange,
)
created("eye", lambda draw: ((draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(-3, 3))), {}), np.eye)
created("tri", lambda draw: ((draw(st.integers(0, 5)), draw(st.integers(0, 5)), draw(st.integers(-3, 3))), {}), np.tri)
created("full", lambda draw: ((draw(shapes), draw(st.sampled_from([0, 1, 7]))), {}), np.full)
created("linspace", lambda draw: ((draw(st.integers(-5, 5)), draw(st.integers(-9, 9)), draw(st.integers(0, 40))), {}))


@case("random_bits")
def _random_bits(draw: Any) -> Call:
    s, width = draw(shapes), draw(st.sampled_from([1, 2, 4]))
    return Call([Input((2,), "uint32", "key")], lambda m, key: m.random.bits(s, width, key))
