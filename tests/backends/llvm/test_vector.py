"""Vectors: loads and stores under masks, shuffles, elements, reductions and masks from counts."""

from __future__ import annotations

import numpy as np
import pytest

MASKED = """
func.func @k(%x : memref<?x{t}>, %y : memref<?x{t}>, %n : index, %begin : index, %end : index) attributes {{noalias}} {{
  %step = arith.constant 8 : index
  %other = arith.constant dense<{other}> : vector<8x{t}>
  scf.for %i = %begin to %n step %step {{
    %left = arith.subi %n, %i : index
    %mask = vector.create_mask %left : vector<8xi1>
    %v = vector.maskedload %x[%i], %mask, %other : memref<?x{t}>, vector<8xi1>, vector<8x{t}> into vector<8x{t}>
    vector.maskedstore %y[%i], %mask, %v : memref<?x{t}>, vector<8xi1>, vector<8x{t}>
  }}
  func.return
}}
"""


@pytest.mark.parametrize("t", ["i1", "i8", "i32", "f16", "bf16", "f32", "f64"])
def test_masked(t, compile_kernel, numpy_type):
    other = "true" if t == "i1" else "1" if t[0] == "i" else "1.0"
    x = np.arange(32).astype(numpy_type(t))
    y = np.zeros(32, numpy_type(t))
    compile_kernel(MASKED.format(t=t, other=other))([x, y], [21])
    want = np.where(np.arange(32) < 21, x, np.zeros_like(x))
    np.testing.assert_array_equal(y.astype(np.float64), want.astype(np.float64))


@pytest.mark.parametrize("lanes", [1, 2, 7])
def test_a_constant_mask_writes_nothing_else(lanes, compile_kernel, numpy_type):
    """Of what is rounded just before: one lane of it was once stored as wide as it had been."""
    source = f"""
func.func @k(%x : memref<?xf32>, %y : memref<?xbf16>, %n : index, %begin : index, %end : index) {{
  %z = arith.constant 0 : index
  %c = arith.constant {lanes} : index
  %m = vector.create_mask %c : vector<8xi1>
  %v = vector.load %x[%z] : memref<?xf32>, vector<8xf32>
  %w = arith.truncf %v : vector<8xf32> to vector<8xbf16>
  vector.maskedstore %y[%z], %m, %w : memref<?xbf16>, vector<8xi1>, vector<8xbf16>
  func.return
}}"""
    x, y = np.arange(8, dtype=np.float32), np.full(8, 9, numpy_type("bf16"))
    compile_kernel(source)([x, y], [8])
    assert y.astype(int).tolist() == [i if i < lanes else 9 for i in range(8)]


def test_create_mask_clamps(compile_kernel):
    source = """
func.func @k(%y : memref<?xi1>, %n : index, %begin : index, %end : index) {
  %z = arith.constant 0 : index
  %c = arith.constant 3 : index
  %e = arith.constant 8 : index
  %m = vector.create_mask %n : vector<8xi1>
  vector.store %m, %y[%z] : memref<?xi1>, vector<8xi1>
  %k = vector.create_mask %c : vector<8xi1>
  vector.store %k, %y[%e] : memref<?xi1>, vector<8xi1>
  func.return
}"""
    run = compile_kernel(source)
    for n, count in ((-(2**40), 0), (0, 0), (5, 5), (8, 8), (2**40, 8)):
        y = np.zeros(16, np.bool_)
        run([y], [n])
        assert y[:8].tolist() == [i < count for i in range(8)] and y[8:].sum() == 3


