"""Recorded results of upstream MLX (conformance/record.py), so that the semantics are checked without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isthmus as ist

with np.load(Path(__file__).parent / "fixtures" / "upstream.npz") as _file:
    RECORDED = dict(_file)


@pytest.mark.parametrize("seed", [int(s) for s in RECORDED["seeds"]])
def test_random(seed: int) -> None:
    key = ist.random.key(seed)
    np.testing.assert_array_equal(np.array(ist.random.split(key, 101)), RECORDED[f"split/{seed}"])
    np.testing.assert_array_equal(np.array(ist.random.uniform(-2.5, 7, (7, 31), key=key)), RECORDED[f"uniform/{seed}"])
    np.testing.assert_array_equal(np.array(ist.random.randint(-50, 100, (7, 31), key=key)), RECORDED[f"randint/{seed}"])


def test_promotion() -> None:
    names = [str(n) for n in RECORDED["dtypes"]]
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            x, y = (ist.zeros(1, dtype=getattr(ist, n)) for n in (a, b))
            assert str((x + y).dtype).rsplit(".", 1)[-1].rstrip("_") == RECORDED["promotion"][i, j], (a, b)
