// RUN: intaglio-opt -p lift-conv1d %s --split-input-file | filecheck %s

// A convolution over one axis becomes one over a plane of height 1.
// CHECK-LABEL: func.func @one_axis
// CHECK:         %[[AXIS:.*]] = "onnx.Constant"() <{value = #onnx.weight<"axis
// CHECK-NEXT:    %[[W:.*]] = "onnx.Constant"() <{value = #onnx.weight<"filters
// CHECK-NEXT:    %[[WIDE:.*]] = "onnx.Unsqueeze"(%x, %[[AXIS]])
// CHECK-NEXT:    %[[Y:.*]] = "onnx.Conv"(%[[WIDE]], %[[W]])
// CHECK-SAME:      pads = array<i64: 0, 1, 0, 1>
// CHECK-NEXT:    "onnx.Squeeze"(%[[Y]], %[[AXIS]])
func.func @one_axis(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<2x1x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<2x1x3xf32>
  %y = "onnx.Conv"(%x, %w) <{pads = array<i64: 1, 1>, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x1x4xf32>, tensor<2x1x3xf32>) -> tensor<1x2x4xf32>
  func.return %y : tensor<1x2x4xf32>
}

// -----

// Filters that come with the run have no packed form yet: nothing is gained.
// CHECK-LABEL: func.func @filters_of_the_run
// CHECK-NEXT:    "onnx.Conv"(%x, %w)
func.func @filters_of_the_run(%x: tensor<1x1x4xf32>, %w: tensor<2x1x3xf32>) -> tensor<1x2x2xf32> {
  %y = "onnx.Conv"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x1x4xf32>, tensor<2x1x3xf32>) -> tensor<1x2x2xf32>
  func.return %y : tensor<1x2x2xf32>
}
