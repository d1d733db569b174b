"""Trees: nested lists, tuples and dicts of anything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

__all__ = [
    "tree_flatten",
    "tree_map",
    "tree_map_with_path",
    "tree_merge",
    "tree_reduce",
    "tree_unflatten",
]


def _rebuild(tree: list[Any] | tuple[Any, ...], children: Iterator[Any]) -> Any:
    """A sequence of the type of `tree`; named tuples take their fields one by one."""
    return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)


def tree_map(fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[..., Any] | None = None) -> Any:
    """Applies `fn` to every leaf and returns the tree of the results.

    Further trees give `fn` further arguments; they reach at least as deep as `tree`. Where `is_leaf(node)` is true the
    node is taken as a leaf.
    """
    if is_leaf is not None and is_leaf(tree):
        return fn(tree, *rest)
    if isinstance(tree, (list, tuple)):
        children = (tree_map(fn, child, *(r[i] for r in rest), is_leaf=is_leaf) for i, child in enumerate(tree))
        return _rebuild(tree, children)
    if isinstance(tree, dict):
        return {key: tree_map(fn, child, *(r[key] for r in rest), is_leaf=is_leaf) for key, child in tree.items()}
    return fn(tree, *rest)


def tree_map_with_path(
    fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[..., Any] | None = None, path: Any | None = None
) -> Any:
    """As `tree_map`, and `fn` gets the path to the leaf ("layers.0.weight") as its first argument."""

    def at(key: Any) -> str:
        return f"{path}.{key}" if path else str(key)

    if is_leaf is not None and is_leaf(tree):
        return fn(path, tree, *rest)
    if isinstance(tree, (list, tuple)):
        children = (
            tree_map_with_path(fn, child, *(r[i] for r in rest), is_leaf=is_leaf, path=at(i))
            for i, child in enumerate(tree)
        )
        return _rebuild(tree, children)
    if isinstance(tree, dict):
        return {
            key: tree_map_with_path(fn, child, *(r[key] for r in rest), is_leaf=is_leaf, path=at(key))
            for key, child in tree.items()
        }
    return fn(path, tree, *rest)


def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Callable[..., Any] | None = None,
    destination: list[tuple[str, Any]] | dict[str, Any] | None = None,
) -> list[tuple[str, Any]] | dict[str, Any]:
    """The leaves with their paths: pairs in a list, or items of a dict if `destination` is one.

    Paths are keys and positions joined by dots. Leaves are added to `destination`, which is returned; `prefix`, which
    ends with the first character of no path, comes before each.
    """
    if destination is None:
        destination = []
    add: Callable[[str, Any], None]
    if isinstance(destination, list):
        pairs = destination
        add = lambda path, leaf: pairs.append((path, leaf))  # noqa: E731
    elif isinstance(destination, dict):
        add = destination.__setitem__
    else:
        raise ValueError(f"tree_flatten: destination must be a list, a dict or None, got {type(destination).__name__}")

    def visit(node: Any, path: str) -> None:
        if is_leaf is not None and is_leaf(node):
            add(path[1:], node)
        elif isinstance(node, (list, tuple)):
            for i, child in enumerate(node):
                visit(child, f"{path}.{i}")
        elif isinstance(node, dict):
            for key, child in node.items():
                visit(child, f"{path}.{key}")
        else:
            add(path[1:], node)

    visit(tree, prefix)
    return destination


def tree_unflatten(tree: list[tuple[str, Any]] | dict[str, Any]) -> Any:
    """The tree that `tree_flatten` made these paths of; tuples come back as lists.

    A level whose keys are all whole numbers becomes a list; positions that nothing was given for hold empty dicts.
    """
    items = list(tree.items()) if isinstance(tree, dict) else list(tree)
    if len(items) == 1 and items[0][0] == "":
        return items[0][1]

    groups: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for path, value in items:
        key, _, rest = path.partition(".")
        groups[key].append((rest, value))
    try:
        positions = {int(key): group for key, group in groups.items()}
    except ValueError:
        return {key: tree_unflatten(group) for key, group in groups.items()}
    result: list[Any] = []
    for position in sorted(positions):
        result.extend({} for _ in range(position - len(result)))
        result.append(tree_unflatten(positions[position]))
    return result


def tree_reduce(
    fn: Callable[..., Any], tree: Any, initializer: Any = None, is_leaf: Callable[..., Any] | None = None
) -> Any:
    """Folds the leaves from the left, fn(fn(initializer, leaf), leaf) and so on.

    Without an initializer the first leaf is it.
    """
    if is_leaf is None or not is_leaf(tree):
        if isinstance(tree, (list, tuple)):
            children: Any = tree
        elif isinstance(tree, dict):
            children = tree.values()
        else:
            children = None
        if children is not None:
            for child in children:
                initializer = tree_reduce(fn, child, initializer, is_leaf)
            return initializer
    return tree if initializer is None else fn(initializer, tree)


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable[..., Any] | None = None) -> Any:
    """One tree with the leaves of both; where both have one, `merge_fn(a, b)` decides, and without it that is an error.

    None and empty containers give way to what the other tree has.
    """
    if isinstance(tree_a, (dict, list, tuple)) and not tree_a:
        if isinstance(tree_b, (dict, list, tuple)) and not tree_b:
            if type(tree_a) is type(tree_b):
                return tree_a
            raise ValueError("tree_merge: the trees have empty containers of different types at the same place")
        tree_a = None
    if isinstance(tree_b, (dict, list, tuple)) and not tree_b:
        tree_b = None
    if tree_a is None and tree_b is not None:
        return tree_b
    if tree_b is None and tree_a is not None:
        return tree_a

    if isinstance(tree_a, (list, tuple)) and isinstance(tree_b, (list, tuple)):
        return _rebuild(tree_a, (tree_merge(a, b, merge_fn) for a, b in zip_longest(tree_a, tree_b)))
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        return {key: tree_merge(tree_a.get(key), tree_b.get(key), merge_fn) for key in (*tree_a, *tree_b)}
    if merge_fn is None:
        raise ValueError("tree_merge: both trees have a leaf at the same place, and there is no merge_fn to choose")
    return merge_fn(tree_a, tree_b)
