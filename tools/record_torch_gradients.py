"""Records PyTorch's values and gradients of the functions in tests/python/recorded_functions.py, in float64.

Run once with PyTorch installed: python tools/record_torch_gradients.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

TESTS = Path(__file__).parent.parent / "tests" / "python"
sys.path.insert(0, str(TESTS))

from recorded_functions import RECORDED  # noqa: E402


def main() -> None:
    rng = np.random.default_rng(11)
    out: dict[str, np.ndarray] = {}
    for name, function in RECORDED.items():
        shapes = [(4, 3), (3, 5), (5, 2)] if name == "attention" else [(4, 4), (4, 4), (4,)]
        inputs = [rng.standard_normal(s) for s in shapes]
        tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in inputs]
        value = function(torch, *tensors)
        value.backward()
        out[f"{name}.value"] = value.detach().numpy()
        for i, (a, t) in enumerate(zip(inputs, tensors, strict=True)):
            out[f"{name}.input{i}"] = a
            out[f"{name}.gradient{i}"] = t.grad.numpy() if t.grad is not None else np.zeros_like(a)
    np.savez_compressed(TESTS / "fixtures" / "torch_gradients.npz", **out)


if __name__ == "__main__":
    main()