ELEMENTS = """
func.func @k(%x : memref<?xf32>, %y : memref<?xf32>, %n : index, %begin : index, %end : index) {
  %z = arith.constant 0 : index
  %four = arith.constant 4 : index
  %x0 = vector.load %x[%z] {alignment = 4 : i64} : memref<?xf32>, vector<4xf32>
  %x1 = vector.load %x[%four] : memref<?xf32>, vector<4xf32>
  %s = vector.shuffle %x0, %x1 [0, 4, 1, 5, -1, 7] : vector<4xf32>, vector<4xf32>
  %e = "vector.extract"(%s) <{static_position = array<i64: 3>}> : (vector<6xf32>) -> f32
  %d = "vector.extract"(%x0, %n) <{static_position = array<i64: -9223372036854775808>}> : (vector<4xf32>, index) -> f32
  %b = vector.broadcast %d : f32 to vector<4xf32>
  %f = vector.fma %b, %x1, %x0 : vector<4xf32>
  %i = "vector.insert"(%e, %f) <{static_position = array<i64: 0>}> : (f32, vector<4xf32>) -> vector<4xf32>
  %j = "vector.insert"(%e, %i, %n) <{static_position = array<i64: -9223372036854775808>}> : (f32, vector<4xf32>, index) -> vector<4xf32>
  vector.store %j, %y[%z] : memref<?xf32>, vector<4xf32>
  %bits = vector.bitcast %x0 : vector<4xf32> to vector<4xi32>
  %back = vector.bitcast %bits : vector<4xi32> to vector<4xf32>
  %same = vector.broadcast %back : vector<4xf32> to vector<4xf32>
  vector.store %same, %y[%four] : memref<?xf32>, vector<4xf32>
  func.return
}
"""


def test_elements(compile_kernel):
    x, y = np.arange(1, 9, dtype=np.float32), np.zeros(8, np.float32)
    compile_kernel(ELEMENTS)([x, y], [2])
    want = x[2] * x[4:] + x[:4]
    want[0] = want[2] = x[5]
    np.testing.assert_array_equal(y, [*want, *x[:4]])


REDUCE = """
func.func @k(%x : memref<?x{t}>, %y : memref<?x{t}>, %begin : index, %end : index) {{
  %z = arith.constant 0 : index
  %one = arith.constant 1 : index
  %v = vector.load %x[%z] : memref<?x{t}>, vector<8x{t}>
  %a = memref.load %x[%one] : memref<?x{t}>
  %r = "vector.reduction"(%v) <{{kind = #vector.kind<{kind}>, fastmath = #arith.fastmath<{fast}>}}> : (vector<8x{t}>) -> {t}
  %s = "vector.reduction"(%v, %a) <{{kind = #vector.kind<{kind}>, fastmath = #arith.fastmath<{fast}>}}> : (vector<8x{t}>, {t}) -> {t}
  memref.store %r, %y[%z] : memref<?x{t}>
  memref.store %s, %y[%one] : memref<?x{t}>
  func.return
}}
"""
KINDS = {
    "add": np.add,
    "mul": np.multiply,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "minsi": np.minimum,
    "maxsi": np.maximum,
    "minui": np.minimum,
    "maxui": np.maximum,
    "minnumf": np.fmin,
    "maxnumf": np.fmax,
    "minimumf": np.minimum,
    "maximumf": np.maximum,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("t", ["i32", "i64", "f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("fast", ["none", "reassoc"])
def test_reduction(kind, t, fast, compile_kernel, numpy_type):
    if (t[0] == "i") != (kind in KINDS and not kind.endswith("f")) and kind not in ("add", "mul"):
        return
    x = np.array([1, 2, 1, 3, 2, 1, 2, 1]).astype(numpy_type(t))
    if kind.endswith("i") and kind[3] == "s":
        x[3] = -7
    if kind.endswith("numf"):
        x[5] = np.nan
    y = np.zeros(2, numpy_type(t))
    compile_kernel(REDUCE.format(t=t, kind=kind, fast=fast))([x, y])
    values = x.astype(np.float64) if t[0] != "i" else x
    once = KINDS[kind].reduce(values)
    np.testing.assert_array_equal(y.astype(values.dtype), [once, KINDS[kind](once, values[1])])
