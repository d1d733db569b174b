"""Errors raised by the Python layer look like those of the core: they carry `op`, `code` and `message`."""

from __future__ import annotations

from isthmus import _core

_CODES: dict[type[_core.IsthmusError], str] = {
    _core.ArgumentError: "value",
    _core.ArgumentTypeError: "type",
    _core.ShapeError: "shape",
    _core.FileError: "io",
    _core.FormatError: "format",
    _core.DTypeError: "dtype",
}


def error(cls: type[_core.IsthmusError], op: str, message: str) -> _core.IsthmusError:
    """An error of the class, about the public function `op`."""
    made = cls(f"{op}: {message}")
    made.op, made.code, made.message = op, _CODES[cls], message
    return made
