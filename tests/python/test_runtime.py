"""The graph, the scheduler, memory, devices and threads."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import isthmus as ist


def test_nothing_computes_before_it_is_asked_for() -> None:
    before = ist.memory.active()
    t = ist.ones((1000, 1000)) + 1
    t = t * t
    assert ist.memory.active() - before < 100_000
    ist.eval(t)
    assert ist.memory.active() - before >= 4_000_000


@pytest.mark.parametrize("device", ["cpu", "reference", "null"])
def test_a_chain_of_100_000_ops_neither_overflows_nor_leaks(device: str) -> None:
    def chain() -> ist.Tensor:
        t = ist.zeros((4,), device=device)
        for _ in range(100_000):
            t = t + 1
        return t

    chain()  # dropped without being evaluated
    before = ist.memory.active()
    t = chain()
    ist.eval(t)
    if device != "null":
        assert t.tolist() == [100_000] * 4
    del t
    gc.collect()
    assert ist.memory.active() <= before + 4096


def test_memory_is_freed_while_a_program_runs() -> None:
    ist.memory.reset_peak()
    start = ist.memory.active()
    t = ist.ones((250_000,)) + 0  # 1 MB
    for _ in range(50):
        t = ist.concatenate([t[1:], t[:1]])
    ist.eval(t)
    assert ist.memory.peak() - start < 8_000_000


def test_a_deep_tape_is_freed_without_recursion() -> None:
    w = ist.array([1.0], requires_grad=True)
    t = w
    for _ in range(50_000):
        t = t + 1
    t.sum().backward()
    assert w.grad.item() == 1
    del t


def test_a_shared_result_is_computed_once_and_kept_only_where_needed() -> None:
    a = ist.ones((1000,))
    b = ist.exp(a)
    c, d = b + 1, b * 2
    ist.eval(c, d)
    np.testing.assert_allclose(np.asarray(b), np.e, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(d), 2 * np.e, rtol=1e-6)


def test_views_share_memory_and_outlive_their_base() -> None:
    base = ist.array(np.arange(24, dtype=np.float32).reshape(4, 6))
    ist.eval(base)
    active = ist.memory.active()
    view = ist.transpose(base)[1:5:2, ::-1]
    ist.eval(view)
    assert ist.memory.active() == active
    del base
    np.testing.assert_array_equal(np.asarray(view), np.arange(24, dtype=np.float32).reshape(4, 6).T[1:5:2, ::-1])


def test_devices_are_chosen_at_creation_by_context_and_by_op() -> None:
    a = ist.ones((2,), device="reference")
    assert str(a.device) and "reference" in str(a.device)
    with ist.device("reference"):
        assert "reference" in str(ist.zeros((1,)).device)
    assert "cpu" in str(ist.zeros((1,)).device)
    b = ist.add(a, ist.ones((2,)), device="cpu")
    assert "cpu" in str(b.device) and b.tolist() == [2, 2]


def test_a_graph_over_two_devices_runs_as_one() -> None:
    a = ist.array([1.0, 2.0], device="cpu")
    b = ist.exp(a).to_device("reference") * 2
    c = b.to_device("cpu") + a
    np.testing.assert_allclose(np.asarray(c), np.exp([1, 2]) * 2 + [1, 2], rtol=1e-6)


def test_moving_between_host_devices_copies_nothing() -> None:
    a = ist.array(np.ones(1000, np.float32))
    ist.eval(a)
    active = ist.memory.active()
    b = a.to_device("reference")
    ist.eval(b)
    assert ist.memory.active() == active


def test_figures_of_memory() -> None:
    ist.memory.clear_cache()
    start = ist.memory.active()
    t = ist.array(np.zeros(1_000_000, np.float32))
    assert 4_000_000 <= ist.memory.active() - start <= 4_600_000
    assert ist.memory.peak() >= ist.memory.active()
    del t
    assert ist.memory.active() == start
    assert ist.memory.cache() >= 4_000_000
    ist.memory.clear_cache()
    assert ist.memory.cache() == 0
    previous = ist.memory.set_cache_limit(0)
    try:
        del start
        ist.eval(ist.ones((1000,)) + 1)
        assert ist.memory.cache() == 0
    finally:
        ist.memory.set_cache_limit(previous)


def test_tensors_may_be_evaluated_by_several_threads() -> None:
    shared = ist.array(np.arange(1000, dtype=np.float32))
    base = ist.sin(shared)
    results: list[tuple[int, float]] = []
    errors: list[Exception] = []

    def value(x: ist.Tensor, factor: int) -> float:
        return (x * factor).sum().item()

    def work(i: int) -> None:
        try:
            for _ in range(30):
                results.append((i % 3 + 1, value(base, i % 3 + 1)))
        except Exception as error:  # reported below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    # One thread alone, on a graph that the others never touched, gives the same bits.
    alone = {factor: value(ist.sin(ist.array(np.arange(1000, dtype=np.float32))), factor) for factor in (1, 2, 3)}
    assert len(results) == 6 * 30 and all(got == alone[factor] for factor, got in results)


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, timeout=120
    )


def test_a_forked_child_computes() -> None:
    code = """
import os, isthmus as ist
ist.set_num_threads(2)
(ist.ones((1000, 1000)) @ ist.ones((1000, 1000))).sum().item()
pid = os.fork()
value = (ist.ones((1000, 1000)) @ ist.ones((1000, 1000))).sum().item()
assert value == 1e9, value
if pid: print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else: os._exit(0)
"""
    done = run_python(code)
    assert done.returncode == 0 and done.stdout.strip() == "0", done.stderr


@pytest.mark.parametrize("level", ["nonsense", ""])
def test_an_unknown_isa_level_is_refused(level: str) -> None:
    done = run_python("import isthmus as ist; print((ist.ones(2) + 1).tolist())", ISTHMUS_CPU_ISA=level)
    if level:
        assert done.returncode != 0 and "BackendError" in done.stderr and "nonsense" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


def test_every_isa_level_gives_the_same_bits() -> None:
    code = """
import hashlib, numpy as np, isthmus as ist
rng = np.random.default_rng(0)
x = ist.array(rng.standard_normal((63, 130)).astype(np.float32))
digest = hashlib.sha256()
half = x.astype(ist.bfloat16)
for t in (ist.exp(x), ist.sin(x * 50), ist.softmax(x), x @ ist.transpose(x), x.sum(), half @ ist.transpose(half)):
    digest.update(np.array(t.astype(ist.float32)).tobytes())
print(digest.hexdigest())
"""
    levels = ist._core.cpu_isa_levels()
    digests = {run_python(code, ISTHMUS_CPU_ISA=level).stdout for level in levels}
    assert len(digests) == 1 and digests.pop().strip()


@pytest.mark.slow
def test_import_is_quick() -> None:
    code = "import numpy, time; t = time.perf_counter(); import isthmus; print(time.perf_counter() - t)"
    best = min(float(run_python(code).stdout) for _ in range(5))
    assert best < 0.06
