"""Comparisons and logic, with broadcasting new and old."""

from __future__ import annotations

import numpy as np

from .model import bools, case, floats, integers, strings

OF_BOOLS = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}
OF_NUMBERS = {"Equal": np.equal, "Greater": np.greater, "Less": np.less}


def old(name: str, compute, a: np.ndarray, b: np.ndarray) -> None:
    """Up to operator set 6 only the second operand was broadcast, on request, its first dimension at `axis` of the first operand."""
    case(name, "1", f"y = {name}(a, b)", a=a, b=a, want=compute)
    case(name, "1", f"y = {name} <broadcast = 1> (a, b)", a=a, b=b[0, 0], want=compute)
    case(name, "1", f"y = {name} <broadcast = 1, axis = 1> (a, b)", a=a, b=b[0, :, 0], want=lambda a, b: compute(a, b[:, None]))
    case(name, "7-", f"y = {name}(a, b)", a=a, b=b[0, 0])


for name, compute in OF_BOOLS.items():
    old(name, compute, bools(2, 3, 4), bools(2, 3, 4))
old("Equal", np.equal, integers(2, 3, 4, high=-2), integers(2, 3, 4, high=-2))
old("Greater", np.greater, floats(2, 3, 4), floats(2, 3, 4))
old("Less", np.less, floats(2, 3, 4), floats(2, 3, 4))
case("Equal", "11-", "y = Equal(a, b)", a=np.float32([1, 2, np.nan]), b=np.float32([1, 3, np.nan]))
case("Equal", "19", "y = Equal(a, b)", a=strings("a", "b"), b=strings("a"))
case("Greater Less", "9-", "y = {op}(a, b)", a=integers(4, dtype=np.int32), b=integers(4, dtype=np.int32))
case("GreaterOrEqual LessOrEqual", "12-", "y = {op}(a, b)", a=integers(4, high=-2), b=integers(4, high=-2))
case("Where", "9-", "y = Where(c, a, b)", c=bools(3, 1), a=floats(3, 4), b=floats(4))
