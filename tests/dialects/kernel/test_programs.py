"""Whole kernels such as operators need, compiled and compared with numpy or with the same function run by Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from intaglio.dialects.kernel import (
    Array,
    Attr,
    InOut,
    Kernel,
    Out,
    Size,
    cast,
    check,
    exp,
    inline,
    kernel,
    local,
    lowest,
    muladd,
    parallel,
    tanh,
    unroll,
    vector,
)
from intaglio.passes.codegen.lower_executables import take_units


def by_python(kernel: Kernel, *arguments: Any) -> None:
    """Runs the kernel's function as Python, for kernels that are Python as well."""
    kernel.source.function(*arguments)


@kernel
def compress(x: Array, keep: Array, y: Out):
    n = 0
    for i in range(keep.size):
        if keep[i]:
            y[n] = x[i]
            n += 1


def test_compress(run, rng):
    x, keep = rng.random(50, np.float32), rng.random(50) < 0.5
    y = np.zeros(50, np.float32)
    run(compress, x=x, keep=keep, y=y)
    np.testing.assert_array_equal(y[: keep.sum()], x[keep])
    assert not y[keep.sum() :].any()


def test_only_the_first_share_of_the_work_runs(run):
    y = np.zeros(3, np.float32)
    run(compress, begin=1, x=np.ones(3, np.float32), keep=np.ones(3, bool), y=y)
    assert not y.any()


@kernel
def row_sums(x: Array, y: Out):
    n = x.shape[1]
    for i in parallel(x.shape[0] // 2, n * 100):
        if n == 0:
            y[i] = 0
            continue
        total = cast(0, x)
        for j in range(n):
            total = muladd(x[2 * i, j], x[2 * i + 1, j], total)
        y[i] = total


def test_rounds_from_begin_to_end(run, rng):
    x, y = rng.random((14, 9), np.float32), np.zeros(7, np.float32)
    run(row_sums, begin=2, end=5, x=x, y=y)
    np.testing.assert_allclose(y[2:5], (x[4:10:2] * x[5:10:2]).sum(1), rtol=1e-6)
    assert not y[:2].any() and not y[5:].any()


def test_what_is_told_of_rounds(compile_for):
    x = np.zeros((14, 9), np.float32)
    function = compile_for(row_sums, {"x": x, "y": x[0]})
    units = take_units(function)
    assert units is not None and units.cost != 0
    assert take_units(function) is None


@kernel
def checked_sums(x: Array, y: Out):
    for i in parallel(x.shape[0], 1000):
        check(x[i, 0] > 0, "ITG5001")
        y[i] = x[i, 0]


def test_checked_rounds_run_in_one_piece(compile_for):
    x = np.zeros((14, 9), np.float32)
    units = take_units(compile_for(checked_sums, {"x": x, "y": x[0]}))
    assert units is not None and units.cost == 0


@kernel
def vector_rows(x: Array, w: Array, y: Out, lanes: int):
    """y (M, N) of x (M, K) and w (K, N), N columns being a number of vectors."""
    sums = local(y, 2, lanes)
    for i in range(x.shape[0]):
        for c in range(0, y.shape[1], 2 * lanes):
            for v in unroll(2):
                sums[v, 0] = vector(lanes, y, i, c + v * lanes)
            for k in range(w.shape[0]):
                for v in unroll(2):
                    weights = vector(lanes, w.flat, k * w.shape[1] + c + v * lanes)
                    sums[v, 0] = muladd(x[i, k], weights, vector(lanes, sums, v, 0))
            for v in unroll(2):
                y[i, c + v * lanes] = vector(lanes, sums, v, 0)


@pytest.mark.parametrize(("lanes", "dtype"), [(1, np.float32), (4, np.float64), (16, np.float32), (3, np.float32)])
def test_vectors(run, rng, lanes, dtype):
    x, w, y = rng.random((3, 5)).astype(dtype), rng.random((5, 4 * lanes)).astype(dtype), np.ones((3, 4 * lanes), dtype)
    run(vector_rows, x=x, w=w, y=y, lanes=lanes)
    np.testing.assert_allclose(y, 1 + x @ w, rtol=1e-6)


@kernel
def top_k(x: Array, values: Out, indices: Out):
    """The k largest of each row, in order, by a heap of size k."""
    k = values.shape[1]
    for r in range(x.shape[0]):
        for j in range(k):
            values[r, j] = x[r, j]
            indices[r, j] = j
        for s in range(k // 2 - 1, -1, -1):
            sift_row(values, indices, r, s, k)
        for j in range(k, x.shape[1]):
            if x[r, j] > values[r, 0]:
                values[r, 0] = x[r, j]
                indices[r, 0] = j
                sift_row(values, indices, r, 0, k)
        for e in range(k - 1, 0, -1):
            values[r, 0], values[r, e] = values[r, e], values[r, 0]
            indices[r, 0], indices[r, e] = indices[r, e], indices[r, 0]
            sift_row(values, indices, r, 0, e)


@inline
def sift_row(values, indices, row, root, end):
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[row, child + 1] < values[row, child]:
            child += 1
        if values[row, child] >= values[row, root]:
            return
        values[row, root], values[row, child] = values[row, child], values[row, root]
        indices[row, root], indices[row, child] = indices[row, child], indices[row, root]
        root = child


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8, np.float16])
def test_top_k(run, rng, dtype):
    x = np.stack([rng.permutation(40) for _ in range(3)]).astype(dtype)
    values, indices = np.zeros((3, 7), dtype), np.zeros((3, 7), np.int64)
    run(top_k, x=x, values=values, indices=indices)
    np.testing.assert_array_equal(indices, np.argsort(-x.astype(np.float64), axis=1)[:, :7])
    np.testing.assert_array_equal(values, np.take_along_axis(x, indices, 1))


