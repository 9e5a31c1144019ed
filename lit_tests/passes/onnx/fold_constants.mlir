// RUN: intaglio-opt -p fold-constants %s --split-input-file | filecheck %s

// What follows from constants is worked out; what nobody reads then goes.
// CHECK-LABEL: func.func @arithmetic
// CHECK-NEXT:    %[[C:.*]] = "onnx.Constant"
// CHECK-NEXT:    func.return %[[C]]
func.func @arithmetic() -> tensor<2xf32> {
  %a = "onnx.Constant"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xf32>
  %b = "onnx.Constant"() <{value = dense<[3.0, 4.0]> : tensor<2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xf32>
  %c = "onnx.Add"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %c : tensor<2xf32>
}

// -----

// A shape is known even where the tensor is not.
// CHECK-LABEL: func.func @shape
// CHECK-NEXT:    %[[C:.*]] = "onnx.Constant"
// CHECK-NEXT:    func.return %[[C]]
func.func @shape(%x: tensor<2x3xf32>) -> tensor<2xi64> {
  %s = "onnx.Shape"(%x) <{start = 0 : i64, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x3xf32>) -> tensor<2xi64>
  func.return %s : tensor<2xi64>
}

// -----

// An open dimension is worked out in the run.
// CHECK-LABEL: func.func @open
// CHECK-NEXT:    "onnx.Shape"(%x)
func.func @open(%x: tensor<?x3xf32>) -> tensor<2xi64> {
  %s = "onnx.Shape"(%x) <{start = 0 : i64, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<?x3xf32>) -> tensor<2xi64>
  func.return %s : tensor<2xi64>
}

// -----

// A broadcast that would store many times what it reads stays.
// CHECK-LABEL: func.func @grows
// CHECK:         "onnx.Expand"
func.func @grows() -> tensor<512x512xf32> {
  %a = "onnx.Constant"() <{value = dense<1.0> : tensor<512xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<512xf32>
  %s = "onnx.Constant"() <{value = dense<512> : tensor<2xi64>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xi64>
  %e = "onnx.Expand"(%a, %s) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<512xf32>, tensor<2xi64>) -> tensor<512x512xf32>
  func.return %e : tensor<512x512xf32>
}

// -----

// Weights of bytes that are made floats: with a scale for each filter they become constants; those with scales by blocks stay small.
// CHECK-LABEL: func.func @dequantised
// CHECK:         "onnx.Constant"() <{value = #onnx.weight<"{{.*}}>, {{.*}} -> tensor<2x4xf32>
// CHECK:         "onnx.DequantizeLinear"
// CHECK-NOT:     "onnx.DequantizeLinear"
func.func @dequantised() -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %w = "onnx.Constant"() <{value = dense<3> : tensor<2x4xi8>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x4xi8>
  %s = "onnx.Constant"() <{value = dense<[0.5, 0.25]> : tensor<2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xf32>
  %t = "onnx.Constant"() <{value = dense<0.5> : tensor<2x2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x2xf32>
  %y = "onnx.DequantizeLinear"(%w, %s) <{axis = 0 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x4xi8>, tensor<2xf32>) -> tensor<2x4xf32>
  %z = "onnx.DequantizeLinear"(%w, %t) <{block_size = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x4xi8>, tensor<2x2xf32>) -> tensor<2x4xf32>
  func.return %y, %z : tensor<2x4xf32>, tensor<2x4xf32>
}
