// RUN: intaglio-opt -p onnx-to-linalg %s --split-input-file --verify-diagnostics | filecheck %s

// Open dimensions are bound at the top; an elementwise operator is one generic.
// CHECK:       func.func @main(%x: tensor<?x4xf32> {{.*}}hal.inputs = [{name = "x", element = 1 : i64, dims = ["N", 4 : i64]}]
// CHECK:         %[[N:.*]] = tensor.dim %x
// CHECK:         %[[X:.*]] = "dispatch.tie_shape"(%x, %[[N]])
// CHECK:         linalg.generic {{.*}}doc = "Relu"} ins(%[[X]] : tensor<?x4xf32>)
// CHECK:           arith.maximumf
func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.dims = ["N", 4 : i64]}) -> tensor<?x4xf32> {
  %y = "onnx.Relu"(%x) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?x4xf32>) -> tensor<?x4xf32>
  func.return %y : tensor<?x4xf32>
}

// -----

// An operator without a lowering is refused by name, and so is every other one in the same report.
// CHECK: ITG3000 the model uses what cannot be compiled yet:
// CHECK-NEXT: onnx_training.Gradient: no lowering yet
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  %y = "onnx_training.Gradient"(%x, %x, %x) <{xs = ["x"], y = "y", operandSegmentSizes = array<i32: 1, 2>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>
  func.return %y : tensor<f32>
}
