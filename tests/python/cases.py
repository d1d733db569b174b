"""One way to call every op of the table, for all tests that go over all ops.

A case draws shapes and arguments with hypothesis and returns a `Call`: the inputs to make and a function of a module
(`isthmus`, or upstream's `mlx.core`) and the input tensors. `CASES` maps op names to cases; a test checks that no op
of the table is missing.
"""

from __future__ import annotations

import cases_elementwise
import cases_network
import cases_reduce
import cases_shape
from cases_base import ALL, CASES, FLOATS, Call, Input

__all__ = ["ALL", "CASES", "FLOATS", "NOT_CALLED", "Call", "Input", "families"]

# Each fills CASES when it is imported.
families = (cases_elementwise, cases_reduce, cases_network, cases_shape)

# Rows that are not functions of their own: what stands behind every tensor, behind autograd and behind placement.
NOT_CALLED = {"data", "alias", "to_device", "add_along_axis"}
