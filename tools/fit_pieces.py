"""Prints the tables of cpp/kernels/piecewise_float.h.

    python tools/fit_pieces.py

A piece of a function f on [low, high] is f(centre + h) = value + h * (slope + q(h)); a slope is for the first piece
alone, to keep its relative accuracy. The centre is a float near the middle where
f is nearly a float itself, so that rounding `value` loses nothing. q is fitted by weighted least squares, reweighted
until the largest error in ULP of f is as small as it gets, and its coefficients are rounded one after another, lowest
first, the rest fitted anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np

mpmath.mp.dps = 40
POINTS = 400
NEIGHBOURS = 4000


@dataclass
class Function:
    name: str
    exact: Callable[[mpmath.mpf], mpmath.mpf]
    edges: list[float]
    degree: int
    first_slope: float


@dataclass
class Piece:
    centre: float
    value: float
    coefficients: list[float]  # of q, lowest first
    error: float  # in ULP, of exact arithmetic with these numbers


def ulp_at(value: float) -> float:
    return float(np.spacing(np.float32(min(value, 1 - 2.0**-24))))


def almost_float(function: Function, near: float) -> tuple[float, float]:
    up = down = np.float32(near)
    candidates = [up]
    for _ in range(NEIGHBOURS):
        up, down = np.nextafter(up, np.float32(np.inf)), np.nextafter(down, np.float32(0))
        candidates += [up, down]

    def rounded(x: np.float32) -> tuple[float, float, float]:
        exact = function.exact(mpmath.mpf(float(x)))
        value = float(np.float32(float(exact)))
        return float(abs(exact - value)) / ulp_at(value), float(x), value

    return min(map(rounded, candidates))[1:]


def fit(function: Function, low: float, high: float) -> Piece:
    # The first piece keeps its relative accuracy down to zero.
    centre, value = (0.0, 0.0) if low == 0.0 else almost_float(function, (low + high) / 2)
    h = (low + high) / 2 - centre + (high - low) / 2 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    exact = [function.exact(mpmath.mpf(centre) + mpmath.mpf(x)) for x in map(float, h)]
    slope = function.first_slope if low == 0.0 else 0.0
    quotient = [(y - mpmath.mpf(value)) / mpmath.mpf(x) - slope for y, x in zip(exact, map(float, h), strict=True)]
    in_ulp = np.abs(h) / np.array([ulp_at(float(y)) for y in exact])
    scale = float(np.max(np.abs(h)))
    weight, rest = in_ulp.copy(), list(quotient)
    coefficients: list[float] = []
    for terms in range(function.degree, 0, -1):
        powers = (h[:, None] / scale) ** np.arange(terms)
        target = np.array([float(r) for r in rest])
        current = weight.copy()
        for _ in range(30):
            solution = np.linalg.lstsq(powers * current[:, None], target * current, rcond=None)[0]
            error = np.abs(powers @ solution - target) * weight
            current *= np.sqrt(np.maximum(error, 1e-3 * error.max()) / error.max())
            current *= weight.max() / current.max()
        coefficients.append(float(np.float32(solution[0])))
        rest = [(r - mpmath.mpf(coefficients[-1])) / mpmath.mpf(x) for r, x in zip(rest, map(float, h), strict=True)]
        weight = weight * np.abs(h)
    highest_first = [mpmath.mpf(c) for c in reversed(coefficients)]
    errors = [
        abs(float(mpmath.polyval(highest_first, mpmath.mpf(x)) - q))
        for x, q in zip(map(float, h), quotient, strict=True)
    ]
    return Piece(centre, value, coefficients, float(np.max(errors * in_ulp)))


def literal(number: float) -> str:
    """Hexadecimal with the six digits that a float has."""
    significand, exponent = number.hex().split("p")
    return f"{significand[: significand.index('.') + 7]}p{exponent}f" if number else "0.0f"


def line_of(numbers: list[float]) -> str:
    return "{" + ", ".join(map(literal, numbers)) + "},"


def main() -> None:
    tanh_starts = [1, 1.5, 2, 3, 4, 6, 8, 12]
    tanh = Function("tanh", mpmath.tanh, [(s - 1) / 1.5 for s in tanh_starts] + [9.1], 7, 0.0)
    erf = Function("erf", mpmath.erf, [0.0] + [(k + 0.5) / 1.875 for k in range(7)] + [4.0], 6, 1.0)
    for function in (tanh, erf):
        pieces = [fit(function, *edges) for edges in zip(function.edges, function.edges[1:], strict=False)]
        print(f"// {function.name}; errors in ULP: {', '.join(f'{p.error:.3f}' for p in pieces)}")
        print(line_of([p.centre for p in pieces]))
        print(line_of([p.value for p in pieces]))
        for k in reversed(range(function.degree)):
            print(line_of([p.coefficients[k] for p in pieces]))


if __name__ == "__main__":
    main()
