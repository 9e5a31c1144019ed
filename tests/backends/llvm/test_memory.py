"""Memrefs: views, strides, scalars of rank 0, bytes for i1, copies, stack space."""

from __future__ import annotations

import numpy as np
import pytest
from intaglio.backends.llvm import emit_module

VIEWS = """
func.func @k(%x : memref<?xf32>, %y : memref<?xf32>, %n : index, %begin : index, %end : index) attributes {noalias} {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %rows = arith.constant 3 : index
  %X = memref.reinterpret_cast %x to offset: [4], sizes: [%n, 3, 5], strides: [15, 5, 1]
     : memref<?xf32> to memref<?x3x5xf32, strided<[15, 5, 1], offset: 4>>
  %S = memref.subview %X[1, 0, 2] [%n, 3, 1] [1, 1, 1]
     : memref<?x3x5xf32, strided<[15, 5, 1], offset: 4>> to memref<?x3xf32, strided<[15, 5], offset: ?>>
  %C = "memref.cast"(%S) : (memref<?x3xf32, strided<[15, 5], offset: ?>>) -> memref<?x?xf32, strided<[?, ?], offset: ?>>
  %d = memref.dim %C, %one : memref<?x?xf32, strided<[?, ?], offset: ?>>
  %Y = memref.reinterpret_cast %y to offset: [0], sizes: [%n, 3], strides: [3, 1] : memref<?xf32> to memref<?x3xf32>
  scf.for %i = %begin to %end step %one {
    scf.for %j = %zero to %d step %one {
      %v = memref.load %C[%i, %j] : memref<?x?xf32, strided<[?, ?], offset: ?>>
      memref.store %v, %Y[%i, %j] : memref<?x3xf32>
    }
  }
  func.return
}
"""


def test_views(compile_kernel):
    x = np.arange(4 + 6 * 15, dtype=np.float32)
    y = np.zeros((5, 3), np.float32)
    compile_kernel(VIEWS)([x, y], [5], end=5)
    np.testing.assert_array_equal(y, x[4:].reshape(6, 3, 5)[1:, :, 2])


COPY = """
func.func @k(%x : memref<?xi16>, %y : memref<?xi16>, %n : index, %begin : index, %end : index) attributes {{noalias}} {{
  %X = memref.reinterpret_cast %x to offset: [0], sizes: [%n, 4], strides: [{strides}]
     : memref<?xi16> to memref<?x4xi16, strided<[{strides}]>>
  %Y = memref.reinterpret_cast %y to offset: [0], sizes: [%n, 4], strides: [4, 1] : memref<?xi16> to memref<?x4xi16>
  "memref.copy"(%X, %Y) : (memref<?x4xi16, strided<[{strides}]>>, memref<?x4xi16>) -> ()
  func.return
}}
"""


@pytest.mark.parametrize("strides", ["4, 1", "1, 7"])
def test_copy(strides, compile_kernel):
    run = compile_kernel(COPY.format(strides=strides))
    assert ("llvm.memcpy" in run.ir) == (strides == "4, 1")
    x, y = np.arange(28, dtype=np.int16), np.zeros((7, 4), np.int16)
    run([x, y], [7])
    np.testing.assert_array_equal(y, x.reshape(7, 4) if strides == "4, 1" else x.reshape(4, 7).T)


STACK = """
func.func @k(%x : memref<?xi1>, %y : memref<?xi64>, %begin : index, %end : index) {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %c0 = arith.constant 0 : i64
  %true = arith.constant true
  %count = memref.alloca() : memref<i64>
  %flags = memref.alloca() {alignment = 64 : i64} : memref<16xi1>
  memref.store %c0, %count[] : memref<i64>
  scf.for %i = %begin to %end step %one {
    %b = memref.load %x[%i] : memref<?xi1>
    %flipped = arith.xori %b, %true : i1
    memref.store %flipped, %flags[%i] : memref<16xi1>
    %again = memref.load %flags[%i] : memref<16xi1>
    %wide = arith.extui %again : i1 to i64
    %old = memref.load %count[] : memref<i64>
    %new = arith.addi %old, %wide : i64
    memref.store %new, %count[] : memref<i64>
  }
  %all = memref.load %count[] : memref<i64>
  memref.store %all, %y[%zero] : memref<?xi64>
  func.return
}
"""


def test_stack_rank_zero_and_bytes(compile_kernel):
    x = np.array([1, 0, 0, 255, 1, 0, 0, 0, 1], np.uint8)  # any byte but 0 is true
    y = np.zeros(1, np.int64)
    compile_kernel(STACK)([x, y], end=9)
    assert y[0] == 5


BYTES = """
func.func @k(%x : memref<?xi8>, %y : memref<?xf32>, %n : index, %begin : index, %end : index) {
  %shift = arith.constant 8 : index
  %z = arith.constant 0 : index
  %one = arith.constant 1 : index
  %f = "memref.view"(%x, %shift, %n) : (memref<?xi8>, index, index) -> memref<?x2xf32>
  %a = memref.assume_alignment %f, 4 : memref<?x2xf32>
  scf.for %i = %begin to %end step %one {
    %v = memref.load %a[%i, %one] : memref<?x2xf32>
    memref.store %v, %y[%i] {alignment = 4 : i64} : memref<?xf32>
  }
  func.return
}
"""


def test_view_of_bytes(compile_kernel):
    x, y = np.arange(10, dtype=np.float32), np.zeros(4, np.float32)
    compile_kernel(BYTES)([x, y], [4], end=4)
    np.testing.assert_array_equal(y, [3, 5, 7, 9])


def test_nontemporal(functions):
    source = "func.func @f(%x : memref<4xf32>, %v : f32) { %z = arith.constant 0 : index "
    (op,) = functions(source + "memref.store %v, %x[%z] {nontemporal = true} : memref<4xf32> func.return }")
    ir = emit_module([op])
    assert "align 4, !nontemporal !0" in ir and "!0 = !{i32 1}" in ir


PREFETCH = """
func.func @k(%x : memref<?xf32>, %y : memref<?xf32>, %begin : index, %end : index) attributes {noalias} {
  %one = arith.constant 1 : index
  scf.for %i = %begin to %end step %one {
    "dispatch.prefetch"(%x, %i) {ahead = 4096 : i64} : (memref<?xf32>, index) -> ()
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %y[%i] : memref<?xf32>
  }
  func.return
}
"""


def test_prefetching_beyond_the_end_is_harmless(compile_kernel):
    run = compile_kernel(PREFETCH)
    assert "call void @llvm.prefetch" in run.ir
    x, y = np.arange(7, dtype=np.float32), np.zeros(7, np.float32)
    run([x, y], end=7)
    np.testing.assert_array_equal(y, x)
