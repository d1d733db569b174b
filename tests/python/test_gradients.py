"""Gradients: central differences in float64 for every op, PyTorch's for ten recorded functions, and the two styles."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import arrays
import numpy as np
import pytest
from cases import CASES, Call
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from recorded_functions import RECORDED

import isthmus as ist

# Where a function is smooth, and defined on both sides of a difference.
DOMAIN = {
    "arccos": "open_unit", "arcsin": "open_unit", "arctanh": "open_unit", "erfinv": "open_unit",
    "arccosh": "above_one", "log": "positive", "log2": "positive", "log10": "positive", "log1p": "positive",
    "sqrt": "positive", "rsqrt": "positive", "reciprocal": "positive", "divide": "positive", "power": "positive",
    "remainder": "positive", "divmod": "positive", "tan": "open_unit", "prod": "near_one",
    "cumprod": "near_one",
}  # fmt: skip
TABLE = {row["name"]: row for row in ist._core.op_table()}
STEPS = {"quantize"}  # float32 inside and constant between steps: its derivative is zero by definition
SMOOTH = sorted(
    n for n in set(CASES) - STEPS if TABLE[n]["derivative"] != "zero" and TABLE[n]["family"] not in ("create", "random")
)
FLAT = sorted(n for n in CASES if TABLE[n]["derivative"] == "zero" and TABLE[n]["family"] == "elementwise")


def in_float64(name: str, call: Call) -> None:
    for i, spec in enumerate(call.inputs):
        condition = name == "where" and i == 0
        if spec.values not in ("index", "key", "shift", "mask") and not condition:
            spec.dtype = "float64"
            spec.values = DOMAIN.get(name, "small")


def scalar_loss(outputs: Any, seed: int) -> ist.Tensor:
    """A weighted sum of every float output, with the same weights for the same seed. Infinities, which exclusive scans
    start with, are constants."""
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    rng = np.random.default_rng(seed)
    total = ist.array(0.0, dtype=ist.float64)
    for out in outputs:
        weights = ist.array(rng.standard_normal(out.shape), dtype=ist.float64)
        if out.dtype == ist.float64:
            total = total + (ist.where(ist.isfinite(out), out, 0) * weights).sum()
    return total


@pytest.mark.parametrize("name", SMOOTH)
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_gradient_agrees_with_central_differences(name: str, data: st.DataObject) -> None:
    call = CASES[name](data.draw)
    in_float64(name, call)
    if name == "astype":
        assume(call.attrs["dtype"] == "float64")
    floats = [i for i, spec in enumerate(call.inputs) if spec.dtype == "float64"]
    assume(floats)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    made = [arrays.values(spec, rng) for spec in call.inputs]
    if name == "std":  # not differentiable at 0
        assume(np.all(np.asarray(call.run(ist, *(ist.array(a) for a in made))) > 1e-3))
    directions = {i: rng.standard_normal(made[i].shape) for i in floats}

    def loss(*moved: ist.Tensor) -> ist.Tensor:
        inputs = [ist.array(a) for a in made]
        for i, tensor in zip(floats, moved, strict=True):
            inputs[i] = tensor
        return scalar_loss(call.run(ist, *inputs), 5)

    def at(t: float) -> float:
        return float(loss(*(ist.array(made[i] + t * directions[i], dtype=ist.float64) for i in floats)).item())

    gradients = ist.grad(loss, argnums=list(range(len(floats))))(
        *(ist.array(made[i], dtype=ist.float64) for i in floats)
    )
    gradients = [gradients] if len(floats) == 1 else gradients
    slope = sum(float((np.asarray(g) * directions[i]).sum()) for g, i in zip(gradients, floats, strict=True))
    for g, i in zip(gradients, floats, strict=True):
        assert g.shape == made[i].shape and g.dtype == ist.float64
    # A kink of the function between the two points would show at one step size, not at both.
    differences = [(at(h) - at(-h)) / (2 * h) for h in (1e-6, 1e-7)]
    scale = max(1.0, abs(slope), *(abs(d) for d in differences))
    assert min(abs(slope - d) for d in differences) <= 2e-5 * scale


@pytest.mark.parametrize("name", FLAT)
def test_zero_derivatives_are_exact_zeros(name: str) -> None:
    x = ist.array([0.3, -1.7, 2.5])
    if TABLE[name]["dtypes"] == "bitwise":
        with pytest.raises(ValueError, match=name):
            getattr(ist, name)(*[x] * TABLE[name]["arity"])
        return

    def loss(a: ist.Tensor) -> ist.Tensor:
        return (getattr(ist, name)(*[a] * TABLE[name]["arity"]).astype(ist.float32) * 3).sum()

    assert ist.grad(loss)(x).tolist() == [0, 0, 0]


def test_a_product_with_zeros_has_the_exact_gradient() -> None:
    x = ist.array([2.0, 0.0, 3.0])
    assert ist.grad(lambda a: a.prod())(x).tolist() == [0, 6, 0]
    y = ist.array([0.0, 0.0, 3.0])
    assert ist.grad(lambda a: a.prod())(y).tolist() == [0, 0, 0]


def test_cumulative_ops_have_exact_gradients_at_zeros_ties_and_infinities() -> None:
    def gradient(name: str, x: list[float], **options: bool) -> list[float]:
        weights = ist.array([1.0, 10.0, 100.0, 1000.0])
        return ist.grad(lambda a: (getattr(ist, name)(a, **options) * weights).sum())(ist.array(x)).tolist()

    assert gradient("cumprod", [2.0, 0.0, 3.0, 0.0]) == [1, 2 * (10 + 300), 0, 0]
    assert gradient("cumprod", [2.0, 0.0, 3.0, 0.0], reverse=True) == [0, 0, 0, 0 + 100 * 3 + 1000]
    assert gradient("cumprod", [2.0, 0.0, 3.0, 5.0], inclusive=False) == [10, 2 * (100 + 3000), 0, 0]
    assert gradient("cummax", [2.0, 2.0, 1.0, 2.0]) == [1, 110, 0, 1000]
    assert gradient("cummin", [2.0, 1.0, 1.0, 3.0], reverse=True) == [0, 11, 100, 1000]
    assert gradient("logcumsumexp", [-np.inf, 3.0, -np.inf, -np.inf]) == [0, 1110, 0, 0]
    assert gradient("logcumsumexp", [1000.0, -1000.0, -1000.0, 2000.0]) == [111, 0, 0, 1000]
    second = ist.grad(lambda a: ist.grad(lambda b: ist.cumprod(b)[2])(a)[0])(ist.array([2.0, 0.0, 3.0]))
    assert second.tolist() == [0, 3, 0]


def test_masks_do_not_let_infinities_through() -> None:
    x = ist.array([0.0, 4.0])
    g = ist.grad(lambda a: ist.where(a > 0, ist.sqrt(ist.maximum(a, 1e-30)), 0.0).sum())(x)
    assert g.tolist() == [0, 0.25]


# ---- PyTorch ----
@pytest.mark.parametrize("name", sorted(RECORDED))
@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_gradient_agrees_with_torch(name: str, device: str) -> None:
    recorded = np.load(Path(__file__).parent / "fixtures" / "torch_gradients.npz")
    inputs = [recorded[f"{name}.input{i}"] for i in range(3)]
    with ist.device(device):
        tensors = [ist.array(a, dtype=ist.float64) for a in inputs]
        value, gradients = ist.value_and_grad(lambda *t: RECORDED[name](ist, *t), argnums=[0, 1, 2])(*tensors)
    np.testing.assert_allclose(value.item(), recorded[f"{name}.value"], rtol=1e-12)
    for i, g in enumerate(gradients):
        np.testing.assert_allclose(np.asarray(g), recorded[f"{name}.gradient{i}"], rtol=1e-10, atol=1e-12)


# ---- the two styles ----
@pytest.mark.parametrize("name", sorted(RECORDED))
def test_backward_and_grad_give_the_same_bits(name: str) -> None:
    recorded = np.load(Path(__file__).parent / "fixtures" / "torch_gradients.npz")
    inputs = [recorded[f"{name}.input{i}"].astype(np.float32) for i in range(3)]
    functional = ist.grad(lambda *t: RECORDED[name](ist, *t), argnums=[0, 1, 2])(*(ist.array(a) for a in inputs))
    leaves = [ist.array(a, requires_grad=True) for a in inputs]
    RECORDED[name](ist, *leaves).backward()
    for g, leaf in zip(functional, leaves, strict=True):
        np.testing.assert_array_equal(arrays.bits(g), arrays.bits(leaf.grad))


def test_gradients_nest() -> None:
    def cube(x: ist.Tensor) -> ist.Tensor:
        return x * x * x

    x = ist.array(2.0)
    assert ist.grad(cube)(x).item() == 12
    assert ist.grad(ist.grad(cube))(x).item() == 12
    assert ist.grad(ist.grad(ist.grad(cube)))(x).item() == 6
    assert ist.grad(ist.grad(lambda a: ist.exp(2 * a).sum()))(ist.array(0.0)).item() == 4


def test_grad_accumulates_until_it_is_cleared() -> None:
    w = ist.array([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    (w * w).sum().backward()
    assert w.grad.tolist() == [4, 8]
    w.grad = None
    assert w.grad is None


def test_no_grad_and_detach_leave_the_tape() -> None:
    w = ist.array([1.0, 2.0], requires_grad=True)
    with ist.no_grad():
        assert not (w * 2).requires_grad
    assert (w * 2).requires_grad
    assert not (w * 2).detach().requires_grad
    (w * w.detach()).sum().backward()
    assert w.grad.tolist() == [1, 2]


def test_an_evaluation_inside_a_traced_function_changes_nothing() -> None:
    def loss(x: ist.Tensor) -> ist.Tensor:
        y = ist.exp(x)
        ist.eval(y)
        return (y * y).sum()

    assert ist.grad(loss)(ist.array([0.0])).item() == 2


def test_a_long_training_loop_keeps_its_memory() -> None:
    rng = np.random.default_rng(0)
    x = ist.array(rng.standard_normal((16, 8)).astype(np.float32))
    y = ist.array(rng.standard_normal((16, 1)).astype(np.float32))
    w = ist.array(np.zeros((8, 1), np.float32), requires_grad=True)

    def run(n: int) -> tuple[int, int]:
        nonlocal w
        for _ in range(n):
            loss = ((x @ w - y) ** 2).mean()
            loss.backward()
            with ist.no_grad():
                w -= 0.01 * w.grad
            w.grad = None
            loss.item()
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        return ist.memory.active(), resident

    active, resident = run(1000)
    active_later, resident_later = run(10_000)
    assert active_later <= active * 1.01
    assert resident_later <= resident * 1.01


def test_a_functional_training_loop_keeps_its_memory() -> None:
    x = ist.array(np.ones((16, 8), np.float32))
    w = ist.array(np.zeros((8, 1), np.float32))
    step = ist.value_and_grad(lambda p: ((x @ p - 1) ** 2).mean())
    figures = []
    for i in range(3000):
        loss, g = step(w)
        w = w - 0.01 * g
        ist.eval(w, loss)
        if i in (500, 2999):
            figures.append(ist.memory.active())
    assert figures[1] <= figures[0] * 1.01


def test_inputs_without_a_shape_of_their_own_are_summed_back() -> None:
    a, b = ist.ones((3, 1)), ist.ones((1, 4))
    ga, gb = ist.grad(lambda p, q: (p * q).sum(), argnums=[0, 1])(a, b)
    assert ga.shape == (3, 1) and gb.shape == (1, 4)
    assert ga.tolist() == [[4], [4], [4]] and gb.tolist() == [[3] * 4]


@pytest.mark.parametrize(("op", "comes_first"), [(ist.maximum, np.greater), (ist.minimum, np.less)])
def test_gradient_of_the_larger_operand_that_is_not_kept(op: Any, comes_first: Any) -> None:
    """Its rule asks the result, where the operand would be kept for nothing else: ties and NaN decide alike."""
    special = np.array([-np.inf, -1, -1e-42, -0.0, 0.0, 1e-42, 1, np.inf, np.nan], np.float32)
    a, b = np.repeat(special, len(special)), np.tile(special, len(special))
    weights = np.arange(1, len(a) + 1, dtype=np.float32)
    gradient = ist.grad(lambda x: (ist.where(ist.isfinite(y := op(-x, ist.array(b))), y, 0) * ist.array(weights)).sum())
    expected = np.where(comes_first(a, b) & np.isfinite(a), -weights, 0)
    np.testing.assert_array_equal(np.array(gradient(ist.array(-a))), expected)
