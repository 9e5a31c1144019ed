"""Padding, unique elements, distances and the inverses of matrices."""

from __future__ import annotations

from ....dialects.custom import Operand, TensorSpec, decomposition, operator
from ....dialects.kernel import Array, Out, cast, kernel
from ..values import Graph, Value
from .common import DOMAIN


@decomposition(DOMAIN, outputs=["output"], types={"data value": ["float", "float16", "double"], "pads": ["int64"]})
def Pad(g: Graph, data: Value, pads: Value, value: Value | None = None, *, mode: str = "constant") -> Value:
    """ONNX's Pad, whose pads may stand in one row of a matrix and whose value in a vector of one element."""
    if mode not in ("constant", "reflect", "edge"):
        raise g.unsupported(f"mode {mode!r}")
    pads = pads if pads.rank == 1 else pads.reshape(2 * data.rank)
    return g.Pad(data, pads, None if value is None else value.reshape(), mode=mode)


@decomposition(DOMAIN, outputs=["y", "idx", "counts"])
def Unique(g: Graph, x: Value) -> tuple[Value, ...]:
    """The distinct elements of a vector in the order of their first place, where each element of x is among them, and how often."""
    y, _, inverse, counts = g.op("Unique", x, sorted=0, outputs=4)
    return y, inverse, counts


@decomposition(DOMAIN, outputs=["C"], types={"A B": ["float", "double"]})
def CDist(g: Graph, A: Value, B: Value, *, metric: str = "sqeuclidean") -> Value:
    """The distance of each row of A from each row of B, (m, k) and (n, k) to (m, n), or its square."""
    if metric not in ("euclidean", "sqeuclidean"):
        raise g.unsupported(f"metric {metric!r}")
    between = A.of_rank(2).unsqueeze(1) - B.of_rank(2).unsqueeze(0)
    reduce = g.ReduceL2 if metric == "euclidean" else g.ReduceSumSquare
    return reduce(between, [2], keepdims=0)


def _square(X: Operand) -> list[TensorSpec]:
    *batch, _, n = X.shape
    X.expect(*batch, n, n)
    return [TensorSpec(X.shape, X.type), TensorSpec((n, 2 * n), "float" if X.type == "float16" else X.type)]


@operator(DOMAIN, shapes=_square, types={"X": ["float", "float16", "double"]}, scratch=["work"])
@kernel
def Inverse(X: Array, Y: Out, work: Out):
    """The inverse of each matrix: (X | 1) becomes (1 | Y) by elimination, with the largest pivot of each column."""
    n = work.shape[0]
    for m in range(X.size // max(n * n, 1)):
        start = m * n * n
        for i in range(n):
            for j in range(n):
                work[i, j] = cast(X.flat[start + i * n + j], work)
                work[i, n + j] = cast(1 if i == j else 0, work)
        for k in range(n):
            pivot = k
            for i in range(k + 1, n):
                if abs(work[i, k]) > abs(work[pivot, k]):
                    pivot = i
            for j in range(2 * n):
                work[k, j], work[pivot, j] = work[pivot, j], work[k, j]
            factor = 1 / work[k, k]
            for j in range(2 * n):
                work[k, j] *= factor
            for i in range(n):
                if i != k:
                    share = work[i, k]
                    for j in range(2 * n):
                        work[i, j] -= share * work[k, j]
        for i in range(n):
            for j in range(n):
                Y.flat[start + i * n + j] = cast(work[i, n + j], Y)
