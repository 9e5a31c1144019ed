"""Structured control flow: loops with carried values, known and unknown trips, branches, while, switch, calls, loop hints."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from intaglio.backends.llvm import emit_module
from intaglio.errors import IntaglioError

SUM = """
func.func @k(%x : memref<?xf32>, %y : memref<?xf32>, %n : index, %begin : index, %end : index) {{
  %lower = arith.constant {lower} : index
  %upper = arith.constant {upper} : index
  %step = arith.constant {step} : index
  %zero = arith.constant 0 : index
  %init = arith.constant 100.0 : f32
  %s, %last = scf.for %i = {lower_name} to {upper_name} step %step iter_args(%acc = %init, %seen = %zero) -> (f32, index) {{
    %v = memref.load %x[%i] : memref<?xf32>
    %w = arith.addf %acc, %v : f32
    scf.yield %w, %i : f32, index
  }} {{{hints}}}
  memref.store %s, %y[%zero] : memref<?xf32>
  %one = arith.constant 1 : index
  %i32 = arith.index_cast %last : index to i32
  %f = arith.sitofp %i32 : i32 to f32
  memref.store %f, %y[%one] : memref<?xf32>
  func.return
}}
"""


@pytest.mark.parametrize(("lower", "upper", "step"), [(0, 7, 1), (0, 0, 1), (5, 2, 1), (1, 9, 3), (2, 3, 5)])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("hints", ["", "unroll = 4", "unroll", "no_unroll", "vectorize, interleave = 2", "vectorize = 8", "no_vectorize"])
def test_for(lower, upper, step, known, hints, compile_kernel):
    names = ("%lower", "%upper") if known else ("%begin", "%end")
    run = compile_kernel(SUM.format(lower=lower, upper=upper, step=step, lower_name=names[0], upper_name=names[1], hints=hints))
    x, y = np.arange(16, dtype=np.float32), np.zeros(2, np.float32)
    run([x, y], [16], begin=lower, end=upper)
    trips = list(range(lower, upper, step))
    assert y.tolist() == [100.0 + sum(trips), trips[-1] if trips else 0]


def test_known_trip_has_no_guard(functions):
    ir = emit_module(functions(SUM.format(lower=0, upper=8, step=1, lower_name="%lower", upper_name="%upper", hints="unroll = 4")))
    assert ir.count("icmp") == 1 and ir.count("phi") == 3
    assert '!"llvm.loop.unroll.count", i32 4' in ir and "llvm.loop.mustprogress" in ir


BRANCHES = """
func.func @k(%x : memref<?xi32>, %y : memref<?xi32>, %begin : index, %end : index) attributes {noalias} {
  %one = arith.constant 1 : index
  %c10 = arith.constant 10 : i32
  %c0 = arith.constant 0 : i32
  scf.for %i = %begin to %end step %one {
    %v = memref.load %x[%i] : memref<?xi32>
    %neg = arith.cmpi slt, %v, %c0 : i32
    %a, %b = scf.if %neg -> (i32, i32) {
      %m = arith.subi %c0, %v : i32
      scf.yield %m, %c10 : i32, i32
    } else {
      %big = arith.cmpi sgt, %v, %c10 : i32
      %q = scf.if %big -> (i32) {
        scf.yield %c10 : i32
      } else {
        scf.yield %v : i32
      }
      scf.yield %q, %c0 : i32, i32
    }
    %r = arith.addi %a, %b : i32
    memref.store %r, %y[%i] : memref<?xi32>
    %odd = arith.trunci %v : i32 to i1
    scf.if %odd {
      memref.store %c0, %y[%i] : memref<?xi32>
    }
  }
  func.return
}
"""


def test_if(compile_kernel):
    x = np.arange(-20, 20, dtype=np.int32)
    y = np.zeros_like(x)
    compile_kernel(BRANCHES)([x, y], end=len(x))
    want = np.where(x % 2 == 1, 0, np.where(x < 0, -x + 10, np.minimum(x, 10)))
    np.testing.assert_array_equal(y, want)


GCD = """
func.func @k(%a : memref<?xi64>, %b : memref<?xi64>, %y : memref<?xi64>, %begin : index, %end : index) {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : i64
  scf.for %i = %begin to %end step %one {
    %u = memref.load %a[%i] : memref<?xi64>
    %v = memref.load %b[%i] : memref<?xi64>
    %g, %h = scf.while (%p = %u, %q = %v) : (i64, i64) -> (i64, i64) {
      %more = arith.cmpi ne, %q, %zero : i64
      scf.condition(%more) %p, %q : i64, i64
    } do {
    ^body(%s : i64, %t : i64):
      %r = arith.remsi %s, %t : i64
      scf.yield %t, %r : i64, i64
    }
    memref.store %g, %y[%i] : memref<?xi64>
  }
  func.return
}
"""


def test_while(compile_kernel):
    rng = np.random.default_rng(3)
    a, b = rng.integers(1, 10_000, (2, 50))
    y = np.zeros(50, np.int64)
    compile_kernel(GCD)([a, b, y], end=50)
    np.testing.assert_array_equal(y, np.gcd(a, b))


SWITCH = """
func.func @k(%y : memref<?xi32>, %begin : index, %end : index) {
  %one = arith.constant 1 : index
  scf.for %i = %begin to %end step %one {
    %r = "scf.index_switch"(%i) <{cases = array<i64: 1, 3>}> ({
      %d = arith.constant -1 : i32
      scf.yield %d : i32
    }, {
      %a = arith.constant 11 : i32
      scf.yield %a : i32
    }, {
      %b = arith.constant 33 : i32
      scf.yield %b : i32
    }) : (index) -> i32
    memref.store %r, %y[%i] : memref<?xi32>
  }
  func.return
}
"""


def test_switch(compile_kernel):
    y = np.zeros(5, np.int32)
    compile_kernel(SWITCH)([y], end=5)
    assert y.tolist() == [-1, 11, -1, 33, -1]


CALLS = """
func.func private @divmod(%a : i64, %b : i64) -> (i64, i64) {
  %q = arith.divsi %a, %b : i64
  %r = arith.remsi %a, %b : i64
  func.return %q, %r : i64, i64
}
func.func private @put(%y : memref<?xi64>, %v : i64) {
  %zero = arith.constant 0 : index
  memref.store %v, %y[%zero] : memref<?xi64>
  func.return
}
func.func private @given(i64) -> i64
func.func @f(%y : memref<?xi64>, %a : i64, %b : i64) -> i64 {
  %q, %r = func.call @divmod(%a, %b) : (i64, i64) -> (i64, i64)
  func.call @put(%y, %q) : (memref<?xi64>, i64) -> ()
  %s = func.call @given(%r) : (i64) -> i64
  func.return %s : i64
}
"""


def test_calls_and_imports(functions, host):
    module = emit_module(functions(CALLS), target=host.attributes)
    given = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: x * 1000)
    library = host.load([host.compile(module)], {"given": ctypes.cast(given, ctypes.c_void_p).value or 0})
    f = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(library.address("f"))
    y = np.zeros(1, np.int64)
    assert f(y.ctypes.data, 17, 5) == 2000
    assert y[0] == 3


REFUSED = {
    "memref carried": (
        """func.func @f(%m : memref<4xf32>, %n : index) {
  %r = scf.for %i = %n to %n step %n iter_args(%a = %m) -> (memref<4xf32>) { scf.yield %a : memref<4xf32> }
  func.return }""",
        "memref<4xf32>",
    ),
    "unknown op": ("func.func @f(%x : f32) { %y = math.erf %x : f32 func.return }", "math.erf"),
    "narrow integer": ("func.func @f(%x : i4) { func.return }", "4 bits"),
    "matrix vector": ("func.func @f(%x : vector<2x2xf32>) { func.return }", "one fixed dimension"),
    "zero step": (
        """func.func @f(%n : index) { %z = arith.constant 0 : index
  scf.for %i = %z to %n step %z { scf.yield } func.return }""",
        "step 0",
    ),
    "vector comparison into a scalar": (
        """func.func @f(%x : vector<4xi32>) {
  %y = "arith.cmpi"(%x, %x) <{predicate = 0 : i64}> : (vector<4xi32>, vector<4xi32>) -> i1 func.return }""",
        "arith.cmpi",
    ),
    "dynamic inner size": ("func.func @f(%x : memref<4x?xf32>) { func.return }", "outermost"),
    "dynamic stack": ("func.func @f(%n : index) { %x = memref.alloca(%n) : memref<?xf32> func.return }", "dynamic size"),
    "large stack": ("func.func @f() { %x = memref.alloca() : memref<1000000xf32> func.return }", "bytes of stack"),
    "unknown size": (
        """func.func @f(%x : memref<?xf32>) { %z = arith.constant 0 : index
  %n = memref.dim %x, %z : memref<?xf32> func.return }""",
        "only the caller knows",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, functions):
    source, words = REFUSED[case]
    with pytest.raises(IntaglioError, match="ITG4001") as error:
        emit_module(functions(source))
    assert words in str(error.value)


def test_kernel_signature(functions):
    (kernel,) = functions("func.func @k(%n : index, %x : memref<?xf32>, %b : index, %e : index) { func.return }")
    with pytest.raises(IntaglioError, match="memrefs first"):
        emit_module((), kernels=[kernel])
