"""Reading and writing tensors: safetensors in the core, .npy and .npz through NumPy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus import _core
from isthmus._errors import error

__all__ = ["load", "save", "save_safetensors", "savez", "savez_compressed"]

Tensor = _core.Tensor

_FORMATS = ("safetensors", "npy", "npz")
# .npy has no name for bfloat16: its bits are stored as two raw bytes an element, as upstream stores them.
_RAW_BFLOAT16 = np.dtype("V2")


def _is_path(file: Any) -> bool:
    return isinstance(file, (str, os.PathLike))


def _with_extension(file: Any, extension: str) -> Any:
    """Paths get the extension if they lack it."""
    if not _is_path(file):
        return file
    path = os.fspath(file)
    return path if path.endswith(extension) else path + extension


def _from_numpy(array: np.ndarray, where: str) -> Tensor:
    if array.dtype == _RAW_BFLOAT16:
        wide = array.view(np.uint16).astype(np.uint32) << 16
        return Tensor(wide.view(np.float32), dtype=_core.bfloat16)
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    name = native.dtype.name
    try:
        dtype = _core.bool_ if name == "bool" else _core._dtype(name)
    except _core.DTypeError:
        raise error(_core.DTypeError, "load", f"{where} has dtype {name}, which tensors cannot have") from None
    return Tensor(native, dtype=dtype)


def _to_numpy(array: Any, op: str, where: str) -> np.ndarray:
    if not isinstance(array, Tensor):
        raise error(_core.ArgumentTypeError, op, f"{where} must be a tensor, got {type(array).__name__}")
    if array.dtype == _core.bfloat16:
        wide = np.asarray(array.astype(_core.float32)).view(np.uint32)
        return (wide >> 16).astype(np.uint16).view(_RAW_BFLOAT16)
    return np.asarray(array)


def _format_of(file: Any, format: str | None) -> str:
    if format is None:
        name = os.fspath(file) if _is_path(file) else getattr(file, "name", None)
        extension = os.path.splitext(name)[1][1:] if isinstance(name, str) else ""
        if not extension:
            raise error(
                _core.ArgumentError,
                "load",
                f"{name!r} has no extension that tells its format; pass format=, one of {', '.join(_FORMATS)}",
            )
        format = extension
    if format not in _FORMATS:
        raise error(_core.ArgumentError, "load", f"unknown format {format!r}; known are {', '.join(_FORMATS)}")
    return format


def _load_safetensors(file: Any) -> tuple[dict[str, Tensor], dict[str, str]]:
    if _is_path(file):
        return _core.load_safetensors(os.fspath(file))
    import shutil  # here and below: these modules would double the time that importing the package takes
    import tempfile

    # The core maps files. A mapping outlives the name of its file, so that the copy can go at once.
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        return _core.load_safetensors(copy.name)


def load(file: Any, format: str | None = None, return_metadata: bool = False, *, stream: Any = None) -> Any:
    """The tensor of an .npy file, or a dict of the tensors of an .npz or .safetensors file.

    `file` is a path or a file object open for reading bytes. The format is that of the extension unless `format` names
    it. With `return_metadata`, for safetensors, a pair of the dict and the metadata. Tensors of safetensors files
    are views of the mapped file: nothing is copied, and only what is used is read.
    """
    if not _is_path(file) and not hasattr(file, "read"):
        message = f"file must be a path or a file open for reading bytes, got {type(file).__name__}"
        raise error(_core.ArgumentTypeError, "load", message)
    format = _format_of(file, format)
    if return_metadata and format != "safetensors":
        raise error(_core.ArgumentError, "load", f"the format {format} has no metadata")
    if stream is not None:
        with _core.device(stream):
            return _load(file, format, return_metadata)
    return _load(file, format, return_metadata)


def _load(file: Any, format: str, return_metadata: bool) -> Any:
    if format == "safetensors":
        tensors, metadata = _load_safetensors(file)
        return (tensors, metadata) if return_metadata else tensors
    import zipfile

    try:
        loaded = np.load(file, allow_pickle=False)
        if format == "npy" and isinstance(loaded, np.ndarray):
            return _from_numpy(loaded, f"{file}")
        if format == "npz" and isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                return {name: _from_numpy(loaded[name], f"{file}: {name!r}") for name in loaded.files}
    except _core.IsthmusError:
        raise
    except OSError as problem:
        raise error(_core.FileError, "load", f"cannot read '{file}': {problem.strerror or problem}") from problem
    except (ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise error(_core.FormatError, "load", f"'{file}' is not a valid .{format} file of numbers") from problem
    raise error(_core.FormatError, "load", f"'{file}' is not an .{format} file")


def save_safetensors(file: Any, arrays: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a dict of tensors, and metadata, to a .safetensors file (the extension is added to paths that lack it).

    The file appears complete or not at all; one of that name may be in use by tensors loaded from it.
    """
    if not isinstance(arrays, Mapping):
        message = f"arrays must be a dict of names and tensors, got {type(arrays).__name__}"
        raise error(_core.ArgumentTypeError, "save_safetensors", message)
    texts = dict(metadata or {})
    if _is_path(file):
        _core.save_safetensors(_with_extension(file, ".safetensors"), dict(arrays), texts)
        return
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "tensors.safetensors")
        _core.save_safetensors(path, dict(arrays), texts)
        with open(path, "rb") as written:
            shutil.copyfileobj(written, file)


def save(file: Any, arr: Tensor) -> None:
    """Writes a tensor to an .npy file (the extension is added to paths that lack it)."""
    _write(np.save, "save", _with_extension(file, ".npy"), _to_numpy(arr, "save", "arr"))


def savez(file: Any, *args: Tensor, **kwargs: Tensor) -> None:
    """Writes tensors to an .npz file: those given by position are called arr_0, arr_1, ..., the others by keyword."""
    _savez(np.savez, "savez", file, args, kwargs)


def savez_compressed(file: Any, *args: Tensor, **kwargs: Tensor) -> None:
    """The same as `savez`, compressed."""
    _savez(np.savez_compressed, "savez_compressed", file, args, kwargs)


def _savez(write: Any, op: str, file: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    named = {f"arr_{i}": value for i, value in enumerate(args)}
    if both := sorted(named.keys() & kwargs.keys()):
        raise error(_core.ArgumentError, op, f"the name {both[0]!r} is that of a tensor given by position")
    named.update(kwargs)
    arrays = {name: _to_numpy(value, op, name) for name, value in named.items()}
    _write(write, op, _with_extension(file, ".npz"), **arrays)


def _write(write: Any, op: str, target: Any, *args: Any, **kwargs: Any) -> None:
    try:
        write(target, *args, **kwargs)
    except OSError as problem:
        raise error(_core.FileError, op, f"cannot write '{target}': {problem.strerror or problem}") from problem
