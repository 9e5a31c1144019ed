"""Scalar operations and conversions of the kernel language on every element type, compared with numpy or Python."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from intaglio.dialects.kernel import (
    Array,
    Out,
    Size,
    bitcast,
    cast,
    ceil,
    check,
    copysign,
    f32,
    f64,
    floor,
    fma,
    highest,
    i8,
    i32,
    i64,
    isfloat,
    isinf,
    isnan,
    kernel,
    lowest,
    sqrt,
    trunc,
    u8,
    u32,
    u64,
)

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
TABLE = [3, 1, 4]


def dtype_of(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def samples(rng: np.random.Generator, dtype: np.dtype, n: int = 64) -> np.ndarray:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.concatenate(
            [rng.integers(limits.min, limits.max, n - 3, dtype, endpoint=True), np.array([limits.min, limits.max, 0], dtype)]
        )
    return (rng.standard_normal(n) * 4).astype(dtype)


@kernel
def arithmetic(a: Array, b: Array, y: Out):
    for i in range(a.size):
        y[0, i] = a[i] + b[i]
        y[1, i] = a[i] - b[i]
        y[2, i] = a[i] * b[i]
        y[3, i] = min(a[i], b[i])
        y[4, i] = max(a[i], b[i], 2)
        y[5, i] = abs(a[i])
        y[6, i] = -a[i]
        y[7, i] = a[i] if a[i] <= b[i] else 1
        y[8, i] = cast(a[i] == b[i], y) + cast(a[i] != b[i], y) * 2 + cast(a[i] < b[i], y) * 4
        y[9, i] = a[i] ** 3
        if isfloat(a):
            y[10, i] = a[i] / b[i]
            y[11, i] = floor(a[i])
        else:
            y[10, i] = a[i] // (b[i] | 1)
            y[11, i] = a[i] % (b[i] | 1)


@pytest.mark.parametrize("name", INTEGERS + FLOATS)
@pytest.mark.filterwarnings("ignore")
def test_arithmetic(run, rng, name):
    dtype = dtype_of(name)
    a, b = samples(rng, dtype), rng.permutation(samples(rng, dtype))
    if dtype.kind == "i":
        a[:-1][b[:-1] == -1] = 3  # the least value over -1 overflows
        b[np.isin(b | 1, [-1])] = 5
    b[:5] = a[:5]
    y = np.zeros((12, a.size), dtype)
    run(arithmetic, a=a, b=b, y=y)
    one, two = dtype.type(1), dtype.type(2)
    bits = (a == b).astype(dtype) + (a != b).astype(dtype) * two + (a < b).astype(dtype) * dtype.type(4)
    rows = [
        a + b,
        a - b,
        a * b,
        np.minimum(a, b),
        np.maximum(np.maximum(a, b), two),
        np.abs(a),
        -a,
        np.where(a <= b, a, one),
        bits,
        a * (a * a),
    ]
    rows += [a / b, np.floor(a)] if name in FLOATS else [a // (b | one), a % (b | one)]
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(y[k], row.astype(dtype), err_msg=f"row {k}")


@kernel
def divisions(a: Array, q: Out, r: Out):
    for i in range(a.size):
        q[0, i], r[0, i] = a[i] // 8, a[i] % 8
        q[1, i], r[1, i] = a[i] // 7, a[i] % 7
        q[2, i], r[2, i] = a[i] // -7, a[i] % -7
        q[3, i], r[3, i] = i64(i) - 20 // 3, (i - 20) % -3


def test_floor_division_is_pythons(run):
    a = np.arange(-30, 30)
    q, r = np.zeros((4, 60), np.int64), np.zeros((4, 60), np.int64)
    run(divisions, a=a, q=q, r=r)
    for k, d in enumerate((8, 7, -7)):
        np.testing.assert_array_equal(q[k], a // d)
        np.testing.assert_array_equal(r[k], a % d)
    np.testing.assert_array_equal(r[3], (np.arange(60) - 20) % -3)


@kernel
def bits(a: Array, b: Array, y: Out):
    for i in range(a.size):
        y[0, i] = a[i] & b[i]
        y[1, i] = a[i] | b[i]
        y[2, i] = a[i] ^ b[i]
        y[3, i] = ~a[i]
        y[4, i] = a[i] << 3
        y[5, i] = a[i] >> 3


@pytest.mark.parametrize("name", INTEGERS)
def test_bits(run, rng, name):
    dtype = dtype_of(name)
    a, b = samples(rng, dtype), rng.permutation(samples(rng, dtype))
    y = np.zeros((6, a.size), dtype)
    run(bits, a=a, b=b, y=y)
    for k, row in enumerate([a & b, a | b, a ^ b, ~a, a << 3, a >> 3]):
        np.testing.assert_array_equal(y[k], row, err_msg=f"row {k}")


@kernel
def logic(a: Array, b: Array, y: Out):
    for i in range(a.size):
        y[0, i] = a[i] and b[i]
        y[1, i] = a[i] or b[i]
        y[2, i] = not a[i]
        y[3, i] = a[i] ^ b[i]
        y[4, i] = a[i] == b[i]
        y[5, i] = a[i] if b[i] else not a[i]
        y[6, i] = ~(a[i] & b[i]) | False


def test_bools(run, rng):
    a, b = rng.random((2, 20)) < 0.5
    y = np.zeros((7, 20), bool)
    run(logic, a=a.copy(), b=b.copy(), y=y)
    for k, row in enumerate([a & b, a | b, ~a, a ^ b, a == b, np.where(b, a, ~a), ~(a & b)]):
        np.testing.assert_array_equal(y[k], row, err_msg=f"row {k}")


@kernel
def casts(x: Array, y: Out):
    for i in range(x.size):
        y[i] = cast(x[i], y)


@pytest.mark.parametrize("source", [*INTEGERS, *FLOATS, "bool"])
@pytest.mark.parametrize("target", ["int8", "int64", "uint16", "uint64", "float16", "bfloat16", "float32", "float64", "bool"])
def test_casts(run, source, target):
    x = np.array([0, 1, 2, 100, 7]).astype(dtype_of(source))
    if source in INTEGERS and target in INTEGERS:
        x = np.concatenate([x, np.array([np.iinfo(source).max, np.iinfo(source).min], source)])
    y = np.zeros(x.size, dtype_of(target))
    run(casts, x=x, y=y)
    np.testing.assert_array_equal(y, x.astype(y.dtype))


@kernel
def move(x: Array, at: Array, y: Out):
    for i in range(at.size):
        y[i] = x[at[i]] if at[i] >= 0 else x[0]


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2fnuz", "float4_e2m1fn", "int4", "uint2", "bool", "bfloat16"])
@pytest.mark.parametrize("index", ["int8", "uint64", "int32"])
def test_any_element_can_be_moved(run, name, index):
    x = np.arange(4).astype(dtype_of(name) if name != "bool" else bool)
    at = np.array([2, 3, 0]).astype(index)
    y = np.zeros(3, x.dtype)
    run(move, x=x, at=at, y=y)
    np.testing.assert_array_equal(y, x[at.astype(int)])


@kernel
def limits(x: Array, y: Out):
    y[0] = lowest(x)
    y[1] = highest(x[0])


@pytest.mark.parametrize("name", [*INTEGERS, *FLOATS, "bool"])
def test_limits(run, name):
    dtype = dtype_of(name)
    y = np.ones(2, dtype)
    run(limits, x=np.ones(1, dtype), y=y)
    if name == "bool":
        want = [False, True]
    elif name in FLOATS:
        want = [-math.inf, math.inf]
    else:
        want = [np.iinfo(dtype).min, np.iinfo(dtype).max]
    np.testing.assert_array_equal(y, np.array(want, dtype))


@kernel
def floats(x: Array, y: Out):
    for i in range(x.size):
        v = x[i]
        y[0, i] = sqrt(abs(v))
        y[1, i] = floor(v)
        y[2, i] = ceil(v)
        y[3, i] = trunc(v)
        y[4, i] = round(v)
        y[5, i] = cast(isnan(v), x) + cast(isinf(v), x) * 2
        y[6, i] = copysign(2, v)
        y[7, i] = fma(v, v, 1)
        y[8, i] = max(v, 0)
        y[9, i] = min(v, math.pi)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_float_functions(run, rng, name):
    x = np.concatenate([samples(rng, np.dtype(name)), np.array([0.5, 1.5, -2.5, np.nan, np.inf, -np.inf, -0.0], name)])
    y = np.zeros((10, x.size), name)
    run(floats, x=x, y=y)
    t = np.dtype(name).type
    rows = [np.sqrt(np.abs(x)), np.floor(x), np.ceil(x), np.trunc(x), np.round(x), np.isnan(x) + np.isinf(x) * t(2), np.copysign(t(2), x)]
    rows += [(x.astype(np.longdouble) ** 2 + 1).astype(name), np.maximum(x, 0), np.minimum(x, t(math.pi))]
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(y[k], row, err_msg=f"row {k}")


@kernel
def lazily(x: Array, y: Out, n: Size):
    found = -1
    i = 0
    while i < n and x[i] != 7:
        i += 1
    if i < n or x[0] == 7:
        found = i
    y[0] = found
    y[1] = x[i] if i < n else -2
    y[2] = i64(0 <= found < n) + i64(0 < x[0] < x[1] < x[2])
    y[3] = TABLE_SUM + CODES[i % 3]


TABLE_SUM = sum(TABLE)
CODES = (10, 20, 30)


@pytest.mark.parametrize(("x", "want"), [([1, 2, 7], [2, 7, 2, 38]), ([5, 1, 1], [-1, -2, 0, 18]), ([7, 8, 1], [0, 7, 1, 18])])
def test_what_is_not_needed_is_not_computed(run, x, want):
    # The array ends where its page of memory might: element n must not be loaded.
    y = np.zeros(4, np.int64)
    run(lazily, x=np.array(x), y=y, n=3)
    assert y.tolist() == want


@kernel
def widening(a: Array, b: Array, f: Array, y: Out, z: Out):
    total = 0
    mean: f64 = 0
    for i in range(a.size):
        total += a[i]
        total += b[i] * 2
        mean += f[i]
    y[0] = total
    z[0] = mean / f64(f.size)


def test_lossless_widening_is_implicit(run):
    a, b = np.array([-100, 100, 100], np.int8), np.array([250, 1, 2], np.uint16)
    f = np.array([0.1, 0.2, 0.3], np.float32)
    y, z = np.zeros(1, np.int64), np.zeros(1)
    run(widening, a=a, b=b, f=f, y=y, z=z)
    assert y[0] == 100 + 2 * 253
    assert z[0] == f.astype(np.float64).sum() / 3


@kernel
def hashes(y: Out, z: Out, seed: Size):
    for i in range(y.size):
        h = u64(i + seed) * 0x9E3779B97F4A7C15
        h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9
        y[i] = h ^ (h >> 31)
        z[i] = bitcast(u32(h >> 41) | 0x3F800000, f32) - f32(1)
        z[i] += f32(i8(-1)) + f32(u8(1)) + f32(i32(2.0)) - 2


def test_unsigned_hashing(run):
    y, z = np.zeros(20, np.uint64), np.zeros(20, np.float32)
    run(hashes, y=y, z=z, seed=5)
    mask = (1 << 64) - 1
    for i in range(20):
        h = (i + 5) * 0x9E3779B97F4A7C15 & mask
        h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & mask
        assert int(y[i]) == h ^ h >> 31
        assert z[i] == np.uint32(h >> 41 & 0x7FFFFF | 0x3F800000).view(np.float32) - 1


@kernel
def guarded(x: Array, y: Out):
    check(x.size > 2, "ITG5001")
    check(True, "ITG5002")
    y[0] = x.rank


def test_check(compile_for):
    x: Any = np.zeros(3, np.float32)
    ops = [op for op in compile_for(guarded, {"x": x, "y": np.zeros(1, np.int64)}).walk() if op.name == "dispatch.assert"]
    assert [op.properties["code"].data for op in ops] == ["ITG5001"]
