"""Makes the committed files that follow from cpp/ops/ops.def and the C headers of cpp/abi/.

python tools/generate.py            writes those that are stale
python tools/generate.py --check    names them and fails, for CI
python tools/generate.py --stubs    adds python/isthmus/_core/*.pyi, from the installed package
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from stubs import stubs

ROOT = Path(__file__).resolve().parent.parent
NOTICE = "Generated from {source} by tools/generate.py; `just docs` makes it anew."

ROW = re.compile(
    r"^IST_OP\(\s*(\d+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,"
    r'\s*"((?:[^"\\]|\\.)*)"\s*\)\s*(?://.*)?$'
)
OP_ID_LIMIT = re.compile(r"kOpIdLimit\s*=\s*(\d+)")


@dataclass(frozen=True)
class Op:
    id: int
    name: str
    family: str
    arity: str
    attrs: str
    dtypes: str
    derivative: str
    execution: str
    doc: str


def read_ops() -> list[Op]:
    path = ROOT / "cpp/ops/ops.def"
    ops: list[Op] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("IST_OP("):
            continue
        match = ROW.match(line)
        if match is None:
            sys.exit(f"cpp/ops/ops.def:{number}: not a row of nine columns on one line")
        op_id, *columns, doc = match.groups()
        ops.append(Op(int(op_id), *columns, doc.replace('\\"', '"')))
    limit_text = OP_ID_LIMIT.search((ROOT / "cpp/ops/op_ids.h").read_text())
    limit = int(limit_text.group(1)) if limit_text else 1 << 16
    for what, values in (("id", [str(op.id) for op in ops]), ("name", [op.name for op in ops])):
        repeated = sorted({v for v in values if values.count(v) > 1})
        if repeated:
            sys.exit(f"cpp/ops/ops.def: {what} used twice: {', '.join(repeated)}")
    for op in ops:
        if op.id >= limit:
            sys.exit(f"cpp/ops/ops.def: id {op.id} of {op.name} is not below kOpIdLimit ({limit})")
    return ops


# ---- cpp/abi/op_ids.h ----
def op_ids_header(ops: list[Op]) -> str:
    lines = [
        f"/* Op ids for C. {NOTICE.format(source='cpp/ops/ops.def')} */",
        "#ifndef ISTHMUS_OP_IDS_H",
        "#define ISTHMUS_OP_IDS_H",
        "",
        "typedef enum ist_op_id {",
    ]
    lines += [f"  IST_OP_{op.name.upper()} = {op.id}{',' if op is not ops[-1] else ''}" for op in ops]
    lines += ["} ist_op_id;", "", "#endif", ""]
    return "\n".join(lines)


# ---- docs/ops.md ----
FAMILIES = {
    "leaf": ("Leaves", "What every graph starts from."),
    "elementwise": ("Elementwise", "One output element from one element of each operand, after broadcasting."),
    "reduce": ("Reductions", "Several elements of the operand make one of the output."),
    "arg_reduce": ("Positions of extremes", "Reductions along one axis that return an index."),
    "scan": ("Cumulative ops", "What reductions make of the elements up to each one, along one axis."),
    "sort": ("Sorting", "Elements, or their positions, in ascending order."),
    "linalg": ("Linear algebra", "Products of matrices."),
    "quantized": ("Quantized products", "Matrices of codes of a few bits, with a scale and a bias for each group."),
    "conv": ("Convolution", "A kernel slides over the spatial axes; channels come last."),
    "shape": ("Shape", "The same elements under another shape. Views cost no copy."),
    "copy": ("Copies", "Elements moved into a new tensor."),
    "index": ("Indices", "Elements chosen by tensors of indices."),
    "create": ("Creation", "New tensors from a few numbers."),
    "random": ("Random", "Counter-based random numbers."),
    "norm": ("Norms", "Each row along the last axis brought to a common scale."),
    "attention": ("Attention", "Weighted means of values, the weights from products of queries and keys."),
}

OPS_HEAD = """# The ops

{notice}

Every op of Isthmus, by family. What a backend receives for each of the kernel ops is in [abi.md](abi.md); the order in
which their arithmetic happens is in [bit_contract.md](bit_contract.md).

| column | meaning |
|---|---|
| id | `ist_op_id`; append-only, never reused |
| operands | how many tensors; `1+` is one or more |
| attributes | the struct of `backend.h` that goes with the node, without its `ist_` and `_attrs`; `-` is none |
| dtypes | how the operands' dtypes become the kernel's and the result's, see below |
| derivative | `partial`, `linear`, `vjp`: a rule is stated; `zero`; `composite`: follows from the ops it is made of |
| execution | `kernel`: backends run it; `view`: strides alone, backends never see it; `composite` and `many`: built \
from other ops, with one result or several; `data`: a leaf |

