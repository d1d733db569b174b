"""Holds isthmus to upstream MLX: every case of tests/python/cases.py, on every CPU device, against mlx.core.

Shape and dtype must be equal, integers and bools too; floats within a few ULP of upstream's dtype, for upstream's own
error is larger than ours. Deviations are listed in xfails.toml with their reasons; one that no longer deviates fails.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import tomllib
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "python"))

import arrays  # noqa: E402
from cases import CASES  # noqa: E402

import isthmus as ist  # noqa: E402

XFAILS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "xfails.toml").read_text())
# The error of upstream's own kernels, as a multiple of the unit in the last place of the largest magnitude involved.
TOLERANCE = {"float16": 2**-9, "bfloat16": 2**-6, "float32": 2e-5, "float64": 1e-11, "complex64": 2e-5}

mx.set_default_device(mx.cpu)


def upstream(a: np.ndarray) -> Any:
    if a.dtype.name == "bfloat16":
        return mx.array(a.view(np.uint16)).view(mx.bfloat16)
    return mx.array(a) if a.dtype != np.float64 else mx.array(a, dtype=mx.float64)


def to_numpy(t: Any) -> np.ndarray:
    return np.array(t.astype(mx.float32)) if t.dtype == mx.bfloat16 else np.array(t)


def outcome(run: Any) -> tuple[str, Any]:
    try:
        return "value", run()
    except (ValueError, TypeError, IndexError, RuntimeError, OverflowError) as error:
        return "error", error


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("name", sorted(CASES))
@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_agrees_with_upstream(name: str, device: str, data: st.DataObject) -> None:
    excluded = XFAILS.get(name, {})
    if excluded.get("all"):
        return
    call = CASES[name](data.draw)
    if any(spec.dtype in excluded.get("dtypes", []) for spec in call.inputs) or call.attrs.get("dtype") in excluded.get(
        "dtypes", []
    ):
        return
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    if excluded.get("values"):
        for spec in call.inputs:
            if spec.values == "any":
                spec.values = excluded["values"]
    made = [arrays.values(spec, rng) for spec in call.inputs]
    with ist.device(device):
        own_kind, own = outcome(
            lambda: evaluated(ist, call.run(ist, *(arrays.place(ist, a, "plain", device) for a in made)))
        )
    their_kind, theirs = outcome(lambda: evaluated(mx, call.run(mx, *(upstream(a) for a in made))))
    assert own_kind == their_kind, f"isthmus: {own!r}, upstream: {theirs!r}"
    if own_kind == "error":
        return
    for a, b in zip(own, theirs, strict=True):
        assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
        assert tuple(a.shape) == tuple(b.shape)
        x, y = np.array(a), to_numpy(b)
        if x.dtype.kind in "biu":
            np.testing.assert_array_equal(x, y)
        else:
            tolerance = TOLERANCE[str(a.dtype).split(".")[-1]]
            wide = np.complex128 if x.dtype.kind == "c" else np.float64
            x, y = x.astype(wide), y.astype(wide)
            scale = (
                np.abs(y[np.isfinite(y)]).max(initial=0.0)
                if name in ("sum", "matmul", "addmm", "mean", "var", "std", "prod")
                else 0
            )
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(scale, 1e-3))


def evaluated(module: Any, value: Any) -> list[Any]:
    out = list(value) if isinstance(value, (list, tuple)) else [value]
    module.eval(*out)
    return out


def test_every_deviation_is_of_an_op() -> None:
    assert set(XFAILS) <= set(CASES)
    assert all(entry["reason"] for entry in XFAILS.values())
