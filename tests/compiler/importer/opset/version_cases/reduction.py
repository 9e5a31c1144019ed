"""Reductions, whose axes were attributes first, and the largest's and smallest's places."""

from __future__ import annotations

import numpy as np

from .model import bools, case, floats, integers, ints, positive, scalar

X = positive(2, 3, 4)

NAMES = "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare"

for names, last, first in ((NAMES, "1-13", "18-"), ("ReduceSum", "1-11", "13-")):
    case(names, last, "y = {op} <axes = [1], keepdims = 0> (x)", x=X)
    case(names, last, "y = {op} <axes = [0, 2]> (x)", x=X)
    case(names, last, "y = {op}(x)", x=X)
    if last == "1-13":
        case(names, "11-13", "y = {op} <axes = [-1]> (x)", x=X)
    else:
        case(names, "11", "y = {op} <axes = [-1]> (x)", x=X)
    case(names, first, "y = {op} <keepdims = 0> (x, axes)", x=X, axes=ints(0, -1), held="axes")
    case(names, first, "y = {op}(x)", x=X)
COUNTS = integers(3, 4, low=1, high=9, dtype=np.int32)
for name, compute in (("ReduceLogSum", lambda x: np.log(x.sum(1))), ("ReduceLogSumExp", lambda x: np.log(np.exp(x).sum(1)))):
    old, new = f"y = {name} <axes = [1], keepdims = 0> (x)", f"y = {name} <keepdims = 0> (x, axes)"
    case(name, "1-13", old, x=COUNTS, want=lambda x, f=compute: f(x.astype(np.float64)).astype(np.int32))
    case(name, "18", new, x=COUNTS, axes=ints(1), held="axes", want=lambda x, axes, f=compute: f(x.astype(np.float64)).astype(np.int32))
case("ReduceSum", "13-", "y = ReduceSum <noop_with_empty_axes = 1> (x)", x=X, want=lambda x: x)
case("ReduceMax ReduceMin", "20", "y = {op} <keepdims = 0> (x)", x=bools(3, 4), by="reference")

TIES = integers(3, 5, low=0, high=2, dtype=np.float32)
case("ArgMax ArgMin", "1-", "y = {op}(x)", x=TIES)
case("ArgMax ArgMin", "1-", "y = {op} <axis = 1, keepdims = 0> (x)", x=TIES)
case("ArgMax ArgMin", "11-", "y = {op} <axis = -1> (x)", x=TIES)
case("ArgMax ArgMin", "12-", "y = {op} <axis = 1, select_last_index = 1> (x)", x=TIES)

case("CumSum", "11-", "y = CumSum(x, axis)", x=floats(3, 4), axis=scalar(1))
case("CumSum", "11-", "y = CumSum <exclusive = 1, reverse = 1> (x, axis)", x=floats(3, 4), axis=scalar(0, np.int32))
case("CumProd", "26", "y = CumProd <exclusive = 1> (x, axis)", x=floats(3, 4), axis=scalar(1))
