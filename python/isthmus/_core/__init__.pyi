# Generated from the built extension by tools/generate.py; `just docs` makes it anew.
"""
The compiled core of isthmus. Its public face is the package `isthmus`.
"""

import types
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, SupportsFloat, SupportsIndex, SupportsInt, TypeAlias

import numpy as np
from typing_extensions import Buffer, Self

__all__: list[str] = [
    "ArgumentError",
    "ArgumentTypeError",
    "BackendError",
    "DTypeError",
    "Device",
    "DeviceError",
    "Dtype",
    "FileError",
    "FormatError",
    "IsthmusError",
    "NoGrad",
    "OutOfBoundsError",
    "OutOfMemoryError",
    "ShapeError",
    "StateError",
    "Tensor",
    "TraceScope",
    "abi_version",
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "addmm",
    "all",
    "allclose",
    "allow_fallback",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "array",
    "array_equal",
    "asarray",
    "asin",
    "asinh",
    "astype",
    "async_eval",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "backends",
    "bfloat16",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bool_",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "c_abi_version",
    "ceil",
    "clear_cache",
    "clip",
    "complex64",
    "concat",
    "concatenate",
    "conj",
    "conjugate",
    "contiguous",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_general",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve",
    "cos",
    "cosh",
    "count_nonzero",
    "cpu_isa_levels",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "default_device",
    "degrees",
    "dequantize",
    "device",
    "devices",
    "diag",
    "diagonal",
    "divide",
    "divmod",
    "empty",
    "empty_like",
    "equal",
    "erf",
    "erfinv",
    "eval",
    "exp",
    "expand_dims",
    "expm1",
    "eye",
    "fallback_allowed",
    "flatten",
    "flip",
    "float16",
    "float32",
    "float64",
    "floor",
    "floor_divide",
    "from_dlpack",
    "full",
    "full_like",
    "gather",
    "get_active_memory",
    "get_cache_limit",
    "get_cache_memory",
    "get_memory_limit",
    "get_peak_memory",
    "grad_enabled",
    "greater",
    "greater_equal",
    "identity",
    "imag",
    "inner",
    "int16",
    "int32",
    "int64",
    "int8",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "left_shift",
    "less",
    "less_equal",
    "linspace",
    "load_backend",
    "load_safetensors",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "meshgrid",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "nan_to_num",
    "negative",
    "not_equal",
    "num_threads",
    "ones",
    "ones_like",
    "op_table",
    "outer",
    "pad",
    "partition",
    "permute_dims",
    "positive",
    "pow",
    "power",
    "prod",
    "pullback",
    "put_along_axis",
    "quantize",
    "quantized_matmul",
    "radians",
    "real",
    "reciprocal",
    "refused_backends",
    "remainder",
    "repeat",
    "reset_peak_memory",
    "reshape",
    "result_type",
    "right_shift",
    "rint",
    "roll",
    "round",
    "rsqrt",
    "set_cache_limit",
    "set_default_device",
    "set_memory_limit",
    "set_num_threads",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "to_device",
    "topk",
    "trace_argument",
    "trace_depth",
    "transpose",
    "tri",
    "tril",
    "triu",
    "trunc",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "unflatten",
    "unstack",
    "var",
    "vecdot",
    "where",
    "zeros",
    "zeros_like",
]

class IsthmusError(Exception):
    """
    Base of the errors that isthmus raises. `op` is the public function, `code` the kind of error as a word, `message` the text without the function's name.
    """

    op: str
    code: str
    message: str

class ArgumentTypeError(IsthmusError, TypeError, ValueError):
    """
    An argument of a type that the function does not take.
    """

class ArgumentError(IsthmusError, ValueError):
    """
    An argument without a meaning.
    """

class ShapeError(IsthmusError, ValueError):
    """
    Shapes that do not fit.
    """

class DTypeError(IsthmusError, ValueError):
    """
    A dtype that the op does not take.
    """

class OutOfBoundsError(IsthmusError, IndexError):
    """
    An axis or an index that is out of bounds.
    """

class DeviceError(IsthmusError, ValueError):
    """
    An unknown device, or tensors of several devices.
    """

class OutOfMemoryError(IsthmusError, MemoryError):
    """
    No room for an allocation.
    """

class FileError(IsthmusError, RuntimeError):
    """
    A file that cannot be opened, read or written.
    """

class FormatError(IsthmusError, RuntimeError):
    """
    A file with malformed content.
    """

class BackendError(IsthmusError, RuntimeError):
    """
    A backend refused or failed.
    """

class StateError(IsthmusError, RuntimeError):
    """
    A call that is not possible now.
    """

