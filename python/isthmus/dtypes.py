"""What there is to know about dtypes: their categories and their limits."""

from __future__ import annotations

from enum import Enum

from isthmus import _core
from isthmus._core import Dtype
from isthmus._errors import error


class DtypeCategory(Enum):
    """Categories of dtypes, for `issubdtype`. The value is the set of the kinds (`Dtype.kind`) that belong to it."""

    complexfloating = frozenset({"complex"})
    floating = frozenset({"float"})
    inexact = frozenset({"float", "complex"})
    signedinteger = frozenset({"signed"})
    unsignedinteger = frozenset({"unsigned"})
    integer = frozenset({"signed", "unsigned"})
    number = frozenset({"signed", "unsigned", "float", "complex"})
    generic = frozenset({"bool", "signed", "unsigned", "float", "complex"})

    def __repr__(self) -> str:
        return f"DtypeCategory.{self.name}"


complexfloating = DtypeCategory.complexfloating
floating = DtypeCategory.floating
inexact = DtypeCategory.inexact
signedinteger = DtypeCategory.signedinteger
unsignedinteger = DtypeCategory.unsignedinteger
integer = DtypeCategory.integer
number = DtypeCategory.number
generic = DtypeCategory.generic


def issubdtype(arg1: Dtype | DtypeCategory, arg2: Dtype | DtypeCategory) -> bool:
    """Does the dtype or category `arg1` belong to `arg2`? A dtype belongs to itself and to its categories."""
    for which, argument in (("arg1", arg1), ("arg2", arg2)):
        if not isinstance(argument, (Dtype, DtypeCategory)):
            got = type(argument).__name__
            raise error(_core.ArgumentTypeError, "issubdtype", f"{which} must be a Dtype or a DtypeCategory, got {got}")
    if isinstance(arg2, Dtype):
        return arg1 == arg2
    kinds = frozenset({arg1.kind}) if isinstance(arg1, Dtype) else arg1.value
    return kinds <= arg2.value


# Bits of the significand, the leading one included, and the exponent of the smallest normal number.
_FLOATS = {"float16": (11, -14, 16), "bfloat16": (8, -126, 16), "float32": (24, -126, 32), "float64": (53, -1022, 64)}


class finfo:
    """The limits of a float dtype; for a complex one, those of its parts."""

    min: float
    max: float
    eps: float
    smallest_normal: float
    bits: int
    dtype: Dtype

    def __init__(self, dtype: Dtype) -> None:
        part = _core.float32 if dtype == _core.complex64 else dtype
        if not isinstance(part, Dtype):
            raise error(_core.ArgumentTypeError, "finfo", f"dtype must be a Dtype, got {type(dtype).__name__}")
        if part.kind != "float":
            raise error(
                _core.DTypeError, "finfo", f"{part.name} is not a float or complex dtype; iinfo is for integers"
            )
        precision, lowest, self.bits = _FLOATS[part.name]
        self.dtype = part
        self.eps = 2.0 ** (1 - precision)
        self.smallest_normal = 2.0**lowest
        self.max = (2 - self.eps) * 2.0 ** (1 - lowest)
        self.min = -self.max

    def __repr__(self) -> str:
        return f"finfo(min={self.min:.6g}, max={self.max:.6g}, dtype={self.dtype.name})"


class iinfo:
    """The limits of an integer dtype."""

    min: int
    max: int
    bits: int
    dtype: Dtype

    def __init__(self, dtype: Dtype) -> None:
        if not isinstance(dtype, Dtype):
            raise error(_core.ArgumentTypeError, "iinfo", f"dtype must be a Dtype, got {type(dtype).__name__}")
        if dtype.kind not in ("signed", "unsigned"):
            raise error(_core.DTypeError, "iinfo", f"{dtype.name} is not an integer dtype; finfo is for floats")
        self.dtype = dtype
        self.bits = 8 * dtype.size
        signed = dtype.kind == "signed"
        self.max = 2 ** (self.bits - signed) - 1
        self.min = -(2 ** (self.bits - 1)) if signed else 0

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype.name})"
