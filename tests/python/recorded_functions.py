"""Functions whose gradients PyTorch recorded; written so that isthmus and torch both run them."""

from __future__ import annotations

from typing import Any


def _attention(m: Any, q: Any, k: Any, v: Any) -> Any:
    return m.matmul(m.softmax(m.matmul(q, k) * 0.5, -1), v).sum()


RECORDED = {
    "mlp": lambda m, x, w, b: m.tanh(m.matmul(x, w) + b).sum(),
    "attention": _attention,
    "layer_norm": lambda m, x, w, b: (
        (
            (x - x.mean(-1).reshape(-1, 1))
            * m.rsqrt(((x - x.mean(-1).reshape(-1, 1)) ** 2).mean(-1).reshape(-1, 1) + 1e-5)
        )
        * w[0]
        + b
    ).sum(),
    "gelu": lambda m, x, w, b: (x * 0.5 * (1 + m.erf(x * 0.70710678))).sum() + 0 * (w.sum() + b.sum()),
    "logistic": lambda m, x, w, b: m.log(m.sigmoid(m.matmul(x, w) + b)).mean(),
    "cross_entropy": lambda m, x, w, b: (m.logsumexp(m.matmul(x, w) + b, -1) - m.matmul(x, w)[:, 0]).mean(),
    "powers": lambda m, x, w, b: (m.exp(-(x**2)) + m.sin(x) ** 3).sum() + (w * w).sum() + b.sum(),
    "slices": lambda m, x, w, b: (x[1:, ::2] * w[:3, 1:3]).sum() + (b[1:] * b[:-1]).sum(),
    "shapes": lambda m, x, w, b: (x.reshape(-1)[:12].reshape(3, 4) * w.reshape(-1)[4:16].reshape(3, 4)).sum() * b.sum(),
    "ratios": lambda m, x, w, b: (
        (m.maximum(x, -x) / (1 + m.exp(x))).sum() + m.minimum(w, 0.1 * w).sum() + m.sqrt(b * b + 1).sum()
    ),
}
