"""Gathering, scattering, sorting and choosing."""

from __future__ import annotations

import numpy as np

from .model import bools, case, floats, integers, ints, scalar

X = floats(3, 4)

case("Gather", "1-", "y = Gather(x, i) z = Gather <axis = 1> (x, i)", x=X, i=np.int32([[0, 2], [1, 1]]))
case("Gather", "11-", "y = Gather <axis = -1> (x, i)", x=X, i=ints(-1, 0))
case("GatherElements", "11-", "y = GatherElements <axis = 1> (x, i)", x=X, i=integers(3, 2, low=-4, high=4))
case("GatherND", "11-", "y = GatherND(x, i)", x=X, i=np.int64([[0, 1], [2, -1]]))
case("GatherND", "12-", "y = GatherND <batch_dims = 1> (x, i)", x=X, i=np.int64([[1], [0], [3]]))

PLACES = {"i": np.int64([[1, 0], [2, 1]]), "u": floats(2, 2)}


def scattered(x: np.ndarray, i: np.ndarray, u: np.ndarray, axis: int) -> np.ndarray:
    y = x.copy()
    np.put_along_axis(y if axis == 0 else y[:2], i, u, axis)
    return y


# Deprecated at operator set 11, with its meaning kept.
case("Scatter", "9-11", "y = Scatter(x, i, u)", x=floats(3, 2), **PLACES, want=lambda x, i, u: scattered(x, i, u, 0))
case("Scatter", "9-11", "y = Scatter <axis = 1> (x, i, u)", x=X, **PLACES, want=lambda x, i, u: scattered(x, i, u, 1))
case("ScatterElements", "11-", "y = ScatterElements <axis = 1> (x, i, u)", x=X, **PLACES)
case("ScatterElements", "16-", 'y = ScatterElements <axis = 1, reduction = "add"> (x, i, u)', x=X, **PLACES)
case("ScatterElements", "18", 'y = ScatterElements <axis = -1, reduction = "max"> (x, i, u)', x=X, **PLACES)
case("ScatterND", "11-", "y = ScatterND(x, i, u)", x=X, i=np.int64([[2], [0]]), u=floats(2, 4))
case("ScatterND", "16-", 'y = ScatterND <reduction = "mul"> (x, i, u)', x=X, i=np.int64([[2], [2]]), u=floats(2, 4))
case("ScatterND", "18", 'y = ScatterND <reduction = "min"> (x, i, u)', x=X, i=np.int64([[2], [2]]), u=floats(2, 4))
case("TensorScatter", "24", "y = TensorScatter(x, u, i)", x=floats(2, 5, 3), u=floats(2, 2, 3), i=ints(1, 3))
case("Compress", "9-", "y = Compress <axis = 1> (x, c) z = Compress(x, c)", x=X, c=np.array([False, True, True]))
case("Compress", "11-", "y = Compress <axis = -1> (x, c)", x=X, c=np.array([False, True, True]))
case("NonZero", "9-", "y = NonZero(x)", x=bools(3, 4))
case("Unique", "11-", "y, i, j, c = Unique(x)", x=integers(9, dtype=np.float32))
case("Unique", "11-", "y = Unique <axis = 1, sorted = 0> (x)", x=integers(2, 6, low=0, high=2))
case("ReverseSequence", "10-", "y = ReverseSequence <batch_axis = 0, time_axis = 1> (x, n)", x=X, n=ints(1, 4, 2))

# -- one hot: up to operator set 10 an index below zero was out of range, since then it counts from the end

ROW = ints(1, -1, 3, 9, -4)


def hot(i: np.ndarray, depth: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(np.arange(int(depth.item())) == np.trunc(i)[..., None], values[1], values[0])


HOT = {"depth": scalar(4), "values": np.float32([-1, 2])}
case("OneHot", "9", "y = OneHot(i, depth, values)", i=ROW, **HOT, want=hot)
case("OneHot", "9", "y = OneHot(i, depth, values)", i=ROW.astype(np.float32) - np.float32(0.5), **HOT, want=hot)
case("OneHot", "9", "y = OneHot <axis = 0> (i, depth, values)", i=np.uint8([1, 3]), **HOT, want=lambda *feeds: hot(*feeds).T)
case("OneHot", "9", "y = OneHot(i, depth, values)", i=scalar(-1), depth=ints(4), values=HOT["values"], held="depth", want=hot)
case("OneHot", "11-", "y = OneHot(i, depth, values)", i=ROW, **HOT)
case("OneHot", "11-", "y = OneHot <axis = -2> (i, depth, values)", i=ints(1, 3), **HOT)

# -- the largest

case("TopK", "1", "v, i = TopK <k = 2> (x)", x=X, want=lambda x: (np.sort(x, -1)[:, :-3:-1], np.argsort(x, -1)[:, :-3:-1]))
case("TopK", "1", "v, i = TopK <k = 2, axis = 0> (x)", x=X, want=lambda x: (np.sort(x, 0)[:-3:-1], np.argsort(x, 0)[:-3:-1]))
case("TopK", "10-", "v, i = TopK <axis = 0> (x, k)", x=X, k=ints(2), held="k")
case("TopK", "11-", "v, i = TopK <largest = 0> (x, k)", x=X, k=ints(2), held="k")