@kernel
def selection_sort(x: InOut):
    for i in range(x.size):
        least = i
        for j in range(i + 1, x.size):
            least = j if x[j] < x[least] else least
        x[i], x[least] = x[least], x[i]


@kernel
def bubble_sort(x: InOut):
    swapped = True
    n = len(x)
    while swapped:
        swapped = False
        for i in range(1, n):
            if x[i - 1] > x[i]:
                x[i - 1], x[i] = x[i], x[i - 1]
                swapped = True
        n -= 1


ALL = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("sort", [bubble_sort, selection_sort], ids=lambda k: k.name)
@pytest.mark.parametrize("dtype", ALL)
def test_sorts(run, rng, dtype, sort):
    if dtype.startswith("f"):
        x = rng.standard_normal(30).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        x = rng.integers(limits.min, limits.max, 30, dtype, endpoint=True)
    expected = np.sort(x)
    run(sort, x=x)
    np.testing.assert_array_equal(x, expected)


@kernel
def prefix_sums(x: Array, y: Out, axis: int, exclusive: bool = False, reverse: bool = False):
    outer = 1
    inner = 1
    for k in unroll(x.rank):
        if k < axis:
            outer *= x.shape[k]
        elif k > axis:
            inner *= x.shape[k]
    n = x.shape[axis]
    for o in range(outer):
        for i in range(inner):
            total = cast(0, x)
            for j in range(n):
                at = (o * n + (n - 1 - j if reverse else j)) * inner + i
                if exclusive:
                    y.flat[at] = total
                total += x.flat[at]
                if not exclusive:
                    y.flat[at] = total


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.uint16])
def test_prefix_sums(run, rng, axis, dtype):
    x = rng.integers(0, 9, (3, 4, 5)).astype(dtype)
    y = np.empty_like(x)
    run(prefix_sums, x=x, y=y, axis=axis)
    np.testing.assert_array_equal(y, np.cumsum(x, axis, dtype=dtype))
    run(prefix_sums, x=x, y=y, axis=axis, exclusive=True, reverse=True)
    np.testing.assert_array_equal(y, np.flip(np.cumsum(np.flip(x, axis), axis, dtype=dtype), axis) - x)


@inline
def overlap(boxes, a, b):
    top, left = max(boxes[a, 0], boxes[b, 0]), max(boxes[a, 1], boxes[b, 1])
    bottom, right = min(boxes[a, 2], boxes[b, 2]), min(boxes[a, 3], boxes[b, 3])
    both = max(bottom - top, 0) * max(right - left, 0)
    area_a = (boxes[a, 2] - boxes[a, 0]) * (boxes[a, 3] - boxes[a, 1])
    area_b = (boxes[b, 2] - boxes[b, 0]) * (boxes[b, 3] - boxes[b, 1])
    return both / (area_a + area_b - both)


@kernel
def suppress(boxes: Array, scores: Array, threshold: float, taken: InOut, selected: Out, count: Out, limit: Size):
    n = 0
    while n < limit:
        best = -1
        most = lowest(scores)
        for i in range(scores.size):
            if taken[i]:
                continue
            if scores[i] > most:
                most = scores[i]
                best = i
        if best < 0:
            break
        taken[best] = True
        good = True
        for s in range(n):
            if overlap(boxes, best, selected[s]) > threshold:
                good = False
                break
        if good:
            selected[n] = best
            n += 1
    count[()] = n


