// RUN: intaglio-opt -p fuse-attention %s --split-input-file | filecheck %s

// A scale and a bias go with the scores.
// CHECK-LABEL: func.func @scaled_and_biased
// CHECK-NEXT:    "onnx.Constant"
// CHECK-NEXT:    %[[Y:.*]] = "fused.attention"(%q, %k, %v, %bias) <{
// CHECK-SAME:      scale = 5.000000e-01 : f32
// CHECK-SAME:      cleaned = 0 : i64
// CHECK-NEXT:    func.return %[[Y]]
func.func @scaled_and_biased(%q: tensor<2x8x4xf32>, %k: tensor<2x4x9xf32>, %v: tensor<2x9x3xf32>, %bias: tensor<8x9xf32>) -> tensor<2x8x3xf32> {
  %half = "onnx.Constant"() <{value = dense<0.5> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x4xf32>, tensor<2x4x9xf32>) -> tensor<2x8x9xf32>
  %s = "onnx.Mul"(%p, %half) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<f32>) -> tensor<2x8x9xf32>
  %b = "onnx.Add"(%s, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<8x9xf32>) -> tensor<2x8x9xf32>
  %w = "onnx.Softmax"(%b) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<2x9x3xf32>) -> tensor<2x8x3xf32>
  func.return %y : tensor<2x8x3xf32>
}

// -----

// Rows that see nothing, made zeros as PyTorch's exporter does.
// CHECK-LABEL: func.func @cleaned
// CHECK-NEXT:    "onnx.Constant"
// CHECK-NEXT:    "fused.attention"(%q, %k, %v) <{
// CHECK-SAME:      cleaned = 1 : i64
func.func @cleaned(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> tensor<8x3xf32> {
  %zero = "onnx.Constant"() <{value = dense<0.0> : tensor<f32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<f32>
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %nan = "onnx.IsNaN"(%w) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xi1>
  %c = "onnx.Where"(%nan, %zero, %w) <{operandSegmentSizes = array<i32: 1, 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xi1>, tensor<f32>, tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%c, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// -----

// Weights that somebody else reads are computed.
// CHECK-LABEL: func.func @weights_shown
// CHECK-NOT:     fused.attention
func.func @weights_shown(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> (tensor<8x3xf32>, tensor<8x9xf32>) {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y, %w : tensor<8x3xf32>, tensor<8x9xf32>
}

// -----

// A softmax of columns, and a bias that widens the scores, are something else.
// CHECK-LABEL: func.func @columns
// CHECK-NOT:     fused.attention
func.func @columns(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>) -> tensor<8x3xf32> {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %w = "onnx.Softmax"(%p) <{axis = 0 : i64, operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>) -> tensor<8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<9x3xf32>) -> tensor<8x3xf32>
  func.return %y : tensor<8x3xf32>
}

// CHECK-LABEL: func.func @widened
// CHECK-NOT:     fused.attention
func.func @widened(%q: tensor<8x4xf32>, %k: tensor<4x9xf32>, %v: tensor<9x3xf32>, %bias: tensor<2x8x9xf32>) -> tensor<2x8x3xf32> {
  %p = "onnx.MatMul"(%q, %k) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x4xf32>, tensor<4x9xf32>) -> tensor<8x9xf32>
  %b = "onnx.Add"(%p, %bias) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<8x9xf32>, tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %w = "onnx.Softmax"(%b) <{operandSegmentSizes = array<i32: 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %y = "onnx.MatMul"(%w, %v) <{operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<2x8x9xf32>, tensor<9x3xf32>) -> tensor<2x8x3xf32>
  func.return %y : tensor<2x8x3xf32>
}
