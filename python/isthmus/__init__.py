"""Isthmus: tensors with the semantics of MLX, on any CPU, with results that are the same to the bit.

    import isthmus as ist

    a = ist.array([1.0, 2.0, 3.0])
    print((a * a).sum())

Operations are lazy: they are computed when a value is looked at (`print`, `item`, `tolist`, NumPy) or by `ist.eval`.
"""

from __future__ import annotations

import math as _math

# "x as x" says to type checkers that x is meant to be seen from outside.
from isthmus import _core, fast as fast, memory as memory, random as random, utils as utils
from isthmus._core import *
from isthmus._core import __version__ as __version__
from isthmus.autograd import grad as grad, no_grad as no_grad, value_and_grad as value_and_grad, vjp as vjp
from isthmus.dtypes import (
    DtypeCategory as DtypeCategory,
    complexfloating as complexfloating,
    finfo as finfo,
    floating as floating,
    generic as generic,
    iinfo as iinfo,
    inexact as inexact,
    integer as integer,
    issubdtype as issubdtype,
    number as number,
    signedinteger as signedinteger,
    unsignedinteger as unsignedinteger,
)
from isthmus.io import (
    load as load,
    save as save,
    save_safetensors as save_safetensors,
    savez as savez,
    savez_compressed as savez_compressed,
)

pi = _math.pi
e = _math.e
inf = _math.inf
nan = _math.nan
euler_gamma = 0.57721566490153286060651209008240243
newaxis = None
cpu = _core.Device("cpu")

# Names of the core that are plumbing of other modules of this package.
_PLUMBING = {"NoGrad", "cpu_isa_levels", "TraceScope", "load_safetensors", "pullback", "trace_argument", "trace_depth"}
_PYTHON = {
    *("grad", "no_grad", "value_and_grad", "vjp"),
    *("DtypeCategory", "finfo", "iinfo", "issubdtype", "complexfloating", "floating", "generic", "inexact", "integer"),
    *("number", "signedinteger", "unsignedinteger"),
    *("load", "save", "save_safetensors", "savez", "savez_compressed"),
    *("fast", "memory", "random", "utils"),
    *("cpu", "e", "euler_gamma", "inf", "nan", "newaxis", "pi", "__version__"),
}

__all__ = sorted({name for name in vars(_core) if not name.startswith("_")} - _PLUMBING | _PYTHON)
