# Generated from the built extension by tools/generate.py; `just docs` makes it anew.
"""
Random numbers from Threefry keys.
"""

from isthmus._core import Dtype, Tensor, _DeviceLike, _Shape, _TensorLike

__all__: list[str] = ["bits", "key", "normal", "randint", "seed", "split", "uniform"]

def bits(
    shape: _Shape = (),
    width: int = 4,
    key: Tensor | None = None,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Random bits: uint8, uint16 or uint32 for a width of 1, 2 or 4 bytes.
    """

def key(seed: int) -> Tensor:
    """
    The key of a seed: uint32, shape (2,).
    """

def normal(
    shape: _Shape = (),
    dtype: Dtype | None = None,
    loc: _TensorLike | None = None,
    scale: _TensorLike | None = None,
    key: Tensor | None = None,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Normal numbers of mean `loc` (0) and standard deviation `scale` (1), float32 by default.
    """

def randint(
    low: _TensorLike,
    high: _TensorLike,
    shape: _Shape = (),
    dtype: Dtype | None = None,
    key: Tensor | None = None,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Integers in [low, high), int32 by default. low and high broadcast to `shape`.
    """

def seed(seed: int) -> None:
    """
    Seeds the key of the process that functions without a `key` take theirs from.
    """

def split(key: Tensor, num: int = 2, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    `num` new keys from one, shape (num, 2).
    """

def uniform(
    low: _TensorLike = 0,
    high: _TensorLike = 1,
    shape: _Shape = (),
    dtype: Dtype | None = None,
    key: Tensor | None = None,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Uniform numbers in [low, high), a float dtype (float32 by default). low and high broadcast to `shape`.
    """
