"""Writes tests/python/fixtures/upstream.npz: what upstream gives, for tests without mlx installed."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np

SEEDS = (0, 1, 42, 2**32 + 7)
DTYPES = (
    *("bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64"),
)


def promoted(a: str, b: str) -> str:
    dtype = mx.add(mx.zeros(1, dtype=getattr(mx, a)), mx.zeros(1, dtype=getattr(mx, b))).dtype
    return str(dtype).rsplit(".", 1)[-1].rstrip("_")


def main() -> None:
    mx.set_default_device(mx.cpu)
    out: dict[str, np.ndarray] = {"seeds": np.array(SEEDS, np.uint64), "dtypes": np.array(DTYPES)}
    for seed in SEEDS:
        key = mx.random.key(seed)
        out[f"split/{seed}"] = np.array(mx.random.split(key, 101))
        out[f"uniform/{seed}"] = np.array(mx.random.uniform(-2.5, 7, (7, 31), key=key))
        out[f"randint/{seed}"] = np.array(mx.random.randint(-50, 100, (7, 31), key=key))
    out["promotion"] = np.array([[promoted(a, b) for b in DTYPES] for a in DTYPES])
    path = Path(__file__).parent.parent / "tests" / "python" / "fixtures" / "upstream.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **out)


if __name__ == "__main__":
    main()
