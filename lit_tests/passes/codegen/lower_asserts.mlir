// RUN: intaglio-opt -p lower-asserts %s | filecheck %s

// A check stores its code in the status cell where it fails; the kernel takes that cell as its last buffer.
// CHECK:       func.func @checked(%x: memref<?xi64>, %[[STATUS:.*]]: memref<?xi32>, %n: index) attributes {dispatch.kernel = 1 : i64, dispatch.checked}
// CHECK:         %[[OK:.*]] = arith.cmpi slt
// CHECK:         %[[FAILED:.*]] = arith.xori %[[OK]]
// CHECK-NEXT:    scf.if %[[FAILED]] {
// CHECK-NEXT:      %[[CODE:.*]] = arith.constant 5030 : i32
// CHECK:           memref.store %[[CODE]], %[[STATUS]]
// CHECK-NOT:   dispatch.assert
func.func @checked(%x: memref<?xi64>, %n: index) attributes {dispatch.kernel = 1 : i64} {
  %zero = arith.constant 0 : index
  %ok = arith.cmpi slt, %zero, %n : index
  "dispatch.assert"(%ok) <{code = "ITG5030"}> : (i1) -> ()
  func.return
}

// A kernel without checks keeps its arguments.
// CHECK:       func.func @unchecked(%y: memref<?xi64>) attributes {dispatch.kernel = 1 : i64}
func.func @unchecked(%y: memref<?xi64>) attributes {dispatch.kernel = 1 : i64} {
  func.return
}

// Neither does the pass touch what is no kernel.
// CHECK:       func.func @host
// CHECK:         "dispatch.assert"
func.func @host(%ok: i1) {
  "dispatch.assert"(%ok) <{code = "ITG5030"}> : (i1) -> ()
  func.return
}
