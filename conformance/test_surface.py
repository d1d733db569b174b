"""The names of mlx.core: those that Isthmus has take upstream's parameters; those it has not are in missing.toml.

The list may only shrink: a name that exists must leave it, and a name that is missing without being listed fails.
`python conformance/test_surface.py` writes the list anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
import tomllib

import isthmus as ist

LIST = Path(__file__).with_name("missing.toml")
MODULES = ["", "random", "fast", "linalg", "fft", "array"]


def member(root: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        root = getattr(root, part, None)
    return root


def public(path: str) -> list[str]:
    return [n for n in dir(member(mx, path)) if not n.startswith("_")]


def missing() -> dict[str, list[str]]:
    return {path or "core": [n for n in public(path) if not hasattr(member(ist, path), n)] for path in MODULES}


def parameters(signature: str) -> list[str]:
    """The names in `def f(a: int, /, b: int = 1, *, c=None) -> r`, without the markers and annotations."""
    start, depth, parts, current = signature.index("(") + 1, 0, [], ""
    for c in signature[start:]:
        if c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                break
            depth -= 1
        if c == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += c
    names = [re.match(r"\s*(\**\w*)", part).group(1) for part in [*parts, current]]  # type: ignore[union-attr]
    return [n for n in names if n and n != "*"]


def compared() -> list[str]:
    names = []
    for path in MODULES:
        for name in public(path):
            theirs, mine = getattr(member(mx, path), name), getattr(member(ist, path), name, None)
            has_signature = getattr(theirs, "__nb_signature__", None) and "(" in (getattr(mine, "__doc__", "") or "")
            first = (getattr(mine, "__doc__", "") or "").split("\n")[0]
            # One signature on either side: overloads have no single list of names.
            if has_signature and re.match(rf"{name}\(", first) and len(theirs.__nb_signature__) == 1:
                names.append(f"{path}.{name}".lstrip("."))
    return names


@pytest.mark.parametrize("path", compared())
def test_parameters_have_upstreams_names_in_its_order(path: str) -> None:
    theirs = parameters(member(mx, path).__nb_signature__[0][0])
    mine = parameters(member(ist, path).__doc__.split("\n")[0])
    wanted = [n for n in theirs if not n.startswith(("arg", "*")) and n != "self"]
    # Positional-only parameters have no names that a caller could use.
    assert [n for n in mine if n in wanted] == wanted, f"isthmus {mine}, upstream {theirs}"


def test_the_list_of_missing_names_is_exact() -> None:
    assert tomllib.loads(LIST.read_text()) == missing()


if __name__ == "__main__":
    lines = [
        "# Public names of mlx.core 0.32.4 that Isthmus does not have. Written by test_surface.py; may only shrink.\n"
    ]
    for path, names in missing().items():
        lines.append(f"{path} = [\n" + "".join(f'  "{n}",\n' for n in names) + "]\n")
    LIST.write_text("\n".join(lines))
