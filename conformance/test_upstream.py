"""Holds Isthmus to upstream MLX: every case of tests/python/cases.py, on every CPU device, against mlx.core.

Shape and dtype must be equal, integers and bools too; floats within compare.ULPS, as upstream has an error
of its own. Errors must come in the same cases and be of the same builtin class. Deviations are in xfails.toml with
their reasons: each entry leaves a part of an op out, and fails when that part no longer deviates.

Inputs on which upstream never returns or ends the process are changed (`inputs`) or left out (`avoided`): there is
nothing to compare with.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import arrays
import numpy as np
import pytest
import tomllib
from cases import CASES, Call
from compare import deviation
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

Entry = dict[str, Any]
XFAILS: dict[str, list[Entry]] = tomllib.loads(Path(__file__).with_name("xfails.toml").read_text())
DRAWS = settings(
    deadline=None, max_examples=25, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def avoided(name: str, call: Call) -> bool:
    """Upstream has been seen to hang in `all` and `any` of empty arrays, after other calls in the same process, and
    after the error that `quantize` raises for float64 while it evaluates. In a product of one matrix with a batch of
    quantized ones it reads the first of them alone."""
    if name == "quantized_matmul" and len(call.inputs[0].shape) < len(call.inputs[1].shape):
        return True
    if name == "quantize" and call.inputs[0].dtype == "float64":
        return True
    return name in ("all", "any") and any(math.prod(spec.shape) == 0 for spec in call.inputs)


def covers(entry: Entry, call: Call) -> bool:
    """Whether an entry leaves this call out."""
    dtypes = {spec.dtype for spec in call.inputs} | {call.attrs.get("dtype")}
    if "inputs" in entry and not {spec.dtype for spec in call.inputs} & set(entry["inputs"]):
        return False
    if "dtypes" in entry and not dtypes & set(entry["dtypes"]):
        return False
    if "shape" in entry and not any(
        {"scalar": spec.shape == (), "empty": math.prod(spec.shape) == 0}[entry["shape"]] for spec in call.inputs
    ):
        return False
    return any(key in entry for key in ("inputs", "dtypes", "shape", "all"))


def inputs(name: str, call: Call, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    made = [arrays.values(spec, rng) for spec in call.inputs]
    if name in ("divmod", "floor_divide", "remainder") and made[1].dtype.kind in "iu":
        # Upstream dies of SIGFPE when it divides integers by 0, or the most negative one by -1.
        made[1] = np.where((made[1] == 0) | (made[1] == np.array(-1).astype(made[1].dtype)), 3, made[1]).astype(
            made[1].dtype
        )
    return made


# Upstream has no function of the name in Python; test_random.py compares the bits through `split`.
NOT_UPSTREAM = {"rint", "random_bits"}


@pytest.mark.parametrize("name", sorted(set(CASES) - NOT_UPSTREAM))
def test_agrees_with_upstream(name: str) -> None:
    @DRAWS
    @given(data=st.data())
    def agrees(data: st.DataObject) -> None:
        call = CASES[name](data.draw)
        seed = data.draw(st.integers(0, 2**32))
        for entry in XFAILS.get(name, []):
            if not covers(entry, call):
                continue
            if "values" not in entry:
                return
            for spec in call.inputs:
                spec.values = entry["values"] if spec.values == "any" else spec.values
        if not avoided(name, call):
            assert deviation(name, call, inputs(name, call, seed)) is None

    agrees()


@pytest.mark.parametrize(("name", "number"), [(name, i) for name in sorted(XFAILS) for i in range(len(XFAILS[name]))])
def test_a_listed_deviation_deviates(name: str, number: int) -> None:
    """With the inputs that the entry leaves out, some call has another outcome than upstream's."""
    found: list[str] = []

    @settings(DRAWS, max_examples=400, phases=[Phase.generate])
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        call = CASES[name](data.draw)
        seed = data.draw(st.integers(0, 2**32))
        if not found and covers(XFAILS[name][number], call) and not avoided(name, call):
            different = deviation(name, call, inputs(name, call, seed))
            if different is not None:
                found.append(different)

    search()
    assert found, f"{name} no longer deviates: drop the entry '{XFAILS[name][number]['reason']}'"


def test_every_deviation_is_of_an_op_and_has_a_reason() -> None:
    assert set(XFAILS) <= set(CASES)
    assert all(entry["reason"] for entries in XFAILS.values() for entry in entries)
