"""Random numbers from Threefry keys: equal seeds give the bits of upstream MLX."""

from __future__ import annotations

from isthmus._core._random import bits, key, normal, randint, seed, split, uniform

__all__ = ["bits", "key", "normal", "randint", "seed", "split", "uniform"]
