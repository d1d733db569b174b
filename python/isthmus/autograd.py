"""Derivatives: `grad`, `value_and_grad` and `vjp` of functions, and `no_grad` for the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from isthmus import _core
from isthmus._errors import error

__all__ = ["grad", "no_grad", "value_and_grad", "vjp"]

Tensor = _core.Tensor


def _numbers(argnums: int | Sequence[int] | None, argnames: list[str], name: str) -> tuple[list[int], bool]:
    """The positional arguments to differentiate, and whether the caller named just one, outside a sequence."""
    if argnums is None:
        return ([], False) if argnames else ([0], True)
    single = isinstance(argnums, int) and not isinstance(argnums, bool)
    given: Any = argnums
    numbers: list[int] | None = [given] if single else list(given) if isinstance(given, (list, tuple)) else None
    if numbers is None or any(not isinstance(n, int) or isinstance(n, bool) for n in numbers):
        raise error(_core.ArgumentTypeError, name, f"argnums must be an int or a sequence of ints, got {argnums!r}")
    if not numbers and not argnames:
        raise error(_core.ArgumentError, name, "there is no argument to differentiate: argnums and argnames are empty")
    seen: set[int] = set()
    for number in numbers:
        if number < 0:
            raise error(_core.ArgumentError, name, f"argnums must not be negative, got {number}")
        if number in seen:
            raise error(_core.ArgumentError, name, f"argument {number} is named twice in argnums")
        seen.add(number)
    return sorted(numbers), single or len(numbers) == 1  # gradients come in the order of the arguments, as upstream


def _names(argnames: str | Sequence[str], name: str) -> list[str]:
    names = [argnames] if isinstance(argnames, str) else list(argnames)
    if any(not isinstance(n, str) for n in names):
        raise error(_core.ArgumentTypeError, name, f"argnames must be a str or a sequence of strs, got {argnames!r}")
    return list(dict.fromkeys(names))


class _Slots:
    """Tensors in the arguments of a call, replaced by traced ones while the function runs.

    Lists and dicts are filled in place, so that the function sees the caller's own containers, as upstream has it;
    restore() puts the caller's tensors back wherever the function did not assign something else.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.traced: list[Tensor] = []
        self._filled: list[tuple[Any, Any, Tensor, Any]] = []

    def fill(self, tree: Any, where: str) -> Any:
        if isinstance(tree, Tensor):
            traced = _core.trace_argument(tree)
            self.traced.append(traced)
            return traced
        if isinstance(tree, (list, dict)):
            for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
                filled = self.fill(child, f"{where}[{key!r}]")
                if filled is not child:
                    self._filled.append((tree, key, filled, child))
                    tree[key] = filled
            return tree
        if isinstance(tree, tuple):
            children = [self.fill(child, f"{where}[{i}]") for i, child in enumerate(tree)]
            return type(tree)(*children) if hasattr(tree, "_fields") else type(tree)(children)
        raise error(
            _core.ArgumentError,
            self.name,
            f"{where} must be a tensor, or a tree of lists, tuples and dicts with nothing but tensors, "
            f"got {type(tree).__name__}",
        )

    def restore(self) -> None:
        for container, key, filled, original in reversed(self._filled):
            try:
                if container[key] is filled:
                    container[key] = original
            except (IndexError, KeyError):
                pass  # the function removed it
        self._filled.clear()


def _regrow(tree: Any, leaves: Any) -> Any:
    """A tree of plain lists, dicts and tuples shaped as `tree`, with the next of `leaves` for every tensor."""
    if isinstance(tree, Tensor):
        return next(leaves)
    if isinstance(tree, dict):
        return {key: _regrow(child, leaves) for key, child in tree.items()}
    if hasattr(tree, "_fields"):
        return type(tree)(*(_regrow(child, leaves) for child in tree))
    children = [_regrow(child, leaves) for child in tree]
    return children if isinstance(tree, list) else tuple(children)


def _loss_of(result: Any, name: str) -> Tensor:
    """The scalar that is differentiated."""
    if name == "grad":
        wanted, loss = "a scalar tensor", result
    else:
        wanted = "a scalar tensor, or a tuple whose first element is one"
        if isinstance(result, tuple) and not result:
            raise error(_core.ArgumentError, name, f"the function must return {wanted}; it returned an empty tuple")
        loss = result[0] if isinstance(result, tuple) else result
    if not isinstance(loss, Tensor):
        got = f"a tuple that starts with {type(loss).__name__}" if loss is not result else type(loss).__name__
        raise error(_core.ArgumentError, name, f"the function must return {wanted}; it returned {got}")
    if loss.ndim != 0:
        message = f"the function must return a scalar, its result has shape {tuple(loss.shape)}"
        raise error(_core.ShapeError, name, message)
    return loss


