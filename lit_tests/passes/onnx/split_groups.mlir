// RUN: intaglio-opt -p split-groups %s --split-input-file | filecheck %s

// Groups of whole blocks of channels are convolutions of their own.
// CHECK-LABEL: func.func @blocks
// CHECK:         %[[P:.*]], %[[Q:.*]] = "onnx.Split"(%x, %{{.*}}) <{axis = 1 : i64
// CHECK:         %[[A:.*]] = "onnx.Conv"(%[[P]], %{{.*}}, %{{.*}}) <{pads = array<i64: 1, 1, 1, 1>
// CHECK:         %[[B:.*]] = "onnx.Conv"(%[[Q]], %{{.*}}, %{{.*}}) <{pads = array<i64: 1, 1, 1, 1>
// CHECK:         %[[Y:.*]] = "onnx.Concat"(%[[A]], %[[B]]) <{axis = 1 : i64
// CHECK-NEXT:    func.return %[[Y]]
func.func @blocks(%x: tensor<1x32x4x4xf32>) -> tensor<1x64x4x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<64x16x3x3xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64x16x3x3xf32>
  %b = "onnx.Constant"() <{value = dense<2.0> : tensor<64xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<64xf32>
  %y = "onnx.Conv"(%x, %w, %b) <{group = 2 : i64, pads = array<i64: 1, 1, 1, 1>, operandSegmentSizes = array<i32: 1, 1, 1>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x32x4x4xf32>, tensor<64x16x3x3xf32>, tensor<64xf32>) -> tensor<1x64x4x4xf32>
  func.return %y : tensor<1x64x4x4xf32>
}

// -----

// Groups that leave part of a block empty stay together, and so do depthwise convolutions.
// CHECK-LABEL: func.func @parts_of_blocks
// CHECK-NOT:     onnx.Split
// CHECK:         "onnx.Conv"(%x, %w) <{group = 2 : i64
func.func @parts_of_blocks(%x: tensor<1x16x4x4xf32>) -> tensor<1x32x4x4xf32> {
  %w = "onnx.Constant"() <{value = dense<2.0> : tensor<32x8x1x1xf32>, operandSegmentSizes = array<i32>, resultSegmentSizes = array<i32: 1>}> : () -> tensor<32x8x1x1xf32>
  %y = "onnx.Conv"(%x, %w) <{group = 2 : i64, operandSegmentSizes = array<i32: 1, 1, 0>, resultSegmentSizes = array<i32: 1>}> : (tensor<1x16x4x4xf32>, tensor<32x8x1x1xf32>) -> tensor<1x32x4x4xf32>
  func.return %y : tensor<1x32x4x4xf32>
}
