# Generated from the built extension by tools/generate.py; `just docs` makes it anew.
"""
Norms and attention.
"""

from isthmus._core import Tensor, _DeviceLike, _TensorLike

__all__: list[str] = ["layer_norm", "rms_norm", "scaled_dot_product_attention"]

def layer_norm(
    x: _TensorLike,
    weight: _TensorLike | None,
    bias: _TensorLike | None,
    eps: float,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    (x - mean) / sqrt(variance + eps) over the last axis, times `weight`, plus `bias`; either may be None, or has
    the shape (n,) for x of shape (..., n). float16 and bfloat16 are computed in float32. ValueError for other
    shapes and for dtypes that do not promote to floating point.
    """

def rms_norm(
    x: _TensorLike,
    weight: _TensorLike | None,
    eps: float,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    x / sqrt(mean of x * x + eps) over the last axis, times `weight`, which may be None or has the shape (n,) for x
    of shape (..., n). float16 and bfloat16 are computed in float32. ValueError as for layer_norm.
    """

def scaled_dot_product_attention(
    q: _TensorLike,
    k: _TensorLike,
    v: _TensorLike,
    *,
    scale: float,
    mask: _TensorLike | str | None = None,
    sinks: _TensorLike | None = None,
    force_fused: bool = False,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    softmax(scale * q @ k.T + mask) @ v, for q of shape (batch, heads, queries, depth), k (batch, kv_heads, keys,
    depth) and v (batch, kv_heads, keys, width), heads a multiple of kv_heads. `mask` broadcasts to (batch, heads,
    queries, keys): bool, where False hides a key, or numbers that are added; 'causal' hides later keys, the last
    query seeing all. `sinks`, shape (heads,), are scores that take a share of the weights and have no value.
    float16 and bfloat16 are computed in float32. `force_fused` changes nothing: it always is one op. ValueError
    when shapes or dtypes do not fit each other.
    """
