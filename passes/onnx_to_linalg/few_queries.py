"""Attention of a few queries, as a decoder asks it at each step: keys and values are read once, where they lie, and nothing is packed."""

from __future__ import annotations

from math import gcd
from typing import Any

from ...dialects.kernel import Array, Out, cast, exp, inline, kernel, local, lowest, muladd, parallel, tanh, unroll, vector
from ..scalar import FLOAT
from .builder import Lowering, Tensor

MOST_ROWS = 32
"""Queries that share a key head, at most: more of them are worth packing keys for."""

LANES = 16
"""Of a vector, at most."""

ROWS, KEYS, VECTORS = 4, 4, 4
"""Rows whose sums stay in registers at once, beside each other those of so many keys, then of so many vectors of values."""

PICOSECONDS = 25
"""What an element of a key or a value takes, roughly, for each tile of rows: it comes from memory, mostly."""


def takes(q: Tensor, keys: Tensor, values: Tensor) -> bool:
    """Whether `attend_few` takes these: float32, few rows of queries, keys and values of whole vectors."""
    rows, widths = q.shape[-2], (q.shape[-1], values.shape[-1])
    few = isinstance(rows, int) and 0 < rows <= MOST_ROWS
    whole = all(isinstance(width, int) and width > 0 and width % LANES == 0 for width in widths)
    return few and whole and all(t.type is FLOAT for t in (q, keys, values))


@inline
def summed(sums, t, lanes):
    """The sum of row t, half by half."""
    for half in (8, 4, 2, 1):
        if half < lanes:
            for lane in unroll(half):
                sums[t, lane] += sums[t, lane + half]
    return sums[t, 0]


@inline
def clear(sums, count, lanes):
    for t in unroll(count):
        for lane in unroll(lanes):
            sums[t, lane] = 0


@inline
def counted(limits, n, most):
    """How many keys queries of sample n may see."""
    if limits is None:
        return most
    else:
        return min(max(int(limits[n]), 0), most)


@inline
def biased(score, bias, n, row, j, heads, queries, softcap):
    """A score of a row, which is one of `queries` of one of the heads that share a key head, from `heads` on."""
    capped = score
    if softcap > 0.0:
        capped = tanh(score / softcap) * softcap
    if bias is None:
        return capped
    else:
        head = heads + row // queries
        sample = n if bias.shape[0] > 1 else 0
        return capped + bias[sample, head if bias.shape[1] > 1 else 0, row % queries if bias.shape[2] > 1 else 0, j]


@kernel
def attend_rows(
    q: Array,
    keys: Array,
    values: Array,
    bias: Array | None,
    limits: Array | None,
    y: Out,
    scores: Out,
    rows: int,
    queries: int,
    vectors: int,
    lanes: int,
    softcap: float,
    zeros: bool,
):
    """y (B, H, R, F) = softmax(q keys' + bias) values, of q (B, H, R, D), keys (B, H, T, D), values (B, H, T, F); scores (B, H, R, T).

    Rows are queries of a head, then those of the next one with the same keys; bias (B, N, S, T), each but the last axis perhaps 1. Of
    sample n only the first limits[n] keys are read. zeros: what a row that sees nothing gives, in place of NaN.
    """
    heads = keys.shape[1]
    tiles = (q.shape[2] + rows - 1) // rows
    for u in parallel(keys.shape[0] * heads, keys.shape[2] * (q.shape[3] + values.shape[3]) * tiles * PICOSECONDS):
        n, h = u // heads, u % heads
        count = counted(limits, n, keys.shape[2])
        sums = local(q, rows * KEYS, lanes)
        results = local(q, rows * vectors, lanes)
        parts = local(q, 1, lanes)
        for first in range(0, q.shape[2], rows):
            for j in range(0, count, KEYS):
                clear(sums, rows * KEYS, lanes)
                for d in range(0, q.shape[3], lanes):
                    for c in unroll(KEYS):
                        key = vector(lanes, keys, n, h, min(j + c, count - 1), d)
                        for r in unroll(rows):
                            row = min(first + r, q.shape[2] - 1)
                            sums[r * KEYS + c, 0] = muladd(vector(lanes, q, n, h, row, d), key, vector(lanes, sums, r * KEYS + c, 0))
                for r in unroll(rows):
                    row = min(first + r, q.shape[2] - 1)
                    for c in unroll(KEYS):
                        at = min(j + c, count - 1)
                        score = summed(sums, r * KEYS + c, lanes)
                        scores[n, h, row, at] = biased(score, bias, n, row, at, h * (q.shape[2] // queries), queries, softcap)
        for m in range(q.shape[2]):
            top = lowest(q)
            for j in range(count):
                top = max(top, scores[n, h, m, j])
            shift = cast(0, q) if top == lowest(q) else top
            for j in range(count):
                scores[n, h, m, j] = exp(scores[n, h, m, j] - shift)
            clear(parts, 1, lanes)
            whole = count // lanes * lanes
            for j in range(0, whole, lanes):
                parts[0, 0] = muladd(cast(1, q), vector(lanes, scores, n, h, m, j), vector(lanes, parts, 0, 0))
            total = summed(parts, 0, lanes)
            for j in range(whole, count):
                total += scores[n, h, m, j]
            nothing = zeros and total == 0
            for j in range(count):
                scores[n, h, m, j] = 0 if nothing else scores[n, h, m, j] / total
        for first in range(0, q.shape[2], rows):
            for f in range(0, values.shape[3], vectors * lanes):
                clear(results, rows * vectors, lanes)
                for j in range(count):
                    for v in unroll(vectors):
                        value = vector(lanes, values, n, h, j, f + v * lanes)
                        for r in unroll(rows):
                            row = min(first + r, q.shape[2] - 1)
                            results[r * vectors + v, 0] = muladd(scores[n, h, row, j], value, vector(lanes, results, r * vectors + v, 0))
                for r in unroll(rows):
                    row = min(first + r, q.shape[2] - 1)
                    for v in unroll(vectors):
                        y[n, h, row, f + v * lanes] = vector(lanes, results, r * vectors + v, 0)


def attend_few(
    b: Lowering,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    limits: Tensor | None = None,
    *,
    queries: int,
    softcap: float = 0.0,
    zeros: bool = False,
) -> Tensor:
    """softmax(q keys' + bias) values for `takes`, see `attend_rows`; queries: how many rows in turn are of one head."""
    (*lead, rows, _), features = q.shape, values.shape[-1]
    assert isinstance(rows, int) and isinstance(features, int)
    lanes = min(LANES, b.target.lanes(32)) if b.target is not None else LANES
    arrays: dict[str, Any] = {
        "q": q,
        "keys": keys,
        "values": values,
        "bias": bias,
        "limits": limits,
        "y": ((*lead, rows, features), FLOAT),
        "scores": ((*lead, rows, keys.shape[-2]), FLOAT),
    }
    attributes = {
        "rows": min(rows, ROWS),
        "queries": queries,
        "vectors": gcd(features // lanes, VECTORS),
        "lanes": lanes,
        "softcap": softcap,
        "zeros": zeros,
    }
    return b.kernel(attend_rows, arrays, attributes)[0]
