"""Settings for all tests: hypothesis without deadlines (machines differ), and the thread count put back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

import isthmus as ist

settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True, derandomize=True)
settings.register_profile("quick", deadline=None, max_examples=3, print_blob=True, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _thread_count_put_back() -> Iterator[None]:
    threads = ist.num_threads()
    yield
    ist.set_num_threads(threads)
