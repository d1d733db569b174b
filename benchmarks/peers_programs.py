"""What users of each library would write for a row: `programs` from operands to a result, and how it is evaluated.

NumPy and PyTorch run at once, JAX compiles, MLX and Isthmus evaluate a graph; a call ends when the result is in memory.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from peers_models import jax_models, mlx_like_models, torch_models
from peers_rows import Row

Program = Callable[..., Any]
Call = Callable[[], Any]
EPSILON = 1e-5


class Absent(Exception):
    """The library has no such op or dtype."""


def chain(a: Any, ops: int) -> Any:
    x = a
    for _ in range(ops):
        x = x + a
    return x


def gelu(tanh: Program) -> Program:
    """The tanh form, in eight elementwise ops."""
    k = math.sqrt(2 / math.pi)
    return lambda x: x * 0.5 * (1 + tanh(x * (k + k * 0.044715 * (x * x))))


def adam(sqrt: Program) -> Program:
    """A step of Adam without its corrections of bias, and the new moments."""

    def step(weights: Any, gradient: Any, mean: Any, variance: Any) -> Any:
        mean = 0.9 * mean + 0.1 * gradient
        variance = 0.999 * variance + 0.001 * (gradient * gradient)
        return weights - 1e-3 * mean / (sqrt(variance) + 1e-8), mean, variance

    return step


def group_norm(rsqrt: Program) -> Program:
    """Of 32 groups of channels, which come last; written out."""

    def norm(x: Any, weight: Any, bias: Any) -> Any:
        groups = x.reshape(x.shape[0], -1, 32, x.shape[-1] // 32)
        mean = groups.mean((1, 3), keepdims=True)
        groups = (groups - mean) * rsqrt(groups.var((1, 3), keepdims=True) + EPSILON)
        return groups.reshape(x.shape) * weight + bias

    return norm


def operands_of(row: Row, values: Callable[[np.ndarray], Any], indices: Callable[[np.ndarray], Any]) -> list[Any]:
    return [indices(a) if operand.below else values(a) for a, operand in zip(row.arrays(), row.operands)]


def operators(row: Row) -> dict[str, Program]:
    """What every library spells alike."""
    return {
        "chain of one-element adds": lambda a: chain(a, row.ops),
        "matmul": lambda a, b: a @ b,
        "matvec": lambda x, w: x @ w.T,
        "linear": lambda x, w, bias: x @ w.T + bias,
        "dot": lambda a, b: a @ b,
        "a + b": lambda a, b: a + b,
        "a.T + b": lambda a, b: a.T + b,
        "a * row + row": lambda a, b: a * b + b,
        "sum": lambda a: a.sum(),
        "a ** 3": lambda a: a**3,
        "a // 7": lambda a: a // 7,
        "sum of a[::2]": lambda a: a[::2].sum(),
        "sum axis 0": lambda a: a.sum(0),
        "sum axis 1": lambda a: a.sum(1),
        "argmax": lambda a: a.argmax(),
        "argmax axis 1": lambda a: a.argmax(1),
        "cumsum": lambda a: a.cumsum(0),
        "cumsum axis 1": lambda a: a.cumsum(1),
    }


def numpy_like(xp: Any, row: Row) -> dict[str, Program]:
    """NumPy and jax.numpy: norms are written out."""

    def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return centred / xp.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON) * weight + bias

    def batch_norm(x: Any, weight: Any, bias: Any) -> Any:
        return (x - x.mean((0, 1, 2))) / xp.sqrt(x.var((0, 1, 2)) + EPSILON) * weight + bias

    return operators(row) | {
        "exp": xp.exp,
        "sin": xp.sin,
        "tanh": xp.tanh,
        "where a > 0": lambda a, b: xp.where(a > 0, a, b),
        "max axis 0": lambda a: a.max(0),
        "max axis 1": lambda a: a.max(1),
        "var": lambda a: a.var(),
        "var of columns": lambda a: a.var(0),
        "batch norm": batch_norm,
        "group norm": group_norm(lambda a: 1 / xp.sqrt(a)),
        "Adam step": adam(xp.sqrt),
        "gelu": gelu(xp.tanh),
        "layer_norm": layer_norm,
        "rms_norm": lambda x, weight: x / xp.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * weight,
        "sort": xp.sort,
        "sort axis 1": xp.sort,
        "argsort": xp.argsort,
        "gather": lambda a, i: a[i],
        "gather columns": lambda a, i: xp.take(a, i, axis=1),
    }


def numpy_call(row: Row, threads: int) -> Call:
    def softmax(a: Any, axis: int = -1) -> Any:
        e = np.exp(a - a.max(axis=axis, keepdims=True))
        e /= e.sum(axis=axis, keepdims=True)
        return e

    def scatter_add(a: Any, i: Any, b: Any) -> Any:
        a = a.copy()
        np.add.at(a, i, b)
        return a

    generator = np.random.default_rng(0)
    programs = numpy_like(np, row) | {
        "10 largest": lambda a: np.sort(np.partition(a, a.size - 10)[a.size - 10 :]),
        "softmax": softmax,
        "softmax where b > 0": lambda a, b: softmax(np.where(b > 0, a, np.float32(-1e9))),
        "softmax axis 0": lambda a: softmax(a, 0),
        "uniform": lambda a: generator.random(a.shape, np.float32),
        "flip axis 2": lambda a: np.ascontiguousarray(a[:, :, ::-1]),
        "transpose copy": lambda a: np.ascontiguousarray(a.T),
        "scatter-add": scatter_add,
    }
    # Its float16 products take seconds.
    if row.program not in programs or row.dtype == "bfloat16" or (row.program, row.dtype) == ("matmul", "float16"):
        raise Absent
    program = programs[row.program]
    operands = operands_of(row, lambda a: a.astype(row.dtype), lambda a: a.astype(np.intp))
    return lambda: program(*operands)


def torch_call(row: Row, threads: int) -> Call:
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    programs = operators(row) | {
        "exp": torch.exp,
        "sin": torch.sin,
        "tanh": torch.tanh,
        "erf": torch.erf,
        "sigmoid": torch.sigmoid,
        "where a > 0": lambda a, b: torch.where(a > 0, a, b),
        "uniform": lambda a: torch.rand(a.shape),
        "max axis 0": lambda a: a.amax(0),
        "max axis 1": lambda a: a.amax(1),
        "var": lambda a: a.var(correction=0),
        "var of columns": lambda a: a.var(0, correction=0),
        "batch norm": lambda x, weight, bias: functional.batch_norm(x, None, None, weight, bias, True, 0.1, EPSILON),
        "linear": functional.linear,
        "group norm": lambda x, weight, bias: functional.group_norm(x, 32, weight, bias, EPSILON),
        "Adam step": adam(torch.sqrt),
        "gelu": gelu(torch.tanh),
        "softmax": lambda a: torch.softmax(a, -1),
        "softmax where b > 0": lambda a, b: torch.softmax(torch.where(b > 0, a, -1e9), -1),
        "softmax axis 0": lambda a: torch.softmax(a, 0),
        "layer_norm": lambda x, weight, bias: functional.layer_norm(x, (x.shape[-1],), weight, bias, EPSILON),
        "rms_norm": lambda x, weight: functional.rms_norm(x, (x.shape[-1],), weight, EPSILON),
        "sort": lambda a: torch.sort(a).values,
        "sort axis 1": lambda a: torch.sort(a).values,
        "argsort": torch.argsort,
        "10 largest": lambda a: torch.topk(a, 10).values,
        "transpose copy": lambda a: a.T.contiguous(),
        "gather": lambda a, i: torch.index_select(a, 0, i),
        "gather columns": lambda a, i: torch.index_select(a, 1, i),
        "flip axis 2": lambda a: torch.flip(a, (2,)),
        "scatter-add": lambda a, i, b: a.index_add(0, i, b),
        "conv2d": lambda x, w: functional.conv2d(x, w, padding=1),
        "attention": functional.scaled_dot_product_attention,
        **torch_models(),
    }
    if row.program not in programs:
        raise Absent
    program = programs[row.program]
    dtype = getattr(torch, row.dtype)
    operands = operands_of(row, lambda a: torch.from_numpy(a).to(dtype), lambda a: torch.from_numpy(a).long())
    if row.program == "conv2d":
        last = row.dtype == "bfloat16"  # channels: what is faster in that dtype
        layout = torch.channels_last if last else torch.contiguous_format
        operands = [a.permute(0, 3, 1, 2).contiguous(memory_format=layout) for a in operands]
    elif row.program == "CNN, training":
        operands = [a.permute(0, 3, 1, 2).contiguous() if a.ndim == 4 else a for a in operands]
    elif row.program == "batch norm":
        operands[0] = operands[0].permute(0, 3, 1, 2)  # channels last, the faster of the two
    elif row.program == "group norm":
        operands[0] = operands[0].permute(0, 3, 1, 2).contiguous()
    return lambda: program(*operands)


def jax_call(row: Row, threads: int) -> Call:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", row.dtype == "float64")
    key = jax.random.key(0)
    programs = numpy_like(jnp, row) | {
        "10 largest": lambda a: jax.lax.top_k(a, 10)[0],
        "erf": jax.scipy.special.erf,
        "sigmoid": jax.nn.sigmoid,
        "softmax": lambda a: jax.nn.softmax(a, axis=-1),
        "softmax where b > 0": lambda a, b: jax.nn.softmax(jnp.where(b > 0, a, -1e9), axis=-1),
        "softmax axis 0": lambda a: jax.nn.softmax(a, axis=0),
        # From a key that is an argument, so that it is not computed while compiling.
        "uniform": lambda a: jax.random.uniform(jax.random.fold_in(key, a[0].astype(jnp.int32)), a.shape),
        "flip axis 2": lambda a: jnp.flip(a, 2),
        "transpose copy": lambda a: jnp.copy(a.T),
        "scatter-add": lambda a, i, b: a.at[i].add(b),
        "conv2d": lambda x, w: jax.lax.conv_general_dilated(
            x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        "attention": jax.nn.dot_product_attention,
        **jax_models(),
    }
    if row.program not in programs:
        raise Absent
    program = programs[row.program]
    operands = operands_of(row, lambda a: jnp.asarray(a, row.dtype), jnp.asarray)
    if row.program == "conv2d":
        operands[1] = jnp.copy(operands[1].transpose(1, 2, 3, 0))
    elif row.program == "attention":
        operands = [jnp.copy(a.transpose(0, 2, 1, 3)) for a in operands]
    # Compiled, the chain would be one kernel: its row asks for the cost of an op.
    compiled = program if row.ops > 1 else jax.jit(program)
    return lambda: jax.block_until_ready(compiled(*operands))


def mlx_like_call(mx: Any, row: Row) -> Call:
    """MLX and Isthmus, which has its names."""

    def attention(q: Any, k: Any, v: Any) -> Any:
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]))

    def batch_norm(x: Any, weight: Any, bias: Any) -> Any:
        return (x - x.mean((0, 1, 2))) * mx.rsqrt(x.var((0, 1, 2)) + EPSILON) * weight + bias

    programs = operators(row) | {
        "matvec 4-bit": lambda x, *w: mx.quantized_matmul(x, *w, transpose=True, group_size=64, bits=4),
        "exp": lambda a: mx.exp(a),
        "sin": lambda a: mx.sin(a),
        "tanh": lambda a: mx.tanh(a),
        "erf": lambda a: mx.erf(a),
        "sigmoid": lambda a: mx.sigmoid(a),
        "where a > 0": lambda a, b: mx.where(a > 0, a, b),
        "uniform": lambda a: mx.random.uniform(shape=a.shape),
        "max axis 0": lambda a: a.max(0),
        "max axis 1": lambda a: a.max(1),
        "var": lambda a: a.var(),
        "var of columns": lambda a: a.var(0),
        "batch norm": batch_norm,
        "group norm": group_norm(lambda a: mx.rsqrt(a)),
        "Adam step": adam(lambda a: mx.sqrt(a)),
        "gelu": gelu(mx.tanh),
        "softmax": lambda a: mx.softmax(a, axis=-1),
        "softmax where b > 0": lambda a, b: mx.softmax(mx.where(b > 0, a, -1e9), axis=-1),
        "softmax axis 0": lambda a: mx.softmax(a, axis=0),
        "layer_norm": lambda x, weight, bias: mx.fast.layer_norm(x, weight, bias, EPSILON),
        "rms_norm": lambda x, weight: mx.fast.rms_norm(x, weight, EPSILON),
        "sort": lambda a: mx.sort(a),
        "sort axis 1": lambda a: mx.sort(a),
        "argsort": lambda a: mx.argsort(a),
        "10 largest": lambda a: mx.topk(a, 10),
        "transpose copy": lambda a: mx.contiguous(a.T),
        "gather": lambda a, i: mx.take(a, i, axis=0),
        "gather columns": lambda a, i: mx.take(a, i, axis=1),
        "flip axis 2": lambda a: mx.contiguous(a[:, :, ::-1]),
        "scatter-add": lambda a, i, b: a.at[i].add(b),
        "conv2d": lambda x, w: mx.conv2d(x, w, padding=1),
        "attention": attention,
        **mlx_like_models(mx),
    }
    program = programs[row.program]
    dtype = getattr(mx, row.dtype)
    operands = operands_of(row, lambda a: mx.array(a, dtype), mx.array)
    if row.program == "matvec 4-bit":
        operands = [operands[0], *mx.quantize(operands[1], group_size=64, bits=4)]
    mx.eval(operands)
    return lambda: mx.eval(program(*operands))


def mlx_call(row: Row, threads: int) -> Call:
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    return mlx_like_call(mx, row)


def isthmus_call(row: Row, threads: int) -> Call:
    import isthmus as ist

    return mlx_like_call(ist, row)


CALLS: dict[str, Callable[[Row, int], Call]] = {
    "isthmus": isthmus_call,
    "numpy": numpy_call,
    "torch": torch_call,
    "jax": jax_call,
    "mlx": mlx_call,
}


def version_of(library: str) -> str:
    return str(importlib.import_module("mlx.core" if library == "mlx" else library).__version__)
