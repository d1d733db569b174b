"""How much memory tensors take, and how much they may. All figures are bytes."""

from __future__ import annotations

from isthmus._core import (
    clear_cache,
    get_active_memory as active,
    get_cache_limit as cache_limit,
    get_cache_memory as cache,
    get_memory_limit as limit,
    get_peak_memory as peak,
    reset_peak_memory as reset_peak,
    set_cache_limit,
    set_memory_limit as set_limit,
)

__all__ = [
    "active",
    "cache",
    "cache_limit",
    "clear_cache",
    "limit",
    "peak",
    "reset_peak",
    "set_cache_limit",
    "set_limit",
]
