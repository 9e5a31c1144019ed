// RUN: intaglio-opt -p lower-asserts %s | filecheck %s

// A check stores its code, its message's number and its values in the status where it fails first; the kernel takes that as its last
// buffer, and has the messages.
// CHECK:       func.func @checked(%x: memref<?xi64>, %[[STATUS:.*]]: memref<?xi64>, %n: index)
// CHECK-SAME:      dispatch.checked = ["", "{} is not positive"]
// CHECK:         %[[OK:.*]] = arith.cmpi slt
// CHECK:         scf.if
// CHECK:         %[[FAILED:.*]] = arith.xori %[[OK]]
// CHECK-NEXT:    scf.if %[[FAILED]] {
// CHECK:           %[[BEFORE:.*]] = memref.load %[[STATUS]]
// CHECK-NEXT:      %[[FIRST:.*]] = arith.cmpi eq, %[[BEFORE]]
// CHECK-NEXT:      scf.if %[[FIRST]] {
// CHECK-NEXT:        %[[CODE:.*]] = arith.constant 5031 : i64
// CHECK-NEXT:        %[[WHICH:.*]] = arith.constant 1 : i64
// CHECK-NEXT:        %[[VALUE:.*]] = arith.index_cast %n
// CHECK-NEXT:        memref.store %[[CODE]], %[[STATUS]]
// CHECK-NEXT:        memref.store %[[WHICH]], %[[STATUS]]
// CHECK-NEXT:        memref.store %[[VALUE]], %[[STATUS]]
// CHECK-NOT:   dispatch.assert
func.func @checked(%x: memref<?xi64>, %n: index) attributes {dispatch.kernel = 1 : i64} {
  %zero = arith.constant 0 : index
  %ok = arith.cmpi slt, %zero, %n : index
  "dispatch.assert"(%ok) <{code = "ITG5030"}> : (i1) -> ()
  "dispatch.assert"(%ok, %n) <{code = "ITG5031", message = "{} is not positive"}> : (i1, index) -> ()
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
