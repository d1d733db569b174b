"""Norms and attention, each as one op."""

from __future__ import annotations

from isthmus._core._fast import layer_norm, rms_norm, scaled_dot_product_attention

__all__ = ["layer_norm", "rms_norm", "scaled_dot_product_attention"]
