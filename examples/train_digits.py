"""Trains a two-layer classifier on scikit-learn's handwritten digits: tensors, backward() and SGD by hand.

    pip install isthmus scikit-learn rich
    python examples/train_digits.py

Ends with an error below 96% accuracy on the test set.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import isthmus as ist

WANTED = 0.96
HIDDEN = 128
BATCH = 32
EPOCHS = 80
RATE = 0.2


def parameters() -> dict[str, ist.Tensor]:
    ist.random.seed(0)

    def weight(inputs: int, outputs: int) -> ist.Tensor:
        return ist.random.normal((inputs, outputs)) * (2 / inputs) ** 0.5

    made = {"w1": weight(64, HIDDEN), "b1": ist.zeros((HIDDEN,)), "w2": weight(HIDDEN, 10), "b2": ist.zeros((10,))}
    return {name: ist.array(value, requires_grad=True) for name, value in made.items()}


def logits(p: dict[str, ist.Tensor], x: ist.Tensor) -> ist.Tensor:
    return ist.maximum(x @ p["w1"] + p["b1"], 0) @ p["w2"] + p["b2"]


def cross_entropy(scores: ist.Tensor, labels: ist.Tensor) -> ist.Tensor:
    of_label = ist.take_along_axis(scores, labels[:, None], axis=-1).squeeze(-1)
    return ist.mean(ist.logsumexp(scores, axis=-1) - of_label)


def accuracy(p: dict[str, ist.Tensor], x: ist.Tensor, labels: ist.Tensor) -> float:
    with ist.no_grad():
        right = ist.argmax(logits(p, x), axis=-1) == labels
        return ist.mean(right.astype(ist.float32)).item()


def train(p: dict[str, ist.Tensor], x: ist.Tensor, labels: ist.Tensor, epochs: int) -> float:
    """Stochastic gradient descent, in place; returns the mean loss of the last epoch."""
    order = np.random.default_rng(0)
    losses = []
    for epoch in track(range(epochs), description="training"):
        rate = RATE * (1 - epoch / epochs)
        shuffled = order.permutation(x.shape[0]).astype(np.int32)
        losses.clear()
        for start in range(0, len(shuffled), BATCH):
            chosen = ist.array(shuffled[start : start + BATCH])
            loss = cross_entropy(logits(p, x[chosen]), labels[chosen])
            loss.backward()
            with ist.no_grad():
                for name, value in p.items():
                    updated = value - value.grad * rate
                    p[name] = ist.array(updated, requires_grad=True)
                ist.eval(p, loss)
            losses.append(loss.item())
    return sum(losses) / len(losses)


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains a classifier of handwritten digits.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--save", type=Path, help="where to keep the parameters (a .safetensors file)")
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    split = train_test_split(images.astype(np.float32) / 16, digits.astype(np.int32), test_size=0.25, random_state=0)
    x_train, x_test, y_train, y_test = (ist.array(part) for part in split)

    console = Console()
    p = parameters()
    start = time.perf_counter()
    loss = train(p, x_train, y_train, arguments.epochs)
    elapsed = time.perf_counter() - start
    reached = accuracy(p, x_test, y_test)
    console.print(f"loss {loss:.4f}, test accuracy {reached:.2%} after {arguments.epochs} epochs in {elapsed:.1f} s")

    with tempfile.TemporaryDirectory() as directory:
        path = arguments.save or Path(directory) / "digits.safetensors"
        ist.save_safetensors(path, p, {"accuracy": f"{reached:.4f}"})
        loaded, metadata = ist.load(path, return_metadata=True)
        again = accuracy(loaded, x_test, y_test)
        console.print(f"saved and loaded again: test accuracy {again:.2%} (metadata: {metadata['accuracy']})")

    if again != reached:
        console.print("[red]the loaded parameters give another accuracy[/red]")
        return 1
    if reached < WANTED:
        console.print(f"[red]below {WANTED:.0%}[/red]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