def test_non_max_suppression(run, rng):
    corner = rng.random((40, 2))
    boxes = np.concatenate([corner, corner + 0.1 + 0.3 * rng.random((40, 2))], 1).astype(np.float32)
    scores = rng.random(40).astype(np.float32)
    for limit in (5, 100):
        selected, count = np.zeros(40, np.int64), np.zeros((), np.int64)
        run(suppress, boxes=boxes, scores=scores, threshold=0.3, taken=np.zeros(40, bool), selected=selected, count=count, limit=limit)
        assert selected[: int(count)].tolist() == _suppressed(boxes.astype(np.float64), scores, limit)


def _suppressed(boxes, scores, limit):
    kept: list[int] = []
    for i in np.argsort(-scores):
        if len(kept) < limit and all(_iou(boxes[i], boxes[k]) <= 0.3 for k in kept):
            kept.append(int(i))
    return kept


def _iou(a, b):
    both = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


@inline
def gcd(a, b):
    while b != 0:
        a, b = b, a % b
    return a


@kernel
def gcds(a: Array, b: Array, y: Out):
    for i in range(a.size):
        y[i] = gcd(a[i], b[i])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint64, np.uint8])
def test_gcd(run, rng, dtype):
    a, b = rng.integers(1, 100, (2, 50)).astype(dtype)
    y = np.empty_like(a)
    run(gcds, a=np.ascontiguousarray(a), b=np.ascontiguousarray(b), y=y)
    np.testing.assert_array_equal(y, np.gcd(a, b))


@kernel
def nested(x: Array, y: Out, log: Out):
    n = 0
    for i in range(x.shape[0]):
        if x[i, 0] == 9:
            break
        row = 0
        for j in range(x.shape[1]):
            if x[i, j] > 4:
                if x[i, j] == 5:
                    continue
                if x[i, j] == 8:
                    row = -1
                    break
                row += 100
            row += x[i, j]
            k = 0
            while True:
                k += 1
                if k % 2 == 0:
                    continue
                if k > x[i, j]:
                    break
                row += 1
        log[n] = i
        n += 1
        if row < 0:
            continue
        y[i] = row


def test_nested_jumps(run, rng):
    for _ in range(4):
        x = rng.integers(0, 9, (6, 5))
        x[5, 0] = 9
        x[2] %= 5
        y, log, want_y, want_log = (np.full(6, -7) for _ in range(4))
        run(nested, x=x, y=y, log=log)
        by_python(nested, x, want_y, want_log)
        np.testing.assert_array_equal(y, want_y)
        np.testing.assert_array_equal(log, want_log)


@inline
def find(x, wanted):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] == wanted:
                return i, j
    return -1, -1


@inline
def sign(v):
    if v < 0:
        return -1
    elif v == 0:
        return 0
    return 1


@kernel
def searches(x: Array, wanted: Array, y: Out):
    for k in range(wanted.size):
        i, j = find(x, wanted[k])
        if i < 0:
            y[k] = -1
            continue
        y[k] = i * x.shape[1] + j + 100 * sign(wanted[k] - 6)


def test_early_returns(run, rng):
    x = rng.permutation(12).reshape(3, 4)
    wanted = np.array([0, 5, 11, 40, 6])
    y = np.zeros(5, np.int64)
    run(searches, x=x, wanted=wanted, y=y)
    where = [int(np.flatnonzero(x == w)[0]) if w < 12 else None for w in wanted]
    assert y.tolist() == [-1 if at is None else at + 100 * int(np.sign(w - 6)) for at, w in zip(where, wanted, strict=True)]


@kernel
def first_negative(x: Array, y: Out):
    y[0] = -1
    if x.size == 0:
        return
    for i in range(x.size):
        if x[i] < 0:
            y[0] = i
            return
    y[0] = x.size


@pytest.mark.parametrize(("x", "want"), [([], -1), ([1, 2], 2), ([1, -2, -3], 1)])
def test_kernel_returns(run, x, want):
    y = np.zeros(1, np.int64)
    run(first_negative, x=np.array(x, np.float32), y=y)
    assert y[0] == want


@inline
def sigmoid(v):
    return 1 / (1 + exp(-v))


