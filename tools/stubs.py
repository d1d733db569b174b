"""Type stubs of the compiled core: what pybind11-stubgen makes of it, with types that signatures in C++ do not tell.

Arguments that C++ takes as plain objects, and checks itself, get their types by name; the operators of the hand-made
class Tensor are slots, which have no signatures, and get theirs from the tables below. `tools/generate.py` calls this.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The classes say that they are of the package; for the generator they have to be of the module that it looks at.
RUN_STUBGEN = """
import sys
import isthmus._core as core
for value in list(vars(core).values()):
    if isinstance(value, type) and value.__module__ == "isthmus":
        value.__module__ = "isthmus._core"
# stubgen leaves out the properties of a type that is made in C.
kinds = ("getset_descriptor", "property")
print("PROPERTIES", *(name for name, value in vars(core.Tensor).items() if type(value).__name__ in kinds))
from pybind11_stubgen import main
main(sys.argv[1:])
"""

HEAD = """
from collections.abc import Iterator, Sequence
import types
from types import TracebackType
from typing import Any, Protocol, SupportsFloat, SupportsIndex, SupportsInt, TypeAlias
import numpy as np
from typing_extensions import Buffer, Self
"""
ALIASES = """
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
"""
# By the parameter's name, where C++ says `object`; "| None" is added where None is the default.
PARAMETERS = {
    **dict.fromkeys(("stream", "device", "dl_device"), "_DeviceLike"),
    **dict.fromkeys(("a", "b", "c", "x", "y", "condition", "value", "values", "vals", "low", "high"), "_TensorLike"),
    **dict.fromkeys(("loc", "scale", "constant_values"), "_TensorLike"),
    **dict.fromkeys(("indices", "array"), "_TensorLike"),
    **dict.fromkeys(("a_min", "a_max"), "_TensorLike | None"),
    **dict.fromkeys(("shape", "source", "destination", "axes"), "_Shape"),
    **dict.fromkeys(("keepdims", "sparse", "copy", "reverse", "inclusive"), "bool"),
    **dict.fromkeys(("ddof", "decimals", "k", "n", "m", "num", "width", "limit", "seed"), "int"),
    **dict.fromkeys(("axis1", "axis2", "start_axis", "end_axis"), "int"),
    **dict.fromkeys(("start", "stop", "step", "posinf", "neginf"), "float"),
    **dict.fromkeys(("outputs", "inputs", "cotangents"), "Sequence[Tensor]"),
    **dict.fromkeys(("key", "cotangent"), "Tensor"),
    "arrays": "Sequence[_TensorLike]",
    "correction": "float",
    "dtype": "Dtype",
    "indexing": "str",
    "max_version": "tuple[int, int]",
    "pad_width": "int | Sequence[Any]",
    "repeats": "int",
    "reps": "_Shape",
}
AXES = "int | Sequence[int]"
# Results that C++ gives as plain objects, lists or tuples.
RESULTS = {
    **dict.fromkeys(("atleast_1d", "atleast_2d", "atleast_3d"), "Any"),
    **dict.fromkeys(("backends", "op_table", "refused_backends"), "list[dict[str, Any]]"),
    **dict.fromkeys(("split", "divmod", "broadcast_arrays", "meshgrid", "pullback"), "list[Tensor]"),
    **dict.fromkeys(("default_device", "load_backend"), "Device"),
    **dict.fromkeys(("_dtype", "result_type"), "Dtype"),
    "unstack": "tuple[Tensor, ...]",
    "broadcast_shapes": "tuple[int, ...]",
    "cpu_isa_levels": "list[str]",
    "devices": "list[Device]",
    "load_safetensors": "tuple[dict[str, Tensor], dict[str, str]]",
}
METHOD_RESULTS = {
    "Tensor.__array__": "np.ndarray",
    "Tensor.__complex__": "complex",
    "Tensor.__format__": "str",
    "Tensor.item": "_Number",
    "_At.__getitem__": "_AtKey",
    **{f"{name}.__reduce__": "tuple[Any, ...]" for name in ("Tensor", "Dtype", "Device")},
    **{f"Dtype.{name}": "Dtype" for name in ("__copy__", "__deepcopy__")},
    **{f"{name}.__enter__": "Self" for name in ("NoGrad", "TraceScope", "_DeviceContext")},
}
FUNCTION_PARAMETERS = {
    ("_At.__getitem__", "arg0"): "_Key",
    ("Device.__init__", "type"): "_DeviceLike",
    ("save_safetensors", "arrays"): "dict[str, Tensor]",
    ("gather", "indices"): "Sequence[_TensorLike]",
    **{("scaled_dot_product_attention", name): "_TensorLike" for name in ("q", "k", "v", "sinks")},
    ("scaled_dot_product_attention", "mask"): "_TensorLike | str",
    ("scaled_dot_product_attention", "scale"): "float",
    ("scaled_dot_product_attention", "force_fused"): "bool",
    **{(norm, name): "_TensorLike | None" for norm in ("layer_norm", "rms_norm") for name in ("weight", "bias")},
    **{(norm, "eps"): "float" for norm in ("layer_norm", "rms_norm")},
    ("save_safetensors", "metadata"): "dict[str, str]",
}
# The package has functions of these names that are not the core's.
NOT_STARRED = ("save_safetensors",)
PROPERTIES = {
    **dict.fromkeys(("T", "mT", "real", "imag"), "Tensor"),
    **dict.fromkeys(("ndim", "size", "nbytes", "itemsize"), "int"),
    **dict.fromkeys(("requires_grad", "is_leaf"), "bool"),
    "at": "_At",
    "device": "Device",
    "dtype": "Dtype",
    "grad": "Tensor | None",
    "shape": "tuple[int, ...]",
}
SETTABLE = ("grad", "requires_grad")
VARIABLES = {"abi_version": "tuple[int, int]", "c_abi_version": "tuple[int, int]"}

OPERATORS = ["add", "and", "floordiv", "lshift", "matmul", "mod", "mul", "or", "pow", "rshift", "sub", "truediv", "xor"]
SLOTS = {
    **{f"__{name}__": "(self, value: _TensorLike, /) -> Tensor" for name in OPERATORS},
    **{f"__r{name}__": "(self, value: _TensorLike, /) -> Tensor" for name in OPERATORS},
    **{f"__i{name}__": "(self, value: _TensorLike, /) -> Self" for name in OPERATORS},
    **{f"__{name}__": "(self, value: _TensorLike, /) -> Tensor" for name in ("ge", "gt", "le", "lt")},
    # Whatever is no tensor, number or array compares as unequal; the result is then a bool.
    **{f"__{name}__": "(self, value: object, /) -> Tensor" for name in ("eq", "ne")},
    **{f"__{name}divmod__": "(self, value: _TensorLike, /) -> tuple[Tensor, Tensor]" for name in ("", "r")},
    **{f"__{name}__": "(self) -> Tensor" for name in ("abs", "invert", "neg", "pos")},
    "__bool__": "(self) -> bool",
    "__contains__": "(self, value: object, /) -> bool",
    "__float__": "(self) -> float",
    "__getitem__": "(self, key: _Key, /) -> Tensor",
    "__hash__": "(self) -> int",
    "__index__": "(self) -> int",
    "__int__": "(self) -> int",
    "__iter__": "(self) -> Iterator[Tensor]",
    "__len__": "(self) -> int",
    "__new__": "(cls, val: _Nested, dtype: Dtype | None = None, *, device: _DeviceLike | None = None,"
    " requires_grad: bool = False) -> Self",
    "__repr__": "(self) -> str",
    "__setitem__": "(self, key: _Key, value: _TensorLike, /) -> None",
}
# Slots that the buffer protocol and deletion leave in the class, which nobody calls by name.
HIDDEN = ("__delitem__", "__buffer__", "__release_buffer__")
# __eq__ and __ne__ of object return bool, and tensors do not: as everywhere in array libraries.
OVERRIDES = ("__eq__", "__ne__")
ERROR_FIELDS = "op: str\ncode: str\nmessage: str"


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def is_opaque(annotation: ast.expr | None) -> bool:
    """Did C++ say no more than "an object"?"""
    return annotation is None or ast.unparse(annotation) in ("Any", "list", "tuple", "dict", "type", "...")


class Names(ast.NodeTransformer):
    """isthmus.Tensor is Tensor here, and typing.Any is Any."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        node.value = self.visit(node.value)
        if ast.unparse(node.value) in ("isthmus", "isthmus._core", "typing"):
            return ast.Name(node.attr)
        return node


