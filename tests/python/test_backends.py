"""A stranger's backend, loaded as a shared library, and the ones that are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("toy")
    include = folder / "include"
    include.mkdir()
    for header in ("backend.h", "op_ids.h"):  # all that a stranger has
        shutil.copy(ROOT / "cpp" / "abi" / header, include)

    def make(name: str, *defines: str) -> Path:
        library = folder / f"{name}.so"
        source = ROOT / "tests" / "c" / "toy_backend.c"
        command = [
            "cc",
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            f"-I{include}",
            *(f"-D{d}" for d in defines),
            str(source),
            "-o",
            str(library),
        ]
        subprocess.run(command, check=True)
        return library

    return make


@pytest.fixture(scope="module")
def toy(build):  # type: ignore[no-untyped-def]
    ist.load_backend(str(build("toy")))
    return "toy"


def test_it_adds_in_a_graph_with_everything_else_on_cpu(toy: str) -> None:
    a = ist.array(np.arange(6, dtype=np.float32).reshape(2, 3))
    b = ist.exp(a)
    with_toy = ist.add(ist.transpose(b), ist.transpose(a), device=toy).to_device("cpu")
    c = ist.sum(with_toy * 2, axis=0)
    np.testing.assert_allclose(np.asarray(c), ((np.exp(np.asarray(a)) + np.asarray(a)).T * 2).sum(0), rtol=1e-6)


def test_broadcast_and_strided_operands_arrive_right(toy: str) -> None:
    a = ist.array(np.arange(12, dtype=np.float32).reshape(3, 4), device=toy)
    row = ist.array(np.array([1, 2, 3, 4], np.float32), device=toy)
    np.testing.assert_array_equal(np.asarray(a[::-1, ::2] * row[1::2]), np.arange(12).reshape(3, 4)[::-1, ::2] * [2, 4])


def test_its_failure_is_a_backend_error_that_names_the_op(toy: str) -> None:
    t = -ist.zeros((13,), device=toy)
    with pytest.raises(ist.BackendError, match="negative: toy: 13 is unlucky"):
        ist.eval(t)
    assert (ist.ones((2,), device=toy) + 1).tolist() == [2, 2]


def test_an_unsupported_op_is_an_error_unless_fallback_is_allowed(toy: str) -> None:
    a = ist.array([1.0, 4.0], device=toy)
    with pytest.raises(ist.BackendError, match="device 'toy' does not support 'sqrt' for float32"):
        ist.eval(ist.sqrt(a))
    ist.allow_fallback(True)
    try:
        assert (ist.sqrt(a) + 1).tolist() == [2, 3]
    finally:
        ist.allow_fallback(False)


@pytest.mark.parametrize(
    ("define", "message"),
    [
        ("TOY_WRONG_MAJOR", r"backend ABI \d+\.\d+, this runtime has 1\.\d+"),
        ("TOY_SHORT_STRUCT", r"\d+ bytes, at least \d+ wanted"),
        ("TOY_NO_SYMBOL", "no symbol 'ist_backend_query'"),
        ("TOY_NULL_RUN", "lacks run"),
    ],
)
def test_what_does_not_fit_is_refused(build, define: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ist.BackendError, match=message):
        ist.load_backend(str(build(define.lower(), define)))


def test_the_environment_names_backends_and_refusals_are_shown(build) -> None:  # type: ignore[no-untyped-def]
    good, bad = build("named"), build("wrong", "TOY_WRONG_MAJOR")
    env = {**os.environ, "ISTHMUS_BACKENDS": f"{bad}:{good}:/does/not/exist.so"}
    done = subprocess.run(
        [sys.executable, "-m", "isthmus.cli", "info"], capture_output=True, text=True, env=env, check=True
    )
    assert (
        "toy" in done.stdout
        and "wrong.so" in done.stdout
        and "this runtime has" in done.stdout
        and "/does/not/exist.so" in done.stdout
    )