| dtypes | kernel dtype T | result |
|---|---|---|
| any | the promoted dtype | T |
| inexact | the promoted dtype; integers and bool become float32 | T |
| real_inexact | as inexact; complex64 is refused | T |
| real | the promoted dtype; complex64 is refused | T |
| magnitude | the promoted dtype | T; float32 for complex64 |
| compare | the promoted dtype | bool |
| logical | bool | bool |
| bitwise | the promoted dtype; integers and bool only | T |
| select | operand 0 bool, the others promoted to T | T |
| rule | the op's own rule | the op's own rule |
"""


def ops_page(ops: list[Op]) -> str:
    unknown = sorted({op.family for op in ops} - set(FAMILIES))
    if unknown:
        sys.exit(f"tools/generate.py: give a title to the families {', '.join(unknown)}")
    kernels = sum(op.execution == "kernel" for op in ops)
    composites = sum(op.execution in ("composite", "many") for op in ops)
    views = sum(op.execution == "view" for op in ops)
    parts = [
        OPS_HEAD.format(notice=NOTICE.format(source="`cpp/ops/ops.def`")),
        f"{len(ops)} ops: {kernels} kernels, {views} views, {composites} composites, 1 leaf.\n",
    ]
    for family, (title, text) in FAMILIES.items():
        rows = [op for op in ops if op.family == family]
        if not rows:
            continue
        parts.append(f"## {title}\n\n{text}\n")
        table = [
            "| id | op | operands | attributes | dtypes | derivative | execution | what it does |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for op in rows:
            arity = "1+" if op.arity == "VARIADIC" else op.arity
            attrs = "-" if op.attrs == "No" else op.attrs.lower()
            doc = re.sub(r"([|*_\\])", r"\\\1", op.doc)
            columns = [op.id, f"`{op.name}`", arity, attrs, op.dtypes, op.derivative, op.execution, doc]
            table.append("| " + " | ".join(map(str, columns)) + " |")
        parts.append("\n".join(table) + "\n")
    return "\n".join(parts)


# ---- cpp/abi/abi_fields.def: every constant, struct field and function of the C headers, for the ABI lock ----
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*(\w+)\s*;", re.S)
ENUM = re.compile(r"typedef\s+enum\s+(?:\w+\s*)?\{(.*?)\}\s*\w+\s*;", re.S)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(IST\w*)[ \t]+([^\n]+)$", re.M)
CALLBACK = re.compile(r"typedef\s+[^;{}]*\(\s*\*\s*(\w+)\s*\)\s*\([^;{}]*\)\s*;", re.S)


def field_names(declaration: str) -> list[str]:
    pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", declaration)
    if pointer:
        return [pointer.group(1)]
    return [re.sub(r"\[.*", "", part).split()[-1].lstrip("*") for part in declaration.replace("*", "* ").split(",")]


def quoted(text: str) -> str:
    return '"' + " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def abi_fields(header: str) -> list[str]:
    text = COMMENT.sub(" ", (ROOT / "cpp/abi" / header).read_text())
    rows = [f"/* {header} */"]
    for name, value in DEFINE.findall(text.replace("\\\n", " ")):
        if re.fullmatch(r"[-+()\w\s<|]+", value) and not re.search(r"__|^\s*(extern|static)\b|_(API|EXPORT)\b", value):
            rows.append(f"IST_ABI_CONSTANT({name})")
    for body in ENUM.findall(text):
        rows += [f"IST_ABI_CONSTANT({item.split('=')[0].strip()})" for item in body.split(",") if item.strip()]
    for name, body, _ in STRUCT.findall(text):
        rows.append(f"IST_ABI_STRUCT({name})")
        for declaration in filter(None, (part.strip() for part in body.split(";"))):
            rows += [f"IST_ABI_FIELD({name}, {field}, {quoted(declaration)})" for field in field_names(declaration)]
    for match in CALLBACK.finditer(text):
        rows.append(f"IST_ABI_FUNCTION({match.group(1)}, {' '.join(match.group(0).rstrip(';').split())})")
    rest = CALLBACK.sub("", ENUM.sub("", STRUCT.sub("", text)))
    rest = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", "", rest, flags=re.M)
    for statement in re.sub(r'extern\s+"C"\s*\{|[{}]', "", rest).split(";"):
        prototype = re.sub(r"\bIST_\w*(API|EXPORT)\w*\b", "", statement).strip()
        function = re.match(r"[^()=]*?\b(ist_\w+)\s*\(", prototype)
        if function and not prototype.startswith("typedef"):
            rows.append(f"IST_ABI_FUNCTION({function.group(1)}, {' '.join(prototype.split())})")
    return rows


def abi_fields_file() -> str:
    headers = [name for name in ("backend.h", "isthmus.h") if (ROOT / "cpp/abi" / name).exists()]
    lines = [f"/* Generated from {' and '.join('cpp/abi/' + h for h in headers)}; `just abi-lock` makes it anew. */"]
    for header in headers:
        lines += ["", *abi_fields(header)]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is stale")
    parser.add_argument("--stubs", action="store_true", help="also python/isthmus/_core/*.pyi")
    args = parser.parse_args()
    ops = read_ops()
    files = {
        "cpp/abi/op_ids.h": op_ids_header(ops),
        "cpp/abi/abi_fields.def": abi_fields_file(),
        "docs/ops.md": ops_page(ops),
    }
    if args.stubs:
        files |= stubs(NOTICE.format(source="the built extension"))
    stale = [name for name, text in files.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    for name in stale:
        if args.check:
            print(f"{name} is stale: run `just docs` and commit it", file=sys.stderr)
        else:
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(files[name])
            print(f"wrote {name}")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