def parameter_type(function: str, name: str, default: ast.expr | None) -> ast.expr:
    if name == "axis":
        text = "int" if default is not None and ast.unparse(default) != "None" else AXES
    else:
        text = FUNCTION_PARAMETERS.get((function, name)) or PARAMETERS.get(name, "Any")
    if function == "astype" and name == "a":
        text = "_TensorLike"
    if default is not None and ast.unparse(default) == "None" and "None" not in text and text != "Any":
        text += " | None"
    return expression(text)


def type_function(node: ast.FunctionDef, owner: str) -> None:
    function = f"{owner}.{node.name}" if owner else node.name
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = [*zip(positional, [*defaults, *arguments.defaults]), *zip(arguments.kwonlyargs, arguments.kw_defaults)]
    is_static = any(ast.unparse(d) == "staticmethod" for d in node.decorator_list)
    for i, (argument, default) in enumerate(pairs):
        if owner and i == 0 and not is_static:
            argument.annotation = None
        elif is_opaque(argument.annotation):
            argument.annotation = parameter_type(function, argument.arg, default)
    if arguments.vararg is not None and is_opaque(arguments.vararg.annotation):
        arguments.vararg.annotation = expression("object" if node.name == "__exit__" else "Any")
    if arguments.kwarg is not None and is_opaque(arguments.kwarg.annotation):
        arguments.kwarg.annotation = expression("Any")
    # As mypy has it, an equality takes any object.
    if node.name in ("__eq__", "__ne__"):
        positional[1].annotation = expression("object")
    if is_opaque(node.returns) or function in METHOD_RESULTS:
        result = METHOD_RESULTS.get(function) or RESULTS.get(node.name, "Any")
        node.returns = expression(result)


