// RUN: intaglio-opt -p onnx-to-linalg,fuse-elementwise,fuse-epilogue,form-dispatches,lower-executables,lower-asserts,bufferize,check-dominance %s | filecheck %s

// The whole way: two elementwise operators are one kernel, and the host program reads no input but to dispatch it.
// CHECK:       func.func @main(%[[X:.*]]: !hal.buffer, %[[N:.*]]: index, %{{.*}}: index) -> (!hal.buffer, index, index)
// CHECK:         hal.arena
// CHECK:         hal.dispatch @[[KERNEL:[^ ]*]]
// CHECK-NOT:     hal.dispatch
// CHECK:         func.return
// CHECK:       func.func {{.*}}dispatch.kernel
// CHECK:         scf.for
// CHECK-NEXT:      memref.load
// CHECK:           arith.maximumf
// CHECK-NOT:       math.exp
// CHECK:           memref.store
func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.dims = ["N", 4 : i64]}) -> tensor<?x4xf32> {
  %y = "onnx.Relu"(%x) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = "onnx.Exp"(%y) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  func.return %z : tensor<?x4xf32>
}