@kernel
def lstm_cell(x: Array, w: Array, h: InOut, c: InOut, b: Array | None, activation: str):
    for i in range(x.size):
        gate = w[i] * x[i] + (b[i] if b is not None else 0)
        c[i] = sigmoid(gate) * c[i]
        if activation == "tanh":
            h[i] = tanh(c[i])
        elif activation == "relu":
            h[i] = max(c[i], 0)
        else:
            h[i] = no_such_activation  # noqa: F821  # pyright: ignore


@pytest.mark.parametrize("bias", [True, False])
def test_optional_arrays_and_folded_branches(compile_for, bias):
    x = np.ones(3, np.float32)
    function = compile_for(lstm_cell, {"x": x, "w": x, "h": x, "c": x, "b": x if bias else None, "activation": "tanh"})
    assert len(function.body.block.args) == (5 if bias else 4) * 2 + 2
    names = {op.name for op in function.walk()}
    assert "math.tanh" in names and "arith.maximumf" not in names


@kernel
def transpose(x: Array, y: Out, perm: Attr):
    for i in range(x.size):
        rest = i
        at = 0
        for k in range(x.rank):
            at += rest // x.strides[k] * out_stride(y, perm, k)
            rest %= x.strides[k]
        y.flat[at] = x.flat[i]


@inline
def out_stride(y, perm, k):
    stride = 0
    for p in unroll(len(perm)):
        if perm[p] == k:
            stride = y.strides[p]
    return stride


def test_rank_generic_transpose(run, rng):
    x = rng.random((2, 3, 4, 5))
    y = np.zeros((4, 2, 5, 3))
    run(transpose, x=x, y=y, perm=(2, 0, 3, 1))
    np.testing.assert_array_equal(y, x.transpose(2, 0, 3, 1))


@kernel
def count_ranges(y: Out, a: Size, b: Size):
    n = 0
    for i in range(a, b, -3):
        y[n] = i
        n += 1
    for i in range(b, a, a - b if a > b else 2):
        y[n] = i
        n += 1
        if n > 12:
            break
    for i in range(5, 0, -2):
        if i == 1:
            break
        y[n] = i
        n += 1
    for k in unroll(4):
        if k == 1:
            continue
        if k == y[0] - 7:
            break
        y[n] = k
        n += 1
    for a_, b_ in ((1, 2), (3, 4)):
        y[n] = a_ * 10 + b_
        n += 1


@pytest.mark.parametrize(("a", "b", "want"), [(10, 0, [10, 7, 4, 1, 0, 5, 3, 0, 2, 12, 34]), (3, 10, [5, 3, 0, 2, 3, 12, 34])])
def test_ranges(run, a, b, want):
    y = np.full(20, -1)
    run(count_ranges, y=y, a=a, b=b)
    assert y[: len(want)].tolist() == want
    assert (y[len(want) :] == -1).all()


@kernel
def unique_sorted(x: Array, values: Out, counts: Out, n: Out):
    """Sorted distinct values by insertion into a sorted list."""
    m = 0
    for i in range(x.size):
        low, high = 0, m
        while low < high:
            middle = (low + high) // 2
            if values[middle] < x[i]:
                low = middle + 1
            else:
                high = middle
        if low < m and values[low] == x[i]:
            counts[low] += 1
            continue
        for j in range(m, low, -1):
            values[j] = values[j - 1]
            counts[j] = counts[j - 1]
        values[low] = x[i]
        counts[low] = 1
        m += 1
    n[0] = m


def test_unique(run, rng):
    x = rng.integers(-9, 9, 60).astype(np.int8)
    values, counts, n = np.zeros(60, np.int8), np.zeros(60, np.int32), np.zeros(1, np.int64)
    run(unique_sorted, x=x, values=values, counts=counts, n=n)
    want, want_counts = np.unique(x, return_counts=True)
    np.testing.assert_array_equal(values[: n[0]], want)
    np.testing.assert_array_equal(counts[: n[0]], want_counts)


@kernel
def histogram(x: Array, y: Out):
    bins = local(i64_like(y), 2, 4)
    for r in range(2):
        for b in range(4):
            bins[r, b] = 0
    for i in range(x.size):
        bins[i % 2, x[i]] += 1
    for i in range(8):
        y.flat[i] = bins.flat[i]


@inline
def i64_like(y):
    return y.dtype


def test_local_arrays(run, rng):
    x = rng.integers(0, 4, 30).astype(np.uint8)
    y = np.zeros((2, 4), np.int64)
    run(histogram, x=x, y=y)
    np.testing.assert_array_equal(y, [np.bincount(x[r::2], minlength=4) for r in (0, 1)])
