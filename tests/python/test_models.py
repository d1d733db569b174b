"""The main job: a real model from its safetensors file, and a real training run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import embed  # noqa: E402

import isthmus as ist  # noqa: E402


@pytest.fixture(scope="module")
def embeddings() -> dict[str, np.ndarray]:
    out = {}
    for device in ("cpu", "reference"):
        with ist.device(device):
            model = embed.MiniLM()
            out[device] = np.array(embed.embed_sentences(model, embed.SENTENCES))
    return out


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_embeddings_are_those_of_torch(embeddings: dict[str, np.ndarray], device: str) -> None:
    """The fixture was recorded once by tools/record_minilm_fixture.py: PyTorch's own functions on the same weights."""
    recorded = np.load(Path(__file__).parent / "fixtures" / "minilm_embeddings.npz")
    assert list(recorded["sentences"]) == list(embed.SENTENCES) and len(embed.SENTENCES) == 8
    np.testing.assert_allclose(embeddings[device], recorded["embeddings"], rtol=0, atol=1e-5)


def test_embeddings_have_the_same_bits_on_both_backends(embeddings: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(embeddings["cpu"].view(np.uint32), embeddings["reference"].view(np.uint32))


def run_python(code: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(n) for n in re.findall(r"\d+", done.stdout)]


def test_loading_copies_no_weights() -> None:
    code = f"""
import re, sys
sys.path.insert(0, {str(ROOT / "examples")!r})
import embed, isthmus as ist
def private():
    text = open("/proc/self/smaps_rollup").read()
    return sum(int(n) for n in re.findall(r"Private_\\w+:\\s+(\\d+)", text))
path = embed.model_directory() / "model.safetensors"
ist.eval(ist.ones(1) + 1)
before = private()
weights = ist.load(path)
ist.eval(*weights.values())
print(private() - before)
"""
    assert run_python(code)[0] < 5_000  # kB


def test_peak_memory_of_loading_and_embedding() -> None:
    """The peak over what the process needs before: the interpreter, NumPy, the tokenizer."""
    code = f"""
import re, sys
sys.path.insert(0, {str(ROOT / "examples")!r})
import embed, isthmus as ist
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
from tokenizers import Tokenizer
Tokenizer.from_file(str(embed.model_directory() / "tokenizer.json"))
before = peak()
model = embed.MiniLM()
ist.eval(embed.embed_sentences(model, embed.SENTENCES))
print(peak() - before, (embed.model_directory() / "model.safetensors").stat().st_size // 1024)
"""
    peak, size = run_python(code)
    assert peak < 1.3 * size


def test_digits_train_to_96_percent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "train_digits.py"), "--save", str(tmp_path / "digits.safetensors")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    accuracies = [float(x) for x in re.findall(r"(\d+\.\d+)\s*%", done.stdout)]
    assert accuracies and accuracies[-1] >= 96