def _differentiate(
    fun: Callable[..., Any], argnums: int | Sequence[int] | None, argnames: str | Sequence[str], name: str
) -> Callable[..., tuple[Any, Any]]:
    if not callable(fun):
        raise error(_core.ArgumentTypeError, name, f"the first argument must be a function, got {type(fun).__name__}")
    names = _names(argnames, name)
    numbers, single = _numbers(argnums, names, name)

    def call(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        for number in numbers:
            if number >= len(args):
                raise error(
                    _core.ArgumentError,
                    name,
                    f"argument {number} cannot be differentiated: "
                    f"the function is called with {len(args)} positional arguments",
                )
        for key in names:
            if key not in kwargs:
                raise error(
                    _core.ArgumentError,
                    name,
                    f"argument {key!r} cannot be differentiated: "
                    f"the function is called with the keyword arguments {sorted(kwargs)}",
                )
        # The containers may be changed by the call: cotangents go back into trees of the shape they had before.
        shapes = [_outline(args[number]) for number in numbers]
        named_shapes = {key: _outline(kwargs[key]) for key in names}
        with _core.TraceScope():
            slots = _Slots(name)
            try:
                passed = list(args)
                for number in numbers:
                    passed[number] = slots.fill(args[number], f"argument {number}")
                passed_names = dict(kwargs)
                for key in names:
                    passed_names[key] = slots.fill(kwargs[key], f"argument {key!r}")
                if not slots.traced:
                    raise error(_core.ArgumentError, name, "the arguments to differentiate hold no tensors")
                result = fun(*passed, **passed_names)
                loss = _loss_of(result, name)
                seed = _core.ones_like(loss)
                cotangents = iter(_core.pullback([loss], slots.traced, [seed]))
            finally:
                slots.restore()
        positional = [_regrow(shape, cotangents) for shape in shapes]
        named = {key: _regrow(shape, cotangents) for key, shape in named_shapes.items()}
        gradients = positional[0] if single else tuple(positional) if positional else None
        return result, (gradients, named) if names else gradients

    return call


def _outline(tree: Any) -> Any:
    """A copy of the containers of a tree, with the same leaves."""
    if isinstance(tree, dict):
        return {key: _outline(child) for key, child in tree.items()}
    if hasattr(tree, "_fields"):
        return type(tree)(*(_outline(child) for child in tree))
    if isinstance(tree, (list, tuple)):
        children = [_outline(child) for child in tree]
        return children if isinstance(tree, list) else tuple(children)
    return tree


def value_and_grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = ()
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns what `fun` returns, and the gradient of its loss.

    `fun` returns a scalar loss, or a tuple that starts with one; the rest of the tuple may be anything. `argnums` and
    `argnames` say which arguments to differentiate (the first one, if neither is given); each is a tensor or a tree of
    lists, tuples and dicts of tensors, and its gradient has the same shape. With an int the gradients are one tree,
    with several positions a tuple of trees. With `argnames` they are a pair of that (None if `argnums` is not given)
    and a dict.
    """
    call = _differentiate(fun, argnums, argnames, "value_and_grad")

    @functools.wraps(fun, updated=())
    def value_and_grad_function(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return call(*args, **kwargs)

    return value_and_grad_function


def grad(
    fun: Callable[..., Any], argnums: int | Sequence[int] | None = None, argnames: str | Sequence[str] = ()
) -> Callable[..., Any]:
    """A function that returns the gradient of `fun`, which returns a scalar; for the arguments see `value_and_grad`."""
    call = _differentiate(fun, argnums, argnames, "grad")

    @functools.wraps(fun, updated=())
    def grad_function(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)[1]

    return grad_function


def _tensor_list(values: Any, what: str) -> list[Tensor]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, Tensor) for value in values):
        raise error(_core.ArgumentTypeError, "vjp", f"{what} must be a list of tensors")
    return list(values)


def vjp(fun: Callable[..., Any], primals: list[Tensor], cotangents: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The outputs of `fun` at `primals`, and the products of the cotangents with its Jacobian, one for each primal.

    `fun` takes the primals as its arguments and returns a tensor, or a list or tuple of tensors; `cotangents` has one
    tensor for each of them, of its shape.
    """
    if not callable(fun):
        raise error(_core.ArgumentTypeError, "vjp", f"the first argument must be a function, got {type(fun).__name__}")
    primals = _tensor_list(primals, "primals")
    cotangents = _tensor_list(cotangents, "cotangents")
    with _core.TraceScope():
        traced = [_core.trace_argument(primal) for primal in primals]
        result = fun(*traced)
        outputs = [result] if isinstance(result, Tensor) else result
        if not isinstance(outputs, (list, tuple)) or not all(isinstance(output, Tensor) for output in outputs):
            got = type(result).__name__
            message = f"the function must return a tensor, or a list or tuple of tensors; it returned {got}"
            raise error(_core.ArgumentError, "vjp", message)
        outputs = list(outputs)
        if len(cotangents) != len(outputs):
            message = f"the function has {len(outputs)} outputs, but there are {len(cotangents)} cotangents"
            raise error(_core.ArgumentError, "vjp", message)
        for i, (output, cotangent) in enumerate(zip(outputs, cotangents)):
            if tuple(output.shape) != tuple(cotangent.shape):
                message = f"output {i} has shape {tuple(output.shape)}, its cotangent {tuple(cotangent.shape)}"
                raise error(_core.ShapeError, "vjp", message)
        return outputs, _core.pullback(outputs, traced, cotangents)


class no_grad:
    """While it lasts, on this thread, nothing is recorded for `backward()`: `with no_grad():`, or as a decorator."""

    def __init__(self, fun: Callable[..., Any] | None = None) -> None:
        if fun is not None:
            message = "as a decorator it is written with parentheses: @no_grad()"
            raise error(_core.ArgumentTypeError, "no_grad", message)
        # One object may be entered again inside itself.
        self._scopes: list[Any] = []

    def __enter__(self) -> None:
        scope = _core.NoGrad()
        scope.__enter__()
        self._scopes.append(scope)

    def __exit__(self, *exception: Any) -> None:
        self._scopes.pop().__exit__(*exception)

    def __call__(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fun)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with no_grad():
                return fun(*args, **kwargs)

        return wrapped
