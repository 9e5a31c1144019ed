// RUN: intaglio-opt -p fuse-gelu %s --split-input-file | filecheck %s

// As PyTorch's exporter spells it out.
// CHECK-LABEL: func.func @spelt_out
// CHECK:         %[[Y:.*]] = "onnx.Gelu"(%x)
// CHECK-NEXT:    func.return %[[Y]]
func.func @spelt_out(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %root = "onnx.Constant"() <{value = dense<1.4142135> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %one = "onnx.Constant"() <{value = dense<1.0> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %d = "onnx.Div"(%x, %root) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %e = "onnx.Erf"(%d) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %a = "onnx.Add"(%e, %one) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %m = "onnx.Mul"(%x, %a) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %y = "onnx.Mul"(%m, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  func.return %y : tensor<2x8xf32>
}

// -----

// Halved before, and scaled by a product.
// CHECK-LABEL: func.func @halved_before
// CHECK:         %[[Y:.*]] = "onnx.Gelu"(%x)
// CHECK:         func.return %[[Y]]
func.func @halved_before(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %root = "onnx.Constant"() <{value = dense<0.70710677> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %one = "onnx.Constant"() <{value = dense<1.0> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %h = "onnx.Mul"(%x, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %d = "onnx.Mul"(%root, %x) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %e = "onnx.Erf"(%d) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %a = "onnx.Add"(%one, %e) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<f32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %y = "onnx.Mul"(%h, %a) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  func.return %y : tensor<2x8xf32>
}

// -----

// The factor of another function.
// CHECK-LABEL: func.func @another_factor
// CHECK-NOT:     onnx.Gelu
func.func @another_factor(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %one = "onnx.Constant"() <{value = dense<1.0> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %e = "onnx.Erf"(%x) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %a = "onnx.Add"(%e, %one) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %m = "onnx.Mul"(%x, %a) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %y = "onnx.Mul"(%m, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  func.return %y : tensor<2x8xf32>
}
