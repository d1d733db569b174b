"""Whole models for the rows of peers.py, written once over the few functions that each library spells in its own way.

Images have their channels last, but for PyTorch, whose convolutions and pooling want them first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]
EPSILON = 1e-5
RATE = 1e-3
BLOCK_HEADS = 4


@dataclass(frozen=True)
class Library:
    """What users of the library take; heads are the second axis of four, and `gelu` is the form with tanh."""

    layer_norm: Function  # x, weight, bias
    rms_norm: Function  # x, weight
    attention: Function  # q, k, v
    gelu: Function
    relu: Function
    silu: Function
    tanh: Function
    transpose: Function  # x, axes
    concatenate: Function  # arrays, axis
    stack: Function
    mean_square: Function  # a, b
    cross_entropy: Function  # logits, labels
    convolve: Function  # images, filters: of the same size
    pool: Function  # images: the largest of two by two
    image_axes: tuple[int, int]
    gradients: Function  # loss, parameters: the loss and the gradients of its arguments


def block(library: Library, x: Any, *parameters: Any) -> Any:
    """A transformer block: norms first, no mask."""
    scale1, bias1, wq, wk, wv, wo, scale2, bias2, w1, b1, w2, b2 = parameters

    def heads(a: Any) -> Any:
        return library.transpose(a.reshape(*x.shape[:2], BLOCK_HEADS, -1), (0, 2, 1, 3))

    h = library.layer_norm(x, scale1, bias1)
    attended = library.attention(heads(h @ wq), heads(h @ wk), heads(h @ wv))
    x = x + library.transpose(attended, (0, 2, 1, 3)).reshape(x.shape) @ wo
    h = library.layer_norm(x, scale2, bias2)
    return x + library.gelu(h @ w1 + b1) @ w2 + b2


def perceptron(library: Library, x: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
    h = library.relu(x @ w1 + b1)
    h = library.relu(h @ w2 + b2)
    return h @ w3 + b3


def convolutional(library: Library, x: Any, filters1: Any, filters2: Any, w: Any) -> Any:
    h = library.pool(library.relu(library.convolve(x, filters1)))
    h = library.pool(library.relu(library.convolve(h, filters2)))
    return h.mean(library.image_axes) @ w


def recurrent(library: Library, x: Any, wx: Any, wh: Any, b: Any) -> Any:
    """The states of all steps, the first axis of `x`."""
    inputs = x @ wx + b
    states = [library.tanh(inputs[0])]
    for step in range(1, x.shape[0]):
        states.append(library.tanh(inputs[step] + states[-1] @ wh))
    return library.stack(states)


def decoder(library: Library, x: Any, keys: Any, values: Any, *parameters: Any) -> Any:
    """A layer with a gated MLP for one token more, and its keys and values; without rotary embedding."""
    scale1, wq, wk, wv, wo, scale2, gate, up, down = parameters

    def heads(a: Any) -> Any:
        return a.reshape(1, keys.shape[1], 1, -1)

    h = library.rms_norm(x, scale1)
    keys = library.concatenate((keys, heads(h @ wk)), 2)
    values = library.concatenate((values, heads(h @ wv)), 2)
    attended = library.attention(heads(h @ wq), keys, values)
    x = x + attended.reshape(x.shape) @ wo
    h = library.rms_norm(x, scale2)
    return x + (library.silu(h @ gate) * (h @ up)) @ down, keys, values


def training(library: Library, model: Function, measure: Function) -> Function:
    """From data, what is wanted and parameters to the loss and parameters after a step of gradient descent."""

    def step(x: Any, wanted: Any, *parameters: Any) -> Any:
        loss, gradients = library.gradients(lambda *p: measure(model(library, x, *p), wanted), parameters)
        return loss, *[p - RATE * g for p, g in zip(parameters, gradients)]

    return step


def models(library: Library) -> dict[str, Function]:
    def forward(model: Function) -> Function:
        return lambda *operands: model(library, *operands)

    return {
        "transformer block": forward(block),
        "transformer block, training": training(library, block, library.mean_square),
        "MLP, training": training(library, perceptron, library.cross_entropy),
        "CNN, training": training(library, convolutional, library.cross_entropy),
        "RNN": forward(recurrent),
        "decoder layer": forward(decoder),
    }


def torch_models() -> dict[str, Function]:
    import torch
    from torch.nn import functional

    def gradients(loss: Function, parameters: tuple[Any, ...]) -> Any:
        with torch.enable_grad():
            leaves = [p.detach().requires_grad_() for p in parameters]
            value = loss(*leaves)
            return value, torch.autograd.grad(value, leaves)

    def rnn(x: Any, wx: Any, wh: Any, b: Any) -> Any:
        """Its own kernel, which takes the weights transposed."""
        zeros = torch.zeros(1, x.shape[1], wh.shape[0])
        return torch.rnn_tanh(x, zeros, (wx.T, wh.T, b, torch.zeros_like(b)), True, 1, 0.0, False, False, False)[0]

    library = Library(
        layer_norm=lambda x, weight, bias: functional.layer_norm(x, x.shape[-1:], weight, bias, EPSILON),
        rms_norm=lambda x, weight: functional.rms_norm(x, x.shape[-1:], weight, EPSILON),
        attention=functional.scaled_dot_product_attention,
        gelu=lambda x: functional.gelu(x, approximate="tanh"),
        relu=functional.relu,
        silu=functional.silu,
        tanh=torch.tanh,
        transpose=lambda x, axes: x.permute(axes),
        concatenate=torch.cat,
        stack=torch.stack,
        mean_square=functional.mse_loss,
        cross_entropy=functional.cross_entropy,
        convolve=lambda x, filters: functional.conv2d(x, filters, padding=1),
        pool=lambda x: functional.max_pool2d(x, 2),
        image_axes=(2, 3),
        gradients=gradients,
    )
    return models(library) | {"RNN": rnn}


def jax_models() -> dict[str, Function]:
    import jax
    import jax.numpy as jnp

    def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + EPSILON) * weight + bias

    def attention(q: Any, k: Any, v: Any) -> Any:
        tokens_first = (a.transpose(0, 2, 1, 3) for a in (q, k, v))
        return jax.nn.dot_product_attention(*tokens_first).transpose(0, 2, 1, 3)

    def cross_entropy(logits: Any, labels: Any) -> Any:
        chosen = jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]
        return (jax.nn.logsumexp(logits, axis=1) - chosen).mean()

    def convolve(x: Any, filters: Any) -> Any:
        return jax.lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=("NHWC", "OHWI", "NHWC"))

    def gradients(loss: Function, parameters: tuple[Any, ...]) -> Any:
        return jax.value_and_grad(loss, argnums=tuple(range(len(parameters))))(*parameters)

    def rnn(x: Any, wx: Any, wh: Any, b: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            state = jnp.tanh(given + state @ wh)
            return state, state

        return jax.lax.scan(step, jnp.zeros_like(x[0]), x @ wx + b)[1]

    library = Library(
        layer_norm=layer_norm,
        rms_norm=lambda x, weight: x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPSILON) * weight,
        attention=attention,
        gelu=jax.nn.gelu,
        relu=jax.nn.relu,
        silu=jax.nn.silu,
        tanh=jnp.tanh,
        transpose=jnp.transpose,
        concatenate=jnp.concatenate,
        stack=jnp.stack,
        mean_square=lambda a, b: jnp.square(a - b).mean(),
        cross_entropy=cross_entropy,
        convolve=convolve,
        pool=lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
        image_axes=(1, 2),
        gradients=gradients,
    )
    return models(library) | {"RNN": rnn}


def mlx_like_models(mx: Any) -> dict[str, Function]:
    """MLX and Isthmus, which has its names."""

    def attention(q: Any, k: Any, v: Any) -> Any:
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]))

    def gelu(x: Any) -> Any:
        return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    def cross_entropy(logits: Any, labels: Any) -> Any:
        chosen = mx.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
        return (mx.logsumexp(logits, axis=1) - chosen).mean()

    def pool(x: Any) -> Any:
        images, rows, columns, channels = x.shape
        return x.reshape(images, rows // 2, 2, columns // 2, 2, channels).max((2, 4))

    def gradients(loss: Function, parameters: tuple[Any, ...]) -> Any:
        return mx.value_and_grad(loss, argnums=list(range(len(parameters))))(*parameters)

    library = Library(
        layer_norm=lambda x, weight, bias: mx.fast.layer_norm(x, weight, bias, EPSILON),
        rms_norm=lambda x, weight: mx.fast.rms_norm(x, weight, EPSILON),
        attention=attention,
        gelu=gelu,
        relu=lambda x: mx.maximum(x, 0),
        silu=lambda x: x * mx.sigmoid(x),
        tanh=mx.tanh,
        transpose=mx.transpose,
        concatenate=lambda arrays, axis: mx.concatenate(arrays, axis=axis),
        stack=mx.stack,
        mean_square=lambda a, b: mx.square(a - b).mean(),
        cross_entropy=cross_entropy,
        convolve=lambda x, filters: mx.conv2d(x, filters, padding=1),
        pool=pool,
        image_axes=(1, 2),
        gradients=gradients,
    )
    return models(library)