def slot(node: ast.FunctionDef) -> ast.FunctionDef:
    made = ast.parse(f"def {node.name}{SLOTS[node.name]}: ...").body[0]
    assert isinstance(made, ast.FunctionDef)
    return made


def is_property(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(d) == "property" or ast.unparse(d).endswith(".setter") for d in node.decorator_list
    )


def tensor_properties() -> list[ast.stmt]:
    made: list[ast.stmt] = []
    for name, result in sorted(PROPERTIES.items()):
        text = f"@property\ndef {name}(self) -> {result}: ..."
        if name in SETTABLE:
            text += f"\n@{name}.setter\ndef {name}(self, value: {result}, /) -> None: ..."
        made += ast.parse(text).body
    return made


def type_class(node: ast.ClassDef) -> None:
    if node.name == "IsthmusError":
        node.body += ast.parse(ERROR_FIELDS).body
    body: list[ast.stmt] = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and node.name == "Tensor":
            if item.name in HIDDEN or is_property(item):
                continue
            if item.name in SLOTS:
                body.append(slot(item))
                continue
            if not ast.unparse(item).count("self: Tensor") and item.name.startswith("__") and item.returns is None:
                sys.exit(f"tools/stubs.py: what is the signature of Tensor.{item.name}? Add it to SLOTS")
        if isinstance(item, ast.FunctionDef):
            type_function(item, node.name)
        body.append(item)
    if node.name == "Tensor":
        body += tensor_properties()
    node.body = body


def typed(text: str, submodule: str) -> str:
    """The stub with better types; `submodule` is empty for the core itself."""
    tree = ast.parse(text)
    tree = Names().visit(tree)
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if ast.unparse(node).startswith("from . import"):
                body.append(node)
            continue
        if isinstance(node, ast.ClassDef):
            type_class(node)
        elif isinstance(node, ast.FunctionDef):
            type_function(node, "")
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "__all__":
            names = [
                name for name in ast.literal_eval(ast.unparse(node.value or ast.List())) if name not in NOT_STARRED
            ]
            node.value = expression(repr(names))
        elif isinstance(node, ast.AnnAssign):
            node.value = None
            node.annotation = expression(VARIABLES.get(ast.unparse(node.target), ast.unparse(node.annotation)))
        body.append(node)
    if submodule:
        names = ["Device", "Dtype", "Tensor", *alias_names()]
        extra = ast.parse(HEAD + f"from isthmus._core import {', '.join(names)}").body
    else:
        extra = ast.parse(HEAD).body
        # Behind the imports: names may be used before they are defined in a stub.
        body += ast.parse(ALIASES).body
    documented = isinstance(body[0], ast.Expr)
    tree.body = [*body[:documented], *extra, *body[documented:]]
    lines = ast.unparse(ast.fix_missing_locations(tree)).splitlines()
    for i, line in enumerate(lines):
        if any(line.startswith(f"    def {name}(") for name in OVERRIDES) and "-> Tensor" in line:
            lines[i] = line + "  # type: ignore[override]"
    return "\n".join(lines) + "\n"


def alias_names() -> list[str]:
    return [ast.unparse(node.target) for node in ast.parse(ALIASES).body if isinstance(node, ast.AnnAssign)]


def stubs(notice: str) -> dict[str, str]:
    """The stub files of isthmus._core and its submodules, by path; from the installed package."""
    made: dict[str, str] = {}
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    if search := os.environ.get("PYTHONPATH"):
        # Relative folders would be looked for in `out`, and another installation described without a word.
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(folder).resolve()) for folder in search.split(os.pathsep))
    with tempfile.TemporaryDirectory() as out:
        # Not from ROOT: there, a source tree without its extension could shadow the installed package.
        run = subprocess.run(
            [sys.executable, "-c", RUN_STUBGEN, "isthmus._core", "-o", out, "--numpy-array-remove-parameters"],
            cwd=out,
            env=environment,
            capture_output=True,
            text=True,
        )
        found = sorted((Path(out) / "isthmus" / "_core").glob("*.pyi"))
        if run.returncode != 0 or not found or "ERROR" in run.stderr:
            sys.exit(f"pybind11-stubgen failed; is the package installed (`just build`)?\n{run.stdout}{run.stderr}")
        listed = next(line for line in run.stdout.splitlines() if line.startswith("PROPERTIES ")).split()[1:]
        if set(listed) != set(PROPERTIES):
            sys.exit(f"tools/stubs.py: PROPERTIES and the class Tensor differ in {set(listed) ^ set(PROPERTIES)}")
        for path in found:
            submodule = "" if path.stem == "__init__" else path.stem
            made[f"python/isthmus/_core/{path.name}"] = typed(path.read_text(), submodule)
    for name, text in made.items():
        text = f"# {notice}\n{text}"
        # Pass by pass, as a person would at the command line: imports that nothing needs, then the layout.
        for step in (["check", "--fix", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
            command = [sys.executable, "-m", "ruff", *step, "--stdin-filename", "python/isthmus/stub.pyi", "-"]
            text = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True).stdout
        made[name] = text
    return made
