// RUN: intaglio-opt -p fuse-batch-norm %s --split-input-file | filecheck %s

// Scale and shift of the normalisation become filters and bias of the convolution before it.
// CHECK-LABEL: func.func @after_a_convolution
// CHECK-NOT:     onnx.BatchNormalization
// CHECK:         %[[W:.*]] = "onnx.Constant"() <{value = #onnx.weight<"filters
// CHECK-NEXT:    %[[B:.*]] = "onnx.Constant"() <{value = #onnx.weight<"bias
// CHECK-NEXT:    %[[Y:.*]] = "onnx.Conv"(%x, %[[W]], %[[B]])
// CHECK-NEXT:    func.return %[[Y]]
func.func @after_a_convolution(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<2x1x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x1x1x1xf32>
  %p = "onnx.Constant"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xf32>
  %c = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = "onnx.BatchNormalization"(%c, %p, %p, %p, %p) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, resultSegmentSizes = array<i32: 1, 0, 0>}> : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}

// -----

// A convolution that somebody else reads keeps its filters: the normalisation becomes one product and one sum.
// CHECK-LABEL: func.func @read_twice
// CHECK:         %[[C:.*]] = "onnx.Conv"(%x, %w)
// CHECK:         %[[M:.*]] = "onnx.Mul"(%[[C]]
// CHECK:         %[[Y:.*]] = "onnx.Add"(%[[M]]
// CHECK:         func.return %[[C]], %[[Y]]
func.func @read_twice(%x: tensor<1x1x4x4xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<2x1x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x1x1x1xf32>
  %p = "onnx.Constant"() <{value = dense<[1.0, 2.0]> : tensor<2xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2xf32>
  %c = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %y = "onnx.BatchNormalization"(%c, %p, %p, %p, %p) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, resultSegmentSizes = array<i32: 1, 0, 0>}> : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  func.return %c, %y : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
}

// -----

// Parameters that come with the run stay where they are.
// CHECK-LABEL: func.func @not_constant
// CHECK-NEXT:    "onnx.BatchNormalization"(%x, %p
func.func @not_constant(%x: tensor<1x2x4x4xf32>, %p: tensor<2xf32>) -> tensor<1x2x4x4xf32> {
  %y = "onnx.BatchNormalization"(%x, %p, %p, %p, %p) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1>, resultSegmentSizes = array<i32: 1, 0, 0>}> : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}