class Dtype:
    """
    The type of a tensor's elements, such as `isthmus.float32`.
    """

    def __copy__(self) -> Dtype: ...
    def __deepcopy__(self, arg0: Any) -> Dtype: ...
    def __eq__(self, arg0: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __repr__(self) -> str: ...
    @property
    def kind(self) -> str:
        """
        'bool', 'unsigned', 'signed', 'float' or 'complex'.
        """

    @property
    def name(self) -> str:
        """
        Its name, such as 'float32'.
        """

    @property
    def size(self) -> int:
        """
        Bytes per element.
        """

class Device:
    """
    A device, by name: 'cpu', 'reference', 'null', or that of a loaded backend.
    """

    def __eq__(self, arg0: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __init__(self, type: _DeviceLike, index: SupportsInt | SupportsIndex = 0) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __repr__(self) -> str: ...
    def __str__(self) -> str: ...
    @property
    def name(self) -> str:
        """
        The name that users write.
        """

class _DeviceContext:
    """
    A `with` block in which new tensors are made on another device.
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

class Tensor:
    """
    An n-dimensional array of one dtype, with a lazy value.

    `value` is a number, a nested list or tuple, a tensor, or an array of another library (buffer protocol or DLPack; copied).
    Without `dtype`: bool, int32 (int64 where the values need it), float32 or complex64 for Python's numbers;
    the source's dtype for arrays, except that float64 becomes float32. Ragged lists raise ValueError.
    """

    def __new__(
        cls, val: _Nested, dtype: Dtype | None = None, *, device: _DeviceLike | None = None, requires_grad: bool = False
    ) -> Self: ...
    def __abs__(self) -> Tensor: ...
    def __add__(self, value: _TensorLike, /) -> Tensor: ...
    def __and__(self, value: _TensorLike, /) -> Tensor: ...
    def __array__(self, dtype: Dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """
        A read-only NumPy array over the same memory, or a converted copy.
        """

    def __array_namespace__(self, *, api_version: Any = None) -> types.ModuleType:
        """
        The module isthmus.
        """

    def __bool__(self) -> bool: ...
    def __bytes__(self) -> bytes:
        """
        The elements' bytes in row-major order.
        """

    def __complex__(self) -> complex: ...
    def __contains__(self, value: object, /) -> bool: ...
    def __copy__(self) -> Tensor: ...
    def __deepcopy__(self, memo: Any) -> Tensor: ...
    def __divmod__(self, value: _TensorLike, /) -> tuple[Tensor, Tensor]: ...
    def __dlpack__(
        self,
        *,
        stream: _DeviceLike | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: _DeviceLike | None = None,
        copy: bool | None = None,
    ) -> Any:
        """
        A DLPack capsule over the tensor's memory, marked read-only where the consumer knows versions.
        """

    def __dlpack_device__(self) -> tuple[int, int]:
        """
        The DLPack device: (1, 0), memory of the host.
        """

    def __eq__(self, value: object, /) -> Tensor:  # type: ignore[override]
        ...
    def __float__(self) -> float: ...
    def __floordiv__(self, value: _TensorLike, /) -> Tensor: ...
    def __format__(self, spec: str) -> str: ...
    def __ge__(self, value: _TensorLike, /) -> Tensor: ...
    def __getitem__(self, key: _Key, /) -> Tensor: ...
    def __gt__(self, value: _TensorLike, /) -> Tensor: ...
    def __hash__(self) -> int: ...
    def __iadd__(self, value: _TensorLike, /) -> Self: ...
    def __iand__(self, value: _TensorLike, /) -> Self: ...
    def __ifloordiv__(self, value: _TensorLike, /) -> Self: ...
    def __ilshift__(self, value: _TensorLike, /) -> Self: ...
    def __imatmul__(self, value: _TensorLike, /) -> Self: ...
    def __imod__(self, value: _TensorLike, /) -> Self: ...
    def __imul__(self, value: _TensorLike, /) -> Self: ...
    def __index__(self) -> int: ...
    def __int__(self) -> int: ...
    def __invert__(self) -> Tensor: ...
    def __ior__(self, value: _TensorLike, /) -> Self: ...
    def __ipow__(self, value: _TensorLike, /) -> Self: ...
    def __irshift__(self, value: _TensorLike, /) -> Self: ...
    def __isub__(self, value: _TensorLike, /) -> Self: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __itruediv__(self, value: _TensorLike, /) -> Self: ...
    def __ixor__(self, value: _TensorLike, /) -> Self: ...
    def __le__(self, value: _TensorLike, /) -> Tensor: ...
    def __len__(self) -> int: ...
    def __lshift__(self, value: _TensorLike, /) -> Tensor: ...
    def __lt__(self, value: _TensorLike, /) -> Tensor: ...
    def __matmul__(self, value: _TensorLike, /) -> Tensor: ...
    def __mod__(self, value: _TensorLike, /) -> Tensor: ...
    def __mul__(self, value: _TensorLike, /) -> Tensor: ...
    def __ne__(self, value: object, /) -> Tensor:  # type: ignore[override]
        ...
    def __neg__(self) -> Tensor: ...
    def __or__(self, value: _TensorLike, /) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __pow__(self, value: _TensorLike, /) -> Tensor: ...
    def __radd__(self, value: _TensorLike, /) -> Tensor: ...
    def __rand__(self, value: _TensorLike, /) -> Tensor: ...
    def __rdivmod__(self, value: _TensorLike, /) -> tuple[Tensor, Tensor]: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __repr__(self) -> str: ...
    def __rfloordiv__(self, value: _TensorLike, /) -> Tensor: ...
    def __rlshift__(self, value: _TensorLike, /) -> Tensor: ...
    def __rmatmul__(self, value: _TensorLike, /) -> Tensor: ...
    def __rmod__(self, value: _TensorLike, /) -> Tensor: ...
    def __rmul__(self, value: _TensorLike, /) -> Tensor: ...
    def __ror__(self, value: _TensorLike, /) -> Tensor: ...
    def __rpow__(self, value: _TensorLike, /) -> Tensor: ...
    def __rrshift__(self, value: _TensorLike, /) -> Tensor: ...
    def __rshift__(self, value: _TensorLike, /) -> Tensor: ...
    def __rsub__(self, value: _TensorLike, /) -> Tensor: ...
    def __rtruediv__(self, value: _TensorLike, /) -> Tensor: ...
    def __rxor__(self, value: _TensorLike, /) -> Tensor: ...
    def __setitem__(self, key: _Key, value: _TensorLike, /) -> None: ...
    def __sub__(self, value: _TensorLike, /) -> Tensor: ...
    def __truediv__(self, value: _TensorLike, /) -> Tensor: ...
    def __xor__(self, value: _TensorLike, /) -> Tensor: ...
    def abs(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Absolute value; the modulus of complex numbers.
        """

    def all(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        True where every element is nonzero.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def any(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        True where some element is nonzero.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def argmax(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Index of the first largest element.
        """

    def argmin(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Index of the first smallest element.
        """

    def astype(self, dtype: Dtype, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
        """
        The elements converted to `dtype`.
        """

    def backward(self, cotangent: Tensor | None = None) -> None:
        """
        Adds the derivative of this tensor to the `.grad` of every tensor with requires_grad that it was computed from. A tensor with more than one element needs a `cotangent` of its shape.
        """

    def conj(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Complex conjugate.
        """

    def cos(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Cosine; radians.
        """

    def cummax(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Largest of the elements up to each one along an axis.
        """

    def cummin(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Smallest of the elements up to each one along an axis.
        """

    def cumprod(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Products of the elements up to each one along an axis.
        """

    def cumsum(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Sums of the elements up to each one along an axis.
        """

    def detach(self) -> Tensor:
        """
        The same values, not recorded for backward().
        """

    def exp(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        e to the power a.
        """

    def flatten(
        self,
        start_axis: int = 0,
        end_axis: int = -1,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        The axes from start_axis to end_axis, inclusive, merged into one.
        """

    def item(self) -> _Number:
        """
        The only element, as a Python number.
        """

    def log(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Natural logarithm.
        """

    def log10(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Logarithm to base 10.
        """

    def log1p(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        log(1 + a), exact near 0.
        """

    def log2(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Logarithm to base 2.
        """

    def logcumsumexp(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        reverse: bool = False,
        inclusive: bool = True,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        logsumexp of the elements up to each one along an axis.
        """

    def logsumexp(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        log of the sum of exp over axes, without overflow.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def max(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Largest element over axes; NaN if there is one.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def mean(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Arithmetic mean over axes.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def min(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Smallest element over axes; NaN if there is one.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def moveaxis(
        self,
        source: _Shape,
        destination: _Shape,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        One axis moved (source, destination).
        """

    def prod(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Product over axes.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def reciprocal(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        1 / a.
        """

    def reshape(self, *args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        The same elements in another shape, given as one sequence or as ints; one extent may be -1.
        """

    def round(
        self, decimals: int = 0, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
    ) -> Tensor:
        """
        Rounded to `decimals` places, ties to even.
        """

    def rsqrt(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        1 / sqrt(a).
        """

    def sin(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Sine; radians.
        """

    def split(
        self,
        indices_or_sections: Any,
        axis: int = 0,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> list[Tensor]:
        """
        A list of parts along `axis`.
        """

    def sqrt(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Square root.
        """

    def square(self, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        a * a.
        """

    def squeeze(
        self,
        axis: int | Sequence[int] | None = None,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Axes of extent 1 dropped; all of them without `axis`.
        """

    def std(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        ddof: int = 0,
        *,
        correction: float | None = None,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Standard deviation over axes.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def sum(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        *,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Sum over axes.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    def swapaxes(
        self, axis1: int, axis2: int, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
    ) -> Tensor:
        """
        Two axes exchanged.
        """

    def to_device(self, device: _DeviceLike) -> Tensor:
        """
        The same values on another device.
        """

    def tolist(self) -> Any:
        """
        The elements as nested lists of Python numbers; a number for a 0-dimensional tensor.
        """

    def transpose(self, *args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
        """
        Axes permuted, given as one sequence or as ints; reversed without any.
        """

    def var(
        self,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        ddof: int = 0,
        *,
        correction: float | None = None,
        stream: _DeviceLike | None = None,
        device: _DeviceLike | None = None,
    ) -> Tensor:
        """
        Variance over axes; the divisor is N - ddof.

        `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
        Reduced axes are dropped, or kept with extent 1 with keepdims=True.
        """

    @property
    def T(self) -> Tensor: ...
    @property
    def at(self) -> _At: ...
    @property
    def device(self) -> Device: ...
    @property
    def dtype(self) -> Dtype: ...
    @property
    def grad(self) -> Tensor | None: ...
    @grad.setter
    def grad(self, value: Tensor | None, /) -> None: ...
    @property
    def imag(self) -> Tensor: ...
    @property
    def is_leaf(self) -> bool: ...
    @property
    def itemsize(self) -> int: ...
    @property
    def mT(self) -> Tensor: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def ndim(self) -> int: ...
    @property
    def real(self) -> Tensor: ...
    @property
    def requires_grad(self) -> bool: ...
    @requires_grad.setter
    def requires_grad(self, value: bool, /) -> None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def size(self) -> int: ...

class _AtKey:
    """
    Updates of a copy of a tensor at given indices.
    """

    def add(self, value: _TensorLike) -> Tensor:
        """
        A copy with `value` added; places that occur several times add up.
        """

    def divide(self, value: _TensorLike) -> Tensor:
        """
        A copy divided by `value` at ints and slices.
        """

    def maximum(self, value: _TensorLike) -> Tensor:
        """
        A copy with the larger of element and `value` at ints and slices.
        """

    def minimum(self, value: _TensorLike) -> Tensor:
        """
        A copy with the smaller of element and `value` at ints and slices.
        """

    def multiply(self, value: _TensorLike) -> Tensor:
        """
        A copy multiplied by `value` at ints and slices.
        """

    def subtract(self, value: _TensorLike) -> Tensor:
        """
        A copy with `value` subtracted; places that occur several times add up.
        """

class _At:
    """
    Tensor.at: indexing it gives the place that an update applies to.
    """

    def __getitem__(self, arg0: _Key) -> _AtKey: ...

class NoGrad:
    """
    A `with` block in which nothing is recorded for backward().
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __init__(self) -> None: ...

class TraceScope:
    """
    A `with` block around one functional transform.
    """

    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def __init__(self) -> None: ...

def _dtype(name: str) -> Dtype:
    """
    The Dtype of a name.
    """

def _rebuild(arg0: bytes, arg1: str, arg2: Any, arg3: bool) -> Tensor:
    """
    Unpickles a tensor.
    """

def abs(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Absolute value; the modulus of complex numbers.

    `a` is a tensor or a number. The result has its shape; its dtype, float32 for complex64.
    """

def absolute(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Absolute value; the modulus of complex numbers.

    `a` is a tensor or a number. The result has its shape; its dtype, float32 for complex64.
    """

def acos(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse cosine, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def acosh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic cosine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def add(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a + b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def addmm(
    c: _TensorLike,
    a: _TensorLike,
    b: _TensorLike,
    alpha: SupportsFloat | SupportsIndex = 1.0,
    beta: SupportsFloat | SupportsIndex = 1.0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    beta * c + alpha * (a @ b).
    """

def all(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    True where every element is nonzero.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def allclose(
    a: _TensorLike,
    b: _TensorLike,
    rtol: SupportsFloat | SupportsIndex = 1e-05,
    atol: SupportsFloat | SupportsIndex = 1e-08,
    *,
    equal_nan: bool = False,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    True (a bool tensor) if all elements are close; see isclose.
    """

def allow_fallback(allowed: bool) -> None:
    """
    Lets ops run on "cpu" that their device does not support, or not (the default).
    """

def any(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    True where some element is nonzero.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def arange(
    start: float | None = None,
    stop: float | None = None,
    step: float | None = None,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    arange(stop) or arange(start, stop, step): numbers from start (0) up to stop, exclusive. int32 for ints (int64 where they need it), float32 otherwise.
    """

def arccos(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse cosine, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def arccosh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic cosine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def arcsin(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse sine, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def arcsinh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic sine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def arctan(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse tangent, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def arctan2(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    Angle of the point (b, a), in radians.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, float32 for integers and bool; complex64 is refused. Shapes that do not broadcast raise ShapeError.
    """

def arctanh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic tangent.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def argmax(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Index (uint32) of the first largest element along `axis`, or of the flat tensor.
    """

def argmin(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Index (uint32) of the first smallest element along `axis`, or of the flat tensor.
    """

def argpartition(
    a: _TensorLike, /, kth: Any, axis: int = -1, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The uint32 indices that `partition` `a`. ValueError when kth is out of bounds.
    """

def argsort(
    a: _TensorLike, /, axis: int = -1, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The uint32 indices that sort `a` along `axis`, or the flat tensor if axis is None. Equal elements keep their order.
    """

def array_equal(
    a: _TensorLike,
    b: _TensorLike,
    equal_nan: bool = False,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    True (a bool tensor) if shapes and all elements are equal.
    """

def asarray(a: _TensorLike, dtype: Dtype | None = None, *, copy: bool | None = None) -> Tensor:
    """
    A tensor of numbers, nested lists, tensors or foreign arrays; what is a tensor already is not copied.
    """

def asin(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse sine, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def asinh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic sine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def astype(
    a: _TensorLike, dtype: Dtype, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    The elements converted to `dtype`.
    """

def async_eval(*args: Any) -> None:
    """
    As eval: evaluation runs on the calling thread and its pool.
    """

def atan(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse tangent, in radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def atan2(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    Angle of the point (b, a), in radians.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, float32 for integers and bool; complex64 is refused. Shapes that do not broadcast raise ShapeError.
    """

def atanh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse hyperbolic tangent.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def atleast_1d(*args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Any:
    """
    The arguments with axes of extent 1 added up to this rank; a list if there are several.
    """

def atleast_2d(*args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Any:
    """
    The arguments with axes of extent 1 added up to this rank; a list if there are several.
    """

def atleast_3d(*args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Any:
    """
    The arguments with axes of extent 1 added up to this rank; a list if there are several.
    """

def backends() -> list[dict[str, Any]]:
    """
    The loaded backends: dicts of name, version, description, path, abi.
    """

def bitwise_and(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a & b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def bitwise_invert(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Every bit inverted; logical not of a bool.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, which must be an integer or bool.
    """

def bitwise_left_shift(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a << b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def bitwise_or(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a | b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def bitwise_right_shift(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a >> b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def bitwise_xor(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a ^ b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def broadcast_arrays(*args: Any, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> list[Tensor]:
    """
    The arguments broadcast to their common shape, a list.
    """

def broadcast_shapes(*args: Any) -> tuple[int, ...]:
    """
    The shape to which tensors of the given shapes broadcast.
    """

def broadcast_to(
    a: _TensorLike, shape: _Shape, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    Extents of 1 (and new leading axes) repeated.
    """

def ceil(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Smallest integer not below a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype; complex64 is refused.
    """

def clear_cache() -> None:
    """
    Gives the memory kept for reuse back to the system.
    """

def clip(
    a: _TensorLike,
    a_min: _TensorLike | None,
    a_max: _TensorLike | None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    `a` kept between two limits, either of which may be None; they broadcast and promote with `a`.
    """

def concat(
    arrays: Sequence[_TensorLike],
    axis: int = 0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Tensors joined along `axis`; flattened first if it is None. Other extents must agree; dtypes promote.
    """

def concatenate(
    arrays: Sequence[_TensorLike],
    axis: int = 0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Tensors joined along `axis`; flattened first if it is None. Other extents must agree; dtypes promote.
    """

def conj(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Complex conjugate.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def conjugate(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Complex conjugate.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def contiguous(
    a: _TensorLike,
    allow_col_major: Any = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    A row-major copy of the elements; also when a column-major one would be allowed.
    """

def conv1d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Convolution of `input` (N, L, C_in) with `weight` (C_out, K, C_in / groups): (N, L', C_out). The kernel is
    not flipped. Floating point, in the promoted dtype; ValueError when shapes do not fit.
    """

def conv2d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Convolution of `input` (N, H, W, C_in) with `weight` (C_out, KH, KW, C_in / groups): (N, H', W', C_out).
    stride, padding and dilation are an int or one for each axis. The kernel is not flipped. Floating point,
    in the promoted dtype; ValueError when shapes do not fit.
    """

def conv3d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Convolution of `input` (N, D, H, W, C_in) with `weight` (C_out, KD, KH, KW, C_in / groups): (N, D', H', W',
    C_out). stride, padding and dilation are an int or one for each axis. The kernel is not flipped.
    Floating point, in the promoted dtype; ValueError when shapes do not fit.
    """

def conv_general(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    kernel_dilation: Any = 1,
    input_dilation: Any = 1,
    groups: Any = 1,
    flip: Any = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Convolution of `input` (N, spatial..., C_in), 1 to 3 spatial axes, with `weight` (C_out, kernel..., C_in / groups).
    stride, kernel_dilation and input_dilation are an int or one for each axis; padding also a pair of lists, before
    and after, where negative numbers crop. `flip` reads the kernel backwards. Floating point, in the promoted
    dtype; ValueError when shapes do not fit.
    """

def conv_transpose1d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    output_padding: Any = 0,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Transposed convolution of `input` (N, L, C_in) with `weight` (C_out, K, C_in / groups). The result has
    (L - 1) * stride - 2 * padding + dilation * (K - 1) + 1 + output_padding positions.
    """

def conv_transpose2d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    output_padding: Any = 0,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Transposed convolution of `input` (N, H, W, C_in) with `weight` (C_out, KH, KW, C_in / groups). Each
    spatial axis of the result has (H - 1) * stride - 2 * padding + dilation * (KH - 1) + 1 +
    output_padding positions.
    """

def conv_transpose3d(
    input: Any,
    weight: Any,
    /,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    output_padding: Any = 0,
    groups: Any = 1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Transposed convolution of `input` (N, D, H, W, C_in) with `weight` (C_out, KD, KH, KW, C_in / groups).
    Each spatial axis of the result has (D - 1) * stride - 2 * padding + dilation * (KD - 1) + 1 +
    output_padding positions.
    """

def convolve(
    a: _TensorLike,
    v: Any,
    /,
    mode: Any = "full",
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Discrete convolution of two vectors: mode 'full' has len(a) + len(v) - 1 elements, 'same' those in the middle, as
    many as the longer vector has, 'valid' those where the vectors overlap entirely. ValueError when one is empty.
    """

def cos(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Cosine; radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def cosh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Hyperbolic cosine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def count_nonzero(
    a: _TensorLike,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    How many elements are not zero (int32), over all axes or `axis`.
    """

def cpu_isa_levels() -> list[str]:
    """
    The ISA levels that this machine runs, slowest first; ISTHMUS_CPU_ISA names one that the cpu backend shall use.
    """

def cummax(
    a: _TensorLike,
    /,
    axis: int | Sequence[int] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The largest of the elements up to each one; NaN from the first NaN on.

    `axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is flattened.
    `reverse` goes from the end to the start. With inclusive=False an element is left out of its own result, and the first
    result is that of no elements.
    The result has the operand's dtype.
    """

def cummin(
    a: _TensorLike,
    /,
    axis: int | Sequence[int] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The smallest of the elements up to each one; NaN from the first NaN on.

    `axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is flattened.
    `reverse` goes from the end to the start. With inclusive=False an element is left out of its own result, and the first
    result is that of no elements.
    The result has the operand's dtype.
    """

def cumprod(
    a: _TensorLike,
    /,
    axis: int | Sequence[int] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Products of the elements up to each one.

    `axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is flattened.
    `reverse` goes from the end to the start. With inclusive=False an element is left out of its own result, and the first
    result is that of no elements.
    The result has the operand's dtype; `dtype` converts the operand first.
    """

def cumsum(
    a: _TensorLike,
    /,
    axis: int | Sequence[int] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Sums of the elements up to each one.

    `axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is flattened.
    `reverse` goes from the end to the start. With inclusive=False an element is left out of its own result, and the first
    result is that of no elements.
    The result has the operand's dtype (of bool: int32); `dtype` converts the operand first.
    """

def default_device() -> Device:
    """
    The Device on which new tensors are made now, on this thread.
    """

def degrees(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Radians to degrees.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def dequantize(
    w: Any,
    /,
    scales: Any,
    biases: Any = None,
    group_size: Any = None,
    bits: Any = None,
    mode: Any = "affine",
    global_scale: Any = None,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The matrix that `quantize` packed: scale * code + bias in the dtype of the scales, then as `dtype` if given.
    """

def device(device: _DeviceLike) -> _DeviceContext:
    """
    with isthmus.device("reference"): new tensors of this thread are made there. Takes a name or a Device.
    """

def devices() -> list[Device]:
    """
    All devices, in the order in which their backends were loaded.
    """

def diag(a: _TensorLike, k: int = 0, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    Diagonal k of a matrix; of a vector, the matrix with that diagonal.
    """

def diagonal(
    a: _TensorLike,
    offset: Any = 0,
    axis1: int = 0,
    axis2: int = 1,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The diagonals of the matrices that axis1 and axis2 span, along a new last axis.
    """

def divide(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a / b, in floating point.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, float32 for integers and bool. Shapes that do not broadcast raise ShapeError.
    """

def divmod(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> list[Tensor]:
    """
    [a // b, a % b], of the broadcast shape.
    """

def empty(
    shape: _Shape, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of zeros, float32 by default.
    """

def empty_like(
    a: _TensorLike, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of the shape (and, by default, dtype) of `a`, filled as the name says.
    """

def equal(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a == b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def erf(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Error function.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool; complex64 is refused.
    """

def erfinv(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Inverse of the error function.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool; complex64 is refused.
    """

def eval(*args: Any) -> None:
    """
    Computes the tensors among the arguments, which may be trees of lists, tuples and dicts; other leaves are ignored. Other threads run meanwhile.
    """

def exp(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    e to the power a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def expand_dims(
    a: _TensorLike, axis: int | Sequence[int], *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    New axes of extent 1 at the given places.
    """

def expm1(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    exp(a) - 1, exact near 0.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool; complex64 is refused.
    """

def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    An n by m matrix with ones on diagonal k, zeros elsewhere.
    """

def fallback_allowed() -> bool:
    """
    May ops run on "cpu" that their device does not support?
    """

def flatten(
    a: _TensorLike,
    start_axis: int = 0,
    end_axis: int = -1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The axes from start_axis to end_axis, inclusive, merged into one.
    """

def flip(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The elements in reverse order along `axis`: an int, a sequence of ints, or None for all axes.
    """

def floor(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Largest integer not above a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype; complex64 is refused.
    """

def floor_divide(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    The integer below a / b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def from_dlpack(x: _TensorLike, dtype: Dtype | None = None, *, copy: bool | None = None) -> Tensor:
    """
    A tensor over the memory of another library's array, shared where dtype and alignment allow. float64 becomes float32 unless dtype=isthmus.float64 is given. Do not write to the source while the tensor is in use.
    """

def full(
    shape: _Shape,
    vals: _TensorLike,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    A tensor filled with a number, or with a tensor that broadcasts to `shape`; its dtype by default.
    """

def full_like(
    a: _TensorLike,
    vals: _TensorLike,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    A tensor of the shape (and, by default, dtype) of `a`, filled with `vals`.
    """

def gather(
    a: _TensorLike,
    indices: Sequence[_TensorLike],
    axes: _Shape,
    slice_sizes: Any,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Slices of `a`: indices[i], integer tensors that broadcast to one shape I, address axes[i]; slice_sizes has an extent for every axis of `a`. The result's shape is I + slice_sizes. An index out of bounds raises IndexError.
    """

def get_active_memory() -> int:
    """
    Bytes in live buffers.
    """

def get_cache_limit() -> int:
    """
    Bytes that the cache keeps at most.
    """

def get_cache_memory() -> int:
    """
    Bytes kept for reuse.
    """

def get_memory_limit() -> int:
    """
    Bytes beyond which allocations fail.
    """

def get_peak_memory() -> int:
    """
    Most bytes in live buffers since the last reset.
    """

def grad_enabled() -> bool:
    """
    False inside of NoGrad.
    """

def greater(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a > b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def greater_equal(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a >= b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def identity(
    n: int, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The n by n identity matrix.
    """

def imag(a: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    The imaginary part; zeros for real dtypes.
    """

def inner(
    a: _TensorLike, b: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The products summed over the last axes of a and b.
    """

def isclose(
    a: _TensorLike,
    b: _TensorLike,
    rtol: SupportsFloat | SupportsIndex = 1e-05,
    atol: SupportsFloat | SupportsIndex = 1e-08,
    *,
    equal_nan: bool = False,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    True where abs(a - b) <= atol + rtol * abs(b), or both are the same infinity.
    """

def isfinite(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is neither infinite nor NaN.

    `a` is a tensor or a number. The result has its shape; dtype bool.
    """

def isinf(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is infinite.

    `a` is a tensor or a number. The result has its shape; dtype bool.
    """

def isnan(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is not a number.

    `a` is a tensor or a number. The result has its shape; dtype bool.
    """

def isneginf(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is negative infinity.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def isposinf(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is positive infinity.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def left_shift(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a << b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def less(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a < b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def less_equal(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a <= b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def linspace(
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    dtype: Dtype | None = None,
    stream: _DeviceLike | None = None,
    *,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    `num` numbers evenly spaced from start to stop, inclusive with `endpoint`.
    """

def load_backend(path: str) -> Device:
    """
    Loads a backend from a shared library; returns its Device. Raises BackendError if it does not fit.
    """

def load_safetensors(path: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """
    The tensors of a safetensors file and its metadata, two dicts in the file's order.
    """

def log(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Natural logarithm.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def log10(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Logarithm to base 10.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def log1p(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    log(1 + a), exact near 0.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def log2(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Logarithm to base 2.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def logaddexp(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    log(exp(a) + exp(b)), without overflow.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, float32 for integers and bool. Shapes that do not broadcast raise ShapeError.
    """

def logcumsumexp(
    a: _TensorLike,
    /,
    axis: int | Sequence[int] | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    log of the sum of exp of the elements up to each one, without overflow.

    `axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is flattened.
    `reverse` goes from the end to the start. With inclusive=False an element is left out of its own result, and the first
    result is that of no elements.
    The result has the operand's dtype (of integers and bool: float32).
    """

def logical_and(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    True where both are nonzero.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def logical_not(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    True where a is zero.

    `a` is a tensor or a number. The result has its shape; dtype bool.
    """

def logical_or(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    True where either is nonzero.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def logical_xor(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    True where exactly one is nonzero.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def logsumexp(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    log of the sum of exp over axes, without overflow.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def matmul(
    a: _TensorLike, b: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The matrix product over the last two axes, leading axes broadcast; vectors get an axis of 1 that is dropped again. Inner extents that differ raise ShapeError, integer dtypes DTypeError.
    """

def matrix_transpose(a: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    The last two axes exchanged.
    """

def max(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Largest element over axes; NaN if there is one.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def maximum(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    The larger one; NaN if either is NaN.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def mean(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Arithmetic mean over axes.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def meshgrid(
    *args: Any,
    sparse: bool = False,
    indexing: str = "xy",
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> list[Tensor]:
    """
    Coordinate grids from vectors, for indexing 'xy' or 'ij'.
    """

def min(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Smallest element over axes; NaN if there is one.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def minimum(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    The smaller one; NaN if either is NaN.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def moveaxis(
    a: _TensorLike,
    source: _Shape,
    destination: _Shape,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    One axis moved to another place.
    """

def multiply(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a * b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def nan_to_num(
    a: _TensorLike,
    nan: Any = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    NaN replaced by `nan`, infinities by `posinf` and `neginf` (by default the dtype's largest numbers).
    """

def negative(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    -a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def not_equal(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a != b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; dtype bool. Shapes that do not broadcast raise ShapeError.
    """

def num_threads() -> int:
    """
    How many threads CPU backends use.
    """

def ones(
    shape: _Shape, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of ones, float32 by default.
    """

def ones_like(
    a: _TensorLike, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of the shape (and, by default, dtype) of `a`, filled as the name says.
    """

def op_table() -> list[dict[str, Any]]:
    """
    The rows of the op table, dicts.
    """

def outer(
    a: _TensorLike, b: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The products of all pairs of elements of the flat a and b.
    """

def pad(
    a: _TensorLike,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: _TensorLike = 0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Borders added on each axis. pad_width: an int, (low, high), or a (low, high) for each axis; mode: constant, edge, reflect or symmetric.
    """

def partition(
    a: _TensorLike, /, kth: Any, axis: int = -1, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The elements of `a` along `axis` (None: the flat tensor) in an order in which element `kth` is where sorting
    puts it: first those that are smaller, then those equal to it, then those that are larger; each of the
    three groups keeps its order. ValueError when kth is out of bounds.
    """

def permute_dims(
    a: _TensorLike, axes: _Shape | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    Axes permuted; reversed without `axes`.
    """

def positive(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    a.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def pow(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a to the power b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def power(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a to the power b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def prod(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Product over axes.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def pullback(outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor]) -> list[Tensor]:
    """
    The cotangents of `inputs`, given those of `outputs`; zeros where the outputs do not depend on an input.
    """

def put_along_axis(
    a: _TensorLike,
    indices: _TensorLike,
    values: _TensorLike,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    A copy of `a` with `values` written at `indices` along `axis`, or into the flat tensor.
    """

def quantize(
    w: Any,
    /,
    group_size: Any = None,
    bits: Any = None,
    mode: Any = "affine",
    *,
    global_scale: Any = None,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Any:
    """
    Quantizes the rows of `w` (floating point, 2 or more dimensions) in groups of `group_size` elements (32, 64 or
    128; default 64) to codes of `bits` bits (1 to 6 or 8; default 4). Returns (words, scales, biases): uint32 words
    of packed codes, and for each group the scale and bias in w's dtype, w = scale * code + bias.
    ValueError when the last extent is no multiple of group_size.
    """

def quantized_matmul(
    x: _TensorLike,
    w: Any,
    /,
    scales: Any,
    biases: Any = None,
    transpose: Any = True,
    group_size: Any = None,
    bits: Any = None,
    mode: Any = "affine",
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    x @ w.T for the matrix that `quantize` packed into (w, scales, biases), or x @ w with transpose=False. `x` has
    shape (..., depth); sums are in float32, the result has the promoted dtype of x, scales and biases.
    """

def radians(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Degrees to radians.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def real(a: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    The real part.
    """

def reciprocal(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    1 / a.

    `a` is a tensor or a number. The result has its shape; its dtype.
    """

def refused_backends() -> list[dict[str, Any]]:
    """
    (path, reason) for each library that ISTHMUS_BACKENDS named and that was not taken.
    """

def remainder(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a - b * floor(a / b): the sign of b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype; complex64 is refused. Shapes that do not broadcast raise ShapeError.
    """

def repeat(
    array: _TensorLike,
    repeats: int,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Each element repeated along `axis`, or of the flat tensor.
    """

def reset_peak_memory() -> None:
    """
    Starts the peak figure anew.
    """

def reshape(
    a: _TensorLike, shape: _Shape, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The same elements in another shape; one extent may be -1.
    """

def result_type(*args: Any) -> Dtype:
    """
    The dtype to which the given tensors and dtypes promote.
    """

def right_shift(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a >> b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype, which must be an integer or bool. Shapes that do not broadcast raise ShapeError.
    """

def rint(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Nearest integer, ties to even.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def roll(
    a: _TensorLike,
    shift: Any,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The elements moved along `axis` by `shift` places, those beyond the end to the beginning; of the flat tensor without `axis`. Several axes take one shift, or one each.
    """

def round(
    a: _TensorLike, decimals: int = 0, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    Rounded to `decimals` places, ties to even. Integers are returned as they are when decimals >= 0.
    """

def rsqrt(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    1 / sqrt(a).

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def save_safetensors(path: str, arrays: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """
    Writes tensors, by name, and metadata to a safetensors file.
    """

def set_cache_limit(limit: int) -> int:
    """
    Sets the bytes that the cache keeps at most; returns the previous limit.
    """

def set_default_device(device: _DeviceLike) -> None:
    """
    Sets the device on which all threads make new tensors, outside of `device` blocks.
    """

def set_memory_limit(limit: int) -> int:
    """
    Sets the bytes beyond which allocations raise MemoryError; returns the previous limit.
    """

def set_num_threads(n: int) -> None:
    """
    Sets how many threads CPU backends may use; results do not depend on it.
    """

def sigmoid(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    1 / (1 + exp(-a)).

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool; complex64 is refused.
    """

def sign(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    -1, 0 or 1; z / |z| for complex numbers.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def sin(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Sine; radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def sinh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Hyperbolic sine.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def softmax(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    *,
    precise: bool = False,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    exp(a) normalised to sum 1 over `axis` (all axes by default). Half types are always computed in float32, so `precise` changes nothing.
    """

def sort(
    a: _TensorLike, /, axis: int = -1, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The elements of `a` in ascending order along `axis`, or of the flat tensor if axis is None. NaN comes last, -0.0
    before 0.0; complex numbers go by real part, then imaginary part. An axis out of bounds raises IndexError.
    """

def split(
    a: _TensorLike,
    indices_or_sections: Any,
    axis: int = 0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> list[Tensor]:
    """
    A list of parts: a number of equal sections, or cut before each of the given indices.
    """

def sqrt(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Square root.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def square(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    a * a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype.
    """

def squeeze(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Axes of extent 1 dropped; all of them without `axis`. Another extent raises ValueError.
    """

def stack(
    arrays: Sequence[_TensorLike],
    axis: int = 0,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Tensors of one shape joined along a new axis.
    """

def std(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    correction: float | None = None,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Standard deviation over axes.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def stop_gradient(a: _TensorLike, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    The same values, with a derivative of zero.
    """

def subtract(
    a: _TensorLike, b: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None
) -> Tensor:
    """
    a - b.

    `a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; the promoted dtype. Shapes that do not broadcast raise ShapeError.
    """

def sum(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Sum over axes.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def swapaxes(
    a: _TensorLike, axis1: int, axis2: int, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    Two axes exchanged.
    """

def take(
    a: _TensorLike,
    indices: _TensorLike,
    axis: int | Sequence[int] | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Slices of `a` at `indices` along `axis`, or elements of the flat tensor without one. Negative indices count from the end; one out of bounds raises IndexError.
    """

def take_along_axis(
    a: _TensorLike,
    indices: _TensorLike,
    axis: int = -1,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The element of each row of `a` along `axis` that `indices` (of as many axes) names; of the flat tensor if axis is None.
    """

def tan(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Tangent; radians.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def tanh(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Hyperbolic tangent.

    `a` is a tensor or a number. The result has its shape; the promoted dtype, float32 for integers and bool.
    """

def tensordot(
    a: _TensorLike,
    b: _TensorLike,
    axes: _Shape = 2,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The products of a and b summed over axes: over the last `axes` of a and the first of b, or over the pairs that two sequences name.
    """

def tile(
    a: _TensorLike, reps: _Shape, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The whole tensor repeated along each axis.
    """

def to_device(a: _TensorLike, device: _DeviceLike) -> Tensor:
    """
    The same values on another device.
    """

def topk(
    a: _TensorLike, /, k: int, axis: int = -1, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    The `k` largest elements of `a` along `axis` (None: the flat tensor), in ascending order. ValueError when there
    are fewer.
    """

def trace_argument(a: _TensorLike) -> Tensor:
    """
    A fresh tensor with the same values, from which pullback() can differentiate; inside a TraceScope.
    """

def trace_depth() -> int:
    """
    How many functional transforms this thread is inside of.
    """

def transpose(
    a: _TensorLike, axes: _Shape | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    Axes permuted; reversed without `axes`.
    """

def tri(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = None,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    An n by m matrix with ones on and below diagonal k, zeros above.
    """

def tril(x: _TensorLike, k: int = 0, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    `x` with zeros above diagonal k.
    """

def triu(x: _TensorLike, k: int = 0, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None) -> Tensor:
    """
    `x` with zeros below diagonal k.
    """

def trunc(a: _TensorLike, stream: _DeviceLike | None = None, *, device: _DeviceLike | None = None) -> Tensor:
    """
    Integer part of a.

    `a` is a tensor or a number. The result has its shape; the promoted dtype; complex64 is refused.
    """

def unflatten(
    a: _TensorLike,
    axis: int | Sequence[int],
    shape: _Shape,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    One axis split into `shape`; one extent may be -1.
    """

def unstack(
    x: _TensorLike, *, axis: int = 0, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> tuple[Tensor, ...]:
    """
    The slices along `axis`, a tuple.
    """

def var(
    a: _TensorLike,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    correction: float | None = None,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Variance over axes; the divisor is N - ddof.

    `axis` is None (all), an int or a sequence of ints; negative ones count from the end, one out of bounds raises IndexError.
    Reduced axes are dropped, or kept with extent 1 with keepdims=True.
    """

def vecdot(
    a: _TensorLike,
    b: _TensorLike,
    *,
    axis: int = -1,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    The products conjugate(a) * b summed along `axis`; the other axes broadcast.
    """

def where(
    condition: _TensorLike,
    x: _TensorLike,
    y: _TensorLike,
    *,
    stream: _DeviceLike | None = None,
    device: _DeviceLike | None = None,
) -> Tensor:
    """
    Elements of `x` where `condition` holds, of `y` elsewhere. Operands are tensors or numbers and broadcast; the dtype is the promoted one of x and y.
    """

def zeros(
    shape: _Shape, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of zeros, float32 by default.
    """

def zeros_like(
    a: _TensorLike, dtype: Dtype | None = None, *, stream: _DeviceLike | None = None, device: _DeviceLike | None = None
) -> Tensor:
    """
    A tensor of the shape (and, by default, dtype) of `a`, filled as the name says.
    """

__version__: str
abi_version: tuple[int, int]
bfloat16: Dtype
bool_: Dtype
c_abi_version: tuple[int, int]
complex64: Dtype
float16: Dtype
float32: Dtype
float64: Dtype
int16: Dtype
int32: Dtype
int64: Dtype
int8: Dtype
uint16: Dtype
uint32: Dtype
uint64: Dtype
uint8: Dtype
array = Tensor
cumulative_sum = cumsum
cumulative_prod = cumprod

class _SupportsArray(Protocol):
    def __array__(self) -> Any: ...

class _SupportsDLPack(Protocol):
    def __dlpack__(self) -> Any: ...

_Number: TypeAlias = bool | int | float | complex
_TensorLike: TypeAlias = Tensor | _Number | _SupportsArray | _SupportsDLPack | Buffer
_Nested: TypeAlias = _TensorLike | Sequence[_Nested]
_DeviceLike: TypeAlias = Device | str
_Shape: TypeAlias = int | Sequence[int]
_Index: TypeAlias = int | slice | Tensor | np.ndarray | list[Any] | types.EllipsisType | None
_Key: TypeAlias = _Index | tuple[_Index, ...]
